// SPDX-License-Identifier: MIT
// Device interrupts (cpu/irq.h).
#include "cpu/irq.h"
#include "abi/errno.h"
#include "cpu/percpu.h"
#include "io/ioapic.h"

enum {
    VECTORS = 256,
    VECTOR_LINUX_SYSCALL = 0x80, // their gates belong to the guests
    VECTOR_OLD_HYPERCALL = 0x82,
    DEST_MAX = 254, // 8-bit destinations without interrupt remapping; 255 is everybody
};

static struct irq irqs[VECTORS];

void irqs_init(void)
{
    for (u32 i = 0; i < VECTORS; i++)
        spin_lock_init(&irqs[i].lock, LOCK_IRQ);
}
static spinlock_t alloc_lock = SPINLOCK_INIT(LOCK_VECTOR); // which vectors are free
static u32 next_vector = VECTOR_FIRST_DEVICE; // [alloc_lock] where the next search begins

// The hypervisor's own handlers: they leave their device quiet.
static struct own_handler {
    void (*fn)(void *);
    void *arg;
    u32 gsi;
} own[4]; // [i] after boot
static u32 own_count;

static bool vector_free(u32 vector)
{
    return vector >= VECTOR_FIRST_DEVICE && vector <= VECTOR_LAST_DEVICE &&
           vector != VECTOR_LINUX_SYSCALL && vector != VECTOR_OLD_HYPERCALL && !irqs[vector].source;
}

static bool block_free(u32 first, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        if (!vector_free(first + i))
            return false;
    }
    return true;
}

// A free block, or 0. Starts behind the last one found, so that a vector rests before it is used
// again. Under alloc_lock.
static u32 find_block(u32 count)
{
    u32 start = (u32)align_up(next_vector, count);
    for (u32 i = 0; i < VECTORS; i += count) {
        u32 first = (start + i) % VECTORS;
        if (block_free(first, count))
            return first;
    }
    return 0;
}

// An APIC id that IO-APICs and messages can name.
static u32 cpu_dest(u32 cpu)
{
    u32 id = cpus[cpu < CPUS_MAX ? cpu : 0].apic_id;
    return id <= DEST_MAX ? id : cpus[0].apic_id;
}

// A stray message may be looking at the descriptor.
static void irq_init(u32 vector, u32 index, const struct irq_source *source, void *data)
{
    struct irq *irq = &irqs[vector];
    spin_lock(&irq->lock);
    irq->vector = (u8)vector;
    irq->index = (u8)index;
    irq->level = irq->enabled = false;
    irq->dest = cpu_dest(0);
    irq->data = data;
    irq->handler = NULL;
    irq->source = source;
    spin_unlock(&irq->lock);
}

struct irq *irq_alloc(u32 count, const struct irq_source *source, void *data)
{
    spin_lock(&alloc_lock);
    u32 first = find_block(count);
    for (u32 i = 0; first && i < count; i++)
        irq_init(first + i, i, source, data);
    if (first)
        next_vector = first + count;
    spin_unlock(&alloc_lock);
    return first ? &irqs[first] : NULL;
}

static bool irq_running(struct irq *irq)
{
    spin_lock(&irq->lock);
    bool running = irq->running != 0;
    spin_unlock(&irq->lock);
    return running;
}

void irq_free(struct irq *first, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        irq_disable(&first[i]);
        while (irq_running(&first[i]))
            spin_wait();
    }
    spin_lock(&alloc_lock);
    for (u32 i = 0; i < count; i++)
        first[i].source = NULL;
    spin_unlock(&alloc_lock);
}

void irq_set_handler(struct irq *irq, irq_handler *handler, void *arg)
{
    spin_lock(&irq->lock);
    irq->handler = handler;
    irq->arg = arg;
    spin_unlock(&irq->lock);
}

void irq_enable(struct irq *irq)
{
    spin_lock(&irq->lock);
    irq->enabled = true;
    irq->source->unmask(irq);
    spin_unlock(&irq->lock);
}

void irq_disable(struct irq *irq)
{
    spin_lock(&irq->lock);
    irq->enabled = false;
    irq->source->mask(irq);
    spin_unlock(&irq->lock);
}

void irq_eoi(struct irq *irq)
{
    spin_lock(&irq->lock);
    if (irq->level && irq->enabled)
        irq->source->unmask(irq);
    spin_unlock(&irq->lock);
}

void irq_route(struct irq *irq, u32 cpu)
{
    u32 dest = cpu_dest(cpu);
    spin_lock(&irq->lock);
    if (irq->dest != dest) {
        irq->dest = dest;
        irq->source->route(irq);
    }
    spin_unlock(&irq->lock);
}

void irqs_leave(u32 cpu)
{
    spin_lock(&alloc_lock);
    for (u32 i = 0; i < ARRAY_SIZE(irqs); i++)
        if (irqs[i].source && READ_ONCE(irqs[i].dest) == cpu_dest(cpu))
            irq_route(&irqs[i], 0);
    spin_unlock(&alloc_lock);
}

// The handler to run, or NULL: nobody wants this interrupt, e.g. because it was on its way when it
// was disabled.
static irq_handler *begin(struct irq *irq, void **arg)
{
    irq_handler *handler = NULL;
    spin_lock(&irq->lock);
    if (irq->enabled && irq->handler) {
        handler = irq->handler;
        *arg = irq->arg;
        irq->running++;
        if (irq->level)
            irq->source->mask(irq);
    }
    spin_unlock(&irq->lock);
    return handler;
}

static void end(struct irq *irq, bool quiet)
{
    spin_lock(&irq->lock);
    irq->running--;
    if (quiet && irq->level && irq->enabled)
        irq->source->unmask(irq);
    spin_unlock(&irq->lock);
}

void irq_dispatch(u8 vector)
{
    struct irq *irq = &irqs[vector];
    void *arg;
    irq_handler *handler = begin(irq, &arg);
    apic_eoi();
    if (handler)
        end(irq, handler(arg));
}

static bool run_own(void *arg)
{
    const struct own_handler *h = arg;
    h->fn(h->arg);
    return true;
}

int irq_request_gsi(u32 gsi, void (*fn)(void *), void *arg)
{
    struct irq *irq;
    if (own_count == ARRAY_SIZE(own))
        return -ENOSPC;
    int ret = ioapic_attach(gsi, &irq);
    if (ret)
        return ret;
    own[own_count] = (struct own_handler){fn, arg, gsi};
    irq_set_handler(irq, run_own, &own[own_count++]);
    irq_enable(irq);
    return 0;
}

bool irq_gsi_is_own(u32 gsi)
{
    for (u32 i = 0; i < own_count; i++) {
        if (own[i].gsi == gsi)
            return true;
    }
    return false;
}
