// SPDX-License-Identifier: MIT
// The core of the scheduler (sched/sched.h). Each CPU has a queue; a vCPU belongs to one CPU's
// (v->cpu), whose lock protects its scheduling state.
//
// 1. queued: in the list of the queue of CPU v->cpu. running: on CPU v->cpu. Never both.
// 2. A vCPU with flags is not queued; if it is running, its CPU has SOFTIRQ_SCHED raised.
// 3. A CPU whose queue is not empty either has its slice timer set or SOFTIRQ_SCHED raised.
// 4. No CPU idles while a vCPU that it may run waits: who queues one looks for idle CPUs after, and
//    who idles looks at the queues after it has said so.
#include "sched/sched.h"
#include "abi/errno.h"
#include "cpu/smp.h"
#include "cpu/time.h"
#include "pv/pv.h"
#include "sched/cap.h"
#include "sched/pool.h"
#include "sched/trace.h"

enum { BALANCE_NS = 3000000 };

static struct sched_queue queues[CPUS_MAX];

// CPUs without a vCPU.
static struct cpumask idle;

static struct vcpu *vcpu_of_entity(struct sched_entity *e)
{
    return CONTAINER_OF(e, struct vcpu, sched);
}

// Locks the queue the vCPU belongs to, which may change until the lock is held.
static struct sched_queue *lock_queue(const struct vcpu *v)
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

// --- states ---

static void set_runstate(struct vcpu *v, int state, u64 now)
{
    TRACE(TRC_SCHED_RUNSTATE_CHANGE | (u32)v->runstate.state << 8 | (u32)state << 4, trace_id(v));
    now = MAX(now, v->runstate.state_entry_time); // perhaps of another CPU's clock
    v->runstate.time[v->runstate.state] += now - v->runstate.state_entry_time;
    v->runstate.state_entry_time = now;
    v->runstate.state = state;
}

static int waiting_state(const struct vcpu *v)
{
    u32 why = v->flags & ~(u32)VCPU_CAPPED;
    if (!why)
        return RUNSTATE_runnable;
    return why == VCPU_BLOCKED ? RUNSTATE_blocked : RUNSTATE_offline;
}

void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    struct sched_queue *q = lock_queue(v);
    *out = v->runstate;
    out->time[out->state] += time_now() - out->state_entry_time;
    spin_unlock(&q->lock);
}

// Charges the running one up to now. q's lock.
static void account(struct sched_queue *q, u64 now)
{
    struct sched_entity *e = q->running;
    if (!e || now <= e->charged)
        return;
    u64 ran = now - e->charged;
    e->charged = now;
    e->policy->charge(q, e, ran, now);
    if (unlikely(e->share->cap))
        cap_charge(e->share, ran, now);
}

void sched_entity_of(struct vcpu *v, struct sched_entity *out)
{
    struct sched_queue *q = lock_queue(v);
    if (q->running == &v->sched)
        account(q, time_now());
    *out = v->sched;
    spin_unlock(&q->lock);
}

// Does it run or wait for a CPU? One that runs counts until it has left, so that all that it ran is
// charged alike. q's lock.
static void count_active(struct vcpu *v)
{
    bool active = v->running || !v->flags;
    if (active == v->sched.active)
        return;
    v->sched.active = active;
    __atomic_fetch_add(&v->sched.share->active, active ? 1 : (u32)-1, __ATOMIC_RELAXED);
}

static void change_flags(struct vcpu *v, u32 flags)
{
    WRITE_ONCE(v->flags, flags);
    count_active(v);
}

// --- queues ---

struct cpumask sched_allowed(const struct vcpu *v)
{
    const struct sched_pool *pool = __atomic_load_n(&v->dom->pool, __ATOMIC_RELAXED);
    struct cpumask m = cpumask_and(&v->hard, &pool->cpus);
    return cpumask_empty(&m) ? pool->cpus : m;
}

static bool may_run(const struct vcpu *v, u32 cpu)
{
    struct cpumask m = sched_allowed(v);
    return cpumask_test(&m, cpu);
}

// Any idle CPU of both masks; CPUS_MAX: none.
static u32 idle_in(const struct cpumask *a, const struct cpumask *b)
{
    struct cpumask m = cpumask_and(a, b);
    m = cpumask_and(&m, &idle);
    return cpumask_first(&m);
}

