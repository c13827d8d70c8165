// SPDX-License-Identifier: MIT
// Run-state information, its shared area, and the secondary time area.
//
// xen ABI: vcpu.h VCPUOP_get_runstate_info (the four times do not drift from system time),
// register_runstate_memory_area (always running), register_vcpu_time_memory_area.
#include "lib/guest.h"

const char test_title[] = "runstate and time areas";

#define MS 1000000ul

static uint64_t total(const struct vcpu_runstate_info *r)
{
    return r->time[0] + r->time[1] + r->time[2] + r->time[3];
}

static void check_get(void)
{
    struct vcpu_runstate_info a, b;
    uint64_t t0, t1;

    t0 = system_time();
    CHECK_RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &a), 0);
    wait_ns(20 * MS);
    CHECK_RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &b), 0);
    t1 = system_time();
    CHECK_EQ(a.state, RUNSTATE_running);
    CHECK(b.time[RUNSTATE_running] > a.time[RUNSTATE_running]);
    CHECK(total(&b) - total(&a) >= 20 * MS);
    CHECK(total(&b) - total(&a) <= t1 - t0);
    CHECK(b.state_entry_time <= t1);
    CHECK_RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, (void *)0x10), -EFAULT);
    CHECK_RC(hc_vcpu_op(VCPUOP_get_runstate_info, 64, &a), -ENOENT);
}

static void check_area(void)
{
    static struct vcpu_runstate_info area;
    struct vcpu_register_runstate_memory_area arg = {.addr.v = &area};

    area.state = 99;
    CHECK_RC(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &arg), 0);
    CHECK_EQ(area.state, RUNSTATE_running);
    CHECK(area.state_entry_time != 0);
    CHECK_RC(hc_set_timer_op(system_time() + 10 * MS), 0);
    CHECK_RC(hc_sched_op(SCHEDOP_block, NULL), 0);
    events_disable();
    CHECK_EQ(READ_ONCE(area.state), RUNSTATE_running);
    CHECK(READ_ONCE(area.time[RUNSTATE_blocked]) >= 5 * MS);
    arg.addr.v = (void *)HYPERVISOR_VIRT_START;
    CHECK_RC(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &arg), -EFAULT);
}

static void check_time_area(void)
{
    static struct vcpu_time_info copy;
    struct vcpu_register_time_memory_area arg = {.addr.v = &copy};
    const struct vcpu_time_info *master = &vcpu_info()->time;

    CHECK_RC(hc_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &arg), 0);
    CHECK_EQ(copy.tsc_to_system_mul, master->tsc_to_system_mul);
    CHECK_EQ(copy.tsc_shift, master->tsc_shift);
    CHECK_EQ(copy.version & 1, 0);
    CHECK(copy.tsc_timestamp <= rdtsc());
    CHECK_RC(hc_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, (void *)0x10), -EFAULT);
}

void test_main(void)
{
    evtchn_port_t timer;

    REQUIRE(bind_virq(VIRQ_TIMER, 0, &timer) == 0);
    port_unmask(timer);
    CHECK_RC(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    check_get();
    check_area();
    check_time_area();
}
