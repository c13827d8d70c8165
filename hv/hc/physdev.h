// SPDX-License-Identifier: MIT
// The physical device hypercalls.
#ifndef WIRT_HC_PHYSDEV_H
#define WIRT_HC_PHYSDEV_H

#include "hc/op.h"

// All PHYSDEVOP_*, by rising number. hc_physdev_op and hc_physdev_op_compat are in hc/table.h.
extern const struct hc_op hc_physdev_ops[];
extern const u32 hc_physdev_op_count;

#endif
