// SPDX-License-Identifier: MIT
// System time (nanoseconds since boot, the same on all CPUs, from the TSC) and wall-clock time.
#ifndef WIRT_CPU_TIME_H
#define WIRT_CPU_TIME_H

#include "lib/compiler.h"

struct acpi_info;

// Calibrates the TSC against a clock: what clocksource= says, else the first that the machine has
// of HPET (unless hpet=0), ACPI PM timer, PIT.
void time_init(const struct acpi_info *acpi);
// System time in ns. Any context.
u64 time_now(void);
// How guests compute system time from the TSC (vcpu_time_info).
struct time_scale {
    u64 tsc_base; // TSC at system time 0
    u32 mul;      // ns = ((tsc - tsc_base) shifted by shift) * mul >> 32
    s8 shift;
};
// On the calling CPU.
struct time_scale time_scale(void);
// False if TSCs differ between CPUs, or tsc= says so: vcpu_time_info then has to be written each
// time a vCPU is put on a CPU, and without XEN_PVCLOCK_TSC_STABLE_BIT.
bool time_tsc_stable(void);
// The CPU's TSC is so many cycles ahead of CPU 0's. Boot, before the CPU is online.
void time_set_skew(u32 cpu, s64 cycles);
u64 time_tsc_khz(void);
// Busy waiting. Boot only.
void time_delay(u32 microseconds);
// Wall-clock time at system time 0, ns since 1970.
u64 time_wallclock_base(void);
void time_set_wallclock_base(u64 ns);

#endif
