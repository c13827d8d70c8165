// SPDX-License-Identifier: MIT
// HYPERVISOR_domctl: dispatch, and the operations on whole domains. Source: <xen/domctl.h>.
#include "hc/domctl.h"
#include "abi/errno.h"
#include "boot/globals.h"
#include "cpu/time.h"
#include "hc/memory.h"
#include "hc/table.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "sched/sched.h"

enum { CDF_KNOWN = XEN_DOMCTL_CDF_xs_domain, TSC_MODE_DEFAULT = 0, TSC_MODE_NATIVE = 2 };

static void wait_still(const struct domain *d)
{
    while (!domain_still(d)) // its CPU has been told; nothing that it may wait for is held here
        spin_wait();
}

void domctl_hold_still(struct domain *d)
{
    domain_pause(d);
    wait_still(d);
}

// --- life ---

long domctl_refuse(u32 domain, const char *what, u64 value, u64 from, u64 to, long rc)
{
    printk(LOG_WARN, "domain %u: %s %lu is not in %lu to %lu (error %ld)", domain, what, value,
           from, to, rc);
    return rc;
}

static long check_grants(u32 id, const struct xen_domctl_createdomain *c)
{
    u32 version = XEN_DOMCTL_GRANT_version(c->grant_opts), most = options.gnttab_max_version;
    if (c->grant_opts != version || version < 1 || version > most)
        return domctl_refuse(id, "grant version", c->grant_opts, 1, most, -EINVAL);
    most = options.gnttab_max_frames;
    if (c->max_grant_frames == 0 || c->max_grant_frames > (s64)most)
        return domctl_refuse(id, "number of grant frames", (u32)c->max_grant_frames, 1, most,
                             -EINVAL);
    most = options.gnttab_max_maptrack_frames;
    if (c->max_maptrack_frames > (s64)most)
        return domctl_refuse(id, "number of maptrack frames", (u32)c->max_maptrack_frames, 0, most,
                             -EINVAL);
    return 0;
}

static long check_config(u32 id, const struct xen_domctl_createdomain *c)
{
    u32 emulated = c->arch.emulation_flags;
    if (c->flags & XEN_DOMCTL_CDF_hvm) {
        printk(LOG_WARN, "domain %u is not created: HVM guests are not supported (error %d)", id,
               -EINVAL);
        return -EINVAL;
    }
    if (c->flags & ~(u32)CDF_KNOWN)
        return domctl_refuse(id, "flags word", c->flags, 0, CDF_KNOWN, -EINVAL);
    if (c->iommu_opts)
        return domctl_refuse(id, "IOMMU options word", c->iommu_opts, 0, 0, -EINVAL);
    if (c->vmtrace_size)
        return domctl_refuse(id, "trace size", c->vmtrace_size, 0, 0, -EINVAL);
    if (c->max_vcpus == 0 || c->max_vcpus > VCPUS_MAX)
        return domctl_refuse(id, "number of vCPUs", c->max_vcpus, 1, VCPUS_MAX, -EINVAL);
    if (emulated)
        return domctl_refuse(id, "emulated devices word", emulated, 0, 0,
                             emulated & ~(u32)XEN_X86_EMU_ALL & ~XEN_X86_EMU_PIT ? -EINVAL
                                                                                 : -EOPNOTSUPP);
    if (c->arch.misc_flags & ~XEN_X86_MSR_RELAXED)
        return domctl_refuse(id, "architecture flags word", c->arch.misc_flags, 0,
                             XEN_X86_MSR_RELAXED, -EINVAL);
    return check_grants(id, c);
}

// xen ABI: domctl.h, "< 0 means use the default maximum value in the hypervisor".
static u32 limit_or(s32 asked, u32 usual)
{
    return asked < 0 ? usual : (u32)asked;
}

