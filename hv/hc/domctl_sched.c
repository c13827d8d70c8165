// SPDX-License-Identifier: MIT
// XEN_DOMCTL_scheduler_op: weights and caps as the tools know them, and what is BVT's own
// (abi/wirt.h). Refusals name the range on the console.
#include "abi/wirt.h"
#include "hc/domctl.h"
#include "sched/cap.h"
#include "sched/pool.h"
#include "sched/sched.h"

STATIC_ASSERT(sizeof(struct wirt_sched_vcpu) <= sizeof(((struct xen_domctl *)0)->u.pad) -
                                                    offsetof(struct xen_domctl_scheduler_op, u));

enum { NS_PER_US = 1000, MCU_UNIT = WIRT_MCU_ADVANCE_DEFAULT };

// Credit's and Credit2's parameters are the same, but for Credit's way not to change the cap.
static long put_share(struct domain *d, const struct xen_domctl_sched_credit2 *p, bool credit)
{
    u32 most = d->vcpu_count * 100;
    bool keep = credit && p->cap == UINT16_MAX;
    if (!keep && p->cap > most)
        return domctl_refuse(d->id.v, "cap", p->cap, 0, most, -EINVAL);
    if (p->weight) {
        WRITE_ONCE(d->share.weight, p->weight);
        WRITE_ONCE(d->share.advance, (u32)ADVANCE_MAX / p->weight);
    }
    if (!keep)
        cap_set(d, p->cap);
    return 0;
}

static long put_bvt(struct domain *d, const struct wirt_sched_bvt *p)
{
    struct sched_share *s = &d->share;
    const u64 times[] = {p->warp_us, p->warp_limit_us, p->unwarp_us};
    if (p->mcu_advance < 1 || p->mcu_advance > WIRT_MCU_ADVANCE_MAX)
        return domctl_refuse(d->id.v, "mcu advance", p->mcu_advance, 1, WIRT_MCU_ADVANCE_MAX,
                             -EINVAL);
    if (p->warpback > 1)
        return domctl_refuse(d->id.v, "warpback", p->warpback, 0, 1, -EINVAL);
    for (u32 i = 0; i < ARRAY_SIZE(times); i++)
        if (times[i] > WIRT_WARP_MAX_US)
            return domctl_refuse(d->id.v, "warp time", times[i], 0, WIRT_WARP_MAX_US, -EINVAL);
    WRITE_ONCE(s->advance, (p->mcu_advance << ADVANCE_SHIFT) / MCU_UNIT);
    WRITE_ONCE(s->weight, WIRT_MCU_ADVANCE_MAX / p->mcu_advance);
    WRITE_ONCE(s->warp, p->warp_us * NS_PER_US);
    WRITE_ONCE(s->warp_limit, p->warp_limit_us * NS_PER_US);
    WRITE_ONCE(s->unwarp, p->unwarp_us * NS_PER_US);
    WRITE_ONCE(s->warps, p->warpback);
    return 0;
}

static void get_bvt(const struct sched_share *s, struct wirt_sched_bvt *p)
{
    // Rounded: a weight of the tools' need not be a whole advance.
    u32 advance = (s->advance * MCU_UNIT + (1u << (ADVANCE_SHIFT - 1))) >> ADVANCE_SHIFT;
    *p = (struct wirt_sched_bvt){.mcu_advance = MAX(advance, 1u),
                                 .warpback = s->warps,
                                 .warp_us = s->warp / NS_PER_US,
                                 .warp_limit_us = s->warp_limit / NS_PER_US,
                                 .unwarp_us = s->unwarp / NS_PER_US};
}

static long get_vcpu(struct domain *d, struct wirt_sched_vcpu *p)
{
    struct vcpu *v = domain_vcpu(d, p->vcpu);
    struct vcpu_runstate_info r;
    struct sched_entity e;
    if (!v)
        return -EINVAL;
    sched_entity_of(v, &e);
    sched_runstate(v, &r);
    *p = (struct wirt_sched_vcpu){.vcpu = p->vcpu,
                                  .cpu = READ_ONCE(v->cpu),
                                  .warped = e.warped,
                                  .avt_ns = e.avt,
                                  .evt_ns = e.key,
                                  .svt_ns = READ_ONCE(d->pool->svt),
                                  .ran_ns = r.time[RUNSTATE_running]};
    return 0;
}

static long bvt_op(struct domain *d, u32 cmd, void *arg)
{
    if (d->pool->policy != &sched_bvt)
        return -EINVAL;
    switch (cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        get_bvt(&d->share, arg);
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return put_bvt(d, arg);
    case XEN_DOMCTL_SCHEDOP_getvcpuinfo:
        return get_vcpu(d, arg);
    default:
        return -EINVAL;
    }
}

long domctl_scheduler_op(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_scheduler_op *a = &op->u.scheduler_op;
    const struct sched_policy *policy = d->pool->policy;
    if (a->sched_id == WIRT_SCHEDULER_BVT)
        return bvt_op(d, a->cmd, WIRT_SCHED_ARGUMENT(op));
    if (a->sched_id != policy->id || !policy->shares)
        return domctl_refuse(d->id.v, "scheduler", a->sched_id, policy->id, policy->id, -EINVAL);
    switch (a->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        a->u.credit2 = (struct xen_domctl_sched_credit2){.weight = (u16)d->share.weight,
                                                         .cap = (u16)d->share.cap};
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return put_share(d, &a->u.credit2, policy == &sched_credit);
    default:
        return -EINVAL;
    }
}
