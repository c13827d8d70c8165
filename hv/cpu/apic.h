// SPDX-License-Identifier: MIT
// The local APIC, xAPIC or x2APIC (SDM 3A "Advanced Programmable Interrupt Controller").
#ifndef WIRT_CPU_APIC_H
#define WIRT_CPU_APIC_H

#include "lib/compiler.h"

enum {
    VECTOR_FIRST_DEVICE = 0x20,
    VECTOR_LAST_DEVICE = 0xef,
    VECTOR_TIMER = 0xf0,
    VECTOR_KICK = 0xf1,  // look at your softirqs
    VECTOR_FLUSH = 0xf2, // mm/tlb.h
    VECTOR_ERROR = 0xfe,
    VECTOR_SPURIOUS = 0xff,
};

// Maps the APIC (xAPIC) or chooses x2APIC. Boot CPU, once.
void apic_init(maddr_t base, bool allow_x2apic);
// This CPU's APIC: enabled, all local interrupts masked but the timer.
void apic_setup(void);
u32 apic_id(void);
bool apic_is_x2apic(void);
void apic_eoi(void);
void apic_send_ipi(u32 apic_id, u8 vector);
// INIT-SIPI-SIPI to a CPU that waits; page: the real-mode start below 1 MiB.
void apic_start_cpu(u32 apic_id, u32 page);
void apic_send_nmi(u32 apic_id);
// Measures the timer against the TSC. Boot CPU, after time_init.
void apic_timer_calibrate(void);
// Fires VECTOR_TIMER on this CPU at system time `when`, ns.
void apic_timer_set(u64 when);

#endif
