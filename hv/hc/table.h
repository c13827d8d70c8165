// SPDX-License-Identifier: MIT
// The hypercall matrix (hv/hc/table.c) and the handlers in it.
#ifndef WIRT_HC_TABLE_H
#define WIRT_HC_TABLE_H

#include "dom/domain.h"

// A handler gets the calling vCPU and the five argument registers (rdi, rsi, rdx, r10, r8) and
// returns the value for rax, or -ERESTART_HC (hc/continue.h). No lock held.
typedef long hc_handler(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4);

hc_handler hc_set_trap_table, hc_mmu_update, hc_set_gdt, hc_stack_switch, hc_set_callbacks,
    hc_fpu_taskswitch, hc_sched_op_compat, hc_platform_op, hc_set_debugreg, hc_get_debugreg,
    hc_update_descriptor, hc_memory_op, hc_multicall, hc_update_va_mapping, hc_set_timer_op,
    hc_event_op_compat, hc_xen_version, hc_console_io, hc_physdev_op_compat, hc_grant_table_op,
    hc_vm_assist, hc_update_va_mapping_otherdomain, hc_iret, hc_vcpu_op, hc_set_segment_base,
    hc_mmuext_op, hc_sched_op, hc_callback_op, hc_event_op, hc_physdev_op, hc_nmi_op, hc_mca,
    hc_domctl, hc_sysctl;

// Runs the hypercall in the guest's registers and stores its result there.
void hc_dispatch(struct vcpu *cur, struct cpu_regs *regs);

#endif
