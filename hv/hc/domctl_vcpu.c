// SPDX-License-Identifier: MIT
// The domctls about vCPUs: contexts, affinity, information. Source: <xen/domctl.h>.
#include "abi/errno.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "hc/domctl.h"
#include "hc/bitmap.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "sched/sched.h"

long domctl_max_vcpus(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    u32 max = op->u.max_vcpus.max;
    if (max != d->vcpu_count)
        return domctl_refuse(d->id.v, "number of vCPUs", max, d->vcpu_count, d->vcpu_count,
                             -EINVAL);
    for (u32 i = 0; i < max; i++)
        if (!d->vcpu[i] && !vcpu_create(d, i)) {
            printk(LOG_WARN, "domain %u: no memory for vCPU %u of %u, %lu KiB free (error %d)",
                   d->id.v, i, max, frames_free_count() * 4, -ENOMEM);
            return -ENOMEM;
        }
    return 0;
}

// --- contexts ---

static long set_context(struct domain *d, struct vcpu *v, const struct vcpu_guest_context *c)
{
    spin_lock(&d->lock);
    long rc = d->state == DOMAIN_DYING ? -EINVAL : pv_set_context(v, c);
    spin_unlock(&d->lock);
    if (rc)
        return rc;
    if (c->flags & VGCF_online)
        sched_clear(v, VCPU_DOWN);
    else
        sched_set(v, VCPU_DOWN);
    return 0;
}

long domctl_setvcpucontext(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpucontext *a = &op->u.vcpucontext;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    if (!v)
        return -EINVAL;
    if (guest_ptr_null(GUEST_HANDLE(a->ctxt)))
        return -EOPNOTSUPP;
    struct vcpu_guest_context *c = heap_new(struct vcpu_guest_context);
    if (!c)
        return -ENOMEM;
    long rc = guest_copy_in(c, GUEST_HANDLE(a->ctxt), sizeof(*c));
    if (rc == 0) {
        domctl_hold_still(d);
        rc = set_context(d, v, c);
        domain_unpause(d);
        if (rc)
            printk(LOG_WARN, "domain %u: context of vCPU %u: rip %lx, cr3 %lx (error %ld)", d->id.v,
                   a->vcpu, c->user_regs.rip, c->ctrlreg[3], rc);
    }
    heap_free(c);
    return rc;
}

long domctl_getvcpucontext(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpucontext *a = &op->u.vcpucontext;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    if (!v)
        return -EINVAL;
    if (!v->pv.initialised)
        return -ENODATA;
    struct vcpu_guest_context *c = heap_new(struct vcpu_guest_context);
    if (!c)
        return -ENOMEM;
    domctl_hold_still(d);
    pv_get_context(v, c);
    domain_unpause(d);
    long rc = guest_copy_out(GUEST_HANDLE(a->ctxt), c, sizeof(*c));
    heap_free(c);
    return rc;
}

long domctl_set_ext_vcpucontext(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_ext_vcpucontext *a = &op->u.ext_vcpucontext;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    if (!v)
        return -ESRCH;
    if (a->size < offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap) ||
        !is_canonical(a->syscall32_callback_eip) || !is_canonical(a->sysenter_callback_eip))
        return -EINVAL;
    v->pv.syscall32 = (struct pv_callback){a->syscall32_callback_eip, a->syscall32_disables_events};
    v->pv.sysenter = (struct pv_callback){a->sysenter_callback_eip, a->sysenter_disables_events};
    return 0;
}

long domctl_get_ext_vcpucontext(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_ext_vcpucontext *a = &op->u.ext_vcpucontext;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    if (!v)
        return -ESRCH;
    *a = (struct xen_domctl_ext_vcpucontext){
        .vcpu = v->id.v,
        .size = sizeof(*a),
        .syscall32_callback_eip = v->pv.syscall32.address,
        .sysenter_callback_eip = v->pv.sysenter.address,
        .syscall32_disables_events = v->pv.syscall32.mask_events,
        .sysenter_disables_events = v->pv.sysenter.mask_events,
    };
    return 0;
}

// The extended state is XCR0, as it is and as it ever was, and the XSAVE area.
struct ext_state {
    u64 xcr0, xcr0_accum;
};

static u64 ext_state_size(void)
{
    return cpu_features.xsave ? sizeof(struct ext_state) + cpu_features.xsave_size : 0;
}

long domctl_getvcpuextstate(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuextstate *a = &op->u.vcpuextstate;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    u64 size = ext_state_size();
    if (!v)
        return -ESRCH;
    if (a->size == 0 || size == 0) {
        a->size = size;
        a->xfeature_mask = cpu_features.xcr0_mask;
        return 0;
    }
    if (a->size != size || a->xfeature_mask != cpu_features.xcr0_mask)
        return -EINVAL;
    struct ext_state head = {v->pv.xcr0, cpu_features.xcr0_mask};
    domctl_hold_still(d);
    long rc = guest_copy_out(GUEST_HANDLE(a->buffer), &head, sizeof(head));
    if (rc == 0)
        rc = guest_copy_out(guest_ptr_add(GUEST_HANDLE(a->buffer), sizeof(head)), v->pv.fpu,
                            cpu_features.xsave_size);
    domain_unpause(d);
    return rc;
}

