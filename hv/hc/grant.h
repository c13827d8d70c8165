// SPDX-License-Identifier: MIT
// The grant table hypercalls, for the ABI page.
#ifndef WIRT_HC_GRANT_H
#define WIRT_HC_GRANT_H

#include "hc/op.h"

extern const struct hc_op hc_grant_ops[];

// Operations on arrays, whose elements have a status each.
struct hc_batch_op {
    const char *name;
    u32 cmd;
    u32 size; // bytes of an element
    // Carries `count` elements out; they are copied back whole.
    void (*run)(struct vcpu *cur, void *elements, u32 count);
    const char *test;
};
extern const struct hc_batch_op hc_grant_batch_ops[];

#endif
