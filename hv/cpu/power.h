// SPDX-License-Identifier: MIT
// The end of the machine: off, restart, halt. None of it comes back; all CPUs but this one are
// stopped first. Any context, locks held or not.
#ifndef WIRT_CPU_POWER_H
#define WIRT_CPU_POWER_H

#include "lib/compiler.h"

// Soft-off by ACPI: the values for the PM1a and PM1b control registers (the second one counts only
// if there is such a register). They come from AML, which only the control domain can read.
NORETURN void machine_poweroff(u16 pm1a, u16 pm1b);
// The same on hardware-reduced machines: the value for the sleep control register.
NORETURN void machine_poweroff_reduced(u8 control);
// Restarts as reboot= says, then in every other way there is; halts after reboot=no.
NORETURN void machine_reboot(void);
NORETURN void machine_halt(void);

#endif
