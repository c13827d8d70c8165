// SPDX-License-Identifier: MIT
// Which measures against speculative side channels a CPU needs (cpu/spec.h). Pure: numbers in,
// numbers out. Sources: Intel "CPUID Enumeration and Architectural MSRs" and "Affected Processors";
// AMD "Software Techniques for Managing Speculation", "Technical Update Regarding Speculative
// Return Stack Overflow".
#include "cpu/spec.h"
#include "lib/printk.h"
#include "lib/string.h"

// CPUID 7.0 EDX
#define MD_CLEAR  (1u << 10)
#define IBRS_IBPB (1u << 26)
#define STIBP     (1u << 27)
#define SSBD      (1u << 31)
// CPUID 7.2 EDX
#define RRSBA_CTRL (1u << 2)
#define BHI_CTRL   (1u << 4)
// CPUID 0x80000008 EBX
#define AMD_IBPB     (1u << 12)
#define AMD_IBRS     (1u << 14)
#define AMD_STIBP    (1u << 15)
#define AMD_SSBD     (1u << 24)
#define AMD_BTC_NO   (1u << 29)
#define AMD_IBPB_RET (1u << 30)
// CPUID 0x80000021 EAX
#define AMD_AUTO_IBRS   (1u << 8)
#define AMD_IBPB_BRTYPE (1u << 28)
#define AMD_SRSO_NO     (1u << 29)
// IA32_ARCH_CAPABILITIES
#define RDCL_NO    ((u64)1 << 0)
#define IBRS_ALL   ((u64)1 << 1)
#define MDS_NO     ((u64)1 << 5)
#define TAA_NO     ((u64)1 << 8)
#define FBSDP_NO   ((u64)1 << 14)
#define FB_CLEAR   ((u64)1 << 17)
#define BHI_NO     ((u64)1 << 20)
#define RFDS_NO    ((u64)1 << 27)
#define RFDS_CLEAR ((u64)1 << 28)

static bool model_in(const struct spec_cpu *c, const u8 *list, u32 count)
{
    for (u32 i = 0; c->intel && c->family == 6 && i < count; i++)
        if (c->model == list[i])
            return true;
    return false;
}

// In order: nothing is executed ahead of a fault or a branch.
static bool in_order(const struct spec_cpu *c)
{
    static const u8 list[] = {0x1c, 0x26, 0x27, 0x35, 0x36}; // Bonnell, Saltwell
    return model_in(c, list, sizeof(list)) || (c->intel && c->family == 5);
}

// Out-of-order Atoms and Xeon Phis, which L1TF spares though Meltdown does not.
static bool small_core(const struct spec_cpu *c)
{
    static const u8 list[] = {0x37, 0x4a, 0x4c, 0x4d, 0x5a, 0x5d, 0x6e,
                              0x75, 0x5c, 0x5f, 0x7a, 0x57, 0x85};
    return model_in(c, list, sizeof(list));
}

// Skylake and its kin: a return with an empty return stack is predicted like an indirect jump, so
// retpolines do not hold there.
static bool return_underflows(const struct spec_cpu *c)
{
    static const u8 list[] = {0x4e, 0x5e, 0x55, 0x66, 0x8e, 0x9e, 0xa5, 0xa6};
    return model_in(c, list, sizeof(list));
}

// Zen 1 and 2 (branch type confusion), Zen 3 and 4 (SRSO): returns are predicted as the guest
// taught. With this microcode an IBPB at entry ends that.
static bool returns_confused(const struct spec_cpu *c)
{
    if (!c->amd || !(c->ext8_b & AMD_IBPB))
        return false;
    if (c->family == 0x17 || c->family == 0x18)
        return !(c->ext8_b & AMD_BTC_NO);
    return c->family == 0x19 && !(c->ext21_a & AMD_SRSO_NO) && (c->ext21_a & AMD_IBPB_BRTYPE);
}

// VERW clears buffers only where CPUID or the capabilities say so.
static bool buffers_leak(const struct spec_cpu *c)
{
    if (!c->intel)
        return false;
    return ((c->leaf7_d & MD_CLEAR) && (!(c->caps & MDS_NO) || (c->rtm && !(c->caps & TAA_NO)))) ||
           ((c->caps & FB_CLEAR) && !(c->caps & FBSDP_NO)) ||
           ((c->caps & RFDS_CLEAR) && !(c->caps & RFDS_NO));
}

// The command line's word if there is one, and the measure is possible.
static bool pick(s8 word, bool possible, bool needed)
{
    return possible && (word >= 0 ? word : needed);
}

static s8 first(s8 a, s8 b)
{
    return a >= 0 ? a : b;
}

