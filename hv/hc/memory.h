// SPDX-License-Identifier: MIT
// HYPERVISOR_memory_op: its tables, what other families need of it, and what its two files share.
#ifndef WIRT_HC_MEMORY_H
#define WIRT_HC_MEMORY_H

#include "dom/domain.h"
#include "hc/op.h"

enum {
    // The command's bits above these count the extents that are done (the ABI's continuation).
    MEMORY_CMD_BITS = 6,
    // Largest extent: what can be allocated, cleared and counted in one go.
    MEMORY_ORDER_MAX = 9,
};

// Operations on lists of extents.
struct hc_extent_op {
    const char *name;
    u32 cmd;
    // `start`: extents already done. Returns the call's result or -ERESTART_HC.
    long (*handler)(struct vcpu *cur, guest_ptr arg, u64 start);
    const char *test;
};

extern const struct hc_extent_op hc_extent_ops[];
extern const u32 hc_extent_op_count;

// Pages in the domain's reservation: all it owns but the pages shared with the hypervisor.
u64 memory_reserved(const struct domain *d);
// Room for 2^order more pages? Not in a dying domain. Domain lock, or as a first look.
bool memory_has_room(const struct domain *d, u32 order);
// Takes a frame of d's that nothing refers to but its owner: off its list, without references.
// False: it is no such frame. It must be released or given to somebody.
NODISCARD bool memory_steal(struct domain *d, mfn_t m);
void memory_release_stolen(mfn_t m);
// The frame, which no TLB has any more, becomes `to`'s, which has room for it. The lock of `to`.
void memory_give_stolen(struct domain *from, struct domain *to, mfn_t m);

#endif