static long create(struct vcpu *cur, struct domain *none, struct xen_domctl *op)
{
    static bool under_way;
    const struct xen_domctl_createdomain *a = &op->u.createdomain;
    struct domain_config c = {
        .flags = a->flags,
        .ssidref = a->ssidref,
        .vcpus = a->max_vcpus,
        .pool = a->cpupool_id,
        .evtchn_max = MIN(a->max_evtchn_port, (u32)INT32_MAX),
        .grant_frames = limit_or(a->max_grant_frames, options.gnttab_max_frames),
        .maptrack_frames = limit_or(a->max_maptrack_frames, options.gnttab_max_maptrack_frames),
    };
    struct domain *d;
    long rc = check_config(op->domain, a);
    if (rc)
        return rc;
    if (__atomic_exchange_n(&under_way, true, __ATOMIC_ACQUIRE))
        return -ERESTART_HC;
    memcpy(c.handle, a->handle, sizeof(c.handle));
    bool any = op->domain == 0 || op->domain >= DOMID_FIRST_RESERVED;
    rc = domain_create(&c, DOM_ID(op->domain), any, &d);
    __atomic_store_n(&under_way, false, __ATOMIC_RELEASE);
    if (rc == 0)
        op->domain = d->id.v;
    else
        printk(LOG_WARN, "domain %u is not created: CPU pool %u, %lu KiB free (error %ld)",
               op->domain, a->cpupool_id, frames_free_count() * 4, rc);
    return rc;
}

static long destroy(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    return domain_destroy(d);
}

static long pause(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    long rc = domain_ctl_pause(d);
    if (rc == 0)
        wait_still(d);
    return rc;
}

static long unpause(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    domain_update_wallclock(d); // the builder may have wiped the page since
    return domain_ctl_unpause(d);
}

static long resume(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    int rc = domain_resume(d);
    return rc == -EINVAL && d->state == DOMAIN_RUNNING ? 0 : rc;
}

// --- what a domain is ---

static u32 info_flags(struct domain *d)
{
    u32 flags = d->state == DOMAIN_DYING ? XEN_DOMINF_dying : 0;
    flags |= READ_ONCE(d->shut_down) ? XEN_DOMINF_shutdown : 0;
    flags |= d->ctl_pauses ? XEN_DOMINF_paused : 0;
    flags |= d->debugged ? XEN_DOMINF_debugged : 0;
    flags |= d->flags & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0;
    return flags | (d->shutdown_reason & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
}

void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    struct vcpu *v;
    bool blocked = true, running = false;
    const void *shared = d->shared;
    *info = (struct xen_domctl_getdomaininfo){
        .domain = d->id.v,
        .flags = info_flags(d),
        .tot_pages = memory_reserved(d),
        .max_pages = MIN(d->frames_max, (u64)UINT32_MAX), // the tools take more for a number
        .outstanding_pages = d->claimed,
        .shared_info_frame = shared ? virt_mfn(shared).v : ~(u64)0,
        .max_vcpu_id = XEN_INVALID_MAX_VCPU_ID,
        .ssidref = d->ssidref,
        .gpaddr_bits = 64,
    };
    info->cpupool = d->pool->id;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    for_each_vcpu (d, v) {
        struct vcpu_runstate_info r;
        sched_runstate(v, &r);
        info->max_vcpu_id = v->id.v;
        info->cpu_time += r.time[RUNSTATE_running];
        if (READ_ONCE(v->flags) & VCPU_DOWN)
            continue;
        info->nr_online_vcpus++;
        blocked &= (READ_ONCE(v->flags) & VCPU_BLOCKED) != 0;
        running |= READ_ONCE(v->running);
    }
    info->flags |= blocked ? XEN_DOMINF_blocked : 0;
    info->flags |= running ? XEN_DOMINF_running : 0;
}

// Tells about the first domain whose number is not below the one asked for.
static long getdomaininfo(struct vcpu *cur, struct domain *none, struct xen_domctl *op)
{
    struct domain *d = op->domain == DOMID_SELF ? domain_get(DOM_ID(DOMID_SELF), cur->dom)
                                                : domain_get_from(op->domain);
    if (!d)
        return -ESRCH;
    domain_info(d, &op->u.getdomaininfo);
    op->domain = d->id.v;
    domain_put(d);
    return 0;
}

static long setdomainhandle(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
    return 0;
}

static long setdebugging(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    d->debugged = op->u.setdebugging.enable;
    return 0;
}

// The domain's port that hears of its suspends, instead of VIRQ_DOM_EXC's.
static long subscribe(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    WRITE_ONCE(d->suspend_port, op->u.subscribe.port);
    return 0;
}

static long set_virq_handler(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    u32 virq = op->u.set_virq_handler.virq;
    if (virq >= NR_VIRQS || !evtchn_virq_is_global(virq))
        return -EINVAL;
    domain_set_virq_handler(d, virq);
    return 0;
}

