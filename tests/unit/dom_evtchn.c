// SOURCES: hv/dom/evtchn.c hv/dom/evtchn_2l.c hv/dom/evtchn_fifo.c
// SPDX-License-Identifier: MIT
// Event channels: every operation and every errno, both ABIs, hostile shared memory, senders that
// race with close.
#include "unit/dom_evtchn_world.h"
#include <pthread.h>

#define DOM0 (&world.dom[0])
#define DOM1 (&world.dom[1])
#define DOM2 (&world.dom[2])

static int setup(void **state)
{
    world_setup(~0u);
    return 0;
}

static int teardown(void **state)
{
    fake_heap_fail_after(-1);
    world_teardown();
    return 0;
}

static u32 new_unbound(struct domain *d, const struct domain *remote)
{
    port_t p;
    assert_int_equal(evtchn_alloc_unbound(d, remote->id, &p), 0);
    return p.v;
}

static u32 new_pair(struct domain *ld, struct domain *rd, u32 *rport)
{
    port_t p;
    *rport = new_unbound(rd, ld);
    assert_int_equal(evtchn_bind_interdomain(ld, rd, PORT(*rport), &p), 0);
    return p.v;
}

static u32 new_ipi(struct domain *d, u32 vcpu)
{
    port_t p;
    assert_int_equal(evtchn_bind_ipi(d, vcpu, &p), 0);
    return p.v;
}

static void do_close(struct domain *d, u32 port)
{
    assert_int_equal(evtchn_close(d, PORT(port)), 0);
}

static void do_send(struct domain *d, u32 port)
{
    assert_int_equal(evtchn_send(d, PORT(port)), 0);
}

static struct evtchn_info info_of(struct domain *d, u32 port)
{
    struct evtchn_info info;
    assert_int_equal(evtchn_status(d, PORT(port), &info), 0);
    return info;
}

// ---- The table ----

static void ports_lowest_first(void **state)
{
    for (u32 i = 1; i <= 200; i++)
        assert_int_equal(new_unbound(DOM1, DOM0), i);
    do_close(DOM1, 150);
    do_close(DOM1, 3);
    do_close(DOM1, 64);
    assert_int_equal(new_ipi(DOM1, 0), 3);
    assert_int_equal(new_ipi(DOM1, 0), 64);
    assert_int_equal(new_ipi(DOM1, 0), 150);
    assert_int_equal(new_ipi(DOM1, 0), 201);
    world_audit();
}

static void ports_run_out(void **state)
{
    port_t p = PORT(77);
    for (u32 i = 1; i < EVTCHN_2L_NR_CHANNELS; i++)
        new_unbound(DOM1, DOM0);
    assert_int_equal(evtchn_alloc_unbound(DOM1, DOM0->id, &p), -ENOSPC);
    assert_int_equal(evtchn_bind_ipi(DOM1, 0, &p), -ENOSPC);
    assert_int_equal(evtchn_bind_virq(DOM1, VIRQ_TIMER, 0, &p), -ENOSPC);
    assert_int_equal(evtchn_bind_pirq(DOM1, 1, 0, &p), -ENOSPC);
    u32 rport = new_unbound(DOM0, DOM1);
    assert_int_equal(evtchn_bind_interdomain(DOM1, DOM0, PORT(rport), &p), -ENOSPC);
    assert_int_equal(info_of(DOM0, rport).state, EVTCHN_UNBOUND);
    assert_int_equal(p.v, 77);
    world_fifo_control(DOM1);
    assert_int_equal(new_unbound(DOM1, DOM0), EVTCHN_2L_NR_CHANNELS);
    DOM1->ev.port_max = EVTCHN_2L_NR_CHANNELS + 1;
    new_unbound(DOM1, DOM0);
    assert_int_equal(evtchn_bind_ipi(DOM1, 0, &p), -ENOSPC);
}

static void memory_runs_out(void **state)
{
    port_t p;
    fake_heap_fail_after(0);
    assert_int_equal(evtchn_bind_pirq(DOM1, 1, 0, &p), -ENOMEM);
    assert_int_equal(evtchn_init_control(DOM1, 0, GFN(0), 0), -ENOMEM);
    for (u32 i = 1; i < EVTCHN_BUCKET_PORTS; i++)
        new_unbound(DOM1, DOM0);
    assert_int_equal(evtchn_alloc_unbound(DOM1, DOM0->id, &p), -ENOMEM);
    fake_heap_fail_after(-1);
    assert_int_equal(new_unbound(DOM1, DOM0), EVTCHN_BUCKET_PORTS);
    struct domain fresh = {.id = DOM_ID(5)};
    fake_heap_fail_after(0);
    assert_int_equal(evtchn_domain_init(&fresh, ~0u), -ENOMEM);
    fake_heap_fail_after(1);
    assert_int_equal(evtchn_domain_init(&fresh, ~0u), -ENOMEM);
    evtchn_domain_free(&fresh);
}

