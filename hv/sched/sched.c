// SPDX-License-Identifier: MIT
// The scheduler (sched/sched.h). Each CPU has a run queue, sorted by actual virtual time. A CPU
// that has nothing to do takes from the longest queue. A vCPU belongs to one CPU's queue (v->cpu),
// whose lock protects its scheduling state.
//
// 1. queued: in the list of cpus' queue v->cpu. running: on CPU v->cpu. Never both.
// 2. A vCPU with flags is not queued; if it is running, its CPU has SOFTIRQ_SCHED raised.
#include "sched/sched.h"
#include "abi/errno.h"
#include "cpu/smp.h"
#include "cpu/time.h"
#include "pv/pv.h"
#include "sched/trace.h"

enum { SLICE_NS = 10000000, ALLOWANCE_NS = 2000000 };

static struct queue {
    spinlock_t lock;
    struct vcpu *head;
    u32 length;
    u64 virtual_time; // avt of whoever ran last; newcomers start there
    struct timer slice;
    u64 idle;       // [a] ns << 1; bit 0 set: it idles since then (less what it idled before)
    u64 idle_count; // [c] times it went idle
} queues[CPUS_MAX];

// Locks the queue the vCPU belongs to, which may change until the lock is held.
static struct queue *lock_queue(struct vcpu *v)
{
    for (;;) {
        u32 cpu = READ_ONCE(v->cpu);
        spin_lock(&queues[cpu].lock);
        if (cpu == v->cpu)
            return &queues[cpu];
        spin_unlock(&queues[cpu].lock);
    }
}

// In trace records: no vCPU is one of the idle domain.
static u32 trace_dom(const struct vcpu *v)
{
    return v ? v->dom->id.v : DOMID_IDLE;
}

static u32 trace_vcpu(const struct vcpu *v)
{
    return v ? v->id.v : this_cpu()->id;
}

static u32 trace_id(const struct vcpu *v)
{
    return trace_dom(v) << 16 | trace_vcpu(v);
}

static void set_runstate(struct vcpu *v, int state)
{
    u64 now = time_now();
    TRACE(TRC_SCHED_RUNSTATE_CHANGE | (u32)v->runstate.state << 8 | (u32)state << 4, trace_id(v));
    v->runstate.time[v->runstate.state] += now - v->runstate.state_entry_time;
    v->runstate.state_entry_time = now;
    v->runstate.state = state;
}

static int waiting_state(const struct vcpu *v)
{
    if (!v->flags)
        return RUNSTATE_runnable;
    return v->flags == VCPU_BLOCKED ? RUNSTATE_blocked : RUNSTATE_offline;
}

void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    struct queue *q = lock_queue(v);
    *out = v->runstate;
    out->time[out->state] += time_now() - out->state_entry_time;
    spin_unlock(&q->lock);
}

static void enqueue(struct queue *q, struct vcpu *v)
{
    // Who slept long must not have saved up virtual time.
    if (v->avt + ALLOWANCE_NS < q->virtual_time)
        v->avt = q->virtual_time - ALLOWANCE_NS;
    struct vcpu **p = &q->head;
    while (*p && (*p)->avt <= v->avt)
        p = &(*p)->next;
    v->next = *p;
    *p = v;
    v->queued = true;
    q->length++;
}

static void dequeue(struct queue *q, struct vcpu *v)
{
    struct vcpu **p = &q->head;
    while (*p != v)
        p = &(*p)->next;
    *p = v->next;
    v->queued = false;
    q->length--;
}

// CPUs without a vCPU. Set by the CPU itself before it looks for work a last time.
static struct cpumask idle;

// A vCPU waits on a busy CPU: an idle one may take it.
static void offer(const struct vcpu *v, u32 cpu)
{
    if (cpumask_test(&idle, cpu))
        return;
    for_each_cpu (i)
        if (cpumask_test(&idle, i) && cpumask_test(&v->hard, i)) {
            smp_raise(i, SOFTIRQ_SCHED);
            return;
        }
}

