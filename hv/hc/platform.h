// SPDX-License-Identifier: MIT
// HYPERVISOR_platform_op, for the ABI page.
#ifndef WIRT_HC_PLATFORM_H
#define WIRT_HC_PLATFORM_H

#include "hc/op.h"

extern const struct hc_op hc_platform_ops[];

#endif
