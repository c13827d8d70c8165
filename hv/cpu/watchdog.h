// SPDX-License-Identifier: MIT
// The watchdog: CPUs watch each other (docs/boot.md, watchdog=).
#ifndef WIRT_CPU_WATCHDOG_H
#define WIRT_CPU_WATCHDOG_H

#include "cpu/regs.h"

// What a CPU knows of the one it watches. Pure; times in ns.
struct watch {
    u64 tick;  // when the watching CPU last looked
    u32 beats; // the other's heartbeat then
    u32 still; // looks in a row at which it had not moved
};

enum { WATCH_TICK_NS = 1000000000 };

// One look: whether the other CPU has stood still for more than `limit` ticks, each of which the
// watching CPU itself made in time. Time that passed while the whole machine was stopped does not
// count.
bool watch_look(struct watch *w, u64 now, u32 beats, u32 limit);

// On each starting CPU; without effect unless the watchdog is wanted.
void watchdog_start(void);
// On the boot CPU, before its first guest: the same, and from now on it counts.
void watchdog_run(void);
// From the NMI handler: may be a question whether this CPU still lives. Ends the machine if not.
void watchdog_nmi(const struct cpu_regs *regs);

#endif