static void slice_over(void *data)
{
    (void)data;
    softirq_raise(SOFTIRQ_SCHED);
}

void sched_init(void)
{
    for (u32 i = 0; i < CPUS_MAX; i++) {
        spin_lock_init(&queues[i].lock, LOCK_SCHED);
        timer_init(&queues[i].slice, slice_over, NULL);
        queues[i].idle = 1; // since system time 0
    }
}

static u32 first_allowed(const struct vcpu *v)
{
    u32 cpu = 0;
    while (!cpumask_test(&v->hard, cpu))
        cpu++;
    return cpu;
}

void sched_vcpu_init(struct vcpu *v, u32 cpu, bool pinned)
{
    v->cpu = cpu;
    v->soft = v->hard = (struct cpumask){{~(u64)0, ~(u64)0}};
    if (pinned) {
        v->hard = (struct cpumask){0};
        cpumask_set(&v->hard, cpu);
    }
    v->flags = VCPU_DOWN;
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = time_now();
}

void sched_clear(struct vcpu *v, u32 flags)
{
    struct queue *q = lock_queue(v);
    u32 old = v->flags;
    v->flags &= ~flags;
    bool wake = !v->flags && !v->running && !v->queued;
    u32 cpu = v->cpu;
    if (wake) {
        TRACE(TRC_SCHED_WAKE, trace_dom(v), trace_vcpu(v));
        if (old)
            set_runstate(v, RUNSTATE_runnable);
        enqueue(q, v);
    }
    spin_unlock(&q->lock);
    if (wake) {
        smp_raise(cpu, SOFTIRQ_SCHED);
        offer(v, cpu);
    }
}

void sched_set(struct vcpu *v, u32 flags)
{
    struct queue *q = lock_queue(v);
    v->flags |= flags;
    TRACE(TRC_SCHED_SLEEP, trace_dom(v), trace_vcpu(v));
    if (v->queued)
        dequeue(q, v);
    if (!v->running)
        set_runstate(v, waiting_state(v));
    else
        smp_raise(v->cpu, SOFTIRQ_SCHED);
    spin_unlock(&q->lock);
}

int sched_set_affinity(struct vcpu *v, const struct cpumask *hard, const struct cpumask *soft)
{
    bool any = false;
    for_each_cpu (i)
        any |= cpumask_test(hard, i);
    if (!any)
        return -EINVAL;
    struct queue *q = lock_queue(v);
    v->hard = *hard;
    v->soft = *soft;
    bool misplaced = !cpumask_test(hard, v->cpu), queued = v->queued;
    if (misplaced && queued)
        dequeue(q, v);
    if (misplaced && v->running)
        smp_raise(v->cpu, SOFTIRQ_SCHED); // schedule() moves it
    else if (misplaced)
        WRITE_ONCE(v->cpu, first_allowed(v));
    spin_unlock(&q->lock);
    if (misplaced && queued)
        sched_clear(v, 0);
    return 0;
}

void sched_yield(struct vcpu *v)
{
    struct queue *q = lock_queue(v);
    if (q->head && v->avt < q->head->avt)
        v->avt = q->head->avt;
    spin_unlock(&q->lock);
    softirq_raise(SOFTIRQ_SCHED);
}

void sched_kick(struct vcpu *v)
{
    u32 cpu = READ_ONCE(v->cpu);
    if (READ_ONCE(v->running) && cpu != this_cpu()->id)
        smp_kick(cpu);
}

// Takes a runnable vCPU from the longest other queue, if it is worth it. No lock held.
static struct vcpu *steal(u32 self)
{
    u32 victim = self, most = 0;
    for_each_cpu (i)
        if (i != self && READ_ONCE(queues[i].length) > most) {
            victim = i;
            most = READ_ONCE(queues[i].length);
        }
    if (victim == self)
        return NULL;
    struct queue *q = &queues[victim];
    spin_lock(&q->lock);
    struct vcpu *v = q->head;
    while (v && !cpumask_test(&v->hard, self))
        v = v->next;
    if (v) {
        dequeue(q, v);
        v->cpu = self; // out of every queue: nobody else finds it runnable
        v->running = true;
        set_runstate(v, RUNSTATE_running);
    }
    spin_unlock(&q->lock);
    return v;
}

