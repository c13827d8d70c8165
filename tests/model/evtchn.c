// SOURCES: hv/dom/evtchn.c hv/dom/evtchn_2l.c hv/dom/evtchn_fifo.c
// SPDX-License-Identifier: MIT
// Event channels against a reference model that is small enough to be seen to be right: two domains
// of two vCPUs, ports 1 to 3. All sequences of operations up to a length, then long random ones;
// result and visible state are compared after every step. Domain 0 uses the 2-level ABI, domain 1
// the FIFO ABI or, in some runs, the 2-level one.
#include "unit/dom_evtchn_world.h"

enum { DOMS = 2, PORTS = 4, QUEUE_MAX = 8, NO_PORT = 0, LENGTH_MAX = 3 };

// ---- The model ----

struct model_port {
    enum evtchn_state state;
    u32 vcpu, dom, port, virq; // dom: allowed or connected
    bool pending, masked, linked;
};

struct model_domain {
    bool fifo;
    struct model_port port[PORTS];
    u32 timer[WORLD_VCPUS], console;                     // ports bound to VIRQs
    bool sel[WORLD_VCPUS], upcall[WORLD_VCPUS];          // 2-level: all ports share selector bit 0
    u32 queue[WORLD_VCPUS][QUEUE_MAX], len[WORLD_VCPUS]; // FIFO: one priority
};

static struct model_domain model[DOMS];

static u32 m_free(const struct model_domain *m)
{
    for (u32 p = 1; p < PORTS; p++) {
        if (m->port[p].state == EVTCHN_FREE)
            return p;
    }
    return NO_PORT;
}

static void m_notify(struct model_domain *m, u32 p)
{
    struct model_port *e = &m->port[p];
    bool again = m->fifo ? e->linked : m->sel[e->vcpu];
    if (again)
        return;
    if (m->fifo) {
        e->linked = true;
        m->queue[e->vcpu][m->len[e->vcpu]++] = p;
        if (m->len[e->vcpu] > 1)
            return;
    }
    m->sel[e->vcpu] = !m->fifo;
    m->upcall[e->vcpu] = true;
}

static void m_raise(struct model_domain *m, u32 p)
{
    bool edge = !m->port[p].pending;
    m->port[p].pending = true;
    if (!m->port[p].masked && (edge || m->fifo))
        m_notify(m, p);
}

// A fresh port; its mask and its place in a queue are the guest's and stay.
static u32 m_open(struct model_domain *m, enum evtchn_state state, u32 vcpu)
{
    u32 p = m_free(m);
    if (p) {
        struct model_port fresh = {.state = state, .vcpu = vcpu};
        fresh.masked = m->port[p].masked;
        fresh.linked = m->port[p].linked;
        m->port[p] = fresh;
    }
    return p;
}

static int m_alloc(u32 d, u32 remote, u32 unused)
{
    u32 p = m_open(&model[d], EVTCHN_UNBOUND, 0);
    model[d].port[p].dom = remote;
    return p ? 0 : -ENOSPC;
}

static int m_connect(u32 d, u32 remote, u32 rport)
{
    struct model_port *r = &model[remote].port[rport];
    if (r->state != EVTCHN_UNBOUND || r->dom != d)
        return -EINVAL;
    u32 p = m_open(&model[d], EVTCHN_INTERDOMAIN, 0);
    if (!p)
        return -ENOSPC;
    model[d].port[p].dom = remote;
    model[d].port[p].port = rport;
    r->state = EVTCHN_INTERDOMAIN;
    r->dom = d;
    r->port = p;
    m_raise(&model[d], p);
    return 0;
}

static u32 *m_virq(u32 d, u32 virq, u32 vcpu)
{
    return virq == VIRQ_TIMER ? &model[d].timer[vcpu] : &model[d].console;
}

static int m_bind_virq(u32 d, u32 virq, u32 vcpu)
{
    if (virq == VIRQ_CONSOLE && vcpu)
        return -EINVAL;
    if (*m_virq(d, virq, vcpu))
        return -EEXIST;
    u32 p = m_open(&model[d], EVTCHN_VIRQ, vcpu);
    *m_virq(d, virq, vcpu) = p;
    model[d].port[p].virq = virq;
    return p ? 0 : -ENOSPC;
}

