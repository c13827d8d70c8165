// SPDX-License-Identifier: MIT
// What a CPU knows about itself. `struct cpu_info` lies at the top of its main stack, found from
// any stack pointer of its area without touching a segment register, so entry from a guest needs no
// swapgs. `struct cpu` is the rest; other CPUs may touch only what is marked [a].
#ifndef WIRT_CPU_PERCPU_H
#define WIRT_CPU_PERCPU_H

#include "cpu/perfc.h"
#include "cpu/regs.h"
#include "mm/layout.h"

enum { CPUS_MAX = 128 };

struct domain;
struct vcpu;
struct cpu;

// Work that must be done before a CPU returns to a guest.
enum softirq {
    SOFTIRQ_SCHED = 1u << 0,
    SOFTIRQ_TIMER = 1u << 1,
    SOFTIRQ_REAP = 1u << 2, // dead domains: this CPU holds no pointer to one (dom/list.c)
};

struct cpu_info {
    struct cpu_regs regs; // the guest's registers while the CPU is in the hypervisor
    u64 syscall_rsp;      // scratch of the syscall entry
    struct vcpu *current; // [c] whose registers those are
    struct cpu *cpu;
    u32 softirq;     // [a] enum softirq bits
    u32 fault_error; // [c] of the last fault that was fixed up
    u32 fault_vector;
    // For guarded entries and exits (cpu/entry.S).
    u32 guard;              // [c] GUARD_* bits (cpu/spec.h)
    u32 msr_hv, msr_guest;  // [c] SPEC_CTRL with GUARD_IBRS
    u64 guest_cr3;          // [c] what the guest runs on under XPTI; 0: its own root
    u64 hv_cr3;             // [c] its own root, meanwhile
    u32 root_stale;         // [a] bit n: copy n of struct cpu's guest_root is
    u32 verw_selector, pad; // [i]
};
STATIC_ASSERT(sizeof(struct cpu_info) % 16 == 8); // the exception frame ends 16-byte aligned

struct cpu {
    u32 id;
    u32 apic_id;
    u32 online;               // [a]
    u32 flush_wanted;         // [a] TLB-flush requests made
    u32 flush_done;           // [a] requests served
    u32 tlb_stamp;            // [a] TLB clock at the last full flush (mm/tlb.h)
    bool tlb_idle;            // [a] no guest translation has been cached since
    struct cpu_info *info;    // [i]
    u64 *gdt_l1, *ldt_l1;     // [c] page-table entries of the GDT and LDT windows
    u32 gdt_clear, ldt_clear; // [c] how many of the last ones are known to be empty
    u64 area;                 // [i] virtual address of the per-CPU area
    u64 *guest_root[2];       // [c] XPTI: copies of the guest's roots for user and kernel mode
    u64 *guest_windows;       // [c] XPTI: the entries of gdt_l1 and ldt_l1 in their tables
    const struct domain *last_domain; // [a] whose vCPU ran here last; only compared
    u32 held_locks;                   // [c] debug: depth of lock_stack
    u16 lock_stack[16];               // [c]
    struct perfc_cpu perfc;
};

extern struct cpu cpus[CPUS_MAX];
extern u32 cpu_count; // CPUs online

static inline struct cpu_info *cpu_info(void)
{
    u64 sp;
    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct cpu_info *)((sp & ~(u64)(PERCPU_SIZE - 1)) + PERCPU_STACK_END -
                               sizeof(struct cpu_info));
}

static inline struct cpu *this_cpu(void)
{
    return cpu_info()->cpu;
}

static inline struct vcpu *current_vcpu(void)
{
    return cpu_info()->current;
}

static inline void perfc(enum perfc what)
{
    this_cpu()->perfc.count[what]++;
}

static inline void softirq_raise(enum softirq s)
{
    __atomic_fetch_or(&cpu_info()->softirq, (u32)s, __ATOMIC_RELAXED);
}

#define for_each_cpu(i) for (u32 i = 0; i < cpu_count; i++)

#endif
