// SPDX-License-Identifier: MIT
// vcpu_op. xen ABI: vcpu.h.
#include "abi/xen.h"
#include <xen/sched.h>
#include <xen/vcpu.h>
#include "cpu/time.h"
#include "hc/table.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "sched/sched.h"

enum { PERIOD_MIN_NS = 1000000 }; // a periodic timer may not eat the machine

static long op_initialise(struct vcpu *v, guest_ptr arg)
{
    struct vcpu_guest_context *c = heap_new(struct vcpu_guest_context);
    if (!c)
        return -ENOMEM;
    long rc = guest_copy_in(c, arg, sizeof(*c));
    if (rc == 0) {
        spin_lock(&v->dom->lock);
        rc = v->pv.initialised ? -EEXIST : 0;
        if (rc == 0)
            rc = pv_set_context(v, c);
        spin_unlock(&v->dom->lock);
    }
    heap_free(c);
    return rc;
}

static long op_up(struct vcpu *v)
{
    bool no_info = !v->info_registered && v->id.v >= XEN_LEGACY_MAX_VCPUS;
    if (!v->pv.initialised || no_info)
        return -EINVAL;
    sched_clear(v, VCPU_DOWN);
    return 0;
}

static long op_get_runstate(struct vcpu *v, guest_ptr arg)
{
    struct vcpu_runstate_info r;
    sched_runstate(v, &r);
    return guest_copy_out(arg, &r, sizeof(r));
}

static long op_runstate_area(struct vcpu *cur, struct vcpu *v, guest_ptr arg)
{
    struct vcpu_register_runstate_memory_area a;
    struct vcpu_runstate_info r;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    if (!guest_range_ok(a.addr.p, sizeof(r)))
        return -EFAULT;
    v->runstate_area = a.addr.p;
    if (v != cur)
        return 0;
    sched_runstate(v, &r);
    return guest_copy_out(GUEST_PTR(a.addr.p), &r, sizeof(r));
}

static long op_time_area(struct vcpu *cur, struct vcpu *v, guest_ptr arg)
{
    struct vcpu_register_time_memory_area a;
    if (guest_copy_in(&a, arg, sizeof(a)) != 0)
        return -EFAULT;
    if (!guest_range_ok(a.addr.p, sizeof(struct vcpu_time_info)))
        return -EFAULT;
    v->time_area = a.addr.p;
    if (v == cur)
        vcpu_update_time(v);
    return 0;
}

// Domain lock: several may ask for the same vCPU.
static long move_info(struct vcpu *v, const struct vcpu_register_vcpu_info *r)
{
    mfn_t m;
    u8 *page = domain_map_guest_frame(v->dom, GFN(r->mfn), &m);
    if (!page)
        return -EINVAL;
    struct vcpu_info *info = (struct vcpu_info *)(void *)(page + r->offset);
    memcpy(info, v->info, sizeof(*info));
    if (v->id.v >= XEN_LEGACY_MAX_VCPUS)
        memset(info, 0, sizeof(*info)), info->evtchn_upcall_mask = 1;
    v->info = info;
    v->info_registered = true;
    vcpu_update_time(v);
    evtchn_vcpu_info_moved(v);
    return 0;
}

// Moves the vcpu_info into the guest's own page, once. Only by the vCPU itself or before it runs.
static long op_vcpu_info(struct vcpu *cur, struct vcpu *v, guest_ptr arg)
{
    struct vcpu_register_vcpu_info r;
    if (guest_copy_in(&r, arg, sizeof(r)) != 0)
        return -EFAULT;
    if (r.offset > PAGE_SIZE - sizeof(struct vcpu_info))
        return -ENXIO;
    if (r.offset & 7)
        return -EINVAL;
    spin_lock(&v->dom->lock);
    bool bad = v->info_registered || (v != cur && !(READ_ONCE(v->flags) & VCPU_DOWN));
    long rc = bad ? -EINVAL : move_info(v, &r);
    spin_unlock(&v->dom->lock);
    return rc;
}

static long op_set_periodic(struct vcpu *v, guest_ptr arg)
{
    struct vcpu_set_periodic_timer t;
    if (guest_copy_in(&t, arg, sizeof(t)) != 0)
        return -EFAULT;
    if (t.period_ns < PERIOD_MIN_NS || t.period_ns > (u64)1 << 62)
        return -EINVAL;
    WRITE_ONCE(v->period, t.period_ns);
    timer_set(&v->periodic, time_now() + t.period_ns);
    return 0;
}

static long op_stop_periodic(struct vcpu *v)
{
    WRITE_ONCE(v->period, 0);
    timer_stop(&v->periodic);
    return 0;
}

static long op_set_singleshot(struct vcpu *cur, struct vcpu *v, guest_ptr arg)
{
    struct vcpu_set_singleshot_timer t;
    if (v != cur)
        return -EINVAL;
    if (guest_copy_in(&t, arg, sizeof(t)) != 0)
        return -EFAULT;
    if ((t.flags & VCPU_SSHOTTMR_future) && t.timeout_abs_ns < time_now())
        return -ETIME;
    timer_set(&v->singleshot, t.timeout_abs_ns);
    return 0;
}

static long op_down(struct vcpu *v)
{
    struct vcpu *other;
    bool last = true;
    spin_lock(&v->dom->lock);
    for_each_vcpu (v->dom, other)
        if (other != v && !(READ_ONCE(other->flags) & VCPU_DOWN))
            last = false;
    if (!last)
        sched_set(v, VCPU_DOWN);
    spin_unlock(&v->dom->lock);
    if (last)
        domain_shutdown(v->dom, SHUTDOWN_poweroff);
    return 0;
}

long hc_vcpu_op(struct vcpu *cur, u64 cmd, u64 id, u64 arg, u64 a3, u64 a4)
{
    struct domain *d = cur->dom;
    guest_ptr p = GUEST_PTR(arg);
    struct vcpu *v = domain_vcpu(d, (u32)id);
    if (!v)
        return -ENOENT;
    switch ((u32)cmd) {
    case VCPUOP_initialise:
        return op_initialise(v, p);
    case VCPUOP_up:
        return op_up(v);
    case VCPUOP_down:
        return op_down(v);
    case VCPUOP_is_up:
        return !(READ_ONCE(v->flags) & VCPU_DOWN);
    case VCPUOP_get_runstate_info:
        return op_get_runstate(v, p);
    case VCPUOP_register_runstate_memory_area:
        return op_runstate_area(cur, v, p);
    case VCPUOP_set_periodic_timer:
        return op_set_periodic(v, p);
    case VCPUOP_stop_periodic_timer:
        return op_stop_periodic(v);
    case VCPUOP_set_singleshot_timer:
        return op_set_singleshot(cur, v, p);
    case VCPUOP_stop_singleshot_timer:
        if (v != cur)
            return -EINVAL;
        timer_stop(&v->singleshot);
        return 0;
    case VCPUOP_register_vcpu_info:
        return op_vcpu_info(cur, v, p);
    case VCPUOP_register_vcpu_time_memory_area:
        return op_time_area(cur, v, p);
    case VCPUOP_send_nmi:
        v->pv.nmi_pending = true;
        vcpu_notify_events(v);
        return 0;
    default:
        return -ENOSYS;
    }
}