static int m_bind_ipi(u32 d, u32 vcpu, u32 unused)
{
    return m_open(&model[d], EVTCHN_IPI, vcpu) ? 0 : -ENOSPC;
}

static int m_close(u32 d, u32 p, u32 unused)
{
    struct model_port *e = &model[d].port[p];
    if (e->state == EVTCHN_FREE)
        return -EINVAL;
    if (e->state == EVTCHN_INTERDOMAIN) {
        model[e->dom].port[e->port].state = EVTCHN_UNBOUND;
        model[e->dom].port[e->port].dom = d;
    }
    if (e->state == EVTCHN_VIRQ)
        *m_virq(d, e->virq, e->vcpu * (e->virq == VIRQ_TIMER)) = NO_PORT;
    e->state = EVTCHN_FREE;
    e->pending = false;
    return 0;
}

static int m_send(u32 d, u32 p, u32 unused)
{
    struct model_port *e = &model[d].port[p];
    if (e->state == EVTCHN_INTERDOMAIN)
        m_raise(&model[e->dom], e->port);
    if (e->state == EVTCHN_IPI)
        m_raise(&model[d], p);
    return e->state == EVTCHN_INTERDOMAIN || e->state == EVTCHN_IPI || e->state == EVTCHN_UNBOUND
               ? 0
               : -EINVAL;
}

static int m_bind_vcpu(u32 d, u32 p, u32 vcpu)
{
    struct model_port *e = &model[d].port[p];
    bool console = e->state == EVTCHN_VIRQ && e->virq == VIRQ_CONSOLE;
    if (e->state != EVTCHN_INTERDOMAIN && e->state != EVTCHN_UNBOUND && !console)
        return -EINVAL;
    e->vcpu = vcpu;
    return 0;
}

static int m_unmask(u32 d, u32 p, u32 unused)
{
    struct model_port *e = &model[d].port[p];
    bool notify = e->pending && (e->masked || model[d].fifo);
    e->masked = false;
    if (notify)
        m_notify(&model[d], p);
    return 0;
}

static int m_virq_raised(u32 d, u32 virq, u32 vcpu)
{
    u32 p = *m_virq(d, virq, vcpu);
    if (p)
        m_raise(&model[d], p);
    return 0;
}

static int m_mask(u32 d, u32 p, u32 unused)
{
    model[d].port[p].masked = true;
    return 0;
}

// ---- The production code and the guest under the same names ----

static u32 heads[DOMS][WORLD_VCPUS][EVTCHN_FIFO_MAX_QUEUES];

static int r_alloc(u32 d, u32 remote, u32 unused)
{
    port_t p;
    return evtchn_alloc_unbound(&world.dom[d], DOM_ID((u16)remote), &p);
}

static int r_connect(u32 d, u32 remote, u32 rport)
{
    port_t p;
    return evtchn_bind_interdomain(&world.dom[d], &world.dom[remote], PORT(rport), &p);
}

static int r_bind_virq(u32 d, u32 virq, u32 vcpu)
{
    port_t p;
    return evtchn_bind_virq(&world.dom[d], virq, vcpu, &p);
}

static int r_bind_ipi(u32 d, u32 vcpu, u32 unused)
{
    port_t p;
    return evtchn_bind_ipi(&world.dom[d], vcpu, &p);
}

static int r_close(u32 d, u32 p, u32 unused)
{
    return evtchn_close(&world.dom[d], PORT(p));
}

static int r_send(u32 d, u32 p, u32 unused)
{
    return evtchn_send(&world.dom[d], PORT(p));
}

static int r_bind_vcpu(u32 d, u32 p, u32 vcpu)
{
    return evtchn_bind_vcpu(&world.dom[d], PORT(p), vcpu);
}

static int r_unmask(u32 d, u32 p, u32 unused)
{
    return evtchn_unmask(&world.dom[d], PORT(p));
}

static int r_virq_raised(u32 d, u32 virq, u32 vcpu)
{
    if (virq == VIRQ_TIMER)
        evtchn_send_virq(&world.vcpu[d][vcpu], virq);
    else
        evtchn_send_global_virq(&world.dom[d], virq);
    return 0;
}

