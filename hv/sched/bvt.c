// SPDX-License-Identifier: MIT
// Borrowed Virtual Time. Each vCPU has an actual virtual time that grows while it runs, faster the
// less its domain weighs; the key is the effective one, which is earlier by the warp while the vCPU
// warps. The lowest effective time runs. Who wakes up is brought up to the queue's time, so that
// sleep saves nothing up; who has a CPU to itself is brought up to the other CPUs' time, because
// what it could not use is not owed to it.
// Source: Duda and Cheriton, "Borrowed-Virtual-Time (BVT) scheduling", SOSP 1999.
#include "abi/xen.h"
#include <xen/domctl.h>
#include "sched/policy.h"

enum { SLICE_NS = 750000, MARGIN_NS = 5000000, LAG_SLICES = 40 };

// May e warp now? Only for so long at a time: it gets the whole limit again when it has done
// without for the unwarp time.
static bool may_warp(struct sched_entity *e, u64 now)
{
    const struct sched_share *s = e->share;
    u64 limit = READ_ONCE(s->warp_limit);
    if (!READ_ONCE(s->warps))
        return false;
    if (limit && e->warp_used && now - e->warp_end >= READ_ONCE(s->unwarp))
        e->warp_used = 0;
    return limit == 0 || e->warp_used < limit;
}

static void set_key(struct sched_entity *e, u64 now)
{
    e->warped = may_warp(e, now);
    e->key = e->avt - (e->warped ? (s64)READ_ONCE(e->share->warp) : 0);
}

static void join(struct sched_queue *q, struct sched_entity *e, u64 now, bool woken)
{
    u64 behind = woken ? q->pool->allowance : LAG_SLICES * q->pool->slice;
    if (!q->running && !q->head) // it stood still: the others' time is its time
        q->svt = MAX(q->svt, READ_ONCE(q->pool->svt) - MARGIN_NS);
    e->avt = MAX(e->avt, q->svt - sched_virtual(e, behind));
    e->avt = MIN(e->avt, q->svt + sched_virtual(e, LAG_SLICES * q->pool->slice));
    set_key(e, now);
}

static void charge(struct sched_queue *q, struct sched_entity *e, u64 ran, u64 now)
{
    e->avt += sched_virtual(e, ran);
    if (e->warped) {
        e->warp_used += ran;
        e->warp_end = now;
    }
    if (!q->pool) // the CPU was taken away
        return;
    s64 all = READ_ONCE(q->pool->svt), lowest = q->head ? MIN(e->avt, q->head->key) : e->avt;
    if (!q->head)
        lowest = e->avt = MAX(e->avt, all - sched_virtual(e, LAG_SLICES * q->pool->slice));
    set_key(e, now);
    q->svt = MAX(q->svt, lowest);
    if (q->svt > all)
        WRITE_ONCE(q->pool->svt, q->svt);
}

// A waiting vCPU of the same domain, which may be the one that is waited for, gets e's place for
// its own; else e's place is behind the next in line.
static void yield(struct sched_queue *q, struct sched_entity *e)
{
    struct sched_entity *s = q->head;
    while (s && s->share != e->share)
        s = s->next;
    if (s && s->avt >= e->avt) {
        s64 avt = s->avt, key = s->key;
        sched_remove(q, s);
        s->avt = e->avt;
        s->key = MIN(e->key, q->head ? q->head->key - 1 : e->key);
        sched_insert(q, s);
        e->avt = avt;
        e->key = key;
    } else if (q->head && e->key < q->head->key) {
        e->avt += q->head->key - e->key;
        e->key = q->head->key;
    }
}

// Until it is a slice ahead of the next, or has used up its warp.
static u64 slice_of(const struct sched_queue *q, const struct sched_entity *e,
                    const struct sched_entity *next)
{
    u64 slice = READ_ONCE(q->pool->slice), unit = (u64)MAX(sched_virtual(e, 1u << 20), (s64)1);
    u64 behind = next->key > e->key ? (u64)(next->key - e->key) : 0;
    u64 limit = READ_ONCE(e->share->warp_limit), used = MIN(limit, e->warp_used);
    slice += MIN((behind << 20) / unit, LAG_SLICES * slice);
    return e->warped && limit ? MIN(slice, limit - used) : slice;
}

// The tools know it as Credit2, whose knobs have the same meaning (docs/scheduling.md).
const struct sched_policy sched_bvt = {
    .name = "bvt",
    .id = XEN_SCHEDULER_CREDIT2,
    .slice = SLICE_NS,
    .allowance = SLICE_NS,
    .shares = true,
    .margin = MARGIN_NS,
    .join = join,
    .charge = charge,
    .yield = yield,
    .slice_of = slice_of,
};
