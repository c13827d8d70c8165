// SPDX-License-Identifier: MIT
// The part of HYPERVISOR_memory_op that changes what a domain owns: more, fewer and other frames.
// Source: <xen/memory.h>.
//
// 1. Frames join a domain under its domain lock, together with the check of its limit and of its
//    state: a dying domain gets none.
// 2. Each step is one extent (exchange: one pair of equal size), done or not begun. Between steps
//    the call may be continued: the count of extents done is in the command, or in nr_exchanged.
#include "hc/memory.h"
#include <xen/memory.h>
#include "dom/claim.h"
#include "dom/grant.h"
#include "hc/continue.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/m2p.h"
#include "pv/mmu.h"

struct extents {
    struct domain *d;
    guest_ptr list; // frame numbers, 64 bits each
    u64 count;
    u32 order;
    mfn_t below; // addresses that the caller can use end here
};

// Only node 0 exists; a virtual node is whatever we say.
static bool nodes_ok(u32 flags)
{
    u32 node = XENMEMF_get_node(flags);
    return !(flags & XENMEMF_exact_node_request) || (flags & XENMEMF_vnode) || node == 0 ||
           node == 0xff;
}

// The first frame that address bits do not reach.
static mfn_t frames_below(u32 flags)
{
    u32 bits = XENMEMF_get_address_bits(flags);
    if (bits == 0 || bits >= 64)
        return MFN_NONE;
    return MFN(bits > PAGE_SHIFT ? (u64)1 << (bits - PAGE_SHIFT) : 0);
}

static bool extents_init(struct extents *e, const struct xen_memory_reservation *r)
{
    e->list = GUEST_HANDLE(r->extent_start);
    e->count = r->nr_extents;
    e->order = r->extent_order;
    e->below = frames_below(r->mem_flags);
    return e->order <= MEMORY_ORDER_MAX && e->count <= ~(u64)0 >> MEMORY_CMD_BITS >> e->order &&
           nodes_ok(r->mem_flags) && !(r->mem_flags & XENMEMF_populate_on_demand);
}

u64 memory_reserved(const struct domain *d)
{
    u64 frames = READ_ONCE(d->frames), shared = grant_shared_pages(d) + (d->shared ? 1 : 0);
    return frames > shared ? frames - shared : 0;
}

// --- frames in and out ---

// An extent for d that belongs to nobody yet.
static mfn_t extent_alloc(const struct domain *d, u32 order, mfn_t below)
{
    if (!claim_allows(d, (u64)1 << order))
        return MFN_NONE;
    return d->privileged ? frames_alloc(order, below) : frames_alloc_zeroed(order, below);
}

static void set_m2p(mfn_t m, u32 order, pfn_t pfn)
{
    for (u64 i = 0; i < (u64)1 << order; i++)
        m2p_set(mfn_add(m, i), pfn_eq(pfn, PFN_NONE) ? pfn : pfn_add(pfn, i));
}

static void assign(struct domain *d, mfn_t m, u32 order)
{
    for (u64 i = 0; i < (u64)1 << order; i++)
        frame_assign(mfn_add(m, i), d);
}

bool memory_has_room(const struct domain *d, u32 order)
{
    u64 have = memory_reserved(d), max = READ_ONCE(d->frames_max);
    return READ_ONCE(d->state) != DOMAIN_DYING && have <= max && max - have >= (u64)1 << order;
}

static bool give(struct domain *d, mfn_t m, u32 order, pfn_t pfn)
{
    set_m2p(m, order, pfn);
    spin_lock(&d->lock);
    bool ok = memory_has_room(d, order);
    if (ok) {
        assign(d, m, order);
        claim_used(d, (u64)1 << order);
    }
    spin_unlock(&d->lock);
    return ok;
}

