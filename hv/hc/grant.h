// SPDX-License-Identifier: MIT
// The grant table hypercalls, for the ABI page.
#ifndef WIRT_HC_GRANT_H
#define WIRT_HC_GRANT_H

#include "hc/op.h"

extern const struct hc_op hc_grant_ops[];

#endif
