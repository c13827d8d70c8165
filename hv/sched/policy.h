// SPDX-License-Identifier: MIT
// What the core (sched/sched.c) and a scheduling policy know in common. A policy gives each vCPU
// that may run a key; of those that wait in a CPU's queue the lowest key runs next, equal keys in
// the order they came. The core owns the queues, states, affinity, caps and the switch.
//
// [q] the lock of the queue that the entity belongs to, [a] atomic words, read without a lock.
#ifndef WIRT_SCHED_POLICY_H
#define WIRT_SCHED_POLICY_H

#include "cpu/spinlock.h"
#include "cpu/cpumask.h"
#include "sched/timer.h"

enum { WEIGHT_DEFAULT = 256, ADVANCE_SHIFT = 16, ADVANCE_MAX = WEIGHT_DEFAULT << ADVANCE_SHIFT };

// What a domain may have of the CPUs.
struct sched_share {
    u32 weight;  // [a] against others', 1-65535
    u32 advance; // [a] virtual ns that pass per ns on a CPU, in 2^-16 (mcu advance)
    u32 active;  // [a] its vCPUs that run or wait for a CPU
    u32 cap;     // [a] percent of one CPU, 0: no cap
    // Warp (bvt): ns of virtual time that its vCPUs come earlier, for at most warp_limit ns of
    // running (0: no limit), then for unwarp ns not at all. [a]
    bool warps;
    u64 warp, warp_limit, unwarp;
    // sched/cap.c
    spinlock_t cap_lock;
    s64 budget;             // [cap_lock] ns left in this period
    u64 refill;             // [cap_lock] when the next one begins
    struct timer cap_timer; // armed while vCPUs wait for the next period
};

// A vCPU as a policy sees it.
struct sched_entity {
    struct sched_share *share;         // [i]
    const struct sched_policy *policy; // [q] whose the fields below the keys are
    struct sched_entity *next;         // [q]
    s64 key;                           // [q]
    u64 dispatched;                    // [q] when it was put on the CPU; 0: it has yielded
    u64 charged;                       // [q] up to when its running has been charged
    bool queued;                       // [q]
    bool active;                       // [q] counted in the share
    // The policy's own.
    s64 avt;       // [q] bvt: actual virtual time, ns
    u64 warp_used; // [q] bvt: ns run under warp since it last recovered
    u64 warp_end;  // [q] bvt: when it last ran under warp
    bool warped;   // [q] bvt: it runs under warp
    s64 credit;    // [q] credit: ns
};

// Each CPU's, with its own lock.
struct sched_queue {
    spinlock_t lock;           // LOCK_SCHED; two: lower CPU first
    struct sched_pool *pool;   // [q] NULL: the CPU runs nobody
    struct sched_entity *head; // [q] by key
    struct sched_entity *running;
    u32 length;         // [q]
    s64 first;          // [q] the head's key
    bool preempt;       // [q] somebody with a lower key than the running one's has come
    bool timed;         // [q] the slice timer is set
    bool pull;          // [a] another CPU thinks that this one should take from it
    u64 slice_end;      // [q]
    struct timer slice; // [c]
    s64 svt;            // [q] bvt: scheduler virtual time, ns; never goes back
    u64 next_account;   // [q] credit
    u64 next_balance;   // [c] when the other CPUs are looked at again
    u32 asked;          // [c] the last one that was
    u64 idle;           // [a] ns << 1; bit 0 set: it idles since then (less what it idled before)
    u64 idle_count;     // [c] times it went idle
};

// CPUs and the domains that run on them under one policy (sched/pool.c).
struct sched_pool {
    u32 id; // [i]
    const struct sched_policy *policy;
    struct cpumask cpus; // [a]
    u32 domains;         // [pools' lock]
    u64 slice;           // [a] ns a vCPU may be ahead of the next in line
    u64 allowance;       // [a] ns that it runs before another may take its place
    s64 svt;             // [a] bvt: the latest of its queues'
};

// All are called with the queue's lock held, at time `now` (ns).
struct sched_policy {
    const char *name;
    u32 id;        // XEN_SCHEDULER_*, by which the tools know it
    u64 slice;     // a new pool's
    u64 allowance; // the same
    bool shares;   // weights mean something
    s64 margin;    // a waiting key must be so much lower than another CPU's for that to take it
    // e comes to the queue: new, from another CPU or policy (then woken is false), or woken up.
    void (*join)(struct sched_queue *q, struct sched_entity *e, u64 now, bool woken);
    // e has run for so many ns.
    void (*charge)(struct sched_queue *q, struct sched_entity *e, u64 ran, u64 now);
    // e, which runs, lets others go first.
    void (*yield)(struct sched_queue *q, struct sched_entity *e);
    // ns that e may run when `next` waits behind it.
    u64 (*slice_of)(const struct sched_queue *q, const struct sched_entity *e,
                    const struct sched_entity *next);
    // Time has passed: true if keys of waiting ones changed, so that they must be sorted. Or NULL.
    bool (*refresh)(struct sched_queue *q, u64 now);
};

extern const struct sched_policy sched_bvt, sched_credit, sched_null;

// Into and out of the list (sched/queue.c).
void sched_insert(struct sched_queue *q, struct sched_entity *e);
void sched_remove(struct sched_queue *q, struct sched_entity *e);
void sched_sort(struct sched_queue *q);

// Virtual ns that e's domain is charged for ns on one CPU: vCPUs that run share its weight, but
// none weighs less than 1, so that virtual time lasts for a year of CPU time.
static inline s64 sched_virtual(const struct sched_entity *e, u64 ns)
{
    u64 rate = (u64)READ_ONCE(e->share->advance) * MAX(READ_ONCE(e->share->active), (u32)1);
    return (s64)(u64)((unsigned __int128)ns * MIN(rate, (u64)ADVANCE_MAX) >> ADVANCE_SHIFT);
}

#endif
