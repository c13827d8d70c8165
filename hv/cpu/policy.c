// SPDX-License-Identifier: MIT
// CPU policies (cpu/policy.h).
#include "cpu/policy.h"
#include <xen/arch-x86/cpufeatureset.h>
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "lib/string.h"

enum { A, B, C, D };
enum { BASIC_MAX = 0xd };
#define EXT_MAX 0x80000021
enum { FEAT_SUBS = 3, XSTATE_COMPONENTS = 63 };

// --- the table of leaves ---

// Runs of leaves, or of one leaf's subleaves, in rising order.
static const struct run {
    u32 leaf, count;
    bool subs;
} runs[] = {
    {0, 4, false},
    {4, 6, true},
    {5, 2, false},
    {7, FEAT_SUBS, true},
    {8, 3, false},
    {0xb, 2, true},
    {0xc, 1, false},
    {0xd, XSTATE_COMPONENTS, true},
    {0x40000000, 1, false},
    {0x40000100, 1, false},
    {0x80000000, 0x22, false},
};

static bool is_single(u32 leaf)
{
    return leaf != 4 && leaf != 7 && leaf != 0xb && leaf != 0xd;
}

// The place of a leaf in the table, or POLICY_LEAVES. The subleaf of a leaf without is ignored.
static u32 place(u32 leaf, u32 sub)
{
    u32 base = 0;
    for (u32 i = 0; i < ARRAY_SIZE(runs); base += runs[i++].count) {
        u32 n = runs[i].subs ? sub : leaf - runs[i].leaf;
        if ((runs[i].subs ? leaf == runs[i].leaf : leaf >= runs[i].leaf) && n < runs[i].count)
            return base + n;
    }
    return POLICY_LEAVES;
}

static u32 *leaf_of(struct cpu_policy *p, u32 leaf, u32 sub)
{
    return p->leaf[place(leaf, sub)];
}

static const u32 *leaf_in(const struct cpu_policy *p, u32 leaf, u32 sub)
{
    return p->leaf[place(leaf, sub)];
}

// Is the leaf, which has a place, within the limits that the policy itself names?
static bool shown(const struct cpu_policy *p, u32 leaf, u32 sub)
{
    if (leaf >= 0x80000000)
        return leaf <= leaf_in(p, 0x80000000, 0)[A];
    if (leaf >= 0x40000000)
        return true;
    if (leaf > leaf_in(p, 0, 0)[A])
        return false;
    switch (leaf) {
    case 4: // until the first that is none
        return sub == 0 || leaf_in(p, 4, sub - 1)[A] & 31;
    case 7:
        return sub <= leaf_in(p, 7, 0)[A];
    case 0xb:
        return sub == 0 || leaf_in(p, 0xb, sub - 1)[C] >> 8 & 0xff;
    case 0xd:
        return sub <= 1 || cpu_policy_xcr0(p) >> sub & 1;
    default:
        return true;
    }
}

bool cpu_policy_next(const struct cpu_policy *p, u32 *at, xen_cpuid_leaf_t *out)
{
    u32 base = 0;
    for (u32 i = 0; i < ARRAY_SIZE(runs); base += runs[i++].count)
        while (*at - base < runs[i].count) {
            const u32 *r = p->leaf[*at];
            u32 n = (*at)++ - base;
            u32 leaf = runs[i].subs ? runs[i].leaf : runs[i].leaf + n, sub = runs[i].subs ? n : 0;
            if (!shown(p, leaf, sub))
                continue;
            *out = (xen_cpuid_leaf_t){.leaf = leaf,
                                      .subleaf = runs[i].subs ? n : XEN_CPUID_NO_SUBLEAF,
                                      .a = r[A],
                                      .b = r[B],
                                      .c = r[C],
                                      .d = r[D]};
            return true;
        }
    return false;
}

void cpu_policy_msrs(const struct cpu_policy *p, xen_msr_entry_t out[POLICY_MSRS])
{
    out[0] = (xen_msr_entry_t){.idx = MSR_PLATFORM_INFO, .val = p->platform_info};
    out[1] = (xen_msr_entry_t){.idx = MSR_ARCH_CAPABILITIES, .val = p->arch_caps};
}