static int r_mask(u32 d, u32 p, u32 unused)
{
    if (model[d].fifo)
        *world_word(&world.dom[d], p) |= 1u << EVTCHN_FIFO_MASKED;
    else
        world.shared[d].evtchn_mask[0] |= 1ul << p;
    return 0;
}

// The vCPU handles what it has been told of: in the model, and as a guest.
static int m_handle(u32 d, u32 vcpu, u32 unused)
{
    struct model_domain *m = &model[d];
    for (u32 p = 1; !m->fifo && m->sel[vcpu] && p < PORTS; p++)
        m->port[p].pending &= m->port[p].masked;
    for (u32 i = 0; i < m->len[vcpu]; i++) {
        struct model_port *e = &m->port[m->queue[vcpu][i]];
        e->linked = false;
        e->pending &= e->masked;
    }
    m->sel[vcpu] = m->upcall[vcpu] = false;
    m->len[vcpu] = 0;
    return 0;
}

static int r_handle(u32 d, u32 vcpu, u32 unused)
{
    struct shared_info *s = &world.shared[d];
    u32 events[QUEUE_MAX];
    if (model[d].fifo) {
        world_fifo_consume(&world.vcpu[d][vcpu], heads[d][vcpu], events, QUEUE_MAX);
    } else {
        s->vcpu_info[vcpu].evtchn_upcall_pending = 0;
        if (__atomic_exchange_n(&s->vcpu_info[vcpu].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST))
            s->evtchn_pending[0] &= s->evtchn_mask[0];
    }
    return 0;
}

// ---- Comparing ----

static void compare_port(u32 d, u32 p)
{
    const struct model_port *e = &model[d].port[p];
    struct domain *dom = &world.dom[d];
    struct evtchn_info info;
    assert_int_equal(evtchn_status(dom, PORT(p), &info), 0);
    assert_int_equal(info.state, e->state);
    assert_int_equal(evtchn_poll_pending(dom, PORT(p)), e->pending);
    assert_int_equal(world_is_masked(dom, p), e->masked);
    if (model[d].fifo)
        assert_int_equal(*world_word(dom, p) >> EVTCHN_FIFO_LINKED & 1, e->linked);
    if (e->state == EVTCHN_FREE)
        return;
    assert_int_equal(info.vcpu, e->vcpu);
    if (e->state == EVTCHN_UNBOUND || e->state == EVTCHN_INTERDOMAIN)
        assert_int_equal(info.dom.v, e->dom);
    if (e->state == EVTCHN_INTERDOMAIN)
        assert_int_equal(info.port.v, e->port);
}

// The queue as the guest will see it: from the head through the links.
static void compare_queue(u32 d, u32 vcpu)
{
    const struct model_domain *m = &model[d];
    const u32 q = EVTCHN_FIFO_PRIORITY_DEFAULT;
    u32 p = m->len[vcpu] ? world_control(&world.vcpu[d][vcpu])->head[q] : 0, i = 0;
    for (; p; p = *world_word(&world.dom[d], p) & (u32)EVTCHN_FIFO_LINK_MASK) {
        assert_true(i < m->len[vcpu]);
        assert_int_equal(p, m->queue[vcpu][i++]);
    }
    assert_int_equal(i, m->len[vcpu]);
}

static void compare(void)
{
    for (u32 d = 0; d < DOMS; d++) {
        for (u32 p = 1; p < PORTS; p++)
            compare_port(d, p);
        for (u32 v = 0; v < WORLD_VCPUS; v++) {
            const struct vcpu_info *info = world.vcpu[d][v].info;
            assert_int_equal(info->evtchn_upcall_pending, model[d].upcall[v]);
            assert_int_equal(info->evtchn_pending_sel, model[d].sel[v]);
            if (model[d].fifo)
                compare_queue(d, v);
        }
        evtchn_audit(&world.dom[d]);
    }
}

// ---- Running ----

