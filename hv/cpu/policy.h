// SPDX-License-Identifier: MIT
// CPU policies: what CPUID and a few MSRs say, to the tools and to guests, as a table of leaves.
// The machine has one of each kind below; each domain has its own, made from PV_DEFAULT and changed
// by the toolstack within what PV_MAX allows. Sources: SDM 2A "CPUID", APM 3 "Obtaining Processor
// Information", <xen/arch-x86/cpufeatureset.h>.
#ifndef WIRT_CPU_POLICY_H
#define WIRT_CPU_POLICY_H

#include "abi/xen.h"
#include "lib/compiler.h"

enum {
    POLICY_LEAVES = 120,
    POLICY_MSRS = 2,
    FEATURE_WORDS = 19,
};

struct cpu_policy {
    u32 leaf[POLICY_LEAVES][4]; // eax, ebx, ecx, edx; which is which: cpu/policy.c
    u64 platform_info, arch_caps;
};

enum policy_kind {
    POLICY_RAW,        // what CPUID says
    POLICY_HOST,       // what the hypervisor makes of it
    POLICY_PV_MAX,     // what a PV guest can be given
    POLICY_PV_DEFAULT, // what it is given if nobody asks for more
    POLICY_KINDS
};

// Reads the machine's. Boot, after cpu_setup.
void cpu_policy_init(void);
const struct cpu_policy *cpu_policy_system(enum policy_kind kind);
// A domain's first policy. The control domain sees a little more (machine checks, the TSC's word).
void cpu_policy_domain(struct cpu_policy *p, bool privileged);

// Leaf by leaf in rising order, from *at = 0 on: false when there are no more. Leaves above the
// policy's own limits are left out.
bool cpu_policy_next(const struct cpu_policy *p, u32 *at, xen_cpuid_leaf_t *out);
// The MSRs.
void cpu_policy_msrs(const struct cpu_policy *p, xen_msr_entry_t out[POLICY_MSRS]);
// What CPUID gives: zeros for what the policy does not have.
void cpu_policy_cpuid(const struct cpu_policy *p, u32 leaf, u32 sub, u32 r[4]);
// The words of <xen/arch-x86/cpufeatureset.h>.
void cpu_policy_features(const struct cpu_policy *p, u32 words[FEATURE_WORDS]);
// XSAVE components of a guest with that policy.
u64 cpu_policy_xcr0(const struct cpu_policy *p);

// Changes one leaf; -ERANGE: policies do not have it. Many of its bits are not the caller's to
// decide, which shows after cpu_policy_settle.
NODISCARD int cpu_policy_set_leaf(struct cpu_policy *p, const xen_cpuid_leaf_t *in);
// Changes one MSR. -ERANGE: not one of a policy's; -EINVAL: bits that cannot be had.
NODISCARD int cpu_policy_set_msr(struct cpu_policy *p, const xen_msr_entry_t *in);
// May a guest have such limits? -EINVAL, with the offending leaf in *leaf and *sub.
NODISCARD int cpu_policy_check(const struct cpu_policy *p, u32 *leaf, u32 *sub);
// Takes out of a guest's policy what it cannot have, and what depends on that.
void cpu_policy_settle(struct cpu_policy *p, bool privileged);

#endif