static void charge(struct queue *q, struct vcpu *v)
{
    u64 ran = time_now() - v->started;
    u32 weight = READ_ONCE(v->dom->weight);
    v->avt += weight == WEIGHT_DEFAULT ? ran : ran * WEIGHT_DEFAULT / weight;
    q->virtual_time = MAX(q->virtual_time, v->avt);
}

// Puts the vCPU that ran back; returns true if it should simply go on.
static bool put_previous(struct queue *q, struct vcpu *prev)
{
    charge(q, prev);
    if (!prev->flags && cpumask_test(&prev->hard, this_cpu()->id) &&
        (!q->head || prev->avt <= q->head->avt)) {
        prev->started = time_now();
        return true;
    }
    return false;
}

// One word, so that others read it whole.
static void count_idle(struct queue *q, bool idles)
{
    u64 word = q->idle, now = time_now();
    if (idles == (word & 1))
        return;
    q->idle_count += idles;
    WRITE_ONCE(q->idle, (now - (word >> 1)) << 1 | idles);
}

u64 sched_idle_ns(u32 cpu, u64 *times)
{
    u64 word = READ_ONCE(queues[cpu].idle);
    *times = READ_ONCE(queues[cpu].idle_count);
    return word & 1 ? time_now() - (word >> 1) : word >> 1;
}

static void switch_to(struct vcpu *next)
{
    struct queue *q = &queues[this_cpu()->id];
    cpu_info()->current = next;
    count_idle(q, !next);
    if (next) {
        next->started = time_now();
        timer_set(&q->slice, next->started + SLICE_NS);
        pv_load(next);
    } else {
        timer_stop(&q->slice);
    }
}

void schedule(void)
{
    u32 self = this_cpu()->id;
    struct queue *q = &queues[self];
    struct vcpu *prev = current_vcpu();
    cpumask_set(&idle, self);
    spin_lock(&q->lock);
    if (prev && put_previous(q, prev)) {
        cpumask_clear(&idle, self);
        if (q->head)
            timer_set(&q->slice, time_now() + SLICE_NS);
        spin_unlock(&q->lock);
        TRACE(TRC_SCHED_CONTINUE_RUNNING, trace_id(prev));
        return;
    }
    bool waits = prev && !prev->flags, moves = false;
    if (prev) {
        pv_save(prev);
        pv_unload(prev->dom); // before prev may run, and change its tables, elsewhere
    }
    if (prev)
        set_runstate(prev, waiting_state(prev));
    struct vcpu *next = q->head;
    if (next) {
        dequeue(q, next);
        next->running = true;
        set_runstate(next, RUNSTATE_running);
    }
    if (prev) {
        set_runstate(prev, waiting_state(prev));
        moves = !cpumask_test(&prev->hard, self);
        if (moves)
            WRITE_ONCE(prev->cpu, first_allowed(prev));
        else if (waits)
            enqueue(q, prev);
        __atomic_store_n(&prev->running, false, __ATOMIC_RELEASE); // pairs with domain_still
    }
    spin_unlock(&q->lock);
    if (!next)
        next = steal(self);
    if (next)
        cpumask_clear(&idle, self);
    if (prev != next)
        TRACE(TRC_SCHED_SWITCH, trace_dom(prev), trace_vcpu(prev), trace_dom(next),
              trace_vcpu(next));
    switch_to(next);
    if (moves)
        sched_clear(prev, 0); // to the queue of its new CPU
    else if (waits)
        offer(prev, self);
    if (prev)
        domain_vcpu_stopped(prev->dom);
}