void cpu_policy_cpuid(const struct cpu_policy *p, u32 leaf, u32 sub, u32 r[4])
{
    u32 at = place(leaf, sub);
    bool there = at < POLICY_LEAVES && shown(p, leaf, sub);
    for (u32 i = A; i <= D; i++)
        r[i] = there ? p->leaf[at][i] : 0;
}

u64 cpu_policy_xcr0(const struct cpu_policy *p)
{
    const u32 *r = leaf_in(p, 0xd, 0);
    return (u64)r[D] << 32 | r[A];
}

int cpu_policy_set_leaf(struct cpu_policy *p, const xen_cpuid_leaf_t *in)
{
    u32 at = place(in->leaf, in->subleaf);
    if (at == POLICY_LEAVES || (is_single(in->leaf) && in->subleaf != XEN_CPUID_NO_SUBLEAF))
        return -ERANGE;
    memcpy(p->leaf[at], &in->a, sizeof(p->leaf[at]));
    return 0;
}

int cpu_policy_set_msr(struct cpu_policy *p, const xen_msr_entry_t *in)
{
    if (in->idx != MSR_PLATFORM_INFO && in->idx != MSR_ARCH_CAPABILITIES)
        return -ERANGE;
    // CPUID faulting is not offered to guests. Of the capabilities settle() leaves what it may.
    if (in->flags || (in->idx == MSR_PLATFORM_INFO && in->val))
        return -EINVAL;
    *(in->idx == MSR_ARCH_CAPABILITIES ? &p->arch_caps : &p->platform_info) = in->val;
    return 0;
}

// --- features ---

// Where the words of a featureset lie; 16 and 17 are the halves of the capabilities MSR.
static const struct {
    u32 leaf;
    u8 sub, reg;
} word_at[FEATURE_WORDS] = {
    {1, 0, D},
    {1, 0, C},
    {0x80000001, 0, D},
    {0x80000001, 0, C},
    {0xd, 1, A},
    {7, 0, B},
    {7, 0, C},
    {0x80000007, 0, D},
    {0x80000008, 0, B},
    {7, 0, D},
    {7, 1, A},
    {0x80000021, 0, A},
    {7, 1, B},
    {7, 2, D},
    {7, 1, C},
    {7, 1, D},
    {0},
    {0},
    {0x80000021, 0, C},
};
enum { WORD_E1D = 2, WORD_CAPS = 16 };

static u32 *word(struct cpu_policy *p, u32 w)
{
    if (w == WORD_CAPS || w == WORD_CAPS + 1)
        return (u32 *)&p->arch_caps + (w - WORD_CAPS);
    return &leaf_of(p, word_at[w].leaf, word_at[w].sub)[word_at[w].reg];
}

void cpu_policy_features(const struct cpu_policy *p, u32 words[FEATURE_WORDS])
{
    struct cpu_policy *q = (struct cpu_policy *)(uintptr_t)p;
    for (u32 w = 0; w < FEATURE_WORDS; w++)
        words[w] = *word(q, w);
}

static bool has(struct cpu_policy *p, u32 feature)
{
    return *word(p, feature / 32) >> feature % 32 & 1;
}

static void drop(struct cpu_policy *p, u32 feature)
{
    *word(p, feature / 32) &= ~(1u << feature % 32);
}