// Tells an idle CPU of a vCPU that waits, best one of its soft affinity. False: there is none.
static bool offer(const struct vcpu *v)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // rule 4
    if (cpumask_empty(&idle))
        return false;
    struct cpumask may = sched_allowed(v);
    u32 cpu = idle_in(&may, &v->soft);
    if (cpu == CPUS_MAX)
        cpu = idle_in(&may, &may);
    if (cpu < CPUS_MAX)
        smp_raise(cpu, SOFTIRQ_SCHED);
    return cpu < CPUS_MAX;
}

static void join(struct sched_queue *q, struct vcpu *v, u64 now, bool woken)
{
    struct sched_entity *e = &v->sched;
    account(q, now); // first: the newcomer's place depends on how far the running one is
    q->pool->policy->join(q, e, now, woken && e->policy == q->pool->policy);
    e->policy = q->pool->policy;
    sched_insert(q, e);
}

// Has the running one had its CPU for less than the pool's allowance?
static bool is_spared(const struct sched_queue *q, u64 now)
{
    return now - q->running->dispatched < READ_ONCE(q->pool->allowance);
}

// When the running one is a slice ahead of the next in line, or it is time to balance.
static u64 slice_look(struct sched_queue *q, u64 now)
{
    const struct sched_policy *policy = q->pool->policy;
    if (q->slice_end <= now) {
        u64 slice = policy->slice_of(q, q->running, q->head);
        q->slice_end = slice < UINT64_MAX ? now + slice : UINT64_MAX;
    }
    u64 look = q->next_balance > now ? q->next_balance : now + BALANCE_NS;
    return policy->shares ? MIN(q->slice_end, look) : q->slice_end;
}

// Sets the timer to when the running one must be looked at again. One that is set for an earlier
// time stays: that costs a look at most, and who wakes others often would set it each time.
static void set_slice(struct sched_queue *q, u64 now)
{
    struct sched_entity *e = q->running, *next = q->head;
    u64 left = cap_left(e->share, now), at = left < UINT64_MAX ? now + left : UINT64_MAX;
    q->preempt = q->preempt && next && next->key < e->key; // else it has gone elsewhere
    if (next)
        at = MIN(at,
                 q->preempt ? e->dispatched + READ_ONCE(q->pool->allowance) : slice_look(q, now));
    q->timed = next;
    if (at < UINT64_MAX && !(q->slice.armed && q->slice.expires <= at))
        timer_set(&q->slice, at);
}

// Must the queue's CPU look at it at once because of e, which has come? q's lock.
static bool wants_cpu(struct sched_queue *q, const struct sched_entity *e)
{
    if (!q->running)
        return true;
    bool sooner = e->key < q->running->key;
    q->preempt |= sooner;
    return sooner || !q->timed;
}

// Queues a runnable vCPU on its CPU and tells who must know. Unlocks q.
static void queue_up(struct sched_queue *q, struct vcpu *v, u64 now, bool woken)
{
    u32 cpu = v->cpu;
    join(q, v, now, woken);
    bool busy = q->running, timed = q->timed, wants = wants_cpu(q, &v->sched);
    if (wants && busy && cpu == this_cpu()->id && is_spared(q, now)) {
        set_slice(q, now);
        wants = false;
    }
    spin_unlock(&q->lock);
    bool taken = (busy || !cpumask_test(&v->soft, cpu)) && offer(v);
    // Should the idle CPU take another one, this CPU's slice timer looks at v.
    if (wants && !(taken && busy && timed))
        smp_raise(cpu, SOFTIRQ_SCHED);
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
        queues[i].first = INT64_MAX;
    }
}

// CPU n of the set, counted round and round.
static u32 nth_cpu(const struct cpumask *m, u32 n)
{
    u32 count = 0;
    for_each_cpu_in (m, i)
        count++;
    n %= MAX(count, (u32)1);
    for_each_cpu_in (m, i)
        if (n-- == 0)
            return i;
    return cpumask_first(m);
}

void sched_vcpu_init(struct vcpu *v, u32 n, bool pinned)
{
    u32 cpu = nth_cpu(&v->dom->pool->cpus, n);
    v->cpu = cpu;
    v->soft = v->hard = cpumask_all;
    if (pinned) {
        v->hard = (struct cpumask){0};
        cpumask_set(&v->hard, cpu);
    }
    v->flags = VCPU_DOWN;
    v->sched.share = &v->dom->share;
    v->sched.policy = v->dom->pool->policy;
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = time_now();
}