// ---- Refusals ----

// DOM1's ports in the tests below.
enum { P_UNBOUND = 1, P_CHANNEL, P_PIRQ, P_TIMER, P_CONSOLE, P_IPI, P_FREE, P_NONE = 64 };

static void fill_ports(void)
{
    port_t p;
    u32 rport;
    assert_int_equal(new_unbound(DOM1, DOM0), P_UNBOUND);
    assert_int_equal(new_pair(DOM1, DOM0, &rport), P_CHANNEL);
    assert_int_equal(evtchn_bind_pirq(DOM1, 9, BIND_PIRQ__WILL_SHARE, &p), 0);
    assert_int_equal(p.v, P_PIRQ);
    assert_int_equal(evtchn_bind_virq(DOM1, VIRQ_TIMER, 1, &p), 0);
    assert_int_equal(p.v, P_TIMER);
    assert_int_equal(evtchn_bind_virq(DOM1, VIRQ_CONSOLE, 0, &p), 0);
    assert_int_equal(p.v, P_CONSOLE);
    assert_int_equal(new_ipi(DOM1, 1), P_IPI);
}

static int op_close(u32 port, u32 unused)
{
    return evtchn_close(DOM1, PORT(port));
}

static int op_send(u32 port, u32 unused)
{
    return evtchn_send(DOM1, PORT(port));
}

static int op_status(u32 port, u32 unused)
{
    struct evtchn_info info;
    return evtchn_status(DOM1, PORT(port), &info);
}

static int op_unmask(u32 port, u32 unused)
{
    return evtchn_unmask(DOM1, PORT(port));
}

static int op_poll(u32 port, u32 unused)
{
    return evtchn_poll_pending(DOM1, PORT(port));
}

static int op_bind_vcpu(u32 port, u32 vcpu)
{
    return evtchn_bind_vcpu(DOM1, PORT(port), vcpu);
}

static int op_priority(u32 port, u32 priority)
{
    return evtchn_set_priority(DOM1, PORT(port), priority);
}

static int op_virq(u32 virq, u32 vcpu)
{
    port_t p;
    return evtchn_bind_virq(DOM1, virq, vcpu, &p);
}

static int op_ipi(u32 vcpu, u32 unused)
{
    port_t p;
    return evtchn_bind_ipi(DOM1, vcpu, &p);
}

static int op_pirq(u32 pirq, u32 unused)
{
    port_t p;
    return evtchn_bind_pirq(DOM1, pirq, 0, &p);
}

// DOM0 and DOM2 connect to DOM1.
static int op_connect(u32 port, u32 from)
{
    port_t p;
    return evtchn_bind_interdomain(&world.dom[from], DOM1, PORT(port), &p);
}

static int op_control(u32 vcpu, u32 offset)
{
    return evtchn_init_control(DOM1, vcpu, GFN(50), offset);
}

static int op_control_gfn(u32 vcpu, u32 gfn)
{
    return evtchn_init_control(DOM1, vcpu, GFN(gfn), 0);
}

static int op_expand(u32 gfn, u32 unused)
{
    return evtchn_expand_array(DOM1, GFN(gfn));
}

#define ROW(op, a, b, ret)                    \
    {                                         \
#op "(" #a ", " #b ")", op, a, b, ret \
    }

