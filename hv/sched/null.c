// SPDX-License-Identifier: MIT
// One vCPU per CPU: who has a CPU keeps it until it blocks. For pools with no more vCPUs than CPUs,
// which then see no timer and no switch. If there are more, those that wait run when one blocks.
#include "abi/xen.h"
#include <xen/domctl.h>
#include "sched/policy.h"

static void join(struct sched_queue *q, struct sched_entity *e, u64 now, bool woken)
{
    (void)q, (void)now, (void)woken;
    e->key = 0;
}

static void charge(struct sched_queue *q, struct sched_entity *e, u64 ran, u64 now)
{
    (void)q, (void)e, (void)ran, (void)now;
}

static void yield(struct sched_queue *q, struct sched_entity *e)
{
    (void)q, (void)e;
}

static u64 slice_of(const struct sched_queue *q, const struct sched_entity *e,
                    const struct sched_entity *next)
{
    (void)q, (void)e, (void)next;
    return UINT64_MAX;
}

const struct sched_policy sched_null = {
    .name = "null",
    .id = XEN_SCHEDULER_NULL,
    .join = join,
    .charge = charge,
    .yield = yield,
    .slice_of = slice_of,
};
