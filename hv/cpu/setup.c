// SPDX-License-Identifier: MIT
// A CPU's own tables: area and stacks, GDT page, TSS, IDT, system-call MSRs, control registers.
#include "abi/xen.h"
#include "cpu/cpu.h"
#include "cpu/spec.h"
#include "cpu/traps.h"
#include "cpu/x86.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/map.h"

struct cpu cpus[CPUS_MAX];
u32 cpu_count;
struct cpu_features cpu_features;

struct tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, iomap;
} PACKED;
STATIC_ASSERT(sizeof(struct tss) == 104);

enum ist { IST_NMI = 1, IST_DF, IST_MC, IST_DB };

struct idt_gate {
    u16 offset0, selector;
    u8 ist, attr;
    u16 offset1;
    u32 offset2, reserved;
};

struct table_ptr {
    u16 limit;
    u64 base;
} PACKED;

struct idt_gate idt[256] ALIGNED(4096); // a page of its own: guests under XPTI have it
extern u8 entry_stubs[][16], entry_syscall[];

// SDM 3C "Model-Specific Registers": MSR_PLATFORM_INFO. APM 3 "Function 8000_0021h": CpuidUserDis.
static bool can_fault_cpuid(void)
{
    u64 info;
    if (cpu_features.intel)
        return rdmsr_safe(MSR_PLATFORM_INFO, &info) && info >> 31 & 1;
    return cpu_features.amd && cpu_features.max_ext_leaf >= 0x80000021 &&
           cpuid(0x80000021, 0).a >> 17 & 1;
}

// CPUID in ring 3 faults from here on, so that guests' programs see their domain's policy too.
static void fault_cpuid(void)
{
    u64 old, bit = cpu_features.intel ? 1 : HWCR_CPUID_USER_DIS;
    u32 msr = cpu_features.intel ? MSR_MISC_FEATURES_ENABLES : MSR_HWCR;
    if (can_fault_cpuid() && rdmsr_safe(msr, &old))
        cpu_features.cpuid_faults = wrmsr_safe(msr, old | bit);
}

void cpu_probe(void)
{
    struct cpu_features *f = &cpu_features;
    struct cpuid_regs r = cpuid(0, 0);
    f->max_leaf = r.a;
    f->amd = r.b == 0x68747541 || r.b == 0x6f677948; // Auth(enticAMD), Hygo(nGenuine)
    f->intel = r.b == 0x756e6547;
    f->max_ext_leaf = cpuid(0x80000000, 0).a;
    r = cpuid(1, 0);
    f->x2apic = r.c >> 21 & 1;
    f->xsave = r.c >> 26 & 1;
    f->pge = r.d >> 13 & 1;
    f->mce = r.d >> 7 & 1;
    if (f->max_leaf >= 7) {
        r = cpuid(7, 0);
        f->smep = r.b >> 7 & 1;
        f->smap = r.b >> 20 & 1;
        f->umip = r.c >> 2 & 1;
        f->fsgsbase = r.b & 1;
    }
    r = cpuid(0x80000001, 0);
    f->gib_pages = r.d >> 26 & 1;
    f->rdtscp = r.d >> 27 & 1;
    f->phys_bits = f->max_ext_leaf >= 0x80000008 ? cpuid(0x80000008, 0).a & 0xff : 36;
    if (f->max_ext_leaf >= 0x80000007)
        f->invariant_tsc = cpuid(0x80000007, 0).d >> 8 & 1;
    if (f->xsave) {
        // x87, SSE, AVX, AVX-512; nothing that needs more than XCR0 (PKRU, AMX stay off).
        r = cpuid(0xd, 0);
        f->xcr0_mask = r.a & 0xe7;
        f->xsaveopt = cpuid(0xd, 1).a & 1;
    }
}

static int map_fresh(u64 va, u32 pages, u64 flags)
{
    for (u32 i = 0; i < pages; i++) {
        void *p = frame_alloc_zeroed();
        if (!p)
            return -ENOMEM;
        int rc = map_page(va + i * PAGE_SIZE, virt_mfn(p), flags);
        if (rc != 0)
            return rc;
    }
    return 0;
}

// 48 89 25 rel32: mov %rsp, syscall_rsp; 48 8d 25 rel32: lea regs end, %rsp; e9 rel32: jmp.
static void write_stub(u8 *p, u64 va, u64 info)
{
    u64 target[3] = {info + offsetof(struct cpu_info, syscall_rsp),
                     info + offsetof(struct cpu_info, regs) + sizeof(struct cpu_regs),
                     (u64)entry_syscall};
    static const u8 code[3][3] = {{0x48, 0x89, 0x25}, {0x48, 0x8d, 0x25}, {0xe9}};
    static const u8 len[3] = {3, 3, 1};
    u8 *start = p;
    for (u32 i = 0; i < 3; i++) {
        memcpy(p, code[i], len[i]);
        p += len[i];
        u32 rel = (u32)(target[i] - (va + (u64)(p - start) + 4));
        memcpy(p, &rel, 4);
        p += 4;
    }
}

static void fill_gdt(u64 *page, u64 tss_va)
{
    u64 tss_low = (sizeof(struct tss) - 1) | (tss_va & 0xffffff) << 16 | (u64)0x89 << 40 |
                  (tss_va >> 24 & 0xff) << 56;
    page[(HV_CS & 0xfff) / 8] = 0x00af9b000000ffff;
    page[(HV_DS & 0xfff) / 8] = 0x00cf93000000ffff;
    page[(FLAT_RING3_CS32 & 0xfff) / 8] = 0x00cffb000000ffff;
    page[(FLAT_RING3_DS32 & 0xfff) / 8] = 0x00cff3000000ffff;
    page[(FLAT_RING3_CS64 & 0xfff) / 8] = 0x00affb000000ffff;
    page[(HV_TSS & 0xfff) / 8] = tss_low;
    page[(HV_TSS & 0xfff) / 8 + 1] = tss_va >> 32;
}

