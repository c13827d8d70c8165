// SPDX-License-Identifier: MIT
// The calls about CPU policies: sysctl's for those of the machine, domctl's for a domain's.
#include "cpu/policy.h"
#include "cpu/cpu.h"
#include "hc/domctl.h"
#include "hc/sysctl.h"
#include "lib/printk.h"
#include "mm/heap.h"

static long leaves_out(const struct cpu_policy *p, guest_ptr list, u32 *count)
{
    xen_cpuid_leaf_t leaf;
    u32 n = 0, at = 0;
    if (guest_ptr_null(list)) {
        *count = POLICY_LEAVES;
        return 0;
    }
    for (; cpu_policy_next(p, &at, &leaf); n++) {
        if (n == *count)
            return -ENOBUFS;
        if (guest_copy_out_index(list, n, &leaf, sizeof(leaf)))
            return -EFAULT;
    }
    *count = n;
    return 0;
}

static long msrs_out(const struct cpu_policy *p, guest_ptr list, u32 *count)
{
    xen_msr_entry_t msr[POLICY_MSRS];
    if (!guest_ptr_null(list)) {
        cpu_policy_msrs(p, msr);
        u32 n = MIN(*count, (u32)POLICY_MSRS);
        if (guest_copy_out(list, msr, n * sizeof(msr[0])))
            return -EFAULT;
        if (n < POLICY_MSRS)
            return -ENOBUFS;
    }
    *count = POLICY_MSRS;
    return 0;
}

// *leaves and *msrs are the room in the lists, then what was written; a NULL list asks for the most
// that can come. -ENOBUFS: too little room; -EFAULT.
static long copy_out(const struct cpu_policy *p, guest_ptr leaf_list, u32 *leaves,
                     guest_ptr msr_list, u32 *msrs)
{
    long rc = leaves_out(p, leaf_list, leaves);
    return rc ? rc : msrs_out(p, msr_list, msrs);
}

// --- the machine's ---

long sysctl_get_cpu_levelling_caps(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_cpu_levelling_caps *a = arg;
    a->caps = cpu_features.cpuid_faults ? XEN_SYSCTL_CPU_LEVELCAP_faulting : 0;
    return 0;
}

long sysctl_get_cpu_featureset(struct vcpu *cur, void *arg)
{
    static const u8 kind[] = {
        [XEN_SYSCTL_cpu_featureset_raw] = POLICY_RAW,
        [XEN_SYSCTL_cpu_featureset_host] = POLICY_HOST,
        [XEN_SYSCTL_cpu_featureset_pv] = POLICY_PV_DEFAULT,
        [XEN_SYSCTL_cpu_featureset_hvm] = POLICY_KINDS,
        [XEN_SYSCTL_cpu_featureset_pv_max] = POLICY_PV_MAX,
        [XEN_SYSCTL_cpu_featureset_hvm_max] = POLICY_KINDS,
    };
    struct xen_sysctl_cpu_featureset *a = arg;
    u32 words[FEATURE_WORDS], room = a->nr_features;
    a->nr_features = FEATURE_WORDS;
    if (guest_ptr_null(GUEST_HANDLE(a->features)))
        return 0;
    if (a->index >= ARRAY_SIZE(kind))
        return -EINVAL;
    u32 k = kind[guest_index(a->index, ARRAY_SIZE(kind))];
    if (k == POLICY_KINDS)
        return -EOPNOTSUPP;
    cpu_policy_features(cpu_policy_system((enum policy_kind)k), words);
    if (guest_copy_out(GUEST_HANDLE(a->features), words,
                       MIN(room, (u32)FEATURE_WORDS) * sizeof(words[0])))
        return -EFAULT;
    return room < FEATURE_WORDS ? -ENOBUFS : 0;
}

