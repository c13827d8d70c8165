// SPDX-License-Identifier: MIT
// Which vCPU runs where. The core owns states, run-state accounting and the switch; the order of
// runnable vCPUs is Borrowed Virtual Time without warps (docs/scheduling.md).
#ifndef WIRT_SCHED_SCHED_H
#define WIRT_SCHED_SCHED_H

#include "dom/domain.h"

// Boot, before the first vCPU.
void sched_init(void);
// A new vCPU gets its place: initial CPU, states. Not runnable yet.
void sched_vcpu_init(struct vcpu *v, u32 cpu, bool pinned);
// Clears reasons not to run (enum vcpu_flags); queues the vCPU when none is left. Any context.
void sched_clear(struct vcpu *v, u32 flags);
// Sets reasons not to run. If the vCPU runs, its CPU will switch away from it at its next exit.
void sched_set(struct vcpu *v, u32 flags);
// Which CPUs the vCPU may run on, and which of them it had better. -EINVAL: none of the first is
// online.
NODISCARD int sched_set_affinity(struct vcpu *v, const struct cpumask *hard,
                                 const struct cpumask *soft);
void sched_yield(struct vcpu *v);
// Picks who runs next on this CPU and switches to it. From the exit path only.
void schedule(void);
// Makes the CPU that runs v, if any, go through its exit path. Any context.
void sched_kick(struct vcpu *v);
// The run state with the time up to now added.
void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out);

// How long the CPU has had nothing to run since boot, in ns, and how often. Any context.
u64 sched_idle_ns(u32 cpu, u64 *times);

#endif
