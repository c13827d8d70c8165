// SPDX-License-Identifier: MIT
// One inline function per privileged or special instruction, and the bits of the control registers
// and MSRs that we touch (SDM 3A "System Architecture Overview", SDM 4; AMD APM 2).
#ifndef WIRT_CPU_X86_H
#define WIRT_CPU_X86_H

#include "lib/compiler.h"

enum { CR0_TS = 1u << 3 };

enum cr4_bits {
    CR4_TSD = 1u << 2,
    CR4_DE = 1u << 3,
    CR4_PSE = 1u << 4,
    CR4_PAE = 1u << 5,
    CR4_MCE = 1u << 6,
    CR4_PGE = 1u << 7,
    CR4_OSFXSR = 1u << 9,
    CR4_OSXMMEXCPT = 1u << 10,
    CR4_UMIP = 1u << 11,
    CR4_OSXSAVE = 1u << 18,
    CR4_SMEP = 1u << 20,
    CR4_SMAP = 1u << 21,
};

enum msr {
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_SPEC_CTRL = 0x48,
    MSR_PRED_CMD = 0x49,
    MSR_PLATFORM_INFO = 0xce,
    MSR_ARCH_CAPABILITIES = 0x10a,
    MSR_MISC_FEATURES_ENABLES = 0x140,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_PAT = 0x277,
    MSR_X2APIC = 0x800,
};
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SYSCALL_MASK   0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u
#define MSR_HWCR           0xc0010015u
#define MSR_AMD_DE_CFG     0xc0011029u

#define HWCR_CPUID_USER_DIS ((u64)1 << 35)

enum { EFER_LMA = 1u << 10, EFER_AIBRSE = 1u << 21 };

#define X86_READ(name, reg)                               \
    static inline u64 read_##name(void)                   \
    {                                                     \
        u64 v;                                            \
        __asm__ volatile("mov %%" #reg ", %0" : "=r"(v)); \
        return v;                                         \
    }
#define X86_WRITE(name, reg)                                     \
    static inline void write_##name(u64 v)                       \
    {                                                            \
        __asm__ volatile("mov %0, %%" #reg ::"r"(v) : "memory"); \
    }
X86_READ(cr0, cr0)
X86_WRITE(cr0, cr0)
X86_READ(cr2, cr2)
X86_WRITE(cr2, cr2)
X86_READ(cr3, cr3)
X86_WRITE(cr3, cr3)
X86_READ(cr4, cr4)
X86_WRITE(cr4, cr4)
X86_READ(dr0, dr0)
X86_WRITE(dr0, dr0)
X86_READ(dr1, dr1)
X86_WRITE(dr1, dr1)
X86_READ(dr2, dr2)
X86_WRITE(dr2, dr2)
X86_READ(dr3, dr3)
X86_WRITE(dr3, dr3)
X86_READ(dr6, dr6)
X86_WRITE(dr6, dr6)
X86_READ(dr7, dr7)
X86_WRITE(dr7, dr7)

static inline u64 rdmsr(u32 msr)
{
    u32 lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return ((u64)hi << 32) | lo;
}

static inline void wrmsr(u32 msr, u64 v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

// MSR access that reports a #GP instead of dying: false = the MSR does not exist.
bool rdmsr_safe(u32 msr, u64 *v);
bool wrmsr_safe(u32 msr, u64 v);

static inline u64 rdtsc(void)
{
    u32 lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((u64)hi << 32) | lo;
}

enum spec_ctrl_bits {
    SPEC_CTRL_IBRS = 1 << 0,
    SPEC_CTRL_STIBP = 1 << 1,
    SPEC_CTRL_SSBD = 1 << 2,
    SPEC_CTRL_RRSBA_DIS_S = 1 << 6,
    SPEC_CTRL_BHI_DIS_S = 1 << 10,
};
enum { PRED_CMD_IBPB = 1 << 0, DE_CFG_LFENCE_SERIALIZES = 1 << 1 };

struct cpuid_regs {
    u32 a, b, c, d;
};

static inline struct cpuid_regs cpuid(u32 leaf, u32 sub)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
    return r;
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause");
}

static inline void cpu_cli(void)
{
    __asm__ volatile("cli" ::: "memory");
}

// Waits for an interrupt with interrupts on; off again afterwards.
static inline void cpu_sti_hlt_cli(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

// Lets pending interrupts in.
static inline void cpu_sti_nop_cli(void)
{
    __asm__ volatile("sti; nop; cli" ::: "memory");
}

static inline void cpu_hlt(void)
{
    __asm__ volatile("hlt" ::: "memory");
}

static inline void cpu_invlpg(u64 va)
{
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

static inline void cpu_wbinvd(void)
{
    __asm__ volatile("wbinvd" ::: "memory");
}

// Where the microcode makes it so: clears the buffers that MDS and its kin read.
static inline void cpu_verw(u16 selector)
{
    __asm__ volatile("verw %0" ::"m"(selector) : "cc");
}

static inline void cpu_swapgs(void)
{
    __asm__ volatile("swapgs" ::: "memory");
}

static inline void cpu_clts(void)
{
    __asm__ volatile("clts" ::: "memory");
}

static inline void cpu_xsetbv(u32 index, u64 v)
{
    __asm__ volatile("xsetbv" ::"c"(index), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

static inline bool is_canonical(u64 va)
{
    return (u64)((s64)(va << 16) >> 16) == va;
}

#endif
