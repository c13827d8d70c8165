// SOURCES: hv/cpu/spec.c
// SPDX-License-Identifier: MIT
// From what a CPU says of itself and the command line to what is switched on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "cpu/spec.h"
#include "fake/host.h"

#define MD_CLEAR  (1u << 10)
#define IBRS_IBPB (1u << 26)
#define STIBP     (1u << 27)
#define SSBD      (1u << 31)

static const struct spec_options automatic = {-1, -1, -1, -1, -1, -1, -1, -1, -1,        -1,
                                              -1, -1, -1, -1, -1, -1, -1, -1, THUNK_AUTO};

#define INTEL(m) .intel = true, .family = 6, .model = m
#define AMD(f)   .amd = true, .family = f

static const struct {
    const char *cpu;
    struct spec_cpu c;
    const char *says;
} cpus[] = {
    {"QEMU's qemu64", {AMD(15)}, "xpti off, retpoline"},
    {"Bonnell: in order", {INTEL(0x1c)}, "xpti off"},
    {"Silvermont", {INTEL(0x37)}, "xpti on (dom0, domu), retpoline"},
    {"Haswell, old microcode", {INTEL(0x3c)}, "xpti on (dom0, domu), retpoline, pv-l1tf domu"},
    {"Haswell",
     {INTEL(0x3c), .leaf7_d = IBRS_IBPB | STIBP | SSBD | MD_CLEAR},
     "xpti on (dom0, domu), retpoline, stibp, ibpb, verw, pv-l1tf domu"},
    {"Skylake",
     {INTEL(0x5e), .leaf7_d = IBRS_IBPB | STIBP | SSBD | MD_CLEAR, .rtm = true},
     "xpti on (dom0, domu), ibrs, stibp, ibpb, verw, pv-l1tf domu"},
    // RDCL_NO, IBRS_ALL, MDS_NO
    {"Cascade Lake, TSX on",
     {INTEL(0x55), .leaf7_d = IBRS_IBPB | STIBP | SSBD | MD_CLEAR, .rtm = true, .caps = 0x23},
     "xpti off, eibrs, stibp, ibpb, bhb-entry, verw"},
    {"Cascade Lake, TSX off",
     {INTEL(0x55), .leaf7_d = IBRS_IBPB | STIBP | SSBD | MD_CLEAR, .caps = 0x23},
     "xpti off, eibrs, stibp, ibpb, bhb-entry"},
    {"Ice Lake: buffers of MMIO",
     {INTEL(0x6a), .leaf7_d = IBRS_IBPB | STIBP | SSBD | MD_CLEAR, .caps = 0x20123},
     "xpti off, eibrs, stibp, ibpb, bhb-entry, verw"},
    {"Sapphire Rapids",
     {INTEL(0x8f), .leaf7_d = IBRS_IBPB | STIBP | SSBD | MD_CLEAR, .leaf7_2_d = 0x1f,
      .caps = 0x0c023},
     "xpti off, eibrs, stibp, ibpb, bhi-dis-s"},
    {"BHI_NO",
     {INTEL(0xaf), .leaf7_d = IBRS_IBPB | STIBP | SSBD | MD_CLEAR, .leaf7_2_d = 0x1f,
      .caps = 0x10c023},
     "xpti off, eibrs, stibp, ibpb"},
    {"Gracemont: register file",
     {INTEL(0xbe), .leaf7_d = IBRS_IBPB | STIBP | MD_CLEAR, .leaf7_2_d = 0x1f, .caps = 0x1000c023},
     "xpti off, eibrs, stibp, ibpb, bhi-dis-s, verw"},
    {"Zen 2",
     {AMD(0x17), .ext8_b = 0x0100d000},
     "xpti off, retpoline, stibp, ibpb, ibpb-entry, rsb"},
    {"Zen 3, microcode for SRSO",
     {AMD(0x19), .ext8_b = 0x6100d000, .ext21_a = 1 << 28},
     "xpti off, retpoline, stibp, ibpb, ibpb-entry"},
    {"Zen 4",
     {AMD(0x19), .ext8_b = 0x6100d000, .ext21_a = 1 << 28 | 1 << 8},
     "xpti off, auto-ibrs, stibp, ibpb, ibpb-entry"},
    {"Zen 5",
     {AMD(0x1a), .ext8_b = 0x6100d000, .ext21_a = 3 << 28 | 1 << 8},
     "xpti off, auto-ibrs, stibp, ibpb"},
    {"some other vendor's", {.family = 6, .model = 0xf}, "xpti on (dom0, domu), retpoline"},
};

