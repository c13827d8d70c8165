// SPDX-License-Identifier: MIT
// Credit: running costs credit, and every 30 ms each CPU hands its time out again, as credit, to
// those that run or wait there, by weight. Who has credit left goes before who has not, in turns.
// Who wakes up with credit left goes before all, until it has been charged.
#include "abi/xen.h"
#include <xen/domctl.h>
#include "sched/policy.h"

enum { SLICE_NS = 30000000, PERIOD_NS = 30000000, ALLOWANCE_NS = 1000000 };
enum { BOOST, UNDER, OVER };

static void set_key(struct sched_entity *e)
{
    e->key = e->credit >= 0 ? UNDER : OVER;
}

// Weight of one of a domain's vCPUs, times 256.
static u64 weight(const struct sched_entity *e)
{
    return ((u64)READ_ONCE(e->share->weight) << 8) / MAX(READ_ONCE(e->share->active), (u32)1);
}

static void join(struct sched_queue *q, struct sched_entity *e, u64 now, bool woken)
{
    (void)q;
    // Debts are forgiven after a period without running.
    if (e->policy != &sched_credit || (e->credit < 0 && now - e->charged > PERIOD_NS))
        e->credit = 0;
    set_key(e);
    if (woken && e->key == UNDER)
        e->key = BOOST;
}

static void charge(struct sched_queue *q, struct sched_entity *e, u64 ran, u64 now)
{
    (void)q, (void)now;
    e->credit -= (s64)MIN(ran, (u64)PERIOD_NS);
    if (e->key != BOOST || ran)
        set_key(e);
}

static void yield(struct sched_queue *q, struct sched_entity *e)
{
    (void)q;
    e->key = OVER;
}

static u64 slice_of(const struct sched_queue *q, const struct sched_entity *e,
                    const struct sched_entity *next)
{
    (void)e, (void)next;
    return READ_ONCE(q->pool->slice);
}

static void give(struct sched_entity *e, u64 total)
{
    u64 part = (u64)PERIOD_NS * weight(e) / MAX(total, (u64)1);
    e->credit = MIN(e->credit + (s64)part, (s64)PERIOD_NS);
    if (e->key != BOOST)
        set_key(e);
}

static bool refresh(struct sched_queue *q, u64 now)
{
    u64 total = q->running ? weight(q->running) : 0;
    if (now < q->next_account)
        return false;
    q->next_account = now + PERIOD_NS;
    for (struct sched_entity *e = q->head; e; e = e->next)
        total += weight(e);
    for (struct sched_entity *e = q->head; e; e = e->next)
        give(e, total);
    if (q->running)
        give(q->running, total);
    return true;
}

const struct sched_policy sched_credit = {
    .name = "credit",
    .id = XEN_SCHEDULER_CREDIT,
    .slice = SLICE_NS,
    .allowance = ALLOWANCE_NS,
    .shares = true,
    .join = join,
    .charge = charge,
    .yield = yield,
    .slice_of = slice_of,
    .refresh = refresh,
};