static const struct {
    const char *name;
    int (*model)(u32 d, u32 a, u32 b);
    int (*real)(u32 d, u32 a, u32 b);
    u32 a_first, a_end, b_end; // ranges of the arguments
} ops[] = {
    {"alloc_unbound", m_alloc, r_alloc, 0, DOMS, 1},
    {"bind_interdomain", m_connect, r_connect, 0, DOMS, PORTS},
    {"bind_virq", m_bind_virq, r_bind_virq, VIRQ_TIMER, VIRQ_TIMER + 1, WORLD_VCPUS},
    {"bind_virq", m_bind_virq, r_bind_virq, VIRQ_CONSOLE, VIRQ_CONSOLE + 1, WORLD_VCPUS},
    {"bind_ipi", m_bind_ipi, r_bind_ipi, 0, WORLD_VCPUS, 1},
    {"close", m_close, r_close, 1, PORTS, 1},
    {"send", m_send, r_send, 1, PORTS, 1},
    {"bind_vcpu", m_bind_vcpu, r_bind_vcpu, 1, PORTS, WORLD_VCPUS},
    {"unmask", m_unmask, r_unmask, 1, PORTS, 1},
    {"mask", m_mask, r_mask, 1, PORTS, 1},
    {"virq", m_virq_raised, r_virq_raised, VIRQ_TIMER, VIRQ_TIMER + 1, WORLD_VCPUS},
    {"virq", m_virq_raised, r_virq_raised, VIRQ_CONSOLE, VIRQ_CONSOLE + 1, 1},
    {"handle", m_handle, r_handle, 0, WORLD_VCPUS, 1},
};

struct step {
    u32 op, d, a, b;
};

static struct step step_all[128]; // every operation with every argument
static u32 steps;

static void list_steps(void)
{
    steps = 0;
    for (u32 op = 0; op < ARRAY_SIZE(ops); op++) {
        for (u32 d = 0; d < DOMS; d++) {
            for (u32 a = ops[op].a_first; a < ops[op].a_end; a++) {
                for (u32 b = 0; b < ops[op].b_end; b++)
                    step_all[steps++] = (struct step){op, d, a, b};
            }
        }
    }
    assert_true(steps <= ARRAY_SIZE(step_all));
}

static void begin(bool fifo)
{
    memset(model, 0, sizeof(model));
    memset(heads, 0, sizeof(heads));
    world_setup(PORTS - 1);
    if (fifo) {
        model[1].fifo = true;
        world_fifo_control(&world.dom[1]);
        world_fifo_expand(&world.dom[1], 0);
    }
}

static void run(const struct step *s)
{
    int want = ops[s->op].model(s->d, s->a, s->b), got = ops[s->op].real(s->d, s->a, s->b);
    if (want != got)
        fail_msg("%s(%u, %u, %u): %d instead of %d", ops[s->op].name, s->d, s->a, s->b, got, want);
}

// Starts anew, runs the sequence and compares. True if its last step changed the model.
static bool replay(const struct step *sequence, u32 length, bool fifo)
{
    begin(fifo);
    for (u32 i = 0; i + 1 < length; i++)
        run(&sequence[i]);
    struct model_domain before[DOMS];
    memcpy(before, model, sizeof(before));
    run(&sequence[length - 1]);
    compare();
    bool changed = memcmp(before, model, sizeof(before)) != 0;
    world_teardown();
    return changed;
}

// All ways to go on from the first `length` steps of the sequence, up to `length_max`. What changed
// nothing is not gone on from: the rest is a shorter sequence.
static void explore(struct step *sequence, u32 length, u32 length_max, bool fifo)
{
    for (u32 i = 0; i < steps; i++) {
        sequence[length] = step_all[i];
        if (replay(sequence, length + 1, fifo) && length + 1 < length_max)
            explore(sequence, length + 1, length_max, fifo);
    }
}

static void short_sequences(void **state)
{
    struct step sequence[LENGTH_MAX];
    list_steps();
    explore(sequence, 0, LENGTH_MAX, true); // domain 0 has the 2-level ABI all the same
    explore(sequence, 0, LENGTH_MAX - 1, false);
}

static u32 rnd(u32 *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void random_sequences(void **state)
{
    list_steps();
    for (u32 seed = 1; seed <= 30; seed++) {
        u32 r = seed;
        begin(seed % 2);
        for (u32 i = 0; i < 5000; i++) {
            run(&step_all[rnd(&r) % steps]);
            compare();
        }
        world_teardown();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_sequences),
        cmocka_unit_test(random_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