// The domain's frame with its owner's reference in place: takes a reference.
static bool get_owned(struct domain *d, mfn_t m)
{
    if (!frame_get(m, d))
        return false;
    // A table that is half validated counts what it points to; it must be finished or torn down.
    if (READ_ONCE(frame_of(m)->count) & FRAME_ALLOCATED &&
        !(READ_ONCE(frame_of(m)->type) & FT_PARTIAL))
        return true;
    frame_put(m);
    return false;
}

static bool drop_frame(struct domain *d, mfn_t m)
{
    if (!get_owned(d, m))
        return false;
    m2p_set(m, PFN_NONE); // while it is certainly d's
    bool ok = frame_drop_allocated(m, d) == 0;
    mmu_forget(d, m); // a pin would hold it for ever: it is on no list any more
    frame_put(m);
    return ok;
}

static bool extent_owned(struct domain *d, mfn_t m, u32 order)
{
    for (u64 i = 0; i < (u64)1 << order; i++) {
        if (!get_owned(d, mfn_add(m, i)))
            return false;
        frame_put(mfn_add(m, i));
    }
    return true;
}

static bool drop_extent(struct domain *d, mfn_t m, u32 order)
{
    if (!extent_owned(d, m, order))
        return false;
    for (u64 i = 0; i < (u64)1 << order; i++)
        if (!drop_frame(d, mfn_add(m, i)))
            return false;
    return true;
}

// --- increase, populate, decrease ---

static bool add_extent(const struct extents *e, u64 index, pfn_t pfn)
{
    mfn_t m = memory_has_room(e->d, e->order) ? extent_alloc(e->d, e->order, e->below) : MFN_NONE;
    if (mfn_eq(m, MFN_NONE))
        return false;
    if (!give(e->d, m, e->order, pfn)) {
        frames_free(m, e->order);
        return false;
    }
    if (guest_ptr_null(e->list) || guest_copy_out_index(e->list, index, &m.v, sizeof(m.v)) == 0)
        return true;
    (void)drop_extent(e->d, m, e->order); // the domain may have found it: no more than it could do
    return false;
}

static bool increase_step(const struct extents *e, u64 index)
{
    return add_extent(e, index, PFN_NONE);
}

static bool populate_step(const struct extents *e, u64 index)
{
    pfn_t pfn = PFN_NONE;
    return guest_copy_in_index(&pfn.v, e->list, index, sizeof(pfn.v)) == 0 &&
           !guest_ptr_null(e->list) && add_extent(e, index, pfn);
}

static bool decrease_step(const struct extents *e, u64 index)
{
    mfn_t m = MFN_NONE;
    return guest_copy_in_index(&m.v, e->list, index, sizeof(m.v)) == 0 &&
           drop_extent(e->d, m, e->order);
}

// The number of extents done, also when one is refused.
static long walk(struct vcpu *cur, u32 cmd, const struct extents *e, u64 start,
                 bool (*step)(const struct extents *e, u64 index))
{
    u64 i = start;
    while (i < e->count && step(e, i)) {
        i++;
        if (i < e->count && preempt_wanted()) {
            hc_set_arg(cur, 0, i << MEMORY_CMD_BITS | cmd);
            return -ERESTART_HC;
        }
    }
    return (long)i;
}

// A builder first tries large extents, and small ones when there is none.
static void say_refused(const struct extents *e)
{
    bool able = memory_has_room(e->d, 0) && claim_allows(e->d, 1) && frames_free_count();
    if (e->order == 0 && !able)
        printk(LOG_WARN, "domain %u gets no more memory: has %lu KiB of at most %lu, %lu free",
               e->d->id.v, memory_reserved(e->d) * 4, READ_ONCE(e->d->frames_max) * 4,
               frames_free_count() * 4);
}

static long reservation(struct vcpu *cur, u32 cmd, guest_ptr arg, u64 start,
                        bool (*step)(const struct extents *e, u64 index))
{
    struct xen_memory_reservation r;
    struct extents e;
    if (guest_copy_in(&r, arg, sizeof(r)) || !extents_init(&e, &r))
        return (long)start;
    int rc = hc_target(cur, r.domid, &e.d);
    if (rc)
        return rc == -EPERM ? rc : (long)start;
    long ret = walk(cur, cmd, &e, start, step);
    if (cmd != XENMEM_decrease_reservation && e.d != cur->dom && ret >= 0 && (u64)ret < e.count)
        say_refused(&e);
    domain_put(e.d);
    return ret;
}

