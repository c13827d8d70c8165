// SPDX-License-Identifier: MIT
// Which frames outside of RAM a domain may map.
#ifndef WIRT_IO_MMIO_H
#define WIRT_IO_MMIO_H

#include "lib/compiler.h"

struct domain;

// Keeps [first, first + frames) for the hypervisor: the domain may map it read-only (readable) or
// not at all. Mappings that exist already stay. Takes a lock above LOCK_MMU; boot, MSI-X setup.
void mmio_reserve(mfn_t first, u64 frames, bool readable);
// Takes back one mmio_reserve of exactly this range.
void mmio_release(mfn_t first, u64 frames);
// May the domain map this frame, which is not RAM? Takes a lock above LOCK_MMU.
bool mmio_permitted(struct domain *d, mfn_t m, bool write);
// Is this frame within the machine's address width, and none of those kept? The same lock.
bool mmio_usable(mfn_t m);

#endif
