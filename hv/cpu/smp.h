// SPDX-License-Identifier: MIT
// Bringing up the other CPUs and poking them.
#ifndef WIRT_CPU_SMP_H
#define WIRT_CPU_SMP_H

#include "cpu/percpu.h"

struct acpi_info;

// Starts up to `max` CPUs in all (0: no limit) of those the MADT lists. Prints those that don't
// come.
void smp_start(const struct acpi_info *acpi, u32 max);
// Makes a CPU look at its softirqs soon. Any context.
void smp_kick(u32 cpu);
// Raises a softirq on a CPU and kicks it if it is another one. Any context.
void smp_raise(u32 cpu, enum softirq s);
// Stops all other CPUs for good (panic, reboot).
void smp_stop_others(void);
// True once smp_stop_others was called: the NMI handler halts.
bool smp_stopping(void);

#endif
