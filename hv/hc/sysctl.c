// SPDX-License-Identifier: MIT
// HYPERVISOR_sysctl: dispatch, the console, and what is refused. Source: <xen/sysctl.h>.
#include "hc/sysctl.h"
#include "hc/table.h"
#include "io/console.h"

enum { CHUNK = 256, KEYS_MAX = 128 };

// --- the console ---

static long readconsole(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_readconsole *a = arg;
    char text[CHUNK];
    u32 done = 0, n, index = a->incremental ? a->index : console_ring_first();
    do { // at most the whole ring
        n = console_ring_read(text, MIN(a->count - done, (u32)CHUNK), &index);
        if (guest_copy_out(guest_ptr_add(GUEST_HANDLE(a->buffer), done), text, n))
            return -EFAULT;
        done += n;
    } while (n == CHUNK);
    if (a->clear)
        console_ring_clear(index);
    a->index = index;
    a->count = done;
    return 0;
}

static long debug_keys(struct vcpu *cur, void *arg)
{
    const struct xen_sysctl_debug_keys *a = arg;
    char key;
    if (a->nr_keys > KEYS_MAX)
        return -E2BIG;
    for (u32 i = 0; i < a->nr_keys; i++) {
        if (guest_copy_in_index(&key, GUEST_HANDLE(a->keys), i, 1))
            return -EFAULT;
        console_key_press(key);
    }
    return 0;
}

// --- what this hypervisor does not have ---

// Pages are not taken out of use, and no build counts its coverage.
static long page_offline(struct vcpu *cur, void *arg)
{
    const struct xen_sysctl_page_offline_op *a = arg;
    return a->cmd - 1 > 2 || a->start > a->end || a->end >= frame_count ? -EINVAL : -EOPNOTSUPP;
}

static long not_supported(struct vcpu *cur, void *arg)
{
    return -EOPNOTSUPP;
}

// Cache monitoring and allocation: as on a CPU without.
static long psr_cmt(struct vcpu *cur, void *arg)
{
    return -ENODEV;
}

static long psr_alloc(struct vcpu *cur, void *arg)
{
    const struct xen_sysctl_psr_alloc *a = arg;
    return a->cmd <= XEN_SYSCTL_PSR_get_mba_info ? -ENODEV : -EOPNOTSUPP;
}

// The list of patches is empty, and stays so.
static long livepatch(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_livepatch_op *a = arg;
    if (a->cmd != XEN_SYSCTL_LIVEPATCH_LIST)
        return -EOPNOTSUPP;
    if (a->pad || a->u.list.pad)
        return -EINVAL;
    a->u.list.version = 1;
    a->u.list.nr = a->u.list.name_total_size = a->u.list.metadata_total_size = 0;
    return 0;
}

// clang-format off
#define OP(op, arg, dir, fn, test) {DOC("XEN_SYSCTL_" #op), XEN_SYSCTL_##op, sizeof(struct arg), dir, true, fn, DOC(test)}

static const struct hc_op ops[] = {
    OP(readconsole,      xen_sysctl_readconsole,      HC_INOUT, readconsole,              "sysctl_console"),
    OP(tbuf_op, xen_sysctl_tbuf_op, HC_INOUT, sysctl_tbuf_op, "sysctl_trace"),
    OP(physinfo,         xen_sysctl_physinfo,         HC_OUT,   sysctl_physinfo,          "sysctl_info"),
    OP(sched_id,         xen_sysctl_sched_id,         HC_OUT,   sysctl_sched_id,          "sysctl_sched"),
    OP(perfc_op,         xen_sysctl_perfc_op,         HC_INOUT, sysctl_perfc_op,          "sysctl_perfc"),
    OP(getdomaininfolist, xen_sysctl_getdomaininfolist, HC_INOUT, sysctl_getdomaininfolist, "sysctl_info"),
    OP(debug_keys,       xen_sysctl_debug_keys,       HC_IN,    debug_keys,               "sysctl_console"),
    OP(getcpuinfo,       xen_sysctl_getcpuinfo,       HC_INOUT, sysctl_getcpuinfo,        "sysctl_info"),
    OP(availheap,        xen_sysctl_availheap,        HC_INOUT, sysctl_availheap,         "sysctl_info"),
    OP(get_pmstat,       xen_sysctl_get_pmstat,       HC_INOUT, sysctl_get_pmstat,        "sysctl_sched"),
    OP(cpu_hotplug,      xen_sysctl_cpu_hotplug,      HC_IN,    sysctl_cpu_hotplug,       "cpu_hotplug"),
    OP(pm_op,            xen_sysctl_pm_op,            HC_INOUT, sysctl_pm_op,             "sysctl_sched"),
    OP(page_offline_op,  xen_sysctl_page_offline_op,  HC_IN,    page_offline,             "sysctl_info"),
    OP(cputopoinfo,      xen_sysctl_cputopoinfo,      HC_INOUT, sysctl_cputopoinfo,       "sysctl_info"),
    OP(numainfo,         xen_sysctl_numainfo,         HC_INOUT, sysctl_numainfo,          "sysctl_info"),
    OP(cpupool_op,       xen_sysctl_cpupool_op,       HC_INOUT, sysctl_cpupool_op,        "cpupools"),
    OP(scheduler_op,     xen_sysctl_scheduler_op,     HC_INOUT, sysctl_scheduler_op,      "sched_params"),
    OP(coverage_op,      xen_sysctl_coverage_op,      HC_IN,    not_supported,            "sysctl_info"),
    OP(psr_cmt_op,       xen_sysctl_psr_cmt_op,       HC_IN,    psr_cmt,                  "sysctl_info"),
    OP(pcitopoinfo,      xen_sysctl_pcitopoinfo,      HC_INOUT, sysctl_pcitopoinfo,       "sysctl_info"),
    OP(psr_alloc,        xen_sysctl_psr_alloc,        HC_IN,    psr_alloc,                "sysctl_info"),
    OP(get_cpu_levelling_caps, xen_sysctl_cpu_levelling_caps, HC_OUT, sysctl_get_cpu_levelling_caps, "sysctl_policy"),
    OP(get_cpu_featureset, xen_sysctl_cpu_featureset, HC_INOUT, sysctl_get_cpu_featureset, "sysctl_policy"),
    OP(get_cpu_policy,   xen_sysctl_cpu_policy,       HC_INOUT, sysctl_get_cpu_policy,    "sysctl_policy"),
    OP(livepatch_op,     xen_sysctl_livepatch_op,     HC_INOUT, livepatch,                "sysctl_info"),
};
// clang-format on

long hc_sysctl(struct vcpu *cur, u64 arg, u64 a1, u64 a2, u64 a3, u64 a4)
{
    guest_ptr p = GUEST_PTR(arg);
    u32 cmd;
    int rc = hc_open_versioned(cur, &p, XEN_SYSCTL_INTERFACE_VERSION, &cmd);
    return rc ? rc : hc_dispatch_op(ops, ARRAY_SIZE(ops), cur, cmd, p);
}
