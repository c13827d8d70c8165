// SPDX-License-Identifier: MIT
// Dispatch of sub-operations: look up, check the caller, copy in, call, copy out.
#include "hc/op.h"
#include "abi/errno.h"
#include "dom/domain.h"
#include "lib/string.h"

static const struct hc_op *find(const struct hc_op *ops, u32 count, u32 cmd)
{
    for (u32 i = 0; i < count; i++) {
        if (ops[i].cmd == cmd)
            return &ops[i];
    }
    return NULL;
}

long hc_dispatch_op(const struct hc_op *ops, u32 count, struct vcpu *cur, u32 cmd, guest_ptr arg)
{
    u8 buf[HC_ARG_MAX] ALIGNED(16);
    const struct hc_op *op = find(ops, count, cmd);
    if (!op)
        return -ENOSYS;
    if (op->privileged && !cur->dom->privileged)
        return -EPERM;
    ASSERT(op->arg_size <= sizeof(buf));
    if (op->dir & HC_IN) {
        int ret = guest_copy_in(buf, arg, op->arg_size);
        if (ret)
            return ret;
    } else if (op->dir & HC_OUT) {
        memset(buf, 0, op->arg_size);
    }
    long ret = op->handler(cur, op->dir == HC_NONE ? NULL : buf);
    if (ret >= 0 && op->dir & HC_OUT && guest_copy_out(arg, buf, op->arg_size))
        return -EFAULT;
    return ret;
}

int hc_open_versioned(struct vcpu *cur, guest_ptr *arg, u32 version, u32 *cmd)
{
    struct {
        u32 cmd, version;
    } head;
    if (!cur->dom->privileged)
        return -EPERM;
    if (guest_copy_in(&head, *arg, sizeof(head)))
        return -EFAULT;
    *cmd = head.cmd;
    *arg = guest_ptr_add(*arg, sizeof(head));
    return head.version == version ? 0 : -EACCES;
}

int hc_target(struct vcpu *cur, u16 id, struct domain **d)
{
    *d = domain_get(DOM_ID(id), cur->dom);
    if (!*d)
        return -ESRCH;
    if (*d == cur->dom || cur->dom->privileged)
        return 0;
    domain_put(*d);
    return -EPERM;
}