static void replace(struct vcpu *v, bool woken);

void sched_clear(struct vcpu *v, u32 flags)
{
    struct sched_queue *q = lock_queue(v);
    change_flags(v, v->flags & ~flags);
    if (v->flags || v->running || v->sched.queued) {
        spin_unlock(&q->lock);
        return;
    }
    TRACE(TRC_SCHED_WAKE, trace_dom(v), trace_vcpu(v));
    u64 now = time_now();
    set_runstate(v, RUNSTATE_runnable, now);
    struct cpumask may = sched_allowed(v);
    u32 cpu = v->cpu;
    if (unlikely(!cpumask_test(&v->soft, cpu)))
        cpu = idle_in(&may, &v->soft);
    if (likely(cpu == v->cpu && cpumask_test(&may, cpu))) {
        queue_up(q, v, now, true);
        return;
    }
    // A better CPU idles, or its own was taken away while it slept.
    if (cpu < CPUS_MAX)
        WRITE_ONCE(v->cpu, cpu);
    spin_unlock(&q->lock);
    replace(v, true);
}

void sched_set(struct vcpu *v, u32 flags)
{
    struct sched_queue *q = lock_queue(v);
    change_flags(v, v->flags | flags);
    TRACE(TRC_SCHED_SLEEP, trace_dom(v), trace_vcpu(v));
    if (v->sched.queued)
        sched_remove(q, &v->sched);
    if (v->running)
        smp_raise(v->cpu, SOFTIRQ_SCHED);
    else
        set_runstate(v, waiting_state(v), time_now());
    spin_unlock(&q->lock);
}

void sched_yield(struct vcpu *v)
{
    struct sched_queue *q = lock_queue(v);
    account(q, time_now());
    v->sched.dispatched = q->slice_end = 0;
    v->sched.policy->yield(q, &v->sched);
    spin_unlock(&q->lock);
    softirq_raise(SOFTIRQ_SCHED);
}

void sched_kick(struct vcpu *v)
{
    u32 cpu = READ_ONCE(v->cpu);
    if (READ_ONCE(v->running) && cpu != this_cpu()->id)
        smp_kick(cpu);
}

// --- moving ---

static void replace(struct vcpu *v, bool woken)
{
    for (;;) {
        struct sched_queue *q = lock_queue(v);
        struct cpumask may = sched_allowed(v);
        bool here = cpumask_test(&may, v->cpu); // then q is a queue of its pool
        bool stays = here && v->sched.policy == q->pool->policy;
        if (v->running && !stays)
            smp_raise(v->cpu, SOFTIRQ_SCHED); // schedule() calls again when it has left
        if (v->running || (stays && v->sched.queued) || (here && v->flags)) {
            bool waits = v->sched.queued;
            spin_unlock(&q->lock);
            if (waits)
                offer(v); // it may go elsewhere now
            return;
        }
        if (v->sched.queued)
            sched_remove(q, &v->sched);
        if (here) {
            queue_up(q, v, time_now(), woken);
            return;
        }
        u32 to = idle_in(&may, &v->soft);
        if (to == CPUS_MAX)
            to = cpumask_first(&may);
        if (to < CPUS_MAX) // else it is changing its pool
            WRITE_ONCE(v->cpu, to);
        spin_unlock(&q->lock);
    }
}

void sched_replace(struct vcpu *v)
{
    replace(v, false);
}

int sched_set_affinity(struct vcpu *v, const struct cpumask *hard, const struct cpumask *soft)
{
    struct cpumask m = cpumask_and(hard, &v->dom->pool->cpus);
    if (cpumask_empty(&m))
        return -EINVAL;
    struct sched_queue *q = lock_queue(v);
    v->hard = *hard;
    v->soft = *soft;
    spin_unlock(&q->lock);
    sched_replace(v);
    return 0;
}

void sched_set_pool(u32 cpu, struct sched_pool *pool)
{
    struct sched_queue *q = &queues[cpu];
    spin_lock(&q->lock);
    account(q, time_now());
    __atomic_store_n(&q->pool, pool, __ATOMIC_RELAXED);
    q->next_account = 0;
    q->svt = pool ? READ_ONCE(pool->svt) : 0;
    spin_unlock(&q->lock);
    smp_raise(cpu, SOFTIRQ_SCHED);
}

