// SPDX-License-Identifier: MIT
// Device interrupts: vectors, what raises each (an IO-APIC pin or a message) and who handles it.
//
// 1. A vector means the same on all CPUs, so an interrupt moves to another CPU by a change of its
//    destination alone, and a message only ever changes in its address.
// 2. A level interrupt is masked before its handler runs and stays so until the handler says that
//    the device is quiet, or irq_eoi is called. Edges and messages need no more than the APIC's
//    EOI, which is given at once.
// 3. A handler runs with interrupts off and without locks of its own; what it interrupted may hold
//    LOCK_MMU or lower ones.
//
// Letters: [i] while the vector is allocated, [l] irq->lock, [a] atomic.
#ifndef WIRT_CPU_IRQ_H
#define WIRT_CPU_IRQ_H

#include "cpu/apic.h"
#include "cpu/spinlock.h"

struct irq;

// What raises an interrupt. Called under irq->lock.
struct irq_source {
    void (*mask)(struct irq *irq);
    void (*unmask)(struct irq *irq);
    void (*route)(struct irq *irq); // irq->dest has changed
};

// True: the device is quiet, a level interrupt may come again.
// Boot, before any interrupt is set up.
void irqs_init(void);

typedef bool irq_handler(void *arg);

struct irq {
    spinlock_t lock;                 // LOCK_IRQ
    u8 vector;                       // [i]
    u8 index;                        // [i] within the block of irq_alloc
    bool level;                      // [l] set by the source, before it unmasks
    bool enabled;                    // [l]
    u32 dest;                        // [l] APIC id
    u32 running;                     // [l] handlers under way
    const struct irq_source *source; // [i] NULL: the vector is free
    void *data;                      // [i] the source's
    irq_handler *handler;            // [l]
    void *arg;                       // [l]
};

// Allocates `count` vectors (a power of two, naturally aligned: multiple-message MSI puts the
// index into the low bits), disabled, without handler, routed to the first CPU. The descriptors
// follow each other. NULL: none free. Takes LOCK_IRQ.
NODISCARD struct irq *irq_alloc(u32 count, const struct irq_source *source, void *data);
// Disables the block, waits until no handler of it runs any more and gives its vectors back. No
// lock may be held that a handler takes. A message that is still on its way is then ignored.
void irq_free(struct irq *first, u32 count);

// All of these take irq->lock; any context.
void irq_set_handler(struct irq *irq, irq_handler *handler, void *arg);
void irq_enable(struct irq *irq);
void irq_disable(struct irq *irq);
// The device is quiet after the handler said it was not.
void irq_eoi(struct irq *irq);
// Sends the interrupt to that CPU (of struct cpu), or to the first one if it is out of reach.
void irq_route(struct irq *irq, u32 cpu);
// No interrupt goes to that CPU any more.
void irqs_leave(u32 cpu);

// An interrupt with a device vector came in. Gives the EOI to the APIC.
void irq_dispatch(u8 vector);

// Makes fn the hypervisor's own handler of a GSI, for good, and enables it. 0; -EINVAL: no IO-APIC
// serves it; -EBUSY: in use; -ENOSPC: no vector. Boot only.
NODISCARD int irq_request_gsi(u32 gsi, void (*fn)(void *), void *arg);
// Whether the hypervisor handles that GSI. Any context after boot.
bool irq_gsi_is_own(u32 gsi);

#endif