#define F(name) XEN_X86_FEATURE_##name
// clang-format off
// What a PV guest may have, if the CPU has it: all of it works in ring 3 without our help. What
// belongs to paging, virtualisation, performance counters or power, and what needs MSRs of its own,
// is not here.
static const u16 pv_features[] = {
    F(FPU), F(DE), F(TSC), F(MSR), F(PAE), F(CX8), F(APIC), F(CMOV), F(PAT), F(CLFLUSH), F(MMX),
    F(FXSR), F(SSE), F(SSE2), F(SS), F(HTT), F(SSE3), F(PCLMULQDQ), F(SSSE3), F(FMA), F(CX16),
    F(SSE4_1), F(SSE4_2), F(MOVBE), F(POPCNT), F(AESNI), F(XSAVE), F(AVX), F(F16C), F(RDRAND),
    F(HYPERVISOR), F(SYSCALL), F(NX), F(MMXEXT), F(FFXSR), F(RDTSCP), F(LM), F(3DNOWEXT), F(3DNOW),
    F(LAHF_LM), F(CMP_LEGACY), F(ABM), F(SSE4A), F(MISALIGNSSE), F(3DNOWPREFETCH), F(XOP), F(FMA4),
    F(TBM), F(XSAVEOPT), F(BMI1), F(AVX2), F(FDP_EXCP_ONLY), F(BMI2), F(ERMS), F(NO_FPU_SEL),
    F(AVX512F), F(AVX512DQ), F(RDSEED), F(ADX), F(AVX512_IFMA), F(CLFLUSHOPT), F(CLWB), F(AVX512PF),
    F(AVX512ER), F(AVX512CD), F(SHA), F(AVX512BW), F(AVX512VL), F(PREFETCHWT1), F(AVX512_VBMI),
    F(AVX512_VBMI2), F(GFNI), F(VAES), F(VPCLMULQDQ), F(AVX512_VNNI), F(AVX512_BITALG),
    F(AVX512_VPOPCNTDQ), F(RDPID), F(CLDEMOTE), F(CLZERO), F(RSTR_FP_ERR_PTRS), F(SSB_NO),
    F(BTC_NO), F(AVX512_4VNNIW), F(AVX512_4FMAPS), F(FSRM), F(MD_CLEAR), F(SERIALIZE), F(AVX_VNNI),
    F(AVX512_BF16), F(FZRM), F(FSRS), F(FSRCS), F(LFENCE_DISPATCH), F(NSCB), F(SRSO_NO), F(MCDT_NO),
    F(TSA_SQ_NO), F(TSA_L1_NO),
};
// Only if asked for: a guest that has it cannot be moved to a machine with another frequency.
static const u16 pv_on_request[] = {F(ITSC), F(HLE), F(RTM), F(MOVDIRI), F(MOVDIR64B)};
// Only for the control domain, which reads the machine's errors by hypercall.
static const u16 pv_control[] = {F(MCE), F(MCA), F(ITSC), F(HLE), F(RTM)};

// A feature goes when what it needs is not there. In an order that makes one pass enough.
static const struct {
    u16 feature, needs;
} dependencies[] = {
    {F(AVX), F(XSAVE)}, {F(XSAVEOPT), F(XSAVE)}, {F(FMA), F(AVX)}, {F(F16C), F(AVX)},
    {F(XOP), F(AVX)}, {F(FMA4), F(AVX)}, {F(AVX2), F(AVX)}, {F(VAES), F(AVX)},
    {F(VPCLMULQDQ), F(AVX)}, {F(AVX_VNNI), F(AVX2)}, {F(AVX512F), F(AVX2)},
    {F(AVX512DQ), F(AVX512F)}, {F(AVX512_IFMA), F(AVX512F)}, {F(AVX512PF), F(AVX512F)},
    {F(AVX512ER), F(AVX512F)}, {F(AVX512CD), F(AVX512F)}, {F(AVX512BW), F(AVX512F)},
    {F(AVX512VL), F(AVX512F)}, {F(AVX512_VBMI), F(AVX512BW)}, {F(AVX512_VBMI2), F(AVX512BW)},
    {F(AVX512_VNNI), F(AVX512F)}, {F(AVX512_BITALG), F(AVX512BW)},
    {F(AVX512_VPOPCNTDQ), F(AVX512F)}, {F(AVX512_4VNNIW), F(AVX512F)},
    {F(AVX512_4FMAPS), F(AVX512F)}, {F(AVX512_BF16), F(AVX512F)}, {F(LAHF_LM), F(LM)},
};
// clang-format on

static void allow(u32 words[FEATURE_WORDS], const u16 *list, u32 count)
{
    for (u32 i = 0; i < count; i++)
        words[list[i] / 32] |= 1u << list[i] % 32;
}

static void limit(struct cpu_policy *p, const u32 words[FEATURE_WORDS])
{
    for (u32 w = 0; w < FEATURE_WORDS; w++)
        *word(p, w) &= words[w];
}

