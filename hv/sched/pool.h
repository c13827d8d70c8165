// SPDX-License-Identifier: MIT
// CPU pools: which CPUs serve which domains, under which policy. Every CPU is in one pool, free, or
// offline. Errors are those of <xen/sysctl.h>, "cpupool".
#ifndef WIRT_SCHED_POOL_H
#define WIRT_SCHED_POOL_H

#include "dom/domain.h"
#include "sched/policy.h"

enum { POOLS_MAX = 32, POOL_ANY = -1 };

// Boot, when all CPUs run: pool 0 gets them, with policy "" (the default) or the one of that name.
// An unknown name is warned of.
void pools_init(const char *policy);
// A domain is created in the pool; NULL: no such pool, or it has no CPU. pool_leave when it ends.
struct sched_pool *pool_enter(u32 id);
void pool_leave(struct sched_pool *p);
// The pool with that number or the next higher one, copied; false: none.
bool pool_info(u32 id, struct sched_pool *out);
// Makes a pool without CPUs; *id may be POOL_ANY. -EEXIST, -EINVAL (policy or number), -ENOSPC.
NODISCARD int pool_create(u32 *id, u32 policy);
// -ENOENT, -EBUSY (it has domains or CPUs).
NODISCARD int pool_destroy(u32 id);
// Gives the pool a free CPU (POOL_ANY: some), takes one away. -ENOENT, -EINVAL, -ENODEV, -EBUSY.
NODISCARD int pool_add_cpu(u32 id, u32 cpu);
NODISCARD int pool_remove_cpu(u32 id, u32 cpu);
// The CPUs that are in no pool and online.
struct cpumask pool_free_cpus(void);
// Moves a domain, whose vCPUs follow at their next exit. -ENOENT, -EBUSY (the pool has no CPU).
NODISCARD int pool_move(struct domain *d, u32 id);
// Slice and context-switch allowance, ns. -ENOENT.
NODISCARD int pool_set_times(u32 id, u64 slice, u64 allowance);
// Takes a CPU out of use: it idles, and serves its devices no more. Puts it back into pool 0.
// -EINVAL: there is none, it is CPU 0, or it is offline; -EBUSY: its pool's domains have no other;
// -EEXIST: it is online.
NODISCARD int cpu_offline(u32 cpu);
NODISCARD int cpu_online(u32 cpu);
bool cpu_is_offline(u32 cpu);

#endif
