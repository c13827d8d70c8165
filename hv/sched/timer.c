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
} queues[CPUS_MAX] = {[0 ... CPUS_MAX - 1] = {SPINLOCK_INIT(LOCK_TIMER), NULL}};

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

void timer_stop(struct timer *t)
{
    struct queue *q = &queues[READ_ONCE(t->cpu)];
    spin_lock(&q->lock);
    if (t->armed)
        unlink_timer(q, t);
    spin_unlock(&q->lock);
}

void timer_set(struct timer *t, u64 expires)
{
    timer_stop(t);
    u32 cpu = this_cpu()->id;
    struct queue *q = &queues[cpu];
    spin_lock(&q->lock);
    t->expires = expires;
    t->cpu = cpu;
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