int cpu_area_create(u32 id)
{
    u64 area = PERCPU_BASE + ((u64)id << PERCPU_SHIFT);
    struct cpu *c = &cpus[id];
    int rc = map_fresh(area + PERCPU_STACK, (PERCPU_STACK_END - PERCPU_STACK) / 4096, MAP_RW);
    for (u64 off = PERCPU_NMI; rc == 0 && off <= PERCPU_MC; off += PERCPU_DF - PERCPU_NMI)
        rc = map_fresh(area + off, 1, MAP_RW);
    if (rc == 0)
        rc = map_fresh(area + PERCPU_TSS, 1, MAP_RW);
    if (rc == 0)
        rc = map_fresh(area + PERCPU_GDT + FIRST_RESERVED_GDT_PAGE * PAGE_SIZE, 2, MAP_RW);
    if (rc == 0)
        rc = map_fresh(area + PERCPU_STUB, 1, MAP_RX);
    if (rc == 0)
        rc = map_table(area + PERCPU_GDT, &c->gdt_l1);
    if (rc != 0)
        return rc;
    c->ldt_l1 = c->gdt_l1 + 16; // the windows are neighbours in one L1 table
    c->id = id;
    c->area = area;
    c->info = (struct cpu_info *)(area + PERCPU_STACK_END - sizeof(struct cpu_info));
    c->info->cpu = c;
    struct tss *tss = (struct tss *)(area + PERCPU_TSS);
    tss->rsp[0] = (u64)&c->info->regs + sizeof(struct cpu_regs);
    tss->ist[IST_NMI - 1] = area + PERCPU_NMI + 0x1000;
    tss->ist[IST_DF - 1] = area + PERCPU_DF + 0x800;
    tss->ist[IST_DB - 1] = area + PERCPU_DF + 0x1000;
    tss->ist[IST_MC - 1] = area + PERCPU_MC + 0x1000;
    tss->iomap = sizeof(struct tss);
    fill_gdt((u64 *)(area + PERCPU_GDT + FIRST_RESERVED_GDT_BYTE), (u64)tss);
    write_stub(mfn_virt(map_lookup(area + PERCPU_STUB)), area + PERCPU_STUB, (u64)c->info);
    return spec.guard & GUARD_XPTI ? xpti_cpu_create(c) : 0;
}

static void set_gate(u32 vec, u8 ist, u8 dpl)
{
    u64 entry = (u64)entry_stubs[vec];
    idt[vec] = (struct idt_gate){.offset0 = (u16)entry,
                                 .selector = HV_CS,
                                 .ist = ist,
                                 .attr = (u8)(0x8e | dpl << 5),
                                 .offset1 = (u16)(entry >> 16),
                                 .offset2 = (u32)(entry >> 32)};
}

static void fill_idt(void)
{
    for (u32 i = 0; i < 256; i++)
        set_gate(i, 0, i == VEC_BP || i == VEC_OF || i == 0x80 ? 3 : 0);
    set_gate(VEC_NMI, IST_NMI, 0);
    set_gate(VEC_DF, IST_DF, 0);
    set_gate(VEC_MC, IST_MC, 0);
    set_gate(VEC_DB, IST_DB, 0);
}

u64 cpu_guest_cr4(void)
{
    const struct cpu_features *f = &cpu_features;
    return CR4_DE | CR4_PSE | CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | (f->mce ? CR4_MCE : 0) |
           (f->pge ? CR4_PGE : 0) | (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0) |
           (f->umip ? CR4_UMIP : 0) | (f->xsave ? CR4_OSXSAVE : 0);
}

// A far return into our code segment, since lgdt alone leaves the boot loader's.
static void load_segments(u64 area)
{
    struct table_ptr gdtr = {16 * 4096 - 1, area + PERCPU_GDT};
    struct table_ptr idtr = {sizeof(idt) - 1, (u64)idt};
    __asm__ volatile("lgdt %0; lidt %1" ::"m"(gdtr), "m"(idtr));
    __asm__ volatile("pushq %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1:" ::"i"(HV_CS)
                     : "rax", "memory");
    __asm__ volatile(
        "mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs; mov %1, %%ss" ::"r"(0),
        "r"(HV_DS));
    __asm__ volatile("lldt %w0; ltr %w1" ::"r"(0), "r"(HV_TSS));
}

void cpu_setup(void)
{
    struct cpu *c = this_cpu();
    if (c->id == 0)
        fill_idt();
    load_segments(c->area);
    write_cr4(cpu_guest_cr4());
    if (cpu_features.xsave) {
        cpu_xsetbv(0, cpu_features.xcr0_mask);
        cpu_features.xsave_size = cpuid(0xd, 0).b;
    }
    // ABI: the layout of PAT entries that PV guests read back from the MSR.
    wrmsr(MSR_PAT, 0x0000050100070406);
    wrmsr(MSR_STAR, (u64)FLAT_RING3_CS32 << 48 | (u64)HV_CS << 32);
    wrmsr(MSR_LSTAR, c->area + PERCPU_STUB);
    wrmsr(MSR_CSTAR, c->area + PERCPU_STUB);
    wrmsr(MSR_SYSCALL_MASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT |
                                RFLAGS_RF | RFLAGS_AC | RFLAGS_VM);
    if (cpu_features.intel)
        wrmsr_safe(MSR_SYSENTER_CS, 0); // sysenter faults: guests use syscall
    fault_cpuid();
    if (cpu_features.rdtscp)
        wrmsr_safe(MSR_TSC_AUX, c->id);
    spec_cpu_setup();
}