long domctl_setvcpuextstate(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuextstate *a = &op->u.vcpuextstate;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    struct ext_state head;
    if (!v)
        return -ESRCH;
    if (a->size == 0 || a->size != ext_state_size())
        return -EINVAL;
    u8 *area = heap_alloc(cpu_features.xsave_size);
    if (!area)
        return -ENOMEM;
    long rc = guest_copy_in(&head, GUEST_HANDLE(a->buffer), sizeof(head));
    if (rc == 0)
        rc = guest_copy_in(area, guest_ptr_add(GUEST_HANDLE(a->buffer), sizeof(head)),
                           cpu_features.xsave_size);
    if (rc == 0) {
        domctl_hold_still(d);
        rc = pv_set_xsave(v, head.xcr0, area);
        domain_unpause(d);
    }
    heap_free(area);
    return rc;
}

// PV guests have no MSRs of their own that outlive a move.
long domctl_get_vcpu_msrs(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    if (!domain_vcpu(d, op->u.vcpu_msrs.vcpu))
        return -ESRCH;
    op->u.vcpu_msrs.msr_count = 0;
    return 0;
}

long domctl_set_vcpu_msrs(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    if (!domain_vcpu(d, op->u.vcpu_msrs.vcpu))
        return -ESRCH;
    return op->u.vcpu_msrs.msr_count ? -EINVAL : 0;
}

// --- what it does ---

long domctl_getvcpuinfo(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getvcpuinfo *a = &op->u.getvcpuinfo;
    struct vcpu *v = domain_vcpu(d, a->vcpu);
    struct vcpu_runstate_info r;
    if (!v)
        return a->vcpu < d->vcpu_count ? -ESRCH : -EINVAL;
    sched_runstate(v, &r);
    a->online = !(READ_ONCE(v->flags) & VCPU_DOWN);
    a->blocked = (READ_ONCE(v->flags) & VCPU_BLOCKED) != 0;
    a->running = READ_ONCE(v->running);
    a->cpu_time = r.time[RUNSTATE_running];
    a->cpu = READ_ONCE(v->cpu);
    return 0;
}

long domctl_sendtrigger(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    if (op->u.sendtrigger.trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
        return -ENOSYS; // the others are for HVM guests
    struct vcpu *v = domain_vcpu(d, op->u.sendtrigger.vcpu);
    if (!v)
        return -ESRCH;
    v->pv.nmi_pending = true;
    vcpu_notify_events(v);
    return 0;
}

// --- affinity ---

static long affinity_target(struct domain *d, const struct xen_domctl_vcpuaffinity *a,
                            struct vcpu **v)
{
    *v = domain_vcpu(d, a->vcpu);
    if (!*v)
        return a->vcpu < d->vcpu_count ? -ESRCH : -EINVAL;
    return a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT) ? 0 : -EINVAL;
}

static long write_affinity(const struct xen_domctl_vcpuaffinity *a, const struct cpumask *hard,
                           const struct cpumask *soft)
{
    long rc = 0;
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = bitmap_copy_out(&a->cpumap_hard, hard);
    if (rc == 0 && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = bitmap_copy_out(&a->cpumap_soft, soft);
    return rc;
}

// What was set is answered as what comes of it.
long domctl_setvcpuaffinity(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v;
    long rc = affinity_target(d, a, &v);
    if (rc)
        return rc;
    struct cpumask hard = v->hard, soft = v->soft;
    if (a->flags & XEN_VCPUAFFINITY_HARD)
        rc = bitmap_copy_in(&hard, &a->cpumap_hard);
    if (rc == 0 && a->flags & XEN_VCPUAFFINITY_SOFT)
        rc = bitmap_copy_in(&soft, &a->cpumap_soft);
    if (rc == 0)
        rc = sched_set_affinity(v, &hard, &soft);
    if (rc)
        printk(LOG_WARN, "domain %u: affinity %lx of vCPU %u, its CPU pool %u has %lx (error %ld)",
               d->id.v, hard.w[0], a->vcpu, d->pool->id, d->pool->cpus.w[0], rc);
    hard = cpumask_and(&hard, &d->pool->cpus);
    soft = cpumask_and(&soft, &hard);
    return rc ? rc : write_affinity(a, &hard, &soft);
}

long domctl_getvcpuaffinity(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v;
    long rc = affinity_target(d, a, &v);
    return rc ? rc : write_affinity(a, &v->hard, &v->soft);
}
