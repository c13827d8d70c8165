// SPDX-License-Identifier: MIT
// Timers: per CPU a list sorted by expiry. Guests own a handful per vCPU, so lists are short.
#include "sched/timer.h"
#include "cpu/apic.h"
#include "cpu/percpu.h"
#include "cpu/spinlock.h"
#include "cpu/time.h"

static struct queue {
    spinlock_t lock;
    struct timer *head; // [t]
} queues[CPUS_MAX];

void timers_init(void)
{
    for (u32 i = 0; i < CPUS_MAX; i++)
        spin_lock_init(&queues[i].lock, LOCK_TIMER);
}

void timer_init(struct timer *t, void (*fn)(void *), void *data)
{
    *t = (struct timer){.fn = fn, .data = data};
}

static void unlink_timer(struct queue *q, struct timer *t)
{
    for (struct timer **p = &q->head; *p; p = &(*p)->next)
        if (*p == t) {
            *p = t->next;
            t->armed = false;
            return;
        }
}

// Locks the queue the timer belongs to, which may change until the lock is held.
static struct queue *lock_queue(struct timer *t)
{
    for (;;) {
        u32 cpu = READ_ONCE(t->cpu);
        spin_lock(&queues[cpu].lock);
        if (cpu == t->cpu)
            return &queues[cpu];
        spin_unlock(&queues[cpu].lock);
    }
}

void timer_stop(struct timer *t)
{
    struct queue *q = lock_queue(t);
    if (t->armed)
        unlink_timer(q, t);
    spin_unlock(&q->lock);
}

// Makes the timer this CPU's and returns with its queue locked, the timer in no list.
static struct queue *adopt(struct timer *t, u32 self)
{
    for (;;) {
        struct queue *q = lock_queue(t);
        if (t->armed)
            unlink_timer(q, t);
        if (t->cpu == self)
            return q;
        WRITE_ONCE(t->cpu, self); // whoever comes next looks there, and so do we
        spin_unlock(&q->lock);
    }
}

void timer_set(struct timer *t, u64 expires)
{
    struct queue *q = adopt(t, this_cpu()->id);
    t->expires = expires;
    t->armed = true;
    struct timer **p = &q->head;
    while (*p && (*p)->expires <= expires)
        p = &(*p)->next;
    t->next = *p;
    *p = t;
    if (q->head == t)
        apic_timer_set(expires);
    spin_unlock(&q->lock);
}

void timer_run(void)
{
    struct queue *q = &queues[this_cpu()->id];
    u64 now = time_now();
    spin_lock(&q->lock);
    while (q->head && q->head->expires <= now) {
        struct timer *t = q->head;
        unlink_timer(q, t);
        spin_unlock(&q->lock);
        t->fn(t->data);
        spin_lock(&q->lock);
    }
    if (q->head)
        apic_timer_set(q->head->expires);
    spin_unlock(&q->lock);
}
