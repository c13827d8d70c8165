// SPDX-License-Identifier: MIT
// HYPERVISOR_sched_op: yield, block, poll, and errors.
//
// xen ABI: sched.h. Block re-enables upcalls and sleeps until an event is received; poll returns
// when a port is pending (masked or not) or the absolute timeout passed, and needs no upcall; bad
// ports and more than 128 ports are -EINVAL.
#include "lib/guest.h"

const char test_title[] = "sched_op yield, block, poll";

#define MS 1000000ul

static evtchn_port_t timer, port, peer;

static void set_timer(uint64_t ns)
{
    CHECK_RC(hc_set_timer_op(system_time() + ns), 0);
}

static void check_block(void)
{
    uint64_t start = system_time();

    port_unmask(timer);
    events_disable();
    set_timer(20 * MS);
    CHECK_RC(hc_sched_op(SCHEDOP_block, NULL), 0);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 0); // block unmasked
    CHECK_EQ(event_count[timer], 1);
    CHECK(system_time() - start >= 20 * MS);
    // An event pending before makes block return at once.
    events_disable();
    set_timer(1);
    wait_ns(5 * MS);
    CHECK_EQ(event_count[timer], 1);
    start = system_time();
    CHECK_RC(hc_sched_op(SCHEDOP_block, NULL), 0);
    CHECK_EQ(event_count[timer], 2);
    CHECK(system_time() - start < 1000 * MS);
    events_disable();
}

static long poll(evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
    struct sched_poll arg = {.nr_ports = n, .timeout = timeout};

    set_xen_guest_handle(arg.ports, ports);
    return hc_sched_op(SCHEDOP_poll, &arg);
}

static void check_poll(void)
{
    evtchn_port_t ports[2] = {port, peer};
    uint64_t end = system_time() + 20 * MS;

    port_clear(port);
    port_clear(peer);
    CHECK_RC(poll(ports, 2, end), 0);
    CHECK(system_time() >= end); // nothing came: the timeout ended it
    CHECK_RC(evtchn_send(peer), 0);
    end = system_time() + 2000 * MS;
    CHECK_RC(poll(ports, 2, end), 0);
    CHECK(system_time() < end); // pending, though masked
    CHECK(port_pending(port));
    CHECK_RC(poll(ports, 0, system_time() + 5 * MS), 0);
    end = system_time();
    CHECK_RC(poll(&ports[1], 1, end - 1), 0); // a timeout in the past
    ports[0] = 1u << 20;
    CHECK_RC(poll(ports, 1, 0), -EINVAL);
    CHECK_RC(poll(ports, 129, 0), -EINVAL);
    CHECK_RC(poll((void *)0x10, 1, 0), -EFAULT);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1); // poll leaves it alone
}

static void check_errors(void)
{
    struct sched_watchdog dog = {.id = 9, .timeout = 0};

    CHECK_RC(hc_sched_op(SCHEDOP_yield, NULL), 0);
    CHECK_RC(hc_sched_op(SCHEDOP_poll, (void *)0x10), -EFAULT);
    CHECK_RC(hc_sched_op(SCHEDOP_shutdown, (void *)0x10), -EFAULT);
    CHECK_RC(hc_sched_op(99, NULL), -ENOSYS);
    CHECK_RC(hc_sched_op(SCHEDOP_watchdog, &dog), -EINVAL); // no such watchdog
    dog = (struct sched_watchdog){.id = 0, .timeout = 100};
    CHECK_EQ(hc_sched_op(SCHEDOP_watchdog, &dog), 1);
    dog = (struct sched_watchdog){.id = 1, .timeout = 0};
    CHECK_RC(hc_sched_op(SCHEDOP_watchdog, &dog), 0);
    CHECK_RC(HC2(__HYPERVISOR_sched_op_compat, SCHEDOP_yield, 0), 0);
}

void test_main(void)
{
    REQUIRE(bind_virq(VIRQ_TIMER, 0, &timer) == 0);
    REQUIRE(alloc_unbound(DOMID_SELF, DOMID_SELF, &port) == 0);
    REQUIRE(bind_interdomain(DOMID_SELF, port, &peer) == 0);
    CHECK_RC(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    vcpu_info()->evtchn_pending_sel = 0;
    vcpu_info()->evtchn_upcall_pending = 0;
    check_block();
    check_poll();
    check_errors();
}
