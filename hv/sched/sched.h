// SPDX-License-Identifier: MIT
// Which vCPU runs where. The core owns the queues, states, run-state accounting, affinity and the
// switch; in which order vCPUs run is the policy's of their pool (sched/policy.h,
// docs/scheduling.md).
#ifndef WIRT_SCHED_SCHED_H
#define WIRT_SCHED_SCHED_H

#include "dom/domain.h"

// Boot, before the first vCPU, when all CPUs are known; pool 0 has them (sched/pool.h).
void sched_init(void);
// A new vCPU gets its place, CPU n of its domain's pool: initial CPU, states. Not runnable yet.
void sched_vcpu_init(struct vcpu *v, u32 n, bool pinned);
// Clears reasons not to run (enum vcpu_flags); queues the vCPU when none is left. Any context.
void sched_clear(struct vcpu *v, u32 flags);
// Sets reasons not to run. If the vCPU runs, its CPU will switch away from it at its next exit.
void sched_set(struct vcpu *v, u32 flags);
// Which CPUs the vCPU may run on, and which of them it had better. -EINVAL: none of the first is in
// its pool.
NODISCARD int sched_set_affinity(struct vcpu *v, const struct cpumask *hard,
                                 const struct cpumask *soft);
// The CPUs it may run on: its hard affinity's in its pool, or all of the pool if there are none.
struct cpumask sched_allowed(const struct vcpu *v);
// If the vCPU is where it may not be any more, or under another policy, it moves: now, or, if it
// runs, at its CPU's next exit.
void sched_replace(struct vcpu *v);
// The CPU serves that pool from now on; NULL: nobody. Its vCPUs stay until sched_replace.
void sched_set_pool(u32 cpu, struct sched_pool *pool);
void sched_yield(struct vcpu *v);
// Picks who runs next on this CPU and switches to it. From the exit path only.
void schedule(void);
// Makes the CPU that runs v, if any, go through its exit path. Any context.
void sched_kick(struct vcpu *v);
// The run state with the time up to now added.
void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
// What the policy knows of v, charged up to now. Any context.
void sched_entity_of(struct vcpu *v, struct sched_entity *out);

// How long the CPU has had nothing to run since boot, in ns, and how often. Any context.
u64 sched_idle_ns(u32 cpu, u64 *times);

#endif
