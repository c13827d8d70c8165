// SOURCES: hv/hc/op.c hv/hc/event.c hv/dom/evtchn.c hv/dom/evtchn_2l.c hv/dom/evtchn_fifo.c
// SPDX-License-Identifier: MIT
// The event channel hypercalls from the guest's struct to its struct: who may, what is copied, what
// is not. Guest memory is the test's own; addresses below GUEST_END fault.
#include "unit/dom_evtchn_world.h"
#include "hc/op.h"
#include "hc/table.h"

enum { GUEST_END = 4096 };

static bool out_faults;

int guest_copy_in(void *dst, guest_ptr src, u64 bytes)
{
    if (src.v < GUEST_END)
        return -EFAULT;
    memcpy(dst, (void *)src.v, bytes);
    return 0;
}

int guest_copy_out(guest_ptr dst, const void *src, u64 bytes)
{
    if (dst.v < GUEST_END || out_faults)
        return -EFAULT;
    memcpy((void *)dst.v, src, bytes);
    return 0;
}

static struct vcpu *const dom0_vcpu = &world.vcpu[0][0], *const domu_vcpu = &world.vcpu[1][1];

static int setup(void **state)
{
    out_faults = false;
    world_setup(~0u);
    return 0;
}

static int teardown(void **state)
{
    world_teardown();
    return 0;
}

static long call(struct vcpu *cur, u32 cmd, void *arg)
{
    return hc_event_op(cur, cmd, (uintptr_t)arg, 0, 0, 0);
}

static void table_is_complete(void **state)
{
    for (u32 i = 0; i <= EVTCHNOP_set_priority; i++)
        assert_int_equal(call(domu_vcpu, i, NULL), -EFAULT);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_set_priority + 1, NULL), -ENOSYS);
    assert_int_equal(call(domu_vcpu, ~0u, NULL), -ENOSYS);
}

static void whose_domain(void **state)
{
    static const struct {
        u32 cur;
        domid_t dom;
        long ret;
    } rows[] = {
        {1, DOMID_SELF, 0}, {1, 1, 0}, {1, 0, -EPERM}, {1, 9, -ESRCH},
        {0, DOMID_SELF, 0}, {0, 1, 0}, {0, 9, -ESRCH}, {0, DOMID_IDLE, -ESRCH},
    };
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vcpu *cur = &world.vcpu[rows[i].cur][0];
        struct evtchn_alloc_unbound alloc = {rows[i].dom, DOMID_SELF, 0};
        assert_int_equal(call(cur, EVTCHNOP_alloc_unbound, &alloc), rows[i].ret);
        struct evtchn_status st = {.dom = rows[i].dom, .port = alloc.port};
        assert_int_equal(call(cur, EVTCHNOP_status, &st), rows[i].ret);
        if (!rows[i].ret) {
            assert_int_equal(st.status, EVTCHNSTAT_unbound);
            assert_int_equal(st.u.unbound.dom, rows[i].cur);
        }
        struct evtchn_reset rst = {rows[i].dom};
        assert_int_equal(call(cur, EVTCHNOP_reset, &rst), rows[i].ret);
    }
}

static void channel_life(void **state)
{
    struct evtchn_alloc_unbound alloc = {DOMID_SELF, 1, 0};
    assert_int_equal(call(dom0_vcpu, EVTCHNOP_alloc_unbound, &alloc), 0);
    struct evtchn_bind_interdomain bind = {9, alloc.port, 77};
    assert_int_equal(call(domu_vcpu, EVTCHNOP_bind_interdomain, &bind), -ESRCH);
    assert_int_equal(bind.local_port, 77); // not copied out
    bind.remote_dom = 0;
    assert_int_equal(call(domu_vcpu, EVTCHNOP_bind_interdomain, &bind), 0);
    assert_int_equal(bind.local_port, 1);
    struct evtchn_send send = {bind.local_port};
    assert_int_equal(call(domu_vcpu, EVTCHNOP_send, &send), 0);
    assert_int_equal(world.shared[0].evtchn_pending[0], 1ul << alloc.port);
    struct evtchn_status st = {.dom = DOMID_SELF, .port = bind.local_port};
    assert_int_equal(call(domu_vcpu, EVTCHNOP_status, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_interdomain);
    assert_int_equal(st.u.interdomain.dom, 0);
    assert_int_equal(st.u.interdomain.port, alloc.port);
    struct evtchn_bind_vcpu to = {bind.local_port, 1};
    assert_int_equal(call(domu_vcpu, EVTCHNOP_bind_vcpu, &to), 0);
    struct evtchn_unmask unmask = {bind.local_port};
    assert_int_equal(call(domu_vcpu, EVTCHNOP_unmask, &unmask), 0);
    struct evtchn_close close = {bind.local_port};
    assert_int_equal(call(domu_vcpu, EVTCHNOP_close, &close), 0);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_status, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_closed);
}

