// SPDX-License-Identifier: MIT
// Single-shot and periodic timers, set_timer_op and VIRQ_TIMER.
//
// xen ABI: vcpu.h VCPUOP_set_singleshot_timer, stop_, set_periodic_timer, stop_; xen.h
// set_timer_op. A timer in the past fires at once unless VCPU_SSHOTTMR_future asked for -ETIME
// (which may be ignored); it never fires early; a stopped one does not fire; periods below 1 ms are
// -EINVAL.
#include "lib/guest.h"

const char test_title[] = "timers of a vCPU";

#define MS 1000000ul

static evtchn_port_t port;

static long singleshot(uint64_t when, uint32_t flags)
{
    struct vcpu_set_singleshot_timer arg = {.timeout_abs_ns = when, .flags = flags};

    return hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &arg);
}

static long periodic(uint64_t period)
{
    struct vcpu_set_periodic_timer arg = {.period_ns = period};

    return hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &arg);
}

static void check_singleshot(void)
{
    uint64_t when = system_time() + 5 * MS;

    event_count[port] = 0;
    CHECK_RC(singleshot(when, 0), 0);
    CHECK(wait_for(&event_count[port], 1000 * MS));
    CHECK(system_time() >= when);
    wait_ns(10 * MS);
    CHECK_EQ(event_count[port], 1); // once
}

static void check_past(void)
{
    long rc;

    event_count[port] = 0;
    CHECK_RC(singleshot(system_time() - 1 * MS, 0), 0);
    CHECK(wait_for(&event_count[port], 1000 * MS));
    event_count[port] = 0;
    rc = singleshot(system_time() - 1 * MS, VCPU_SSHOTTMR_future);
    CHECK(rc == -ETIME || rc == 0);
    wait_ns(5 * MS);
    CHECK_EQ(event_count[port], rc == 0);
}

static void check_stop(void)
{
    event_count[port] = 0;
    CHECK_RC(singleshot(system_time() + 20 * MS, 0), 0);
    CHECK_RC(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    wait_ns(40 * MS);
    CHECK_EQ(event_count[port], 0);
    CHECK_RC(hc_set_timer_op(system_time() + 20 * MS), 0);
    CHECK_RC(hc_set_timer_op(0), 0); // 0 stops
    wait_ns(40 * MS);
    CHECK_EQ(event_count[port], 0);
    CHECK_RC(hc_set_timer_op(system_time() + 2 * MS), 0);
    CHECK(wait_for(&event_count[port], 1000 * MS));
}

static void check_periodic(void)
{
    event_count[port] = 0;
    CHECK_RC(periodic(10 * MS), 0);
    wait_ns(200 * MS);
    CHECK(event_count[port] >= 5);
    CHECK(event_count[port] <= 25);
    CHECK_RC(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    event_count[port] = 0;
    wait_ns(50 * MS);
    CHECK_EQ(event_count[port], 0);
    CHECK_RC(periodic(999999), -EINVAL);
    CHECK_RC(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, (void *)0x10), -EFAULT);
    CHECK_RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, (void *)0x10), -EFAULT);
}

static void check_other_vcpu(void)
{
    struct vcpu_set_singleshot_timer arg = {.timeout_abs_ns = system_time() + MS};

    CHECK_RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 64, &arg), -ENOENT);
    if (vcpu_count() > 1)
        CHECK_RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 1, &arg), -EINVAL); // only one's own
}

void test_main(void)
{
    REQUIRE(bind_virq(VIRQ_TIMER, 0, &port) == 0);
    port_unmask(port);
    CHECK_RC(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    events_enable();
    check_singleshot();
    check_past();
    check_stop();
    check_periodic();
    check_other_vcpu();
}