static const struct refusal {
    const char *name;
    int (*op)(u32 a, u32 b);
    u32 a, b;
    int ret;
} refusals[] = {
    ROW(op_send, 0, 0, -EINVAL),
    ROW(op_send, P_UNBOUND, 0, 0),
    ROW(op_send, P_PIRQ, 0, -EINVAL),
    ROW(op_send, P_TIMER, 0, -EINVAL),
    ROW(op_send, P_FREE, 0, -EINVAL),
    ROW(op_send, P_NONE, 0, -EINVAL),
    ROW(op_send, ~0u, 0, -EINVAL),
    ROW(op_status, 0, 0, 0),
    ROW(op_status, P_FREE, 0, 0),
    ROW(op_status, P_NONE, 0, -EINVAL),
    ROW(op_status, ~0u, 0, -EINVAL),
    ROW(op_unmask, P_NONE, 0, -EINVAL),
    ROW(op_unmask, ~0u, 0, -EINVAL),
    ROW(op_poll, P_UNBOUND, 0, 0),
    ROW(op_poll, P_CHANNEL, 0, 1),
    ROW(op_poll, P_NONE, 0, -EINVAL),
    ROW(op_bind_vcpu, P_UNBOUND, 1, 0),
    ROW(op_bind_vcpu, P_CHANNEL, 1, 0),
    ROW(op_bind_vcpu, P_PIRQ, 1, 0),
    ROW(op_bind_vcpu, P_CONSOLE, 1, 0),
    ROW(op_bind_vcpu, P_TIMER, 0, -EINVAL),
    ROW(op_bind_vcpu, P_IPI, 0, -EINVAL),
    ROW(op_bind_vcpu, P_FREE, 0, -EINVAL),
    ROW(op_bind_vcpu, 0, 0, -EINVAL),
    ROW(op_bind_vcpu, P_NONE, 0, -EINVAL),
    ROW(op_bind_vcpu, P_UNBOUND, 2, -ENOENT),
    ROW(op_bind_vcpu, P_UNBOUND, ~0u, -ENOENT),
    ROW(op_virq, NR_VIRQS, 0, -EINVAL),
    ROW(op_virq, ~0u, 0, -EINVAL),
    ROW(op_virq, VIRQ_CON_RING, 1, -EINVAL),
    ROW(op_virq, VIRQ_TIMER, 2, -ENOENT),
    ROW(op_virq, VIRQ_TIMER, 1, -EEXIST),
    ROW(op_virq, VIRQ_CONSOLE, 0, -EEXIST),
    ROW(op_virq, VIRQ_TIMER, 0, 0),
    ROW(op_ipi, 2, 0, -ENOENT),
    ROW(op_ipi, ~0u, 0, -ENOENT),
    ROW(op_pirq, EVTCHN_PIRQ_END, 0, -EINVAL),
    ROW(op_pirq, ~0u, 0, -EINVAL),
    ROW(op_pirq, 9, 0, -EEXIST),
    ROW(op_connect, P_UNBOUND, 2, -EINVAL), // waits for DOM0
    ROW(op_connect, P_CHANNEL, 0, -EINVAL),
    ROW(op_connect, P_IPI, 0, -EINVAL),
    ROW(op_connect, 0, 0, -EINVAL),
    ROW(op_connect, P_NONE, 0, -EINVAL),
    ROW(op_priority, P_UNBOUND, 1, -ENOSYS),
    ROW(op_expand, 52, 0, -EOPNOTSUPP),
    ROW(op_control, 2, 0, -ENOENT),
    ROW(op_control, 0, 4, -EINVAL),
    ROW(op_control, 0, 4096 - 64, -EINVAL),
    ROW(op_control, 0, ~7u, -EINVAL),
    ROW(op_control_gfn, 0, WORLD_FRAMES, -EINVAL),
    ROW(op_control, 0, 4096 - 72, 0),
    ROW(op_control, 0, 0, -EINVAL), // registered already
    ROW(op_priority, P_UNBOUND, 15, 0),
    ROW(op_priority, P_UNBOUND, 16, -EINVAL),
    ROW(op_priority, P_NONE + 64, 1, -EINVAL),
    ROW(op_expand, WORLD_FRAMES, 0, -EINVAL),
    ROW(op_close, 0, 0, -EINVAL),
    ROW(op_close, P_NONE + 64, 0, -EINVAL),
    ROW(op_close, P_CHANNEL, 0, 0),
    ROW(op_close, P_CHANNEL, 0, -EINVAL),
};

static void refuses(void **state)
{
    fill_ports();
    for (u32 i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct refusal *r = &refusals[i];
        int ret = r->op(r->a, r->b);
        if (ret != r->ret)
            fail_msg("%s: %d instead of %d", r->name, ret, r->ret);
        world_audit();
    }
}

static void array_complete(void **state)
{
    world_fifo_control(DOM1);
    for (u32 i = 0; i < 128; i++)
        assert_int_equal(op_expand(i, 0), 0);
    assert_int_equal(op_expand(0, 0), -ENOSPC);
}

// ---- States ----

