// SPDX-License-Identifier: MIT
// Time in another domain: system time agrees with dom0's, timers fire, wall clock with its offset.
//
// xen ABI: domctl.h settimeoffset, gettscinfo, settscinfo; xen.h struct vcpu_time_info, shared_info
// wc_*; vcpu.h get_runstate_info, set_singleshot_timer; sched.h poll and block.
//
#include "lib/domu.h"

const char test_title[] = "time in another domain";

static volatile uint64_t theirs, wc_sec;
static volatile unsigned int stage;

static void check_timer(void)
{
    evtchn_port_t port;
    uint64_t start;

    REQUIRE(bind_virq(VIRQ_TIMER, 0, &port) == 0);
    hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    port_unmask(port);
    start = system_time();
    CHECK_RC(hc_set_timer_op(start + 50000000), 0);
    events_disable(); // else one that comes before the block is slept through
    while (!port_pending(port) && !event_count[port]) {
        hc_sched_op(SCHEDOP_block, NULL); // unmasks and sleeps
        events_disable();
    }
    events_enable();
    CHECK(system_time() >= start + 50000000);
    CHECK(system_time() < start + 10 * SECOND);
}

static void check_runstate(void)
{
    struct vcpu_runstate_info r;

    CHECK_RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &r), 0);
    CHECK_EQ(r.state, RUNSTATE_running);
    CHECK(r.time[RUNSTATE_running] > 0);
    CHECK(r.time[RUNSTATE_blocked] > 10000000); // the timer's wait
    CHECK(r.time[0] + r.time[1] + r.time[2] + r.time[3] <= system_time());
}

static void guest(void)
{
    uint64_t last = 0, now;

    for (unsigned int i = 0; i < 2000; i++) {
        now = system_time();
        if (now < last)
            CHECK(now >= last);
        last = now;
    }
    check_timer();
    check_runstate();
    wc_sec = shared_info->wc_sec | (uint64_t)shared_info->wc_sec_hi << 32;
    stage = 1;
    for (;;) {
        theirs = system_time();
        hc_sched_op(SCHEDOP_yield, NULL);
    }
}

void test_main(void)
{
    struct domu *d = domu_create(guest);
    uint64_t ours, wc;

    CHECK_RC(domctl(XEN_DOMCTL_gettscinfo, d->id), 0);
    CHECK_EQ(dc.u.tsc_info.tsc_mode, 0);
    CHECK(dc.u.tsc_info.gtsc_khz > 10000);
    dc.u.tsc_info.tsc_mode = 77;
    CHECK_RC(domctl(XEN_DOMCTL_settscinfo, d->id), -EINVAL);
    CHECK_RC(domctl(XEN_DOMCTL_gettscinfo, 0x1234), -ESRCH);
    dc.u.settimeoffset.time_offset_seconds = 3600;
    CHECK_RC(domctl(XEN_DOMCTL_settimeoffset, d->id), 0);
    CHECK_RC(domctl(XEN_DOMCTL_settimeoffset, 0x1234), -ESRCH);
    CHECK_RC(domu_unpause(d), 0);
    REQUIRE(REST_UNTIL((domu_fetch(d, &stage), stage), 15 * SECOND));
    CHECK_RC(domu_pause(d), 0);
    domu_fetch(d, &theirs);
    ours = system_time();
    CHECK(theirs <= ours + 1000000);
    CHECK(theirs + 2 * SECOND > ours);
    domu_fetch(d, &wc_sec);
    wc = shared_info->wc_sec | (uint64_t)shared_info->wc_sec_hi << 32;
    CHECK(wc_sec >= wc + 3599 && wc_sec <= wc + 3601);
    CHECK_RC(domu_destroy(d), 0);
}
