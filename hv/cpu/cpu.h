// SPDX-License-Identifier: MIT
// Bringing a CPU up: features, control registers, descriptor tables, system-call entry.
#ifndef WIRT_CPU_CPU_H
#define WIRT_CPU_CPU_H

#include "cpu/percpu.h"

// What this machine's CPUs have; the same on all of them. Filled by cpu_probe.
struct cpu_features {
    bool smep, smap, umip, xsave, xsaveopt, x2apic, pge, gib_pages, fsgsbase, mce, rdtscp;
    bool invariant_tsc, amd, intel;
    bool cpuid_faults; // CPUID in ring 3 is ours to answer
    u32 max_leaf, max_ext_leaf, phys_bits;
    u64 xcr0_mask; // XSAVE components the CPU knows and we let guests use
    u32 xsave_size;
};
extern struct cpu_features cpu_features;

void cpu_probe(void);
// Allocates and maps the area of CPU `id`; 0, -ENOMEM. Boot CPU only.
NODISCARD int cpu_area_create(u32 id);
// Loads this CPU's tables and control registers. On its own stack already.
void cpu_setup(void);
// CR4 while a guest runs.
u64 cpu_guest_cr4(void);

// Copies between hypervisor and guest memory that may fault: the number of bytes (words) left.
u64 copy_fixup(void *dst, const void *src, u64 bytes);
u64 copy8_fixup(void *dst, const void *src, u64 words);
bool load_seg_ds(u16 sel);
bool load_seg_es(u16 sel);
bool load_seg_fs(u16 sel);
bool load_seg_gs(u16 sel);
NORETURN void enter_guest_first(void);
NORETURN void call_on_stack(u64 sp, void (*fn)(void));

static inline void user_access_begin(void)
{
    if (cpu_features.smap)
        __asm__ volatile("stac" ::: "memory");
}

static inline void user_access_end(void)
{
    if (cpu_features.smap)
        __asm__ volatile("clac" ::: "memory");
}

#endif
