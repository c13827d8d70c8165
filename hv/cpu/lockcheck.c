// SPDX-License-Identifier: MIT
// Debug builds: each CPU keeps the orders of the locks it holds and checks that they only rise.
// Equal orders may nest (two domains' event locks, two queues), their own rules apply.
#include "cpu/percpu.h"
#include "cpu/spinlock.h"

#ifdef WIRT_DEBUG
void lock_order_acquire(const spinlock_t *l)
{
    if (cpu_count == 0)
        return;
    struct cpu *c = this_cpu();
    if (c->held_locks && c->lock_stack[c->held_locks - 1] > l->order)
        panic("lock order: %u taken with %u held", l->order, c->lock_stack[c->held_locks - 1]);
    BUG_ON(c->held_locks == ARRAY_SIZE(c->lock_stack));
    c->lock_stack[c->held_locks++] = l->order;
}

void lock_order_release(const spinlock_t *l)
{
    if (cpu_count == 0)
        return;
    struct cpu *c = this_cpu();
    u32 i = c->held_locks;
    while (i > 0 && c->lock_stack[i - 1] != l->order)
        i--;
    if (i == 0)
        return; // taken before the CPUs were counted
    for (c->held_locks--; i <= c->held_locks; i++)
        c->lock_stack[i - 1] = c->lock_stack[i];
}
#endif