static void local_ports(void **state)
{
    struct evtchn_bind_virq virq = {VIRQ_TIMER, 1, 0};
    struct evtchn_bind_ipi ipi = {1, 0};
    struct evtchn_bind_pirq pirq = {9, BIND_PIRQ__WILL_SHARE, 0};
    struct evtchn_status st = {.dom = DOMID_SELF};
    assert_int_equal(call(domu_vcpu, EVTCHNOP_bind_virq, &virq), 0);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_bind_ipi, &ipi), 0);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_bind_pirq, &pirq), 0);
    assert_true(world.pirq_shared);
    st.port = virq.port;
    assert_int_equal(call(domu_vcpu, EVTCHNOP_status, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_virq);
    assert_int_equal(st.u.virq, VIRQ_TIMER);
    st.port = ipi.port;
    assert_int_equal(call(domu_vcpu, EVTCHNOP_status, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_ipi);
    assert_int_equal(st.vcpu, 1);
    st.port = pirq.port;
    assert_int_equal(call(domu_vcpu, EVTCHNOP_status, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_pirq);
    assert_int_equal(st.u.pirq, 9);
    out_faults = true;
    assert_int_equal(call(domu_vcpu, EVTCHNOP_bind_ipi, &ipi), -EFAULT);
}

static void fifo(void **state)
{
    struct evtchn_init_control init = {.control_gfn = 40, .offset = 0, .vcpu = 1};
    struct evtchn_expand_array expand = {42};
    struct evtchn_set_priority priority = {1, 3};
    struct evtchn_bind_ipi ipi = {1, 0};
    assert_int_equal(call(domu_vcpu, EVTCHNOP_expand_array, &expand), -EOPNOTSUPP);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_init_control, &init), 0);
    assert_int_equal(init.link_bits, EVTCHN_FIFO_LINK_BITS);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_expand_array, &expand), 0);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_bind_ipi, &ipi), 0);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_set_priority, &priority), 0);
    struct evtchn_reset reset = {1};
    assert_int_equal(call(dom0_vcpu, EVTCHNOP_reset, &reset), 0); // closes, keeps the ABI
    assert_int_equal(world.frames_mapped, 2);
    reset.dom = DOMID_SELF;
    assert_int_equal(call(domu_vcpu, EVTCHNOP_reset, &reset), 0);
    assert_int_equal(world.frames_mapped, 0);
}

static void reset_is_cut(void **state)
{
    struct evtchn_bind_ipi ipi = {0, 0};
    struct evtchn_reset reset = {DOMID_SELF};
    for (u32 i = 0; i < 300; i++)
        assert_int_equal(call(domu_vcpu, EVTCHNOP_bind_ipi, &ipi), 0);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_reset, &reset), -ERESTART_HC);
    assert_int_equal(call(domu_vcpu, EVTCHNOP_reset, &reset), 0);
}

static void compat_form(void **state)
{
    struct evtchn_op op = {.cmd = EVTCHNOP_bind_ipi, .u.bind_ipi = {1, 0}};
    u64 p = (uintptr_t)&op;
    assert_int_equal(hc_event_op_compat(domu_vcpu, p, 0, 0, 0, 0), 0);
    assert_int_equal(op.u.bind_ipi.port, 1);
    op.cmd = EVTCHNOP_reset;
    assert_int_equal(hc_event_op_compat(domu_vcpu, p, 0, 0, 0, 0), -ENOSYS);
    assert_int_equal(hc_event_op_compat(domu_vcpu, 0, 0, 0, 0, 0), -EFAULT);
}

static long op_out(struct vcpu *cur, void *arg)
{
    u64 *a = arg;
    return *a == 0 ? 5 : -EINVAL; // must not see what the guest's memory held
}

static long op_none(struct vcpu *cur, void *arg)
{
    return arg ? -EINVAL : 0;
}

static void directions_and_privilege(void **state)
{
    static const struct hc_op ops[] = {
        {"out", 3, sizeof(u64), HC_OUT, false, op_out, NULL},
        {"none", 7, 0, HC_NONE, true, op_none, NULL},
    };
    u64 word = 1;
    guest_ptr p = GUEST_PTR((uintptr_t)&word);
    assert_int_equal(hc_dispatch_op(ops, 2, domu_vcpu, 3, p), 5);
    assert_int_equal(word, 0);
    assert_int_equal(hc_dispatch_op(ops, 2, domu_vcpu, 3, GUEST_PTR(0)), -EFAULT);
    assert_int_equal(hc_dispatch_op(ops, 2, domu_vcpu, 7, p), -EPERM);
    assert_int_equal(hc_dispatch_op(ops, 2, dom0_vcpu, 7, p), 0);
    assert_int_equal(hc_dispatch_op(ops, 1, dom0_vcpu, 7, p), -ENOSYS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(table_is_complete),
        TEST(whose_domain),
        TEST(channel_life),
        TEST(local_ports),
        TEST(fifo),
        TEST(reset_is_cut),
        TEST(compat_form),
        TEST(directions_and_privilege),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
