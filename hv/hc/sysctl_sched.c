// SPDX-License-Identifier: MIT
// sysctl: scheduler, CPU pools, trace buffers, and what there is of power
// management.
//
// The tools know the scheduler as Credit2, whose knobs (weight, cap, rate limit) are the ones that
// ours has (docs/scheduling.md). All CPUs and domains are in pool 0. CPUs have two idle states, C0
// and C1 (hlt), and one speed.
#include "cpu/time.h"
#include "hc/bitmap.h"
#include "hc/sysctl.h"
#include "sched/sched.h"
#include "sched/trace.h"

enum { SCHEDULER = XEN_SCHEDULER_CREDIT2, POOL = 0, CSTATES = 2 };

long sysctl_sched_id(struct vcpu *cur, void *arg)
{
    (void)cur;
    ((struct xen_sysctl_sched_id *)arg)->sched_id = SCHEDULER;
    return 0;
}

// --- pools ---

static long pool_info(struct xen_sysctl_cpupool_op *a)
{
    struct cpumask all = {0};
    struct domain *d;
    if (a->cpupool_id != POOL)
        return -ENOENT;
    for_each_cpu (i)
        cpumask_set(&all, i);
    a->sched_id = SCHEDULER;
    a->n_dom = 0;
    for_each_domain (d)
        a->n_dom++;
    return bitmap_copy_out(&a->cpumap, &all);
}

static long pool_change_cpu(const struct xen_sysctl_cpupool_op *a)
{
    bool add = a->op == XEN_SYSCTL_CPUPOOL_OP_ADDCPU;
    if (a->cpupool_id != POOL)
        return -ENOENT;
    if (a->cpu >= cpu_count && a->cpu != XEN_SYSCTL_CPUPOOL_PAR_ANY)
        return -EINVAL;
    return add ? -ENODEV : -EOPNOTSUPP; // none is free, and none can be let go
}

static long pool_move(struct vcpu *cur, const struct xen_sysctl_cpupool_op *a)
{
    struct domain *d = a->domid > UINT16_MAX ? NULL : domain_get(DOM_ID((u16)a->domid), cur->dom);
    if (!d)
        return -ESRCH;
    bool self = d == cur->dom;
    domain_put(d);
    if (self)
        return -EPERM;
    return a->cpupool_id == POOL ? 0 : -ENOENT;
}

long sysctl_cpupool_op(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_cpupool_op *a = arg;
    struct cpumask none = {0};
    switch (a->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return a->cpupool_id == POOL ? -EEXIST : -EOPNOTSUPP;
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return a->cpupool_id == POOL ? -EBUSY : -ENOENT;
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return pool_info(a);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return pool_change_cpu(a);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return pool_move(cur, a);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return bitmap_copy_out(&a->cpumap, &none);
    default:
        return -ENOSYS;
    }
}

// --- the scheduler's own parameters ---

// There is no rate limit yet; turning it off is what can be asked for.
long sysctl_scheduler_op(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_scheduler_op *a = arg;
    u32 limit = a->u.sched_credit2.ratelimit_us;
    (void)cur;
    if (a->cpupool_id != POOL)
        return -ESRCH;
    if (a->sched_id != SCHEDULER)
        return -EINVAL;
    if (a->cmd == XEN_SYSCTL_SCHEDOP_getinfo) {
        a->u.sched_credit2.ratelimit_us = 0;
        return 0;
    }
    if (a->cmd != XEN_SYSCTL_SCHEDOP_putinfo ||
        (limit != 0 &&
         (limit < XEN_SYSCTL_SCHED_RATELIMIT_MIN || limit > XEN_SYSCTL_SCHED_RATELIMIT_MAX)))
        return -EINVAL;
    return limit ? -EOPNOTSUPP : 0;
}

// --- trace buffers ---

