// SPDX-License-Identifier: MIT
// HYPERVISOR_grant_table_op: from the ABI's structs to dom/grant.c and back. Source:
// <xen/grant_table.h>. What is refused for the table's sake is told in the struct's status; the
// call's own result is about the call.
#include "hc/grant.h"
#include "dom/grant.h"
#include "hc/continue.h"
#include "hc/table.h"

// The domain whose table is meant, with a reference; or NULL and the status that says why.
static struct domain *get_target(struct vcpu *cur, domid_t id, int16_t *status)
{
    struct domain *d = domain_get(DOM_ID(id), cur->dom);
    if (!d) {
        *status = GNTST_bad_domain;
        return NULL;
    }
    if (d == cur->dom || cur->dom->privileged)
        return d;
    *status = GNTST_permission_denied;
    domain_put(d);
    return NULL;
}

// The growth so far stays: the same call goes on with it.
static long grow(struct domain *d, u32 frames, int16_t *status)
{
    int rc;
    while ((rc = grant_grow(d, frames)) > 0)
        if (preempt_wanted())
            return -ERESTART_HC;
    *status = rc ? GNTST_general_error : GNTST_okay;
    return 0;
}

static long write_frames(struct domain *d, u32 frames, guest_ptr list,
                         mfn_t (*frame)(struct domain *d, u32 index), int16_t *status)
{
    for (u32 i = 0; i < frames; i++) {
        mfn_t m = frame(d, i);
        if (mfn_eq(m, MFN_NONE)) {
            *status = GNTST_general_error;
            return 0;
        }
        if (guest_copy_out_index(list, i, &m.v, sizeof(m.v)))
            return -EFAULT;
    }
    return 0;
}

static long setup_table(struct vcpu *cur, void *arg)
{
    struct gnttab_setup_table *a = arg;
    struct domain *d = get_target(cur, a->dom, &a->status);
    if (!d)
        return 0;
    long ret = grow(d, a->nr_frames, &a->status);
    if (ret == 0 && a->status == GNTST_okay)
        ret = write_frames(d, a->nr_frames, GUEST_HANDLE(a->frame_list), grant_frame, &a->status);
    domain_put(d);
    return ret;
}

static long get_status_frames(struct vcpu *cur, void *arg)
{
    struct gnttab_get_status_frames *a = arg;
    struct domain *d = get_target(cur, a->dom, &a->status);
    if (!d)
        return 0;
    long ret = 0;
    a->status = GNTST_okay;
    if (a->nr_frames && mfn_eq(grant_status_frame(d, a->nr_frames - 1), MFN_NONE))
        a->status = GNTST_general_error;
    else
        ret = write_frames(d, a->nr_frames, GUEST_HANDLE(a->frame_list), grant_status_frame,
                           &a->status);
    domain_put(d);
    return ret;
}

static long query_size(struct vcpu *cur, void *arg)
{
    struct gnttab_query_size *a = arg;
    struct domain *d = get_target(cur, a->dom, &a->status);
    if (!d)
        return 0;
    a->nr_frames = grant_table_frames(d);
    a->max_nr_frames = d->grant->frames_max;
    a->status = GNTST_okay;
    domain_put(d);
    return 0;
}

static long set_version(struct vcpu *cur, void *arg)
{
    struct gnttab_set_version *a = arg;
    return grant_set_version(cur->dom, a->version);
}

static long get_version(struct vcpu *cur, void *arg)
{
    struct gnttab_get_version *a = arg;
    int16_t status;
    struct domain *d = get_target(cur, a->dom, &status);
    if (!d)
        return status == GNTST_bad_domain ? -ESRCH : -EPERM;
    a->version = grant_version(d);
    domain_put(d);
    return 0;
}

// clang-format off
#define OP(op) \
    {"GNTTABOP_" #op, GNTTABOP_##op, sizeof(struct gnttab_##op), HC_INOUT, false, op, "grant_table"}

const struct hc_op hc_grant_ops[] = {
    OP(setup_table),
    OP(query_size),
    OP(set_version),
    OP(get_status_frames),
    OP(get_version),
};
// clang-format on

static bool is_known(u32 cmd)
{
    for (u32 i = 0; i < ARRAY_SIZE(hc_grant_ops); i++)
        if (hc_grant_ops[i].cmd == cmd)
            return true;
    return false;
}

// All that are known take exactly one struct.
long hc_grant_table_op(struct vcpu *cur, u64 cmd, u64 arg, u64 count, u64 a3, u64 a4)
{
    (void)a3, (void)a4;
    if (is_known((u32)cmd) && (u32)count != 1)
        return -EINVAL;
    return hc_dispatch_op(hc_grant_ops, ARRAY_SIZE(hc_grant_ops), cur, (u32)cmd, GUEST_PTR(arg));
}
