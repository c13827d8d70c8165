// SPDX-License-Identifier: MIT
// System time (nanoseconds since boot, the same on all CPUs, from the TSC) and wall-clock time.
#ifndef WIRT_CPU_TIME_H
#define WIRT_CPU_TIME_H

#include "lib/compiler.h"

struct acpi_info;

// Calibrates the TSC against the best clock the machine has: HPET, ACPI PM timer, PIT.
void time_init(const struct acpi_info *acpi);
// System time in ns. Any context.
u64 time_now(void);
// How guests compute system time from the TSC (vcpu_time_info).
struct time_scale {
    u64 tsc_base; // TSC at system time 0
    u32 mul;      // ns = ((tsc - tsc_base) shifted by shift) * mul >> 32
    s8 shift;
};
struct time_scale time_scale(void);
u64 time_tsc_khz(void);
// Busy waiting. Boot only.
void time_delay(u32 microseconds);
// Wall-clock time at system time 0, ns since 1970.
u64 time_wallclock_base(void);
void time_set_wallclock_base(u64 ns);

#endif
