// SPDX-License-Identifier: MIT
// SOURCES: hv/cpu/policy.c
// CPU policies on the host's own CPUID: what is listed can be set again, settling is idempotent and
// never goes beyond what PV guests may have, whatever the toolstack asks for.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpu/cpu.h"
#include "cpu/policy.h"
#include "cpu/x86.h"

struct cpu_features cpu_features;

bool rdmsr_safe(u32 msr, u64 *v)
{
    (void)msr, (void)v;
    return false;
}

static int setup(void **state)
{
    struct cpuid_regs r = cpuid(0, 0);
    cpu_features.max_leaf = r.a;
    cpu_features.max_ext_leaf = cpuid(0x80000000, 0).a;
    cpu_features.xsave = cpuid(1, 0).c >> 26 & 1;
    cpu_features.xcr0_mask = cpu_features.xsave ? cpuid(0xd, 0).a & 0xe7 : 0;
    cpu_policy_init();
    return 0;
}

static u32 list(const struct cpu_policy *p, xen_cpuid_leaf_t *out)
{
    u32 n = 0, at = 0;
    while (cpu_policy_next(p, &at, &out[n]))
        n++;
    assert_true(n <= POLICY_LEAVES);
    return n;
}

static void test_round_trip(void **state)
{
    for (u32 kind = 0; kind < POLICY_KINDS; kind++) {
        const struct cpu_policy *p = cpu_policy_system((enum policy_kind)kind);
        struct cpu_policy copy = {0};
        xen_cpuid_leaf_t leaves[POLICY_LEAVES + 1], again[POLICY_LEAVES + 1];
        u32 n = list(p, leaves);
        for (u32 i = 0; i < n; i++)
            assert_int_equal(cpu_policy_set_leaf(&copy, &leaves[i]), 0);
        assert_int_equal(list(&copy, again), n);
        assert_memory_equal(leaves, again, n * sizeof(leaves[0]));
        for (u32 i = 0; i < n; i++) {
            u32 r[4], sub = leaves[i].subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : leaves[i].subleaf;
            cpu_policy_cpuid(p, leaves[i].leaf, sub, r);
            assert_memory_equal(r, &leaves[i].a, sizeof(r));
        }
    }
}

static void assert_within(const struct cpu_policy *p, const struct cpu_policy *max)
{
    u32 have[FEATURE_WORDS], may[FEATURE_WORDS];
    cpu_policy_features(p, have);
    cpu_policy_features(max, may);
    may[2] |= 0x0183f3ff; // AMD's copies of leaf 1
    for (u32 w = 0; w < FEATURE_WORDS; w++)
        assert_int_equal(have[w] & ~may[w], 0);
    assert_int_equal(cpu_policy_xcr0(p) & ~cpu_policy_xcr0(max), 0);
}

static void test_domain(void **state)
{
    struct cpu_policy p, q;
    cpu_policy_domain(&p, false);
    q = p;
    cpu_policy_settle(&q, false);
    assert_memory_equal(&p, &q, sizeof(p));
    assert_within(&p, cpu_policy_system(POLICY_PV_DEFAULT));
    cpu_policy_domain(&p, true);
    assert_within(&p, cpu_policy_system(POLICY_HOST));
}

static void test_any_wish(void **state)
{
    static const u32 leaf[] = {0,          1,          4,          5,          7,
                               0xb,        0xd,        0xe,        0x40000000, 0x40000100,
                               0x80000000, 0x80000001, 0x80000007, 0x80000008, 0x80000021,
                               0x80000022, 0xffffffff};
    srand(1);
    for (u32 round = 0; round < 2000; round++) {
        struct cpu_policy p, again;
        u32 bad, sub;
        cpu_policy_domain(&p, false);
        for (u32 i = 0; i < 20; i++) {
            xen_cpuid_leaf_t l = {.leaf = leaf[(u32)rand() % ARRAY_SIZE(leaf)],
                                  .subleaf = rand() & 1 ? XEN_CPUID_NO_SUBLEAF : (u32)rand() % 70,
                                  .a = (u32)rand() * 3,
                                  .b = (u32)rand() * 3,
                                  .c = (u32)rand() * 3,
                                  .d = (u32)rand() * 3};
            int rc = cpu_policy_set_leaf(&p, &l);
            assert_true(rc == 0 || rc == -ERANGE);
        }
        (void)!cpu_policy_check(&p, &bad, &sub);
        cpu_policy_settle(&p, false);
        assert_within(&p, cpu_policy_system(POLICY_PV_MAX));
        again = p;
        cpu_policy_settle(&again, false);
        assert_memory_equal(&p, &again, sizeof(p));
        xen_cpuid_leaf_t leaves[POLICY_LEAVES + 1];
        list(&p, leaves);
    }
}

static void test_limits(void **state)
{
    struct cpu_policy p;
    u32 leaf = 1, sub = 1;
    cpu_policy_domain(&p, false);
    assert_int_equal(cpu_policy_check(&p, &leaf, &sub), 0);
    p.leaf[0][0] = 0x20;
    assert_int_equal(cpu_policy_check(&p, &leaf, &sub), -EINVAL);
    assert_int_equal(leaf, 0);
    assert_int_equal(sub, XEN_CPUID_NO_SUBLEAF);
    xen_msr_entry_t m = {.idx = 0xce, .val = (u64)1 << 31};
    assert_int_equal(cpu_policy_set_msr(&p, &m), -EINVAL);
    m = (xen_msr_entry_t){.idx = 0x10a, .val = ~(u64)0};
    assert_int_equal(cpu_policy_set_msr(&p, &m), 0);
    cpu_policy_settle(&p, false);
    assert_int_equal(p.arch_caps, 0);
}

// Without XSAVE nothing is left that needs it.
static void test_dependencies(void **state)
{
    struct cpu_policy p;
    u32 words[FEATURE_WORDS], r[4];
    cpu_policy_domain(&p, false);
    cpu_policy_cpuid(&p, 1, 0, r);
    xen_cpuid_leaf_t one = {1, XEN_CPUID_NO_SUBLEAF, r[0], r[1], r[2] & ~(1u << 26), r[3]};
    assert_int_equal(cpu_policy_set_leaf(&p, &one), 0);
    cpu_policy_settle(&p, false);
    cpu_policy_features(&p, words);
    assert_int_equal(words[1] & (1u << 12 | 1u << 26 | 1u << 28 | 1u << 29), 0);
    assert_int_equal(words[4], 0);
    assert_int_equal(words[5] & (1u << 5 | 1u << 16), 0);
    assert_int_equal(cpu_policy_xcr0(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_domain),
        cmocka_unit_test(test_any_wish),     cmocka_unit_test(test_limits),
        cmocka_unit_test(test_dependencies),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