long sysctl_tbuf_op(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_tbuf_op *a = arg;
    struct cpumask mask;
    mfn_t frame;
    (void)cur;
    switch (a->cmd) {
    case XEN_SYSCTL_TBUFOP_get_info:
        trace_info(&frame, &a->size, &a->evt_mask);
        a->buffer_mfn = frame.v;
        return 0;
    case XEN_SYSCTL_TBUFOP_set_cpu_mask:
        if (bitmap_copy_in(&mask, &a->cpu_mask))
            return -EFAULT;
        trace_set_cpus(&mask);
        return 0;
    case XEN_SYSCTL_TBUFOP_set_evt_mask:
        trace_set_events(a->evt_mask);
        return 0;
    case XEN_SYSCTL_TBUFOP_set_size:
        return trace_set_size(a->size);
    case XEN_SYSCTL_TBUFOP_enable:
    case XEN_SYSCTL_TBUFOP_disable:
        return trace_enable(a->cmd == XEN_SYSCTL_TBUFOP_enable);
    default:
        return -EINVAL;
    }
}

// --- power ---

// `value` by idle state; the guest has room for `room` of them.
static long cstates_out(guest_ptr to, u32 room, const u64 *value)
{
    return guest_ptr_null(to) ? 0
                              : guest_copy_out(to, value, MIN(room, (u32)CSTATES) * sizeof(*value));
}

static long cxstat(u32 cpu, struct pm_cx_stat *a)
{
    u64 times, idle = sched_idle_ns(cpu, &times), now = time_now();
    u64 count[CSTATES] = {times, times}, residency[CSTATES] = {now - MIN(now, idle), idle};
    long rc = cstates_out(GUEST_HANDLE(a->triggers), a->nr, count);
    if (rc == 0)
        rc = cstates_out(GUEST_HANDLE(a->residencies), a->nr, residency);
    a->nr = CSTATES;
    a->last = 1;
    a->idle_time = idle;
    a->nr_pc = a->nr_cc = 0;
    return rc;
}

long sysctl_get_pmstat(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_get_pmstat *a = arg;
    (void)cur;
    if (a->cpuid >= cpu_count)
        return -EINVAL;
    switch (a->type) {
    case PMSTAT_get_max_cx:
        a->u.getcx.nr = CSTATES;
        return 0;
    case PMSTAT_get_cxstat:
        return cxstat((u32)guest_index(a->cpuid, cpu_count), &a->u.getcx);
    case PMSTAT_reset_cxstat:
        return -EOPNOTSUPP;
    default:
        return (a->type & PMSTAT_CATEGORY_MASK) == PMSTAT_PX ? -ENODEV : -ENOSYS;
    }
}

// cpuid 0: the state, 1: the sub-state.
static long set_max_cstate(const struct xen_sysctl_pm_op *a)
{
    if (a->cpuid > 1)
        return -EINVAL;
    return a->cpuid == 1 || a->u.set_max_cstate ? 0 : -EOPNOTSUPP; // no C1 would be a busy loop
}

long sysctl_pm_op(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_pm_op *a = arg;
    (void)cur;
    if (a->cpuid >= cpu_count && a->cmd != XEN_SYSCTL_pm_op_get_max_cstate &&
        a->cmd != XEN_SYSCTL_pm_op_set_max_cstate)
        return -EINVAL;
    if ((a->cmd & PM_PARA_CATEGORY_MASK) == CPUFREQ_PARA)
        return -EINVAL; // as on a CPU without a frequency driver
    switch (a->cmd) {
    case XEN_SYSCTL_pm_op_set_sched_opt_smt:
        return -EOPNOTSUPP;
    case XEN_SYSCTL_pm_op_get_max_cstate:
        if (a->cpuid > 1)
            return -EINVAL;
        a->u.get_max_cstate = a->cpuid == 0 ? CSTATES - 1 : XEN_SYSCTL_CX_UNLIMITED;
        return 0;
    case XEN_SYSCTL_pm_op_set_max_cstate:
        return set_max_cstate(a);
    case XEN_SYSCTL_pm_op_enable_turbo:
    case XEN_SYSCTL_pm_op_disable_turbo:
        return -EACCES;
    default:
        return -ENOSYS;
    }
}

// CPUs stay as they were at boot.
long sysctl_cpu_hotplug(struct vcpu *cur, void *arg)
{
    const struct xen_sysctl_cpu_hotplug *a = arg;
    (void)cur;
    if (a->op > XEN_SYSCTL_CPU_HOTPLUG_OFFLINE)
        return -EOPNOTSUPP;
    if (a->cpu >= cpu_count)
        return -EINVAL;
    if (a->op == XEN_SYSCTL_CPU_HOTPLUG_ONLINE)
        return -EEXIST;
    return a->cpu == 0 ? -EINVAL : -EOPNOTSUPP;
}
