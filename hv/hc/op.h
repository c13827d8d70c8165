// SPDX-License-Identifier: MIT
// Hypercall families with sub-operations (event channels, grants, memory and so on): each has a
// table of these rows, from which calls are dispatched and docs/abi.md is generated. A handler sees
// a copy of its argument in hypervisor memory and never a guest pointer to it.
#ifndef WIRT_HC_OP_H
#define WIRT_HC_OP_H

#include "hc/guest_access.h"

struct domain;
struct vcpu;

// What only docs/abi.md needs of a table: scripts/abi-doc defines WIRT_ABI_DOC, the image goes
// without.
#ifdef WIRT_ABI_DOC
#define DOC(text) text
#else
#define DOC(text) NULL
#endif

enum { HC_ARG_MAX = 256 }; // bytes of the largest argument

enum hc_dir {
    HC_NONE = 0, // no argument
    HC_IN = 1,
    HC_OUT = 2, // the handler fills it; it starts out zero
    HC_INOUT = HC_IN | HC_OUT,
};

struct hc_op {
    const char *name; // the ABI's name
    u32 cmd;
    u16 arg_size;    // bytes
    u8 dir;          // enum hc_dir
    bool privileged; // only for the control domain
    // Returns the call's result. `arg` is aligned to 16; NULL for HC_NONE.
    long (*handler)(struct vcpu *cur, void *arg);
    const char *test; // the guest test, a directory in tests/guest
};

// A row; `op` is the ABI's name.
// clang-format off
#define HC_OP(op, arg_size, dir, privileged, handler, test) \
    {DOC(#op), op, arg_size, dir, privileged, handler, DOC(test)}
// clang-format on

// Looks `cmd` up and calls its handler between copy-in and copy-out. The argument is copied out
// only if the handler succeeds (result not negative); what it did stays done if that copy fails.
// -ENOSYS: no such command; -EPERM: not for this caller; -EFAULT. Context: cur runs on this CPU, no
// lock is held.
long hc_dispatch_op(const struct hc_op *ops, u32 count, struct vcpu *cur, u32 cmd, guest_ptr arg);
// For the control domain's calls, whose argument begins with the command and the interface's
// version: reads the command and sets *arg behind the two. -EPERM, -EFAULT; -EACCES: other version.
NODISCARD int hc_open_versioned(struct vcpu *cur, guest_ptr *arg, u32 version, u32 *cmd);

// The domain an operation is for; the caller drops the reference. -ESRCH; -EPERM: only the control
// domain may name another one.
NODISCARD int hc_target(struct vcpu *cur, u16 id, struct domain **d);

#endif