static void expect(const char *what, const struct spec_cpu *c, const struct spec_options *o,
                   const char *says)
{
    struct spec s;
    char line[160];
    spec_choose(c, o, &s);
    spec_describe(&s, line, sizeof(line));
    if (strcmp(line, says) != 0)
        fail_msg("%s: %s; expected %s", what, line, says);
}

static void test_cpus(void **state)
{
    for (u32 i = 0; i < ARRAY_SIZE(cpus); i++)
        expect(cpus[i].cpu, &cpus[i].c, &automatic, cpus[i].says);
}

static void test_options(void **state)
{
#define WITH(...)                          \
    ({                                     \
        struct spec_options o = automatic; \
        __VA_ARGS__;                       \
        o;                                 \
    })
    const struct spec_cpu haswell = {INTEL(0x3c), .leaf7_d = IBRS_IBPB | STIBP | SSBD | MD_CLEAR};
    const struct spec_cpu none = {AMD(15)};
    const struct {
        const char *line;
        const struct spec_cpu *c;
        struct spec_options o;
        const char *says;
    } rows[] = {
        {"xpti=1", &none, WITH(o.xpti = 1), "xpti on (dom0, domu), retpoline"},
        {"xpti=dom0", &none, WITH(o.xpti_dom0 = 1), "xpti on (dom0), retpoline"},
        {"xpti=dom0=0", &haswell, WITH(o.xpti_dom0 = 0),
         "xpti on (domu), retpoline, stibp, ibpb, verw, pv-l1tf domu"},
        {"xpti=0,domu", &haswell, WITH(o.xpti = 0, o.xpti_domu = 1),
         "xpti on (domu), retpoline, stibp, ibpb, verw, pv-l1tf domu"},
        {"spec-ctrl=0", &haswell, WITH(o.all = 0), "xpti off"},
        {"spec-ctrl=0 xpti=1", &haswell, WITH(o.all = 0, o.xpti = 1), "xpti on (dom0, domu)"},
        {"spec-ctrl=no-xen", &haswell, WITH(o.xen = 0), "xpti on (dom0, domu), pv-l1tf domu"},
        {"spec-ctrl=ibrs", &haswell, WITH(o.ibrs = 1),
         "xpti on (dom0, domu), ibrs, stibp, ibpb, verw, pv-l1tf domu"},
        {"spec-ctrl=ibrs,ibpb,stibp,ssbd", &none, WITH(o.ibrs = o.ibpb = o.stibp = o.ssbd = 1),
         "xpti off, retpoline"}, // not on a CPU without
        {"spec-ctrl=rsb,bhb-entry,verw,bti-thunk=lfence", &none,
         WITH(o.rsb = o.bhb_entry = o.verw = 1, o.thunk = THUNK_LFENCE),
         "xpti off, lfence, rsb, bhb-entry, verw"},
        {"spec-ctrl=ssbd,verw=0,stibp=0 pv-l1tf=0", &haswell,
         WITH(o.ssbd = 1, o.verw = o.stibp = o.l1tf = 0),
         "xpti on (dom0, domu), retpoline, ibpb, ssbd"},
        {"pv-l1tf", &none, WITH(o.l1tf = 1), "xpti off, retpoline, pv-l1tf dom0, pv-l1tf domu"},
    };
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
        expect(rows[i].line, rows[i].c, &rows[i].o, rows[i].says);
}

// What the line does not tell.
static void test_bits(void **state)
{
    struct spec_cpu c = {INTEL(0x5e), .leaf7_d = IBRS_IBPB};
    struct spec s;
    spec_choose(&c, &automatic, &s);
    assert_true(s.meltdown && s.msr);
    assert_int_equal(s.guard, GUARD_XPTI | GUARD_IBRS);
    assert_int_equal(s.msr_value, 0); // IBRS in the hypervisor only
    c = (struct spec_cpu){AMD(15), .smap = true};
    spec_choose(&c, &automatic, &s);
    assert_false(s.meltdown || s.msr);
    assert_int_equal(s.guard, GUARD_CLAC);
    // eIBRS with retpolines by force: returns may not be predicted like jumps.
    struct spec_options o = automatic;
    o.thunk = THUNK_RETPOLINE;
    c = (struct spec_cpu){INTEL(0x8f), .leaf7_d = IBRS_IBPB, .leaf7_2_d = 0x1f, .caps = 3};
    spec_choose(&c, &o, &s);
    assert_int_equal(s.msr_value, SPEC_CTRL_IBRS | SPEC_CTRL_RRSBA_DIS_S);
    // A line that does not fit is cut.
    char line[12];
    spec_describe(&s, line, sizeof(line));
    assert_string_equal(line, "xpti off, r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