static void choose_branches(const struct spec_cpu *c, const struct spec_options *o, bool on,
                            struct spec *s)
{
    bool has_ibrs = c->intel ? c->leaf7_d & IBRS_IBPB : c->ext8_b & AMD_IBRS;
    bool has_ibpb = c->intel ? c->leaf7_d & IBRS_IBPB : c->ext8_b & AMD_IBPB;
    bool has_stibp = c->intel ? c->leaf7_d & STIBP : c->ext8_b & AMD_STIBP;
    bool has_ssbd = c->intel ? c->leaf7_d & SSBD : c->ext8_b & AMD_SSBD;
    bool eibrs = has_ibrs && c->intel && (c->caps & IBRS_ALL);
    bool aibrs = c->amd && (c->ext21_a & AMD_AUTO_IBRS);
    bool need = on && !in_order(c), slow_ibrs = false;
    s->msr = has_ibrs || has_stibp || has_ssbd;
    if (eibrs && pick(o->ibrs, true, need))
        s->msr_value |= SPEC_CTRL_IBRS;
    else
        eibrs = false;
    s->auto_ibrs = aibrs = pick(o->ibrs, aibrs, need);
    if (!eibrs && !aibrs)
        slow_ibrs = pick(o->ibrs, has_ibrs, need && return_underflows(c));
    s->thunk = o->thunk                                 ? o->thunk
               : need && !eibrs && !aibrs && !slow_ibrs ? THUNK_RETPOLINE
                                                        : THUNK_JMP;
    if (slow_ibrs)
        s->guard |= GUARD_IBRS;
    s->ibpb = pick(o->ibpb, has_ibpb, need);
    if (pick(o->stibp, has_stibp, need))
        s->msr_value |= SPEC_CTRL_STIBP;
    if (pick(o->ssbd, has_ssbd, false))
        s->msr_value |= SPEC_CTRL_SSBD;
    // Branch history: only where the domain of prediction is all that stands between the rings.
    bool bhi = need && eibrs && s->thunk == THUNK_JMP && !(c->caps & BHI_NO);
    bool dis_s = pick(o->bhi_dis_s, c->leaf7_2_d & BHI_CTRL, bhi);
    if (dis_s)
        s->msr_value |= SPEC_CTRL_BHI_DIS_S;
    if (pick(o->bhb_entry, true, bhi && !dis_s))
        s->guard |= GUARD_BHB;
    if (s->thunk == THUNK_RETPOLINE && eibrs && (c->leaf7_2_d & RRSBA_CTRL))
        s->msr_value |= SPEC_CTRL_RRSBA_DIS_S;
    bool ibpb_entry = pick(o->ibpb_entry, has_ibpb, need && returns_confused(c));
    if (ibpb_entry)
        s->guard |= GUARD_IBPB;
    // Our calls and returns are balanced from entry to exit, so what a guest left in the return
    // stack is not used (docs/security.md); except where IBPB has to clear it and does not.
    if (pick(o->rsb, true, ibpb_entry && c->amd && !(c->ext8_b & AMD_IBPB_RET)))
        s->guard |= GUARD_RSB;
}

void spec_choose(const struct spec_cpu *c, const struct spec_options *o, struct spec *out)
{
    struct spec s = {.thunk = THUNK_JMP};
    bool all = o->all != 0, on = all && o->xen != 0 && o->pv != 0;
    s.meltdown = !c->amd && !in_order(c) && !(c->intel && (c->caps & RDCL_NO));
    bool l1tf = s.meltdown && c->intel && !small_core(c);
    s.xpti_dom0 = pick(first(o->xpti_dom0, o->xpti), true, all && s.meltdown);
    s.xpti_domu = pick(first(o->xpti_domu, o->xpti), true, all && s.meltdown);
    s.l1tf_dom0 = pick(first(o->l1tf_dom0, o->l1tf), true, false);
    s.l1tf_domu = pick(first(o->l1tf_domu, o->l1tf), true, all && l1tf);
    choose_branches(c, o, on, &s);
    if (s.xpti_dom0 || s.xpti_domu)
        s.guard |= GUARD_XPTI;
    if (pick(o->verw, true, on && buffers_leak(c)))
        s.guard |= GUARD_VERW;
    if (c->smap)
        s.guard |= GUARD_CLAC;
    *out = s;
}

void spec_describe(const struct spec *s, char *buf, size_t size)
{
    static const char *const thunks[] = {
        [THUNK_RETPOLINE] = ", retpoline", [THUNK_LFENCE] = ", lfence", [THUNK_JMP] = ""};
    const struct {
        bool on;
        const char *name;
    } rows[] = {
        {s->msr_value & SPEC_CTRL_IBRS, ", eibrs"},
        {s->auto_ibrs, ", auto-ibrs"},
        {s->guard & GUARD_IBRS, ", ibrs"},
        {s->msr_value & SPEC_CTRL_STIBP, ", stibp"},
        {s->ibpb, ", ibpb"},
        {s->guard & GUARD_IBPB, ", ibpb-entry"},
        {s->guard & GUARD_RSB, ", rsb"},
        {s->guard & GUARD_BHB, ", bhb-entry"},
        {s->msr_value & SPEC_CTRL_BHI_DIS_S, ", bhi-dis-s"},
        {s->guard & GUARD_VERW, ", verw"},
        {s->msr_value & SPEC_CTRL_SSBD, ", ssbd"},
        {s->l1tf_dom0, ", pv-l1tf dom0"},
        {s->l1tf_domu, ", pv-l1tf domu"},
    };
    strlcpy(buf,
            !(s->guard & GUARD_XPTI) ? "xpti off"
            : !s->xpti_domu          ? "xpti on (dom0)"
            : !s->xpti_dom0          ? "xpti on (domu)"
                                     : "xpti on (dom0, domu)",
            size);
    size_t n = strlen(buf);
    strlcpy(buf + n, thunks[s->thunk], size - n);
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].on) {
            n = strlen(buf);
            strlcpy(buf + n, rows[i].name, size - n);
        }
}
