// SPDX-License-Identifier: MIT
// Ticket spin locks.
//
// 1. The hypervisor runs with interrupts off; it opens them only in idle and at preemption points
//    (preempt_wanted), where no lock above LOCK_MMU is held and no handler takes one up to there.
//    So a lock needs no irqsave form.
// 2. A CPU that waits for a lock serves TLB-flush requests of others (spin_wait), so waiting for a
//    flush with a lock held cannot deadlock.
// 3. Locks are taken in rising order of their number (lib/lock_order.h); debug builds check it.
#ifndef WIRT_CPU_SPINLOCK_H
#define WIRT_CPU_SPINLOCK_H

#include "lib/compiler.h"
#include "lib/lock_order.h"

typedef struct spinlock {
    u16 next, owner; // tickets: the one to hand out, the one being served
    u16 order;       // enum lock_order
} spinlock_t;

#define SPINLOCK_INIT(ord) \
    {                      \
        0, 0, ord          \
    }

// One turn of a wait loop: pauses and serves what other CPUs wait for. Any context.
void spin_wait(void);

// Waits until the ticket is served.
void spin_wait_turn(spinlock_t *l, u16 ticket);

// Debug builds: checks the number order of what this CPU holds.
void lock_order_acquire(const spinlock_t *l);
void lock_order_release(const spinlock_t *l);

static inline void spin_lock_init(spinlock_t *l, enum lock_order order)
{
    *l = (spinlock_t)SPINLOCK_INIT((u16)order);
}

static inline void spin_lock(spinlock_t *l)
{
#ifdef WIRT_DEBUG
    lock_order_acquire(l);
#endif
    u16 ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
    if (unlikely(__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)) // with spin_unlock
        spin_wait_turn(l, ticket);
}

static inline void spin_unlock(spinlock_t *l)
{
#ifdef WIRT_DEBUG
    lock_order_release(l);
#endif
    // Only the holder writes it. Stores are seen in order: this one releases; pairs with spin_lock.
    __asm__ volatile("incw %0" : "+m"(l->owner)::"memory", "cc");
}

#endif
