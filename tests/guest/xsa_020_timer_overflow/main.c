// SPDX-License-Identifier: MIT
// XSA-20 (CVE-2012-4535): timers with absurd deadlines and periods.
//
// Class: arithmetic on a guest's deadline overflows, or a period is so short that the hypervisor
// does nothing but serve it. What must hold: too short and too long periods are refused, any
// deadline is taken, and other timers go on working.
#include "lib/guest.h"

const char test_title[] = "absurd timer deadlines and periods";

static const uint64_t absurd[] = {1, 1ul << 31, 1ul << 61, INT64_MAX, 1ul << 63, ~0ul - 1, ~0ul};

void test_main(void)
{
    evtchn_port_t port;

    REQUIRE(bind_virq(VIRQ_TIMER, 0, &port) == 0);
    port_unmask(port);
    events_enable();
    for (unsigned int i = 0; i < ARRAY_SIZE(absurd); i++) {
        struct vcpu_set_singleshot_timer one = {.timeout_abs_ns = absurd[i]};
        struct vcpu_set_periodic_timer period = {.period_ns = absurd[i]};

        CHECK_RC(hc_set_timer_op(absurd[i]), 0);
        CHECK_RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &one), 0);
        if (absurd[i] < 1000 || absurd[i] >= 1ul << 63)
            CHECK(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &period) < 0);
        else
            hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &period);
    }
    CHECK_RC(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    CHECK_RC(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    CHECK_RC(hc_set_timer_op(0), 0);
    wait_ns(5000000);
    event_count[port] = 0;
    CHECK_RC(hc_set_timer_op(system_time() + 1000000), 0);
    CHECK(wait_for((volatile unsigned int *)&event_count[port], 2000000000));
}
