// SPDX-License-Identifier: MIT
// Switches on what spec_choose found (cpu/spec.h). The text of entry.S calls the C dispatchers
// directly and holds retpolines; spec_patch turns the calls into guarded ones if there is anything
// to guard, and the thunks into plain jumps where those will do. So a CPU that needs nothing pays
// one jump for an indirect call.
#include "cpu/cpu.h"
#include "cpu/spec.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/frame.h"

enum { THUNK_BYTES = 32, THUNKS = 16 };

struct guard_site { // relative to the fields themselves
    s32 call, target;
};
extern const struct guard_site guard_sites_start[], guard_sites_end[];
extern u8 indirect_thunks[][THUNK_BYTES];

void rsb_overwrite(void);

struct spec spec;

static void probe(struct spec_cpu *c)
{
    const struct cpu_features *f = &cpu_features;
    u32 a = cpuid(1, 0).a;
    *c = (struct spec_cpu){.intel = f->intel, .amd = f->amd, .smap = f->smap};
    c->family = a >> 8 & 15;
    c->model = a >> 4 & 15;
    if (c->family == 6 || c->family == 15)
        c->model |= a >> 12 & 0xf0;
    if (c->family == 15)
        c->family += a >> 20 & 0xff;
    if (f->max_leaf >= 7) {
        struct cpuid_regs r = cpuid(7, 0);
        c->leaf7_d = r.d;
        c->rtm = r.b >> 11 & 1;
        if (r.a >= 2)
            c->leaf7_2_d = cpuid(7, 2).d;
        if (r.d >> 29 & 1)
            c->caps = rdmsr(MSR_ARCH_CAPABILITIES);
    }
    if (f->max_ext_leaf >= 0x80000008)
        c->ext8_b = cpuid(0x80000008, 0).b;
    if (f->max_ext_leaf >= 0x80000021)
        c->ext21_a = cpuid(0x80000021, 0).a;
}

void spec_init(const struct spec_options *o)
{
    struct spec_cpu c;
    probe(&c);
    spec_choose(&c, o, &spec);
    // A global translation of ours would outlive the switch to the guest's tables.
    if (spec.guard & GUARD_XPTI)
        cpu_features.pge = false;
}

// The text is read-only where it runs, but not in the direct map.
static u8 *writable(const void *text)
{
    return maddr_virt(MADDR((u64)text - VIRT_BASE));
}

// jmp *%reg, perhaps after lfence.
static void plain_thunk(u32 reg, bool lfence)
{
    static const u8 fence[] = {0x0f, 0xae, 0xe8};
    u8 *p = writable(indirect_thunks[reg]);
    if (lfence) {
        memcpy(p, fence, sizeof(fence));
        p += sizeof(fence);
    }
    if (reg >= 8)
        *p++ = 0x41;
    *p++ = 0xff;
    *p = (u8)(0xe0 | (reg & 7));
}

void spec_patch(void)
{
    for (u32 i = 0; spec.thunk != THUNK_RETPOLINE && i < THUNKS; i++)
        plain_thunk(i, spec.thunk == THUNK_LFENCE);
    for (const struct guard_site *g = guard_sites_start; spec.guard && g < guard_sites_end; g++) {
        u64 call = (u64)&g->call + (u64)(s64)g->call,
            target = (u64)&g->target + (u64)(s64)g->target;
        u32 rel = (u32)(target - (call + 5)); // e8 rel32
        memcpy(writable((void *)(call + 1)), &rel, sizeof(rel));
    }
    cpuid(0, 0); // nothing stale is executed
}

void spec_cpu_setup(void)
{
    struct cpu_info *info = cpu_info();
    info->guard = spec.guard;
    info->msr_guest = spec.msr_value;
    info->msr_hv = spec.msr_value | SPEC_CTRL_IBRS;
    info->verw_selector = HV_DS;
    u64 v;
    // lfence orders execution only with this bit, where the CPU has it.
    if (cpu_features.amd && rdmsr_safe(MSR_AMD_DE_CFG, &v))
        wrmsr_safe(MSR_AMD_DE_CFG, v | DE_CFG_LFENCE_SERIALIZES);
    if (spec.msr)
        wrmsr_safe(MSR_SPEC_CTRL, spec.msr_value);
    if (spec.auto_ibrs)
        wrmsr_safe(MSR_EFER, rdmsr(MSR_EFER) | EFER_AIBRSE);
}

void spec_switch_domain(void)
{
    if (spec.ibpb) {
        wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
        rsb_overwrite(); // which IBPB may spare
    }
}

void spec_domain_gone(const struct domain *d)
{
    for_each_cpu (i)
        if (READ_ONCE(cpus[i].last_domain) == d)
            __atomic_store_n(&cpus[i].last_domain, (const void *)&spec, __ATOMIC_RELAXED); // nobody
}

void spec_report(void)
{
    char line[160];
    spec_describe(&spec, line, sizeof(line));
    printk(LOG_INFO, "spec: %s", line);
    if (spec.meltdown && !(spec.xpti_dom0 && spec.xpti_domu))
        printk(LOG_WARN, "this CPU is open to Meltdown, and xpti= leaves guests without isolation: "
                         "any program in one may read all memory");
}