static void status_tells(void **state)
{
    static const struct evtchn_info want[] = {
        [0] = {.state = EVTCHN_RESERVED},
        [P_UNBOUND] = {.state = EVTCHN_UNBOUND, .dom = {0}},
        [P_CHANNEL] = {.state = EVTCHN_INTERDOMAIN, .vcpu = 1, .dom = {0}, .port = {1}},
        [P_PIRQ] = {.state = EVTCHN_PIRQ, .irq = 9},
        [P_TIMER] = {.state = EVTCHN_VIRQ, .vcpu = 1, .irq = VIRQ_TIMER},
        [P_CONSOLE] = {.state = EVTCHN_VIRQ, .irq = VIRQ_CONSOLE},
        [P_IPI] = {.state = EVTCHN_IPI, .vcpu = 1},
        [P_FREE] = {.state = EVTCHN_FREE},
    };
    fill_ports();
    assert_int_equal(op_bind_vcpu(P_CHANNEL, 1), 0);
    for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
        struct evtchn_info info = info_of(DOM1, i);
        assert_memory_equal(&info, &want[i], sizeof(info));
    }
    struct evtchn_info peer = info_of(DOM0, 1);
    assert_int_equal(peer.state, EVTCHN_INTERDOMAIN);
    assert_int_equal(peer.dom.v, 1);
    assert_int_equal(peer.port.v, P_CHANNEL);
}

static void close_leaves_peer_unbound(void **state)
{
    struct domain *pairs[][2] = {{DOM1, DOM0}, {DOM0, DOM1}, {DOM1, DOM1}};
    for (u32 i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct domain *ld = pairs[i][0], *rd = pairs[i][1];
        u32 rport, lport = new_pair(ld, rd, &rport);
        do_close(ld, lport);
        assert_int_equal(info_of(ld, lport).state, EVTCHN_FREE);
        assert_int_equal(info_of(rd, rport).state, EVTCHN_UNBOUND);
        assert_int_equal(info_of(rd, rport).dom.v, ld->id.v);
        do_send(rd, rport);
        assert_int_equal(evtchn_poll_pending(ld, PORT(lport)), 0);
        port_t p;
        assert_int_equal(evtchn_bind_interdomain(ld, rd, PORT(rport), &p), 0);
        do_close(rd, rport);
        do_close(ld, p.v);
        world_audit();
    }
}

static void reset_and_destroy(void **state)
{
    port_t p;
    u32 rport, lport;
    for (u32 i = 0; i < 700; i++)
        new_unbound(DOM1, DOM0);
    lport = new_pair(DOM1, DOM0, &rport);
    assert_int_equal(evtchn_reset(DOM1), -ERESTART_HC);
    assert_int_equal(info_of(DOM1, lport).state, EVTCHN_INTERDOMAIN);
    assert_int_equal(evtchn_reset(DOM1), -ERESTART_HC);
    assert_int_equal(evtchn_reset(DOM1), 0);
    assert_int_equal(info_of(DOM0, rport).state, EVTCHN_UNBOUND);
    assert_int_equal(new_unbound(DOM1, DOM0), 1);
    assert_int_equal(evtchn_destroy(DOM1), 0);
    assert_int_equal(evtchn_alloc_unbound(DOM1, DOM0->id, &p), -EINVAL);
    assert_int_equal(evtchn_bind_ipi(DOM1, 0, &p), -EINVAL);
    assert_int_equal(evtchn_init_control(DOM1, 0, GFN(40), 0), -EINVAL);
    assert_int_equal(evtchn_bind_interdomain(DOM1, DOM0, PORT(rport), &p), -EINVAL);
}

static void audit_finds(void **state)
{
    u32 rport, lport = new_pair(DOM1, DOM0, &rport);
    struct evtchn *e = evtchn_entry(DOM1, PORT(lport));
    e->u.peer.port.v++;
    assert_true(FAKE_PANICS(evtchn_audit(DOM0)));
    spin_unlock(&DOM0->ev.lock); // the panic came with it held
    e->u.peer.port.v--;
}

// ---- 2-level ----

static bool pending_2l(struct domain *d, u32 port)
{
    return d->shared->evtchn_pending[port / 64] >> (port % 64) & 1;
}

static void mask_2l(struct domain *d, u32 port)
{
    d->shared->evtchn_mask[port / 64] |= 1ul << (port % 64);
}

// Clears what a guest clears when it handles everything on the vCPU.
static void ack_2l(struct domain *d, u32 vcpu)
{
    d->vcpu[vcpu]->info->evtchn_upcall_pending = 0;
    d->vcpu[vcpu]->info->evtchn_pending_sel = 0;
    memset(d->shared->evtchn_pending, 0, sizeof(d->shared->evtchn_pending));
}

