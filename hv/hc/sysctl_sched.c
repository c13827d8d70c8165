// SPDX-License-Identifier: MIT
// sysctl: scheduler, CPU pools, trace buffers, and what there is of power
// management.
//
// The tools know BVT as Credit2, whose knobs (weight, cap, rate limit) it has
// (docs/scheduling.md). CPUs have two idle states, C0 and C1 (hlt), and one speed.
#include "cpu/time.h"
#include "lib/printk.h"
#include "hc/bitmap.h"
#include "hc/sysctl.h"
#include "sched/pool.h"
#include "sched/sched.h"
#include "sched/trace.h"

enum { CSTATES = 2, NS_PER_US = 1000, NS_PER_MS = 1000000 };

// Pool 0's.
long sysctl_sched_id(struct vcpu *cur, void *arg)
{
    struct sched_pool p;
    if (pool_info(0, &p))
        ((struct xen_sysctl_sched_id *)arg)->sched_id = p.policy->id;
    return 0;
}

// --- pools ---

static long cpupool_info(struct xen_sysctl_cpupool_op *a)
{
    struct sched_pool p;
    if (!pool_info(a->cpupool_id, &p))
        return -ENOENT;
    a->cpupool_id = p.id;
    a->sched_id = p.policy->id;
    a->n_dom = p.domains;
    return bitmap_copy_out(&a->cpumap, &p.cpus);
}

static long cpupool_move(struct vcpu *cur, const struct xen_sysctl_cpupool_op *a)
{
    struct domain *d = a->domid > UINT16_MAX ? NULL : domain_get(DOM_ID((u16)a->domid), cur->dom);
    if (!d)
        return -ESRCH;
    long rc = d == cur->dom ? -EPERM : pool_move(d, a->cpupool_id);
    domain_put(d);
    return rc;
}

static long cpupool_op(struct vcpu *cur, struct xen_sysctl_cpupool_op *a)
{
    struct cpumask free;
    switch (a->op) {
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return pool_create(&a->cpupool_id, a->sched_id);
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return pool_destroy(a->cpupool_id);
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return cpupool_info(a);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        return pool_add_cpu(a->cpupool_id, a->cpu);
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return pool_remove_cpu(a->cpupool_id, a->cpu);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return cpupool_move(cur, a);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        free = pool_free_cpus();
        return bitmap_copy_out(&a->cpumap, &free);
    default:
        return -ENOSYS;
    }
}

// The tools find out which pools there are by asking for the next until there is none.
long sysctl_cpupool_op(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_cpupool_op *a = arg;
    struct sched_pool p;
    long rc = cpupool_op(cur, a);
    if (rc == 0 || a->op == XEN_SYSCTL_CPUPOOL_OP_INFO)
        return rc;
    if (!pool_info(a->cpupool_id, &p) || p.id != a->cpupool_id)
        p = (struct sched_pool){0};
    u32 about = a->op == XEN_SYSCTL_CPUPOOL_OP_CREATE       ? a->sched_id
                : a->op == XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN ? a->domid
                                                            : a->cpu;
    printk(LOG_WARN,
           "CPU pool %d: operation %u on %d is refused: it has CPUs %lx, %u domains (error %ld)",
           (int)a->cpupool_id, a->op, (int)about, p.cpus.w[0], p.domains, rc);
    return rc;
}

// --- the scheduler's own parameters ---

static bool ratelimit_ok(u32 us)
{
    return us == 0 ||
           (us >= XEN_SYSCTL_SCHED_RATELIMIT_MIN && us <= XEN_SYSCTL_SCHED_RATELIMIT_MAX);
}

// Credit has a slice besides the rate limit; how long a vCPU stays where its caches are is ours.
static long put_credit(const struct sched_pool *p, const struct xen_sysctl_credit_schedule *c)
{
    if (!ratelimit_ok(c->ratelimit_us) || c->tslice_ms < XEN_SYSCTL_CSCHED_TSLICE_MIN ||
        c->tslice_ms > XEN_SYSCTL_CSCHED_TSLICE_MAX ||
        c->ratelimit_us > (u64)c->tslice_ms * NS_PER_US)
        return -EINVAL;
    if (c->vcpu_migr_delay_us)
        return -EOPNOTSUPP;
    return pool_set_times(p->id, (u64)c->tslice_ms * NS_PER_MS, (u64)c->ratelimit_us * NS_PER_US);
}

long sysctl_scheduler_op(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_scheduler_op *a = arg;
    struct sched_pool p;
    if (!pool_info(a->cpupool_id, &p) || p.id != a->cpupool_id)
        return -ESRCH;
    if (a->sched_id != p.policy->id || !p.policy->shares ||
        (a->cmd != XEN_SYSCTL_SCHEDOP_getinfo && a->cmd != XEN_SYSCTL_SCHEDOP_putinfo))
        return -EINVAL;
    bool get = a->cmd == XEN_SYSCTL_SCHEDOP_getinfo;
    u32 limit = (u32)(p.allowance / NS_PER_US);
    if (p.policy == &sched_credit) {
        if (!get)
            return put_credit(&p, &a->u.sched_credit);
        a->u.sched_credit = (struct xen_sysctl_credit_schedule){
            .tslice_ms = (u32)(p.slice / NS_PER_MS), .ratelimit_us = limit};
        return 0;
    }
    if (get)
        a->u.sched_credit2.ratelimit_us = limit;
    else if (!ratelimit_ok(a->u.sched_credit2.ratelimit_us))
        return -EINVAL;
    else
        return pool_set_times(p.id, p.slice, (u64)a->u.sched_credit2.ratelimit_us * NS_PER_US);
    return 0;
}

// --- trace buffers ---

long sysctl_tbuf_op(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_tbuf_op *a = arg;
    struct cpumask mask;
    mfn_t frame;
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

long hc_use_cpu(u32 cpu, bool use)
{
    long rc = use ? cpu_online(cpu) : cpu_offline(cpu);
    if (rc == 0)
        domain_send_virq(VIRQ_PCPU_STATE);
    return rc;
}

long sysctl_cpu_hotplug(struct vcpu *cur, void *arg)
{
    const struct xen_sysctl_cpu_hotplug *a = arg;
    if (a->op > XEN_SYSCTL_CPU_HOTPLUG_OFFLINE)
        return -EOPNOTSUPP;
    return hc_use_cpu(a->cpu, a->op == XEN_SYSCTL_CPU_HOTPLUG_ONLINE);
}
