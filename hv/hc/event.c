// SPDX-License-Identifier: MIT
// The event channel hypercalls: from the ABI's structs to the state machine in dom/evtchn.c and
// back. Source: <xen/event_channel.h>.
#include "hc/op.h"
#include "hc/table.h"
#include "dom/domain.h"
#include "dom/evtchn.h"
#include "lib/printk.h"

static long bind_interdomain(struct vcpu *cur, void *arg)
{
    struct evtchn_bind_interdomain *a = arg;
    struct domain *rd = domain_get(DOM_ID(a->remote_dom), cur->dom);
    port_t port;
    if (!rd)
        return -ESRCH;
    long ret = evtchn_bind_interdomain(cur->dom, rd, PORT(a->remote_port), &port);
    if (!ret)
        a->local_port = port.v;
    domain_put(rd);
    return ret;
}

static long bind_virq(struct vcpu *cur, void *arg)
{
    struct evtchn_bind_virq *a = arg;
    port_t port;
    long ret = evtchn_bind_virq(cur->dom, a->virq, a->vcpu, &port);
    if (!ret)
        a->port = port.v;
    return ret;
}

static long bind_pirq(struct vcpu *cur, void *arg)
{
    struct evtchn_bind_pirq *a = arg;
    port_t port;
    long ret = evtchn_bind_pirq(cur->dom, a->pirq, a->flags, &port);
    if (!ret)
        a->port = port.v;
    return ret;
}

static long close_port(struct vcpu *cur, void *arg)
{
    struct evtchn_close *a = arg;
    return evtchn_close(cur->dom, PORT(a->port));
}

static long send(struct vcpu *cur, void *arg)
{
    struct evtchn_send *a = arg;
    return evtchn_send(cur->dom, PORT(a->port));
}

static void fill_status(struct evtchn_status *a, const struct evtchn_info *info)
{
    static const u8 status[] = {
        [EVTCHN_FREE] = EVTCHNSTAT_closed,     [EVTCHN_RESERVED] = EVTCHNSTAT_closed,
        [EVTCHN_UNBOUND] = EVTCHNSTAT_unbound, [EVTCHN_INTERDOMAIN] = EVTCHNSTAT_interdomain,
        [EVTCHN_PIRQ] = EVTCHNSTAT_pirq,       [EVTCHN_VIRQ] = EVTCHNSTAT_virq,
        [EVTCHN_IPI] = EVTCHNSTAT_ipi,
    };
    a->status = status[info->state];
    a->vcpu = info->vcpu;
    if (info->state == EVTCHN_UNBOUND)
        a->u.unbound.dom = info->dom.v;
    if (info->state == EVTCHN_INTERDOMAIN) {
        a->u.interdomain.dom = info->dom.v;
        a->u.interdomain.port = info->port.v;
    }
    if (info->state == EVTCHN_PIRQ)
        a->u.pirq = info->irq;
    if (info->state == EVTCHN_VIRQ)
        a->u.virq = info->irq;
}

static long status(struct vcpu *cur, void *arg)
{
    struct evtchn_status *a = arg;
    struct evtchn_info info;
    struct domain *d;
    long ret = hc_target(cur, a->dom, &d);
    if (ret)
        return ret;
    ret = evtchn_status(d, PORT(a->port), &info);
    if (!ret)
        fill_status(a, &info);
    domain_put(d);
    return ret;
}

static long alloc_unbound(struct vcpu *cur, void *arg)
{
    struct evtchn_alloc_unbound *a = arg;
    dom_id_t remote = a->remote_dom == DOMID_SELF ? cur->dom->id : DOM_ID(a->remote_dom);
    struct domain *d;
    port_t port;
    long ret = hc_target(cur, a->dom, &d);
    if (ret)
        return ret;
    ret = evtchn_alloc_unbound(d, remote, &port);
    if (!ret)
        a->port = port.v;
    else if (d != cur->dom)
        printk(LOG_WARN, "domain %u gets no port for domain %u: the highest is %u (error %ld)",
               d->id.v, remote.v, MIN(d->ev.port_max, d->ev.ops->port_end - 1), ret);
    domain_put(d);
    return ret;
}