static void send_2l(void **state)
{
    u32 rport, lport;
    for (u32 i = 1; i < 70; i++)
        new_unbound(DOM0, DOM0);
    lport = new_pair(DOM1, DOM0, &rport);
    assert_true(pending_2l(DOM1, lport)); // at bind
    assert_false(pending_2l(DOM0, rport));
    struct vcpu_info *info = DOM0->vcpu[1]->info;
    assert_int_equal(evtchn_bind_vcpu(DOM0, PORT(rport), 1), 0);
    do_send(DOM1, lport);
    assert_true(pending_2l(DOM0, rport));
    assert_int_equal(info->evtchn_pending_sel, 1ul << (rport / 64));
    assert_int_equal(info->evtchn_upcall_pending, 1);
    assert_int_equal(world.notified[0][1], 1);
    do_send(DOM1, lport);
    assert_int_equal(world.notified[0][1], 1);
    ack_2l(DOM0, 1);
    do_send(DOM1, lport);
    assert_int_equal(world.notified[0][1], 2);
    assert_int_equal(world.notified[0][0], 0);
    do_close(DOM0, rport);
    assert_false(pending_2l(DOM0, rport));
}

static void mask_and_unmask_2l(void **state)
{
    u32 p = new_ipi(DOM1, 1);
    mask_2l(DOM1, p);
    do_send(DOM1, p);
    assert_true(pending_2l(DOM1, p));
    assert_true(world_is_masked(DOM1, p));
    assert_int_equal(DOM1->vcpu[1]->info->evtchn_pending_sel, 0);
    assert_int_equal(world.notified[1][1], 0);
    assert_int_equal(evtchn_unmask(DOM1, PORT(p)), 0);
    assert_false(world_is_masked(DOM1, p));
    assert_int_equal(DOM1->vcpu[1]->info->evtchn_pending_sel, 1);
    assert_int_equal(world.notified[1][1], 1);
    ack_2l(DOM1, 1);
    assert_int_equal(evtchn_unmask(DOM1, PORT(p)), 0); // was not masked
    assert_int_equal(world.notified[1][1], 1);
}

static void no_vcpu_yet(void **state)
{
    u32 p = new_unbound(DOM1, DOM0);
    port_t lp;
    DOM1->vcpu[0] = NULL;
    assert_int_equal(evtchn_bind_interdomain(DOM0, DOM1, PORT(p), &lp), 0);
    do_send(DOM0, lp.v);
    assert_true(pending_2l(DOM1, p));
    evtchn_send_global_virq(DOM1, VIRQ_CONSOLE);
    assert_int_equal(evtchn_bind_pirq(DOM1, 1, 0, &lp), -ENOENT);
    DOM1->vcpu[0] = &world.vcpu[1][0];
}

static void info_moves(void **state)
{
    struct vcpu_info moved = {0};
    struct vcpu *v = DOM1->vcpu[0];
    v->info = &moved;
    evtchn_vcpu_info_moved(v);
    assert_int_equal(moved.evtchn_pending_sel, ~0ul);
    assert_int_equal(moved.evtchn_upcall_pending, 1);
    assert_int_equal(world.notified[1][0], 1);
}

// ---- VIRQs, PIRQs, polling ----

static void virqs(void **state)
{
    evtchn_send_virq(DOM1->vcpu[1], VIRQ_TIMER);
    evtchn_send_global_virq(DOM1, VIRQ_CONSOLE);
    assert_int_equal(world.notified[1][0] + world.notified[1][1], 0);
    fill_ports();
    ack_2l(DOM1, 0);
    evtchn_send_virq(DOM1->vcpu[1], VIRQ_TIMER);
    assert_true(pending_2l(DOM1, P_TIMER));
    assert_int_equal(world.notified[1][1], 1);
    evtchn_send_virq(DOM1->vcpu[0], VIRQ_TIMER);
    ack_2l(DOM1, 1);
    assert_int_equal(op_bind_vcpu(P_CONSOLE, 1), 0);
    evtchn_send_global_virq(DOM1, VIRQ_CONSOLE);
    assert_true(pending_2l(DOM1, P_CONSOLE));
    assert_int_equal(world.notified[1][1], 2);
    do_close(DOM1, P_CONSOLE);
    do_close(DOM1, P_TIMER);
    assert_int_equal(op_virq(VIRQ_CONSOLE, 0), 0);
    assert_int_equal(op_virq(VIRQ_TIMER, 1), 0);
    assert_true(FAKE_PANICS(evtchn_send_virq(DOM1->vcpu[0], NR_VIRQS)));
}

