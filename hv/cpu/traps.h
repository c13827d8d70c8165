// SPDX-License-Identifier: MIT
// Where every entry into the hypervisor meets: exceptions, interrupts, system calls.
#ifndef WIRT_CPU_TRAPS_H
#define WIRT_CPU_TRAPS_H

#include "cpu/percpu.h"

enum { VECTOR_SYSCALL = 256 }; // cpu_regs.vector of a system call; not a hardware vector

// Called from entry.S. Those from a guest return whether sysret may resume it.
bool trap_from_guest(struct cpu_regs *regs);
void trap_from_hv(struct cpu_regs *regs);
bool syscall_from_guest(struct cpu_regs *regs);
bool guest_iret_failed(struct cpu_regs *regs);
bool idle_resume(struct cpu_regs *regs);

void trap_nmi(struct cpu_regs *regs);

void trap_print_regs(const struct cpu_regs *regs);
// Prints registers, a symbolised back trace and the current domain. Any context.
void trap_print_state(const struct cpu_regs *regs);

#endif