// --- time, width, nodes ---

static long settimeoffset(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    d->time_offset = op->u.settimeoffset.time_offset_seconds;
    domain_update_wallclock(d);
    return 0;
}

// The guests' TSC is the machine's, whatever the mode: it is stable, or Wirt says so at boot.
static long gettscinfo(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    op->u.tsc_info = (struct xen_domctl_tsc_info){
        .tsc_mode = d->tsc_mode,
        .gtsc_khz = (u32)time_tsc_khz(),
        .elapsed_nsec = d->tsc_mode == TSC_MODE_NATIVE ? 0 : time_now(),
    };
    return 0;
}

static long settscinfo(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    u32 mode = op->u.tsc_info.tsc_mode;
    if (mode > TSC_MODE_NATIVE)
        return domctl_refuse(d->id.v, "TSC mode", mode, 0, TSC_MODE_NATIVE, -EINVAL);
    if (mode != TSC_MODE_DEFAULT && mode != TSC_MODE_NATIVE) // reading the TSC is not emulated
        return domctl_refuse(d->id.v, "TSC mode", mode, TSC_MODE_DEFAULT, TSC_MODE_DEFAULT,
                             -EOPNOTSUPP);
    d->tsc_mode = (u8)mode;
    return 0;
}

static long set_address_size(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    u32 size = op->u.address_size.size;
    // 32-bit guests come later.
    return size == 64 ? 0 : domctl_refuse(d->id.v, "address size", size, 64, 64, -EINVAL);
}

static long get_address_size(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    op->u.address_size.size = 64;
    return 0;
}

static long set_target(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    struct domain *target = domain_get(DOM_ID(op->u.set_target.target), NULL);
    if (!target)
        return -ESRCH;
    bool self = target == d;
    domain_put(target);
    return self ? -EINVAL : -EOPNOTSUPP; // that is for device models of HVM guests
}

// --- dispatch ---

// clang-format off
#define OP(op, flags, fn, test) {DOC("XEN_DOMCTL_" #op), XEN_DOMCTL_##op, flags, fn, DOC(test)}

