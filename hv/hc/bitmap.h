// SPDX-License-Identifier: MIT
// CPU masks in the ABI's form (struct xenctl_bitmap: bytes, lowest first).
#ifndef WIRT_HC_BITMAP_H
#define WIRT_HC_BITMAP_H

#include "abi/xen.h"
#include <xen/domctl.h>
#include "hc/guest_access.h"
#include "mm/tlb.h"

// As many bits as both sides have, the rest of the caller's zero. 0, -EFAULT.
NODISCARD int bitmap_copy_out(const struct xenctl_bitmap *b, const struct cpumask *mask);
// Bits that the guest did not give are zero, those above our CPUs are dropped. 0, -EFAULT.
NODISCARD int bitmap_copy_in(struct cpumask *mask, const struct xenctl_bitmap *b);

#endif