// The first of `from` that this CPU may take: its key is below the limit, and it does not leave
// a CPU of its soft affinity for another unless we are idle. Both locks.
static struct vcpu *may_take(const struct sched_queue *from, u32 victim, u32 self, s64 limit)
{
    struct sched_entity *e = from->head;
    if (e && !from->running)
        e = e->next; // the first is about to run there, perhaps where it had better
    for (; e && e->key < limit; e = e->next) {
        struct vcpu *v = vcpu_of_entity(e);
        bool leaves = cpumask_test(&v->soft, victim) && !cpumask_test(&v->soft, self);
        if (may_run(v, self) && (limit == INT64_MAX || !leaves))
            return v;
    }
    return NULL;
}

// Takes a vCPU with a key below the limit from another queue of the pool into this CPU's.
static bool pull(u32 self, s64 limit)
{
    struct sched_queue *q = &queues[self];
    for (u32 n = 1; n < cpu_count; n++) {
        u32 i = (self + n) % cpu_count;
        struct sched_queue *from = &queues[i];
        if (READ_ONCE(from->first) >= limit ||
            __atomic_load_n(&from->pool, __ATOMIC_RELAXED) != q->pool)
            continue;
        spin_lock(i < self ? &from->lock : &q->lock);
        spin_lock(i < self ? &q->lock : &from->lock);
        struct vcpu *v = q->pool && q->pool == from->pool ? may_take(from, i, self, limit) : NULL;
        if (v) {
            sched_remove(from, &v->sched);
            WRITE_ONCE(v->cpu, self);
            join(q, v, time_now(), false);
        }
        spin_unlock(&from->lock);
        spin_unlock(&q->lock);
        if (v)
            perfc(PERFC_PULLS);
        if (v && limit < INT64_MAX)
            offer(v); // one that has just gone idle may have looked here before and there after
        if (v)
            return true;
    }
    return false;
}

// A vCPU that waits here would be served much sooner by another CPU: that CPU is told, each time
// another one, as it may have no use for the vCPU. No lock.
static void hand_over(u32 self, s64 first, u64 now)
{
    struct sched_queue *q = &queues[self];
    const struct sched_pool *pool = __atomic_load_n(&q->pool, __ATOMIC_RELAXED);
    for (u32 n = 0; n < cpu_count && pool; n++) {
        u32 i = q->asked = (q->asked + 1) % cpu_count;
        struct sched_queue *other = &queues[i];
        if (i == self || __atomic_load_n(&other->pool, __ATOMIC_RELAXED) != pool)
            continue;
        spin_lock(&other->lock);
        account(other, now); // one that runs alone is not charged otherwise
        bool ahead = other->pool == pool && other->running &&
                     other->running->key - pool->policy->margin > first;
        spin_unlock(&other->lock);
        if (ahead) {
            WRITE_ONCE(other->pull, true);
            smp_raise(i, SOFTIRQ_SCHED);
            return;
        }
    }
}

// Every now and then, while somebody waits here.
static void balance(u32 self, s64 first, u64 now)
{
    struct sched_queue *q = &queues[self];
    if (first == INT64_MAX || now < q->next_balance)
        return;
    q->next_balance = now + BALANCE_NS;
    hand_over(self, first, now);
}

// A CPU is not idle any more, perhaps because of another vCPU than the one it was told of: of those
// that still wait the next idle ones are told.
static void pass_on(void)
{
    for (u32 i = 0; i < cpu_count && !cpumask_empty(&idle); i++) {
        struct sched_queue *q = &queues[i];
        if (READ_ONCE(q->first) == INT64_MAX)
            continue;
        spin_lock(&q->lock);
        struct sched_entity *e = q->head;
        while (e && !offer(vcpu_of_entity(e)))
            e = e->next;
        spin_unlock(&q->lock);
    }
}

// --- the switch ---

// Takes the first out of the queue. Those whose domain has reached its cap wait elsewhere.
static struct vcpu *take_first(struct sched_queue *q, u64 now)
{
    while (q->head) {
        struct vcpu *v = vcpu_of_entity(q->head);
        sched_remove(q, &v->sched);
        if (likely(cap_left(v->sched.share, now)))
            return v;
        change_flags(v, v->flags | VCPU_CAPPED);
    }
    return NULL;
}