static void pirqs(void **state)
{
    port_t p;
    assert_false(evtchn_send_pirq(DOM1, 9));
    assert_int_equal(evtchn_pirq_port(DOM1, 9).v, 0);
    fill_ports();
    assert_true(world.pirq_shared);
    assert_int_equal(evtchn_pirq_port(DOM1, 9).v, P_PIRQ);
    assert_int_equal(evtchn_pirq_port(DOM1, ~0u).v, 0);
    assert_true(evtchn_send_pirq(DOM1, 9));
    assert_false(evtchn_send_pirq(DOM1, 8));
    assert_false(evtchn_send_pirq(DOM1, EVTCHN_PIRQ_END));
    assert_true(pending_2l(DOM1, P_PIRQ));
    assert_int_equal(op_bind_vcpu(P_PIRQ, 1), 0);
    assert_int_equal(world.pirq_vcpu, 1);
    do_close(DOM1, P_PIRQ);
    assert_int_equal(world.pirqs_bound, 0);
    world.pirq_bind_result = -EPERM;
    assert_int_equal(evtchn_bind_pirq(DOM1, 9, 0, &p), -EPERM);
    assert_int_equal(info_of(DOM1, P_PIRQ).state, EVTCHN_FREE);
    assert_int_equal(evtchn_pirq_port(DOM1, 9).v, 0);
}

static void polling(void **state)
{
    struct vcpu *v = DOM1->vcpu[1];
    u32 a = new_ipi(DOM1, 0), b = new_ipi(DOM1, 0);
    mask_2l(DOM1, a);
    mask_2l(DOM1, b);
    evtchn_poll_begin(v, PORT(b));
    do_send(DOM1, a);
    assert_int_equal(world.poll_woken[1][1], 0);
    do_send(DOM1, b);
    do_send(DOM1, b);
    assert_int_equal(world.poll_woken[1][1], 1);
    assert_int_equal(evtchn_poll_pending(DOM1, PORT(b)), 1);
    evtchn_poll_end(v);
    evtchn_poll_begin(v, PORT(0));
    do_send(DOM1, a);
    assert_int_equal(world.poll_woken[1][1], 2);
    evtchn_poll_end(v);
    evtchn_poll_begin(v, PORT(0));
    evtchn_poll_end(v);
    do_send(DOM1, a);
    assert_int_equal(world.poll_woken[1][1], 2);
}

// ---- FIFO ----

static u32 heads[WORLD_VCPUS][EVTCHN_FIFO_MAX_QUEUES];

static int setup_fifo(void **state)
{
    world_setup(~0u);
    memset(heads, 0, sizeof(heads));
    world_fifo_control(DOM1);
    world_fifo_expand(DOM1, 0);
    return 0;
}

