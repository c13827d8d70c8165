// SPDX-License-Identifier: MIT
// HYPERVISOR_grant_table_op: from the ABI's structs to dom/grant.c and back. Source:
// <xen/grant_table.h>. What is refused for the table's sake is told in the struct's status; the
// call's own result is about the call. dump_table and cache_flush are not there (docs/grants.md).
#include "dom/grant.h"
#include "hc/continue.h"
#include "hc/memory.h"
#include "hc/table.h"

// The domain whose table is meant, with a reference; or NULL and the status that says why.
static struct domain *get_target(struct vcpu *cur, domid_t id, int16_t *status)
{
    struct domain *d;
    int rc = hc_target(cur, id, &d);
    if (rc == 0)
        return d;
    *status = rc == -ESRCH ? GNTST_bad_domain : GNTST_permission_denied;
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
    struct domain *d;
    int rc = hc_target(cur, a->dom, &d);
    if (rc)
        return rc;
    a->version = grant_version(d);
    domain_put(d);
    return 0;
}

// --- arrays ---

enum { ELEMENT_MAX = 40 }; // bytes

// Operations on arrays, whose elements have a status each.
struct hc_batch_op {
    const char *name;
    u32 cmd;
    u32 size; // bytes of an element
    // Carries `count` elements out; they are copied back whole.
    void (*run)(struct vcpu *cur, void *elements, u32 count);
    const char *test;
};

static void map(struct vcpu *cur, void *elements, u32 count)
{
    grant_map(cur, elements, count);
}

static void unmap(struct vcpu *cur, void *elements, u32 count)
{
    grant_unmap(cur, elements, count, false);
}

#define SAME(a, b)                                                \
    STATIC_ASSERT(offsetof(struct gnttab_unmap_and_replace, a) == \
                  offsetof(struct gnttab_unmap_grant_ref, b))
SAME(host_addr, host_addr);
SAME(new_addr, dev_bus_addr);
SAME(handle, handle);
SAME(status, status);

static void replace(struct vcpu *cur, void *elements, u32 count)
{
    grant_unmap(cur, elements, count, true);
}

static void copy(struct vcpu *cur, void *elements, u32 count)
{
    grant_copy(cur->dom, elements, count);
}

static void swap(struct vcpu *cur, void *elements, u32 count)
{
    struct gnttab_swap_grant_ref *a = elements;
    for (u32 i = 0; i < count; i++)
        a[i].status = grant_swap(cur->dom, a[i].ref_a, a[i].ref_b);
}

// A frame taken from d goes to another domain, or to nobody. xen ABI: grant_table.h,
// GNTTABOP_transfer: unless it is a bad page, it is not the caller's afterwards.
static s16 hand_over(struct domain *d, const struct gnttab_transfer *op)
{
    mfn_t m = MFN(op->mfn);
    struct domain *to = op->domid == DOMID_SELF ? NULL : domain_get(DOM_ID(op->domid), d);
    s16 status = to ? GNTST_general_error : GNTST_bad_domain;
    if (to) {
        spin_lock(&to->lock);
        if (memory_has_room(to, 0))
            status = grant_accept_begin(to, d->id, op->ref);
        if (status == GNTST_okay) {
            memory_give_stolen(d, to, m);
            grant_accept_end(to, op->ref, m);
        }
        spin_unlock(&to->lock);
        domain_put(to);
    }
    if (status != GNTST_okay)
        memory_release_stolen(m);
    return status;
}

static void transfer(struct vcpu *cur, void *elements, u32 count)
{
    struct gnttab_transfer *a = elements;
    bool any = false;
    for (u32 i = 0; i < count; i++) {
        bool ok = memory_steal(cur->dom, MFN(a[i].mfn));
        a[i].status = ok ? GNTST_okay : GNTST_bad_page;
        any |= ok;
    }
    if (any)
        tlb_flush_mask(&cpumask_all); // others may have had grants of them mapped
    for (u32 i = 0; i < count; i++)
        if (a[i].status == GNTST_okay)
            a[i].status = hand_over(cur->dom, &a[i]);
}

// clang-format off
#define OP(op) \
    {DOC("GNTTABOP_" #op), GNTTABOP_##op, sizeof(struct gnttab_##op), HC_INOUT, false, op, DOC("grant_table")}

static const struct hc_op ops[] = {
    OP(setup_table),
    OP(query_size),
    OP(set_version),
    OP(get_status_frames),
    OP(get_version),
};

#define ARRAY_OP(op, run, test) \
    {DOC("GNTTABOP_" #op), GNTTABOP_##op, sizeof(struct gnttab_##op), run, DOC(test)}

static const struct hc_batch_op batch_ops[] = {
    ARRAY_OP(map_grant_ref, map, "grant_map"),
    ARRAY_OP(unmap_grant_ref, unmap, "grant_domu"),
    ARRAY_OP(unmap_and_replace, replace, "grant_replace"),
    ARRAY_OP(copy, copy, "grant_copy"),
    ARRAY_OP(transfer, transfer, "grant_transfer"),
    ARRAY_OP(swap_grant_ref, swap, "grant_swap"),
};
// clang-format on

// What is left goes on from its place in the array.
static long run_batches(struct vcpu *cur, const struct hc_batch_op *op, u64 at, u32 count)
{
    u8 buf[GRANT_BATCH * ELEMENT_MAX] ALIGNED(16);
    ASSERT(op->size <= ELEMENT_MAX);
    while (count) {
        u32 n = MIN(count, (u32)GRANT_BATCH);
        u64 bytes = (u64)n * op->size;
        if (guest_copy_in(buf, GUEST_PTR(at), bytes))
            return -EFAULT;
        op->run(cur, buf, n);
        if (guest_copy_out(GUEST_PTR(at), buf, bytes))
            return -EFAULT;
        at += bytes;
        count -= n;
        if (count && preempt_wanted()) {
            hc_set_arg(cur, 1, at);
            hc_set_arg(cur, 2, count);
            return -ERESTART_HC;
        }
    }
    return 0;
}

static bool is_single(u32 cmd)
{
    for (u32 i = 0; i < ARRAY_SIZE(ops); i++)
        if (ops[i].cmd == cmd)
            return true;
    return false;
}

long hc_grant_table_op(struct vcpu *cur, u64 cmd, u64 arg, u64 count, u64 a3, u64 a4)
{
    if ((s32)count < 0 || ((u32)count != 1 && is_single((u32)cmd)))
        return -EINVAL;
    for (u32 i = 0; i < ARRAY_SIZE(batch_ops); i++)
        if (batch_ops[i].cmd == (u32)cmd)
            return run_batches(cur, &batch_ops[i], arg, (u32)count);
    return hc_dispatch_op(ops, ARRAY_SIZE(ops), cur, (u32)cmd, GUEST_PTR(arg));
}