static long bind_ipi(struct vcpu *cur, void *arg)
{
    struct evtchn_bind_ipi *a = arg;
    port_t port;
    long ret = evtchn_bind_ipi(cur->dom, a->vcpu, &port);
    if (!ret)
        a->port = port.v;
    return ret;
}

static long bind_vcpu(struct vcpu *cur, void *arg)
{
    struct evtchn_bind_vcpu *a = arg;
    return evtchn_bind_vcpu(cur->dom, PORT(a->port), a->vcpu);
}

static long unmask(struct vcpu *cur, void *arg)
{
    struct evtchn_unmask *a = arg;
    return evtchn_unmask(cur->dom, PORT(a->port));
}

static long reset(struct vcpu *cur, void *arg)
{
    struct evtchn_reset *a = arg;
    struct domain *d;
    long ret = hc_target(cur, a->dom, &d);
    if (ret)
        return ret;
    ret = evtchn_reset(d);
    if (!ret && d == cur->dom)
        evtchn_leave_fifo(d);
    domain_put(d);
    return ret;
}

static long init_control(struct vcpu *cur, void *arg)
{
    struct evtchn_init_control *a = arg;
    a->link_bits = EVTCHN_FIFO_LINK_BITS;
    return evtchn_init_control(cur->dom, a->vcpu, GFN(a->control_gfn), a->offset);
}

static long expand_array(struct vcpu *cur, void *arg)
{
    struct evtchn_expand_array *a = arg;
    return evtchn_expand_array(cur->dom, GFN(a->array_gfn));
}

static long set_priority(struct vcpu *cur, void *arg)
{
    struct evtchn_set_priority *a = arg;
    return evtchn_set_priority(cur->dom, PORT(a->port), a->priority);
}

#define OP(op, dir, handler, test) \
    HC_OP(EVTCHNOP_##op, sizeof(struct evtchn_##op), dir, false, handler, test)

// By rising number: hc_event_op_compat counts on it.
static const struct hc_op ops[] = {
    OP(bind_interdomain, HC_INOUT, bind_interdomain, "evtchn_bind"),
    OP(bind_virq, HC_INOUT, bind_virq, "evtchn_bind"),
    OP(bind_pirq, HC_INOUT, bind_pirq, "physdev"),
    OP(close, HC_IN, close_port, "evtchn_bind"),
    OP(send, HC_IN, send, "evtchn_deliver"),
    OP(status, HC_INOUT, status, "evtchn_bind"),
    OP(alloc_unbound, HC_INOUT, alloc_unbound, "evtchn_bind"),
    OP(bind_ipi, HC_INOUT, bind_ipi, "evtchn_bind"),
    OP(bind_vcpu, HC_IN, bind_vcpu, "evtchn_vcpu"),
    OP(unmask, HC_IN, unmask, "evtchn_deliver"),
    OP(reset, HC_IN, reset, "evtchn_vcpu"),
    OP(init_control, HC_INOUT, init_control, "evtchn_fifo"),
    OP(expand_array, HC_IN, expand_array, "evtchn_fifo"),
    OP(set_priority, HC_IN, set_priority, "evtchn_fifo"),
};

long hc_event_op(struct vcpu *cur, u64 cmd, u64 arg, u64 a2, u64 a3, u64 a4)
{
    return hc_dispatch_op(ops, ARRAY_SIZE(ops), cur, (u32)cmd, GUEST_PTR(arg));
}

// struct evtchn_op has members for the operations up to unmask.
long hc_event_op_compat(struct vcpu *cur, u64 op, u64 a1, u64 a2, u64 a3, u64 a4)
{
    u32 cmd;
    int ret = guest_copy_in(&cmd, GUEST_PTR(op), sizeof(cmd));
    if (ret)
        return ret;
    return hc_dispatch_op(ops, EVTCHNOP_unmask + 1, cur, cmd,
                          GUEST_PTR(op + offsetof(struct evtchn_op, u)));
}