#define EXPECT_EVENTS(vcpu_, ...)                                               \
    do {                                                                        \
        u32 want_[] = {0, ##__VA_ARGS__}, got_[64];                             \
        u32 n_ = world_fifo_consume(DOM1->vcpu[vcpu_], heads[vcpu_], got_, 64); \
        assert_int_equal(n_, ARRAY_SIZE(want_) - 1);                            \
        assert_memory_equal(got_, want_ + 1, n_ * sizeof(u32));                 \
    } while (0)

static void fifo_order(void **state)
{
    for (u32 i = 1; i <= 5; i++)
        assert_int_equal(new_ipi(DOM1, i % 2), i);
    do_send(DOM1, 3);
    do_send(DOM1, 1);
    do_send(DOM1, 5);
    do_send(DOM1, 3);
    do_send(DOM1, 2);
    assert_int_equal(world.notified[1][1], 1);
    assert_int_equal(world.notified[1][0], 1);
    EXPECT_EVENTS(1, 3, 1, 5);
    EXPECT_EVENTS(0, 2);
    do_send(DOM1, 5); // is the tail of the empty queue
    do_send(DOM1, 3);
    assert_int_equal(world.notified[1][1], 2);
    EXPECT_EVENTS(1, 5, 3);
    EXPECT_EVENTS(1);
}

static void fifo_priorities(void **state)
{
    for (u32 i = 1; i <= 4; i++)
        new_ipi(DOM1, 0);
    assert_int_equal(op_priority(2, 0), 0);
    assert_int_equal(op_priority(3, 15), 0);
    for (u32 i = 4; i >= 1; i--)
        do_send(DOM1, i);
    EXPECT_EVENTS(0, 2, 4, 1, 3);
    // 2 is the tail of queue 0 and moves to queue 7 behind 4; queue 0 starts anew.
    assert_int_equal(op_priority(2, 7), 0);
    assert_int_equal(op_priority(3, 0), 0);
    do_send(DOM1, 4);
    do_send(DOM1, 2);
    do_send(DOM1, 3);
    EXPECT_EVENTS(0, 3, 4, 2);
    do_close(DOM1, 3);
    assert_int_equal(new_ipi(DOM1, 0), 3);
    do_send(DOM1, 3);
    do_send(DOM1, 1);
    EXPECT_EVENTS(0, 3, 1);
}

static void fifo_moves_vcpu(void **state)
{
    u32 rport[3], lport[3];
    for (u32 i = 0; i < 3; i++)
        lport[i] = new_pair(DOM0, DOM1, &rport[i]);
    for (u32 i = 0; i < 3; i++)
        do_send(DOM0, lport[i]);
    assert_int_equal(op_bind_vcpu(rport[2], 1), 0);
    do_send(DOM0, lport[2]); // still linked to vCPU 0
    EXPECT_EVENTS(0, rport[0], rport[1], rport[2]);
    do_send(DOM0, lport[2]); // was vCPU 0's tail
    do_send(DOM0, lport[0]);
    EXPECT_EVENTS(0, rport[0]);
    EXPECT_EVENTS(1, rport[2]);
    assert_int_equal(op_bind_vcpu(rport[2], 0), 0);
    do_send(DOM0, lport[2]);
    do_send(DOM0, lport[1]);
    EXPECT_EVENTS(0, rport[2], rport[1]);
    EXPECT_EVENTS(1);
}

static void fifo_mask(void **state)
{
    u32 p = new_ipi(DOM1, 0);
    *world_word(DOM1, p) = 1u << EVTCHN_FIFO_MASKED;
    do_send(DOM1, p);
    assert_true(world_is_masked(DOM1, p));
    assert_int_equal(evtchn_poll_pending(DOM1, PORT(p)), 1);
    EXPECT_EVENTS(0);
    assert_int_equal(evtchn_unmask(DOM1, PORT(p)), 0);
    assert_false(world_is_masked(DOM1, p));
    assert_int_equal(world.notified[1][0], 1);
    EXPECT_EVENTS(0, p);
    assert_int_equal(evtchn_unmask(DOM1, PORT(p)), 0);
    EXPECT_EVENTS(0);
    do_send(DOM1, p);
    do_close(DOM1, p);
    assert_int_equal(evtchn_poll_pending(DOM1, PORT(p)), 0);
    EXPECT_EVENTS(0);
}

static void fifo_before_array(void **state)
{
    for (u32 i = 1; i < 1030; i++)
        new_ipi(DOM1, 0);
    do_send(DOM1, 1028);
    do_send(DOM1, 1025);
    do_send(DOM1, 1026);
    do_close(DOM1, 1026);
    assert_int_equal(evtchn_poll_pending(DOM1, PORT(1028)), 1);
    assert_int_equal(evtchn_poll_pending(DOM1, PORT(1026)), 0);
    assert_int_equal(evtchn_unmask(DOM1, PORT(1028)), 0);
    EXPECT_EVENTS(0);
    world_fifo_expand(DOM1, 1);
    EXPECT_EVENTS(0, 1025, 1028);
}

static void fifo_no_control_block(void **state)
{
    evtchn_leave_fifo(DOM1);
    assert_int_equal(evtchn_init_control(DOM1, 0, GFN(40), WORLD_CONTROL_OFFSET), 0);
    world_fifo_expand(DOM1, 0);
    u32 p = new_ipi(DOM1, 1);
    do_send(DOM1, p);
    assert_int_equal(*world_word(DOM1, p), 1u << EVTCHN_FIFO_PENDING);
    assert_int_equal(evtchn_init_control(DOM1, 1, GFN(41), WORLD_CONTROL_OFFSET), 0);
    do_send(DOM1, p);
    EXPECT_EVENTS(1, p);
}

static void fifo_takes_pending_over(void **state)
{
    evtchn_leave_fifo(DOM1);
    assert_int_equal(world.frames_mapped, 0);
    u32 a = new_ipi(DOM1, 0), b = new_ipi(DOM1, 0);
    do_send(DOM1, b);
    assert_true(pending_2l(DOM1, b));
    DOM1->shared->evtchn_pending[63] = ~0ul; // ports that have no entry
    memset(heads, 0, sizeof(heads));
    world_fifo_control(DOM1);
    assert_false(pending_2l(DOM1, b));
    world_fifo_expand(DOM1, 0);
    do_send(DOM1, a);
    EXPECT_EVENTS(0, b, a);
}

// Ports that only the FIFO ABI has stay harmless in the 2-level one.
static void leave_fifo_with_ports(void **state)
{
    for (u32 i = 1; i < 4100; i++)
        new_ipi(DOM1, 0);
    evtchn_leave_fifo(DOM1);
    do_send(DOM1, 4098);
    assert_int_equal(evtchn_unmask(DOM1, PORT(4098)), 0);
    assert_int_equal(evtchn_poll_pending(DOM1, PORT(4098)), 0);
    assert_false(world_is_masked(DOM1, 4098));
    assert_int_equal(world.notified[1][0], 0);
    do_close(DOM1, 4098);
}

// ---- Hostile ----

static u32 seed = 1;

static u32 rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

// Whatever the shared words say, the hypervisor stays within its own memory, comes back, and keeps
// its tables.
static void hostile_words(void **state)
{
    u32 rport[8], lport[8];
    for (u32 i = 0; i < 8; i++)
        lport[i] = new_pair(DOM0, DOM1, &rport[i]);
    for (u32 i = 0; i < 20000; i++) {
        for (u32 j = 0; j < 16; j++)
            *world_word(DOM1, j) = rnd() | (rnd() & 1 ? 0xffff0000 : 0);
        for (u32 j = 0; j < WORLD_VCPUS; j++)
            world_control(DOM1->vcpu[j])->ready = rnd();
        u32 p = rnd() % 8;
        assert_int_equal(op_bind_vcpu(rport[rnd() % 8], rnd() % 2), 0);
        assert_int_equal(op_priority(rport[rnd() % 8], rnd() % 16), 0);
        do_send(DOM0, lport[p]);
        assert_int_equal(evtchn_unmask(DOM1, PORT(rport[rnd() % 8])), 0);
    }
    for (u32 i = 0; i < 1024; i++)
        *world_word(DOM1, i) = 0;
    world_audit();
}

static bool scribbling;

static void *scribble(void *arg)
{
    while (__atomic_load_n(&scribbling, __ATOMIC_RELAXED)) {
        for (u32 i = 0; i < 4; i++) {
            // MASKED and PENDING flicker in a word that stays linked.
            __atomic_fetch_xor(world_word(DOM1, i), 3u << EVTCHN_FIFO_MASKED, __ATOMIC_RELAXED);
            __atomic_fetch_or(world_word(DOM1, i), 1u << EVTCHN_FIFO_LINKED, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static void hostile_thread(void **state)
{
    pthread_t thread;
    for (u32 i = 1; i < 200; i++)
        new_ipi(DOM1, 0);
    scribbling = true;
    assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
    for (u32 i = 0; i < 300000; i++) {
        do_send(DOM1, 1 + i % 3);
        do_send(DOM1, 4 + i % 196);
        *world_word(DOM1, 4 + i % 196) = 0;
    }
    __atomic_store_n(&scribbling, false, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}

// ---- Races ----

enum { RACE_TURNS = 40000 };

// Each thread is a CPU that runs one domain: they connect, send and close in both directions, and
// one changes its ABI back and forth.
static void *race(void *arg)
{
    struct domain *d = arg, *peer = d == DOM0 ? DOM1 : DOM0;
    for (u32 i = 0; i < RACE_TURNS; i++) {
        port_t p = PORT(0);
        (void)!evtchn_alloc_unbound(d, peer->id, &p);
        (void)!evtchn_bind_interdomain(d, peer, PORT(1 + i % 5), &p);
        for (u32 j = 1; j < 6; j++)
            (void)!evtchn_send(d, PORT(j));
        (void)!evtchn_close(d, PORT(1 + i % 3));
        (void)!evtchn_bind_vcpu(d, PORT(1 + i % 5), i / 4 % 2);
        if (d == DOM1 && i % 64 == 0) {
            world_fifo_control(DOM1);
            world_fifo_expand(DOM1, 0);
        }
        if (d == DOM1 && i % 64 == 63)
            evtchn_leave_fifo(DOM1);
        if (i % 256 == 255)
            (void)!evtchn_reset(d);
    }
    return NULL;
}

static void senders_race_with_close(void **state)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, race, DOM0), 0);
    race(DOM1);
    pthread_join(thread, NULL);
    world_audit();
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_FIFO(name) cmocka_unit_test_setup_teardown(name, setup_fifo, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ports_lowest_first),
        TEST(ports_run_out),
        TEST(memory_runs_out),
        TEST(refuses),
        TEST(array_complete),
        TEST(status_tells),
        TEST(close_leaves_peer_unbound),
        TEST(reset_and_destroy),
        TEST(audit_finds),
        TEST(send_2l),
        TEST(mask_and_unmask_2l),
        TEST(no_vcpu_yet),
        TEST(info_moves),
        TEST(virqs),
        TEST(pirqs),
        TEST(polling),
        TEST_FIFO(fifo_order),
        TEST_FIFO(fifo_priorities),
        TEST_FIFO(fifo_moves_vcpu),
        TEST_FIFO(fifo_mask),
        TEST_FIFO(fifo_before_array),
        TEST_FIFO(fifo_no_control_block),
        TEST_FIFO(fifo_takes_pending_over),
        TEST_FIFO(leave_fifo_with_ports),
        TEST_FIFO(hostile_words),
        TEST_FIFO(hostile_thread),
        TEST(senders_race_with_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
