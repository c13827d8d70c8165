// SPDX-License-Identifier: MIT
// Hypercall wrappers: everything goes through the page the hypervisor filled in (ELF note
// HYPERCALL_PAGE). Argument registers: rdi, rsi, rdx, r10, r8; result: rax.
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include "lib/xenabi.h"

extern char hypercall_page[4096];

static inline long hypercall(unsigned int nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                             uint64_t a5)
{
    register uint64_t r10 asm("r10") = a4;
    register uint64_t r8 asm("r8") = a5;
    long rc;

    asm volatile("call *%[entry]"
                 : "=a"(rc), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                 : [entry] "0"(hypercall_page + nr * 32)
                 : "rcx", "r11", "memory");
    return rc;
}

#define HC0(nr)          hypercall((nr), 0, 0, 0, 0, 0)
#define HC1(nr, a)       hypercall((nr), (uint64_t)(a), 0, 0, 0, 0)
#define HC2(nr, a, b)    hypercall((nr), (uint64_t)(a), (uint64_t)(b), 0, 0, 0)
#define HC3(nr, a, b, c) hypercall((nr), (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0)
#define HC4(nr, a, b, c, d) \
    hypercall((nr), (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0)

static inline long hc_set_trap_table(const struct trap_info *traps)
{
    return HC1(__HYPERVISOR_set_trap_table, traps);
}

static inline long hc_mmu_update(const struct mmu_update *reqs, unsigned int count,
                                 unsigned int *done, unsigned int domid)
{
    return HC4(__HYPERVISOR_mmu_update, reqs, count, done, domid);
}

static inline long hc_mmuext_op(const struct mmuext_op *ops, unsigned int count, unsigned int *done,
                                unsigned int domid)
{
    return HC4(__HYPERVISOR_mmuext_op, ops, count, done, domid);
}

static inline long hc_update_va_mapping(const void *va, uint64_t pte, unsigned long flags)
{
    return HC3(__HYPERVISOR_update_va_mapping, va, pte, flags);
}

static inline long hc_set_gdt(const xen_pfn_t *frames, unsigned int entries)
{
    return HC2(__HYPERVISOR_set_gdt, frames, entries);
}

static inline long hc_update_descriptor(uint64_t maddr, uint64_t desc)
{
    return HC2(__HYPERVISOR_update_descriptor, maddr, desc);
}

static inline long hc_stack_switch(unsigned long ss, unsigned long sp)
{
    return HC2(__HYPERVISOR_stack_switch, ss, sp);
}

static inline long hc_fpu_taskswitch(int set)
{
    return HC1(__HYPERVISOR_fpu_taskswitch, set);
}

static inline long hc_set_debugreg(int reg, unsigned long value)
{
    return HC2(__HYPERVISOR_set_debugreg, reg, value);
}

static inline long hc_get_debugreg(int reg)
{
    return HC1(__HYPERVISOR_get_debugreg, reg);
}

static inline long hc_memory_op(unsigned int cmd, void *arg)
{
    return HC2(__HYPERVISOR_memory_op, cmd, arg);
}

static inline long hc_multicall(struct multicall_entry *calls, unsigned int count)
{
    return HC2(__HYPERVISOR_multicall, calls, count);
}

static inline long hc_set_timer_op(uint64_t deadline)
{
    return HC1(__HYPERVISOR_set_timer_op, deadline);
}

static inline long hc_xen_version(unsigned int cmd, void *arg)
{
    return HC2(__HYPERVISOR_xen_version, cmd, arg);
}

static inline long hc_console_io(unsigned int cmd, unsigned int count, const void *buf)
{
    return HC3(__HYPERVISOR_console_io, cmd, count, buf);
}

static inline long hc_grant_table_op(unsigned int cmd, void *ops, unsigned int count)
{
    return HC3(__HYPERVISOR_grant_table_op, cmd, ops, count);
}

static inline long hc_vm_assist(unsigned int cmd, unsigned int type)
{
    return HC2(__HYPERVISOR_vm_assist, cmd, type);
}

static inline long hc_vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg)
{
    return HC3(__HYPERVISOR_vcpu_op, cmd, vcpu, arg);
}

static inline long hc_set_segment_base(unsigned int which, uint64_t base)
{
    return HC2(__HYPERVISOR_set_segment_base, which, base);
}

static inline long hc_sched_op(unsigned int cmd, const void *arg)
{
    return HC2(__HYPERVISOR_sched_op, cmd, arg);
}

static inline long hc_callback_op(unsigned int cmd, const void *arg)
{
    return HC2(__HYPERVISOR_callback_op, cmd, arg);
}

static inline long hc_event_channel_op(unsigned int cmd, void *arg)
{
    return HC2(__HYPERVISOR_event_channel_op, cmd, arg);
}

static inline long hc_physdev_op(unsigned int cmd, void *arg)
{
    return HC2(__HYPERVISOR_physdev_op, cmd, arg);
}

static inline long hc_platform_op(struct xen_platform_op *op)
{
    return HC1(__HYPERVISOR_platform_op, op);
}

#endif
