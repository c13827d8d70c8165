// SPDX-License-Identifier: MIT
// One-shot timers, kept per CPU, driven by the local APIC.
#ifndef WIRT_SCHED_TIMER_H
#define WIRT_SCHED_TIMER_H

#include "lib/types.h"

struct timer {
    u64 expires;        // system time, ns
    void (*fn)(void *); // called with interrupts off on the CPU that armed it, no locks held
    void *data;
    struct timer *child, *next, *prev; // [t] its place in the CPU's heap
    u32 cpu;                           // [t] which CPU's heap
    bool armed;                        // [t]
};

// Boot, before any timer.
void timers_init(void);
void timer_init(struct timer *t, void (*fn)(void *), void *data);
// Arms the timer on this CPU, wherever it was armed before. Past times fire at once.
void timer_set(struct timer *t, u64 expires);
void timer_stop(struct timer *t);
// Runs what is due and programs the APIC for the next. From the exit path (SOFTIRQ_TIMER).
void timer_run(void);

#endif