long sysctl_get_cpu_policy(struct vcpu *cur, void *arg)
{
    static const u8 kind[] = {
        [XEN_SYSCTL_cpu_policy_raw] = POLICY_RAW,
        [XEN_SYSCTL_cpu_policy_host] = POLICY_HOST,
        [XEN_SYSCTL_cpu_policy_pv_max] = POLICY_PV_MAX,
        [XEN_SYSCTL_cpu_policy_hvm_max] = POLICY_KINDS,
        [XEN_SYSCTL_cpu_policy_pv_default] = POLICY_PV_DEFAULT,
        [XEN_SYSCTL_cpu_policy_hvm_default] = POLICY_KINDS,
    };
    struct xen_sysctl_cpu_policy *a = arg;
    if (a->_rsvd || a->index >= ARRAY_SIZE(kind))
        return -EINVAL;
    u32 k = kind[guest_index(a->index, ARRAY_SIZE(kind))];
    if (k == POLICY_KINDS)
        return -EOPNOTSUPP;
    return copy_out(cpu_policy_system((enum policy_kind)k), GUEST_HANDLE(a->leaves), &a->nr_leaves,
                    GUEST_HANDLE(a->msrs), &a->nr_msrs);
}

// --- a domain's ---

long domctl_get_cpu_policy(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *a = &op->u.cpu_policy;
    return copy_out(d->policy, GUEST_HANDLE(a->leaves), &a->nr_leaves, GUEST_HANDLE(a->msrs),
                    &a->nr_msrs);
}

static long merge_leaves(struct cpu_policy *p, struct xen_domctl_cpu_policy *a)
{
    xen_cpuid_leaf_t leaf;
    for (u32 i = 0; i < a->nr_leaves; i++) {
        if (guest_copy_in_index(&leaf, GUEST_HANDLE(a->leaves), i, sizeof(leaf)))
            return -EFAULT;
        long rc = cpu_policy_set_leaf(p, &leaf);
        if (rc) {
            a->err_leaf = leaf.leaf;
            a->err_subleaf = leaf.subleaf;
            return rc;
        }
    }
    return 0;
}

static long merge_msrs(struct cpu_policy *p, struct xen_domctl_cpu_policy *a)
{
    xen_msr_entry_t msr;
    for (u32 i = 0; i < a->nr_msrs; i++) {
        if (guest_copy_in_index(&msr, GUEST_HANDLE(a->msrs), i, sizeof(msr)))
            return -EFAULT;
        long rc = cpu_policy_set_msr(p, &msr);
        if (rc) {
            a->err_msr = msr.idx;
            return rc;
        }
    }
    return 0;
}

static bool has_run(const struct domain *d)
{
    struct vcpu *v;
    bool run = d->pauses == 0;
    for_each_vcpu (d, v)
        run |= v->sched.dispatched != 0;
    return run;
}

// What the toolstack leaves out stays as it is. All is taken over, or nothing.
long domctl_set_cpu_policy(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *a = &op->u.cpu_policy;
    if (has_run(d))
        return -EEXIST;
    if (a->nr_leaves > POLICY_LEAVES || a->nr_msrs > POLICY_MSRS)
        return -E2BIG;
    struct cpu_policy *p = heap_new(struct cpu_policy);
    if (!p)
        return -ENOMEM;
    *p = *d->policy;
    a->err_leaf = a->err_subleaf = a->err_msr = ~0u;
    long rc = merge_leaves(p, a);
    if (rc == 0)
        rc = merge_msrs(p, a);
    if (rc == 0)
        rc = cpu_policy_check(p, &a->err_leaf, &a->err_subleaf);
    if (rc == 0) {
        cpu_policy_settle(p, d->privileged);
        *d->policy = *p;
    } else {
        printk(LOG_WARN, "domain %u: CPU policy is refused at leaf %x, %x or MSR %x (error %ld)",
               d->id.v, a->err_leaf, a->err_subleaf, a->err_msr, rc);
    }
    heap_free(p);
    return rc;
}