static long increase_reservation(struct vcpu *cur, guest_ptr arg, u64 start)
{
    return reservation(cur, XENMEM_increase_reservation, arg, start, increase_step);
}

static long decrease_reservation(struct vcpu *cur, guest_ptr arg, u64 start)
{
    return reservation(cur, XENMEM_decrease_reservation, arg, start, decrease_step);
}

static long populate_physmap(struct vcpu *cur, guest_ptr arg, u64 start)
{
    return reservation(cur, XENMEM_populate_physmap, arg, start, populate_step);
}

// --- exchange ---
// A step takes as many frames as one extent of the side with the larger ones: `in_step` extents in,
// `out_step` extents out, one of which is 1. Until all of it is certain, the frames taken have no
// references and hang on a list through `next`, as do the extents made for them.

struct exchange {
    struct domain *d;
    struct extents in, out;
    u64 in_step, out_step;
    u32 stolen, made; // list heads; FRAME_NIL: empty
    u64 made_count;
};

static void push(u32 *head, mfn_t m)
{
    frame_of(m)->next = *head;
    *head = (u32)m.v;
}

static mfn_t pop(u32 *head)
{
    mfn_t m = MFN(*head);
    *head = frame_of(m)->next;
    return m;
}

bool memory_steal(struct domain *d, mfn_t m)
{
    u64 ours = 2 | FRAME_ALLOCATED;
    if (!get_owned(d, m))
        return false;
    // Nobody gets a reference from zero.
    if (!__atomic_compare_exchange_n(&frame_of(m)->count, &ours, 0, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
        frame_put(m);
        return false;
    }
    frame_unlist(m, d);
    return true;
}

void memory_release_stolen(mfn_t m)
{
    m2p_set(m, PFN_NONE);
    frame_release(frame_of(m));
}

void memory_give_stolen(struct domain *from, struct domain *to, mfn_t m)
{
    struct frame *f = frame_of(m);
    m2p_set(m, PFN_NONE);
    // Before it has references again: from then on nobody finds it to be the old owner's.
    __atomic_store_n(&f->owner, (u16)OWNER_HV, __ATOMIC_RELEASE); // pairs with frame_get
    f->type = 0;
    f->progress = 0;
    __atomic_fetch_sub(&from->frames, 1, __ATOMIC_RELAXED);
    domain_put(from);
    assign(to, m, 0);
    claim_used(to, 1);
}

static int steal_frame(struct exchange *x, mfn_t m)
{
    if (!memory_steal(x->d, m))
        return -EINVAL;
    push(&x->stolen, m);
    return 0;
}

static int steal(struct exchange *x, u64 first)
{
    int rc = 0;
    for (u64 i = 0; i < x->in_step && rc == 0; i++) {
        mfn_t m = MFN_NONE;
        rc = guest_copy_in_index(&m.v, x->in.list, first + i, sizeof(m.v));
        for (u64 k = 0; k < (u64)1 << x->in.order && rc == 0; k++)
            rc = steal_frame(x, mfn_add(m, k));
    }
    return rc;
}

static int make(struct exchange *x, u64 first)
{
    int rc = 0;
    for (u64 i = 0; i < x->out_step && rc == 0; i++) {
        pfn_t pfn = PFN_NONE;
        if (guest_copy_in_index(&pfn.v, x->out.list, first + i, sizeof(pfn.v)))
            return -EFAULT;
        mfn_t m = extent_alloc(x->d, x->out.order, x->out.below);
        if (mfn_eq(m, MFN_NONE))
            return -ENOMEM;
        set_m2p(m, x->out.order, pfn);
        push(&x->made, m);
        x->made_count++;
        rc = guest_copy_out_index(x->out.list, first + i, &m.v, sizeof(m.v));
    }
    return rc;
}

static void commit(struct exchange *x)
{
    while (x->made != FRAME_NIL)
        assign(x->d, pop(&x->made), x->out.order);
    while (x->stolen != FRAME_NIL)
        memory_release_stolen(pop(&x->stolen));
}

// Also puts back what the guest's list said; if that fails, the guest has taken it away itself.
static void roll_back(struct exchange *x, u64 first_out)
{
    while (x->made != FRAME_NIL) {
        mfn_t m = pop(&x->made);
        pfn_t pfn = m2p_get(m);
        int lost =
            guest_copy_out_index(x->out.list, first_out + --x->made_count, &pfn.v, sizeof(pfn.v));
        (void)lost;
        set_m2p(m, x->out.order, PFN_NONE);
        frames_free(m, x->out.order);
    }
    while (x->stolen != FRAME_NIL) {
        mfn_t m = pop(&x->stolen);
        frame_list(m, x->d);
        __atomic_store_n(&frame_of(m)->count, 1 | FRAME_ALLOCATED, __ATOMIC_RELEASE);
    }
}

static int exchange_step(struct exchange *x, u64 done)
{
    u64 first_out = done / x->in_step * x->out_step;
    x->stolen = x->made = FRAME_NIL;
    x->made_count = 0;
    spin_lock(&x->d->lock);
    int rc = x->d->state == DOMAIN_DYING ? -EINVAL : steal(x, done);
    if (rc == 0)
        rc = make(x, first_out);
    if (rc == 0)
        commit(x);
    else
        roll_back(x, first_out);
    spin_unlock(&x->d->lock);
    return rc;
}

static int exchange_init(struct exchange *x, struct xen_memory_exchange *a)
{
    a->in.mem_flags = 0; // the ABI ignores them
    if (a->in.domid != a->out.domid || !extents_init(&x->in, &a->in) ||
        !extents_init(&x->out, &a->out) ||
        x->in.count << x->in.order != x->out.count << x->out.order)
        return -EINVAL;
    u32 order = MAX(x->in.order, x->out.order);
    x->in_step = (u64)1 << (order - x->in.order);
    x->out_step = (u64)1 << (order - x->out.order);
    if (a->nr_exchanged > x->in.count || a->nr_exchanged % x->in_step || x->in.count % x->in_step)
        return -EINVAL;
    return 0;
}

static long exchange(struct vcpu *cur, guest_ptr arg, u64 start)
{
    struct xen_memory_exchange a;
    struct exchange x;
    (void)start; // nr_exchanged has it
    if (guest_copy_in(&a, arg, sizeof(a)))
        return -EFAULT;
    int rc = exchange_init(&x, &a);
    if (rc == 0)
        rc = hc_target(cur, a.in.domid, &x.d);
    if (rc)
        return rc;
    while (rc == 0 && a.nr_exchanged < x.in.count) {
        rc = exchange_step(&x, a.nr_exchanged);
        if (rc == 0)
            a.nr_exchanged += x.in_step;
        if (rc == 0 && a.nr_exchanged < x.in.count && preempt_wanted())
            rc = -ERESTART_HC;
    }
    domain_put(x.d);
    guest_ptr out = guest_ptr_add(arg, offsetof(struct xen_memory_exchange, nr_exchanged));
    return guest_copy_out(out, &a.nr_exchanged, sizeof(a.nr_exchanged)) ? -EFAULT : rc;
}

#define OP(op, test)                              \
    {                                             \
        DOC("XENMEM_" #op), XENMEM_##op, op, test \
    }

const struct hc_extent_op hc_extent_ops[] = {
    OP(increase_reservation, "memory_ops"),
    OP(decrease_reservation, "memory_ops"),
    OP(populate_physmap, "memory_ops"),
    OP(exchange, "memory_exchange"),
};
const u32 hc_extent_op_count = ARRAY_SIZE(hc_extent_ops);