// Does the running one, which may, go on although others wait?
static bool goes_on(const struct sched_queue *q, const struct sched_entity *e, u64 now)
{
    if (!q->head || is_spared(q, now))
        return true;
    bool begins = !q->slice_end && e->dispatched; // it had the CPU to itself
    if ((begins || now < q->slice_end) && !q->preempt)
        return true;
    return e->key < q->head->key || (e->key == q->head->key && now < q->slice_end);
}

// One word, so that others read it whole.
static void count_idle(struct sched_queue *q, bool idles, u64 now)
{
    u64 word = q->idle;
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

// The previous one leaves the CPU, with its registers; it may run elsewhere as soon as q is
// unlocked. True if it must be given another place then.
static bool leave(struct sched_queue *q, struct vcpu *prev, bool stays, u64 now)
{
    pv_save(prev);
    pv_unload(prev->dom); // before prev may run, and change its tables, elsewhere
    q->running = NULL;
    set_runstate(prev, waiting_state(prev), now);
    __atomic_store_n(&prev->running, false, __ATOMIC_RELEASE); // pairs with domain_still
    count_active(prev);
    if (stays)
        sched_insert(q, &prev->sched);
    return !stays && !prev->flags;
}

static void enter(struct sched_queue *q, struct vcpu *next, u64 now)
{
    next->running = true;
    next->sched.dispatched = next->sched.charged = now;
    q->running = &next->sched;
    q->preempt = false;
    q->slice_end = 0;
    set_runstate(next, RUNSTATE_running, now);
    set_slice(q, now);
}

// May it go on running here? One that has reached its domain's cap waits for the next period.
static bool may_stay(struct sched_queue *q, struct vcpu *v, u64 now)
{
    if (v->flags || !q->pool || !may_run(v, v->cpu) || v->sched.policy != q->pool->policy)
        return false;
    if (likely(cap_left(v->sched.share, now)))
        return true;
    change_flags(v, v->flags | VCPU_CAPPED);
    return false;
}

void schedule(void)
{
    u32 self = this_cpu()->id;
    struct sched_queue *q = &queues[self];
    struct vcpu *prev = current_vcpu(), *next;
    if (unlikely(READ_ONCE(q->pull))) {
        WRITE_ONCE(q->pull, false);
        if (q->running)
            pull(self, q->running->key - q->running->policy->margin);
    }
    perfc(PERFC_SCHEDULES);
    spin_lock(&q->lock);
    u64 now = time_now();
    account(q, now);
    if (q->pool && q->pool->policy->refresh && q->pool->policy->refresh(q, now))
        sched_sort(q);
    bool stays = prev && may_stay(q, prev, now), moves = false;
    if (stays && goes_on(q, &prev->sched, now)) {
        set_slice(q, now);
        s64 first = q->first;
        spin_unlock(&q->lock);
        TRACE(TRC_SCHED_CONTINUE_RUNNING, trace_id(prev));
        balance(self, first, now);
        return;
    }
    if (prev)
        moves = leave(q, prev, stays, now);
    next = q->pool ? take_first(q, now) : NULL; // who waits for a CPU taken away will move
    if (next)
        enter(q, next, now);
    s64 first = q->first;
    spin_unlock(&q->lock);
    TRACE(TRC_SCHED_SWITCH, trace_dom(prev), trace_vcpu(prev), trace_dom(next), trace_vcpu(next));
    cpu_info()->current = next;
    count_idle(q, !next, now);
    if (next) {
        if (cpumask_test(&idle, self)) {
            cpumask_clear(&idle, self);
            pass_on(); // rule 4
        }
        perfc(PERFC_SWITCHES);
        pv_load(next);
        if (!stays || !offer(prev))
            balance(self, first, now);
    } else {
        if (q->slice.armed)
            timer_stop(&q->slice);
        q->timed = false;
        cpumask_set(&idle, self);
        if (pull(self, INT64_MAX)) // rule 4
            softirq_raise(SOFTIRQ_SCHED);
    }
    if (moves)
        sched_replace(prev);
    if (prev)
        domain_vcpu_stopped(prev->dom);
}