static void drop_dependent(struct cpu_policy *p)
{
    for (u32 i = 0; i < ARRAY_SIZE(dependencies); i++)
        if (!has(p, dependencies[i].needs))
            drop(p, dependencies[i].feature);
}

// --- the machine's policies ---

static struct cpu_policy machine[POLICY_KINDS];

const struct cpu_policy *cpu_policy_system(enum policy_kind kind)
{
    return &machine[kind];
}

static void clear(struct cpu_policy *p, u32 leaf, u32 sub)
{
    memset(leaf_of(p, leaf, sub), 0, sizeof(p->leaf[0]));
}

static void read_machine(struct cpu_policy *p)
{
    u32 base = 0;
    for (u32 i = 0; i < ARRAY_SIZE(runs); base += runs[i++].count)
        for (u32 n = 0; n < runs[i].count; n++) {
            u32 leaf = runs[i].subs ? runs[i].leaf : runs[i].leaf + n;
            bool hv = leaf - 0x40000000 < 0x10000;
            if (hv || leaf > (leaf >> 31 ? cpu_features.max_ext_leaf : cpu_features.max_leaf))
                continue;
            struct cpuid_regs r = cpuid(leaf, runs[i].subs ? n : 0);
            u32 *to = p->leaf[base + n];
            to[A] = r.a, to[B] = r.b, to[C] = r.c, to[D] = r.d;
        }
    leaf_of(p, 1, 0)[B] &= 0x00ffffff; // not this CPU's own number
    if (has(p, F(ARCH_CAPS)) && !rdmsr_safe(MSR_ARCH_CAPABILITIES, &p->arch_caps))
        p->arch_caps = 0;
}

// XSAVE's leaves follow from the features that have state there.
static void settle_xstate(struct cpu_policy *p)
{
    const struct cpu_policy *host = &machine[POLICY_HOST];
    u64 mask = !has(p, F(XSAVE)) ? 0 : 3;
    mask |= has(p, F(AVX)) ? 4 : 0;
    mask |= has(p, F(AVX512F)) ? 0xe0 : 0;
    mask &= cpu_features.xcr0_mask;
    u32 optimised = leaf_of(p, 0xd, 1)[A], size = mask ? 576 : 0; // legacy area and header
    for (u32 sub = 0; sub < XSTATE_COMPONENTS; sub++) {
        u32 *r = leaf_of(p, 0xd, sub);
        memset(r, 0, sizeof(p->leaf[0]));
        if (sub < 2 || !(mask >> sub & 1))
            continue;
        memcpy(r, leaf_in(host, 0xd, sub), sizeof(p->leaf[0]));
        size = MAX(size, r[A] + r[B]);
    }
    leaf_of(p, 0xd, 0)[A] = (u32)mask;
    leaf_of(p, 0xd, 0)[B] = leaf_of(p, 0xd, 0)[C] = size;
    leaf_of(p, 0xd, 1)[A] = optimised;
}

// Leaves that are nobody's to choose: those of the machine, or none.
static void settle_leaves(struct cpu_policy *p)
{
    static const u8 none[] = {3, 5, 6, 8, 9, 0xa, 0xc};
    const struct cpu_policy *host = &machine[POLICY_HOST];
    u32 *r = leaf_of(p, 1, 0);
    r[B] = (r[B] & 0xffff) | 1u << 16; // one logical CPU; the vCPU's own number comes later
    for (u32 i = 0; i < ARRAY_SIZE(none); i++)
        clear(p, none[i], 0);
    clear(p, 0xb, 0); // topology: it would be the machine's
    clear(p, 0xb, 1);
    for (u32 sub = 0; sub < FEAT_SUBS; sub++) // only what is a feature
        if (sub > leaf_of(p, 7, 0)[A])
            clear(p, 7, sub);
    leaf_of(p, 7, 2)[A] = leaf_of(p, 7, 2)[B] = leaf_of(p, 7, 2)[C] = 0;
    for (u32 leaf = 0x40000000; leaf <= 0x40000100; leaf += 0x100) // their eax is a limit
        memset(&leaf_of(p, leaf, 0)[B], 0, 3 * sizeof(u32));
    r = leaf_of(p, 0x80000007, 0);
    r[A] = r[B] = r[C] = 0;
    r = leaf_of(p, 0x80000008, 0);
    r[A] = leaf_in(host, 0x80000008, 0)[A];
    r[C] = r[D] = 0;
    for (u32 leaf = 0x80000009; leaf < 0x80000021; leaf++)
        clear(p, leaf, 0);
    r = leaf_of(p, 0x80000021, 0);
    r[B] = r[D] = 0;
}

