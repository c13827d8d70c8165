// SPDX-License-Identifier: MIT
// Timers: per CPU a pairing heap, because guests may arm as many as all their vCPUs have. To arm
// one takes constant time, to disarm one or to take the first the logarithm of their number,
// amortised. Source: Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap", Algorithmica 1986.
//
// A node's children are a list linked by next; prev is the one before in it, the first one's is the
// parent, and the root's is NULL.
#include "sched/timer.h"
#include "cpu/apic.h"
#include "cpu/percpu.h"
#include "cpu/spinlock.h"
#include "cpu/time.h"

static struct queue {
    spinlock_t lock;
    struct timer *first; // [t] the root: none expires earlier
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

// Makes one heap of two roots, the later one the first child of the other.
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->expires < a->expires) {
        struct timer *later = a;
        a = b;
        b = later;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

// Makes one heap of a list of children: of each two one, then of these.
static struct timer *meld_all(struct timer *t)
{
    struct timer *pairs = NULL, *root = NULL, *next;
    while (t) {
        struct timer *a = t, *b = t->next;
        t = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    for (; pairs; pairs = next) {
        next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
    }
    return root;
}

static void unlink_timer(struct queue *q, struct timer *t)
{
    struct timer *below = meld_all(t->child);
    if (t == q->first) {
        q->first = below;
    } else {
        *(t->prev->child == t ? &t->prev->child : &t->prev->next) = t->next;
        if (t->next)
            t->next->prev = t->prev;
        q->first = meld(q->first, below);
    }
    t->child = t->next = t->prev = NULL;
    t->armed = false;
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
    q->first = meld(q->first, t);
    if (q->first == t)
        apic_timer_set(expires);
    spin_unlock(&q->lock);
}

void timer_run(void)
{
    struct queue *q = &queues[this_cpu()->id];
    u64 now = time_now();
    spin_lock(&q->lock);
    while (q->first && q->first->expires <= now) {
        struct timer *t = q->first;
        unlink_timer(q, t);
        spin_unlock(&q->lock);
        perfc(PERFC_TIMERS);
        t->fn(t->data);
        spin_lock(&q->lock);
    }
    if (q->first)
        apic_timer_set(q->first->expires);
    spin_unlock(&q->lock);
}