static const struct hc_domctl_op ops[] = {
    OP(createdomain, DOMCTL_OUT | DOMCTL_NO_DOMAIN, create, "domctl_create"),
    OP(destroydomain, DOMCTL_IN, destroy, "domu_run"),
    OP(pausedomain, DOMCTL_OTHER, pause, "domctl_create"),
    OP(unpausedomain, DOMCTL_OTHER, unpause, "domctl_create"),
    OP(resumedomain, DOMCTL_OTHER, resume, "domu_shutdown"),
    OP(getdomaininfo, DOMCTL_OUT | DOMCTL_NO_DOMAIN, getdomaininfo, "domctl_info"),
    OP(setvcpuaffinity, DOMCTL_OUT, domctl_setvcpuaffinity, "domctl_vcpus"),
    OP(getvcpuaffinity, DOMCTL_OUT, domctl_getvcpuaffinity, "domctl_vcpus"),
    OP(max_mem, DOMCTL_IN, domctl_max_mem, "domctl_memory"),
    OP(setvcpucontext, DOMCTL_OTHER, domctl_setvcpucontext, "domctl_context"),
    OP(getvcpucontext, DOMCTL_OUT | DOMCTL_OTHER, domctl_getvcpucontext, "domctl_context"),
    OP(getvcpuinfo, DOMCTL_OUT, domctl_getvcpuinfo, "domctl_info"),
    OP(max_vcpus, DOMCTL_OTHER | DOMCTL_ALIVE, domctl_max_vcpus, "domctl_vcpus"),
    OP(scheduler_op, DOMCTL_OUT, domctl_scheduler_op, "sched_params"),
    OP(setdomainhandle, DOMCTL_IN, setdomainhandle, "domctl_info"),
    OP(setdebugging, DOMCTL_OTHER, setdebugging, "domctl_info"),
    OP(hypercall_init, DOMCTL_IN, domctl_hypercall_init, "domctl_misc"),
    OP(settimeoffset, DOMCTL_IN, settimeoffset, "domctl_time"),
    OP(sendtrigger, DOMCTL_IN, domctl_sendtrigger, "domctl_misc"),
    OP(subscribe, DOMCTL_IN, subscribe, "domu_shutdown"),
    OP(set_address_size, DOMCTL_IN, set_address_size, "domctl_misc"),
    OP(get_address_size, DOMCTL_OUT, get_address_size, "domctl_misc"),
    OP(set_ext_vcpucontext, DOMCTL_OTHER, domctl_set_ext_vcpucontext, "domctl_misc"),
    OP(get_ext_vcpucontext, DOMCTL_OUT | DOMCTL_OTHER, domctl_get_ext_vcpucontext, "domctl_misc"),
    OP(setvcpuextstate, DOMCTL_OTHER, domctl_setvcpuextstate, "domctl_misc"),
    OP(getvcpuextstate, DOMCTL_OUT | DOMCTL_OTHER, domctl_getvcpuextstate, "domctl_misc"),
    OP(set_vcpu_msrs, DOMCTL_OTHER, domctl_set_vcpu_msrs, "domctl_misc"),
    OP(get_vcpu_msrs, DOMCTL_OUT | DOMCTL_OTHER, domctl_get_vcpu_msrs, "domctl_misc"),
    OP(set_target, DOMCTL_IN, set_target, "domctl_misc"),
    OP(gettscinfo, DOMCTL_OUT | DOMCTL_OTHER, gettscinfo, "domctl_time"),
    OP(settscinfo, DOMCTL_OTHER, settscinfo, "domctl_time"),
    OP(getpageframeinfo3, DOMCTL_OUT, domctl_getpageframeinfo3, "domctl_pageframes"),
    OP(irq_permission, DOMCTL_IN, domctl_irq_permission, "domctl_permissions"),
    OP(iomem_permission, DOMCTL_IN, domctl_iomem_permission, "domctl_permissions"),
    OP(ioport_permission, DOMCTL_IN, domctl_ioport_permission, "domctl_permissions"),
    OP(setnodeaffinity, DOMCTL_IN, domctl_setnodeaffinity, "domctl_vcpus"),
    OP(getnodeaffinity, DOMCTL_OUT, domctl_getnodeaffinity, "domctl_vcpus"),
    OP(set_virq_handler, DOMCTL_ALIVE, set_virq_handler, "domctl_misc"),
    OP(get_cpu_policy, DOMCTL_OUT, domctl_get_cpu_policy, "domctl_policy"),
    OP(set_cpu_policy, DOMCTL_REPORT | DOMCTL_OTHER, domctl_set_cpu_policy, "domctl_policy"),
};
// clang-format on

static const struct hc_domctl_op *find(u32 cmd)
{
    for (u32 i = 0; i < ARRAY_SIZE(ops); i++)
        if (ops[i].cmd == cmd)
            return &ops[i];
    return NULL;
}

static long call(struct vcpu *cur, const struct hc_domctl_op *row, struct xen_domctl *op)
{
    if (row->flags & DOMCTL_NO_DOMAIN)
        return row->handler(cur, NULL, op);
    struct domain *d = domain_get(DOM_ID(op->domain), NULL);
    if (!d)
        return -ESRCH;
    long rc = -ERESTART_HC;
    if (!__atomic_exchange_n(&d->busy, true, __ATOMIC_ACQUIRE)) {
        bool refused = (row->flags & DOMCTL_OTHER && d == cur->dom) ||
                       (row->flags & DOMCTL_ALIVE && d->state == DOMAIN_DYING);
        rc = refused ? -EINVAL : row->handler(cur, d, op);
        __atomic_store_n(&d->busy, false, __ATOMIC_RELEASE);
    }
    domain_put(d);
    return rc;
}

long hc_domctl(struct vcpu *cur, u64 arg, u64 a1, u64 a2, u64 a3, u64 a4)
{
    struct xen_domctl op;
    if (!cur->dom->privileged)
        return -EPERM;
    if (guest_copy_in(&op, GUEST_PTR(arg), sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    const struct hc_domctl_op *row = find(op.cmd);
    if (!row)
        return -ENOSYS;
    long rc = call(cur, row, &op);
    bool out = rc == 0 ? row->flags & DOMCTL_OUT : row->flags & DOMCTL_REPORT;
    if (out && guest_copy_out(GUEST_PTR(arg), &op, sizeof(op)))
        return -EFAULT;
    return rc;
}