// AMD repeats many bits of leaf 1 in its extended twin (APM 3 "Function 8000_0001h").
static void repeat_common(struct cpu_policy *p)
{
    const u32 common = 0x0183f3ff, *vendor = leaf_of(p, 0, 0);
    bool amd = vendor[B] == 0x68747541 || vendor[B] == 0x6f677948;
    if (amd)
        *word(p, WORD_E1D) |= leaf_of(p, 1, 0)[D] & common;
}

static void settle(struct cpu_policy *p, const u32 words[FEATURE_WORDS])
{
    limit(p, words);
    drop_dependent(p);
    settle_leaves(p);
    settle_xstate(p);
}

void cpu_policy_init(void)
{
    u32 words[FEATURE_WORDS] = {0};
    struct cpu_policy *host = &machine[POLICY_HOST], *max = &machine[POLICY_PV_MAX];
    read_machine(&machine[POLICY_RAW]);
    *host = machine[POLICY_RAW];
    u32 *top = leaf_of(host, 0, 0);
    top[A] = MIN(top[A], (u32)BASIC_MAX);
    top = leaf_of(host, 0x80000000, 0);
    top[A] = MIN(top[A], EXT_MAX);
    top = leaf_of(host, 7, 0);
    top[A] = MIN(top[A], (u32)FEAT_SUBS - 1);
    if (!(cpu_features.xcr0_mask & 4))
        drop(host, F(AVX));
    if ((cpu_features.xcr0_mask & 0xe0) != 0xe0)
        drop(host, F(AVX512F));
    drop_dependent(host);

    *max = *host;
    allow(words, pv_features, ARRAY_SIZE(pv_features));
    *word(max, F(APIC) / 32) |= 1u << F(APIC) % 32;
    *word(max, F(HYPERVISOR) / 32) |= 1u << F(HYPERVISOR) % 32;
    machine[POLICY_PV_DEFAULT] = *max;
    settle(&machine[POLICY_PV_DEFAULT], words);
    allow(words, pv_on_request, ARRAY_SIZE(pv_on_request));
    settle(max, words);
}

void cpu_policy_settle(struct cpu_policy *p, bool privileged)
{
    u32 words[FEATURE_WORDS], extra[FEATURE_WORDS] = {0};
    cpu_policy_features(&machine[POLICY_PV_MAX], words);
    if (privileged)
        allow(extra, pv_control, ARRAY_SIZE(pv_control));
    for (u32 w = 0; w < FEATURE_WORDS; w++)
        words[w] |= extra[w] & *word(&machine[POLICY_HOST], w);
    settle(p, words);
    repeat_common(p);
}

void cpu_policy_domain(struct cpu_policy *p, bool privileged)
{
    *p = machine[POLICY_PV_DEFAULT];
    for (u32 i = 0; privileged && i < ARRAY_SIZE(pv_control); i++)
        if (has(&machine[POLICY_HOST], pv_control[i]))
            *word(p, pv_control[i] / 32) |= 1u << pv_control[i] % 32;
    cpu_policy_settle(p, privileged);
}

int cpu_policy_check(const struct cpu_policy *p, u32 *leaf, u32 *sub)
{
    static const struct {
        u32 leaf, sub;
    } limits[] = {{0, XEN_CPUID_NO_SUBLEAF}, {7, 0}, {0x80000000, XEN_CPUID_NO_SUBLEAF}};
    for (u32 i = 0; i < ARRAY_SIZE(limits); i++)
        if (leaf_in(p, limits[i].leaf, 0)[A] >
            leaf_in(&machine[POLICY_PV_MAX], limits[i].leaf, 0)[A]) {
            *leaf = limits[i].leaf;
            *sub = limits[i].sub;
            return -EINVAL;
        }
    return 0;
}
