// SPDX-License-Identifier: MIT
// Compiled to assembly only: gives entry.S the offsets of C structures.
#include "cpu/percpu.h"

void offsets(void);

#define OFFSET(name, value) __asm__ volatile("\n.ascii \"->" #name " %c0\\n\"" ::"i"(value))

void offsets(void)
{
    OFFSET(REGS_SIZE, sizeof(struct cpu_regs));
    OFFSET(REGS_RIP, offsetof(struct cpu_regs, rip));
    OFFSET(REGS_CS, offsetof(struct cpu_regs, cs));
    OFFSET(REGS_RFLAGS, offsetof(struct cpu_regs, rflags));
    OFFSET(REGS_RSP, offsetof(struct cpu_regs, rsp));
    OFFSET(INFO_SIZE, sizeof(struct cpu_info));
    OFFSET(INFO_SYSCALL_RSP, offsetof(struct cpu_info, syscall_rsp));
    OFFSET(INFO_GUARD, offsetof(struct cpu_info, guard));
    OFFSET(INFO_MSR_HV, offsetof(struct cpu_info, msr_hv));
    OFFSET(INFO_MSR_GUEST, offsetof(struct cpu_info, msr_guest));
    OFFSET(INFO_GUEST_CR3, offsetof(struct cpu_info, guest_cr3));
    OFFSET(INFO_HV_CR3, offsetof(struct cpu_info, hv_cr3));
    OFFSET(INFO_VERW, offsetof(struct cpu_info, verw_selector));
    OFFSET(INFO_REGS_END, offsetof(struct cpu_info, regs) + sizeof(struct cpu_regs));
}
