// SPDX-License-Identifier: MIT
// sysctl: the machine's CPU policies and featuresets.
//
// xen ABI: sysctl.h, "XEN_SYSCTL_get_cpu_policy", arch-x86/cpufeatureset.h. A NULL array asks for
// the most that can come; too little room is -ENOBUFS. The raw policy is what CPUID says; each kind
// of policy has no feature that the one it comes from lacks; featureset and policy agree.
#include "lib/domu.h"
#include <xen/arch-x86/cpufeatureset.h>

const char test_title[] = "sysctl: CPU policies";

enum { WORDS = 19, LEAVES = 200, MSRS = 8 };
static uint32_t features[6][WORDS];
static xen_cpuid_leaf_t leaves[LEAVES];
static xen_msr_entry_t msrs[MSRS];
static struct xen_sysctl_cpu_policy *const p = &sc.u.cpu_policy;

static bool has(uint32_t set, unsigned int feature)
{
    return features[set][feature / 32] >> feature % 32 & 1;
}

static void check_featuresets(void)
{
    struct xen_sysctl_cpu_featureset *f = &sc.u.cpu_featureset;
    static const uint8_t kinds[] = {XEN_SYSCTL_cpu_featureset_raw, XEN_SYSCTL_cpu_featureset_host,
                                    XEN_SYSCTL_cpu_featureset_pv, XEN_SYSCTL_cpu_featureset_pv_max};

    memset(&sc, 0, sizeof(sc));
    CHECK_RC(sysctl(XEN_SYSCTL_get_cpu_featureset), 0);
    CHECK_EQ(f->nr_features, WORDS);
    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        f->index = kinds[i];
        f->nr_features = WORDS + 5;
        set_xen_guest_handle(f->features, features[kinds[i]]);
        CHECK_RC(sysctl(XEN_SYSCTL_get_cpu_featureset), 0);
        CHECK_EQ(f->nr_features, WORDS);
        CHECK(has(kinds[i], XEN_X86_FEATURE_FPU));
        CHECK(has(kinds[i], XEN_X86_FEATURE_LM));
        f->nr_features = 3;
        CHECK_RC(sysctl(XEN_SYSCTL_get_cpu_featureset), -ENOBUFS);
    }
    f->index = 6;
    CHECK_RC(sysctl(XEN_SYSCTL_get_cpu_featureset), -EINVAL);
    for (uint32_t set = 2; set <= 4; set += 2) {
        CHECK(!has(set, XEN_X86_FEATURE_VMX) && !has(set, XEN_X86_FEATURE_SVM));
        CHECK(!has(set, XEN_X86_FEATURE_PSE) && !has(set, XEN_X86_FEATURE_PGE));
        CHECK(!has(set, XEN_X86_FEATURE_SMEP) && !has(set, XEN_X86_FEATURE_SMAP));
        CHECK(has(set, XEN_X86_FEATURE_HYPERVISOR) && has(set, XEN_X86_FEATURE_APIC));
    }
    for (unsigned int w = 0; w < WORDS; w++)
        CHECK_EQ(features[XEN_SYSCTL_cpu_featureset_pv][w] &
                     ~features[XEN_SYSCTL_cpu_featureset_pv_max][w],
                 0);
}

// The list in rising order, without repetitions.
static const xen_cpuid_leaf_t *find(uint32_t leaf, uint32_t sub)
{
    for (unsigned int i = 0; i < p->nr_leaves; i++)
        if (leaves[i].leaf == leaf && leaves[i].subleaf == sub)
            return &leaves[i];
    return NULL;
}

static void check_order(void)
{
    for (unsigned int i = 1; i < p->nr_leaves; i++)
        CHECK(leaves[i].leaf > leaves[i - 1].leaf ||
              (leaves[i].leaf == leaves[i - 1].leaf && leaves[i].subleaf > leaves[i - 1].subleaf));
}

static long get(uint32_t index, uint32_t nr_leaves, uint32_t nr_msrs)
{
    memset(&sc, 0, sizeof(sc));
    p->index = index;
    p->nr_leaves = nr_leaves;
    p->nr_msrs = nr_msrs;
    set_xen_guest_handle(p->leaves, leaves);
    set_xen_guest_handle(p->msrs, msrs);
    return sysctl(XEN_SYSCTL_get_cpu_policy);
}

static void check_policies(void)
{
    static const uint8_t kinds[][2] = {
        {XEN_SYSCTL_cpu_policy_raw, XEN_SYSCTL_cpu_featureset_raw},
        {XEN_SYSCTL_cpu_policy_host, XEN_SYSCTL_cpu_featureset_host},
        {XEN_SYSCTL_cpu_policy_pv_max, XEN_SYSCTL_cpu_featureset_pv_max},
        {XEN_SYSCTL_cpu_policy_pv_default, XEN_SYSCTL_cpu_featureset_pv}};
    uint32_t most;

    memset(&sc, 0, sizeof(sc));
    CHECK_RC(sysctl(XEN_SYSCTL_get_cpu_policy), 0);
    most = p->nr_leaves;
    CHECK(most > 10 && most <= LEAVES);
    CHECK_EQ(p->nr_msrs, 2);
    for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
        const xen_cpuid_leaf_t *l;

        REQUIRE(get(kinds[i][0], LEAVES, MSRS) == 0);
        CHECK(p->nr_leaves <= most);
        CHECK_EQ(p->nr_msrs, 2);
        CHECK_EQ(msrs[0].idx, 0xce);
        CHECK_EQ(msrs[1].idx, 0x10a);
        check_order();
        l = find(0, XEN_CPUID_NO_SUBLEAF);
        REQUIRE(l);
        CHECK(l->a >= 1 && l->b != 0);
        l = find(1, XEN_CPUID_NO_SUBLEAF);
        REQUIRE(l);
        CHECK_EQ(l->b >> 24, 0); // no CPU's own number
        CHECK_EQ(l->d, features[kinds[i][1]][0]);
        CHECK_EQ(l->c, features[kinds[i][1]][1]);
        CHECK_RC(get(kinds[i][0], 3, MSRS), -ENOBUFS);
        CHECK_RC(get(kinds[i][0], LEAVES, 1), -ENOBUFS);
    }
    CHECK_RC(get(6, LEAVES, MSRS), -EINVAL);
    CHECK_RC(get(0, LEAVES, MSRS), 0);
    p->_rsvd = 1;
    CHECK_RC(sysctl(XEN_SYSCTL_get_cpu_policy), -EINVAL);
    CHECK_RC(get(0, LEAVES, MSRS), 0);
    set_xen_guest_handle(p->leaves, (void *)0x10);
    CHECK_RC(sysctl(XEN_SYSCTL_get_cpu_policy), -EFAULT);
}

void test_main(void)
{
    check_featuresets();
    check_policies();
    memset(&sc, 0xa5, sizeof(sc));
    CHECK_RC(sysctl(XEN_SYSCTL_get_cpu_levelling_caps), 0);
    CHECK_EQ(sc.u.cpu_levelling_caps.caps & ~0x1ffu, 0);
}
