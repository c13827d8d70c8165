// SPDX-License-Identifier: MIT
// Which frames outside of RAM a domain may map.
#ifndef WIRT_IO_MMIO_H
#define WIRT_IO_MMIO_H

#include "lib/compiler.h"

struct domain;

// Keeps [first, first + frames) for the hypervisor (writable or any mapping). Boot, MSI-X setup.
void mmio_reserve(mfn_t first, u64 frames, bool readable);
void mmio_release(mfn_t first, u64 frames);
// May the domain map this frame, which is not RAM?
bool mmio_permitted(const struct domain *d, mfn_t m, bool write);

#endif
