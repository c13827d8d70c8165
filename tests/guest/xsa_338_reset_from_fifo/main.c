// SPDX-License-Identifier: MIT
// XSA-338 (CVE-2020-25597): ports that were valid under the FIFO ABI became invalid when a domain
// reset its channels to the 2-level one, and the hypervisor relied on them.
//
// What must hold: a domU with FIFO channels, among them one to dom0, resets itself; events from
// both sides, polls and closes after that are answered, and the 2-level ABI works again.
#include "lib/domu.h"

const char test_title[] = "resetting FIFO event channels";

static volatile unsigned int stage;

static void guest(void)
{
    struct evtchn_init_control control = {.control_gfn = va_to_mfn(page_alloc())};
    struct evtchn_expand_array array = {.array_gfn = va_to_mfn(page_alloc())};
    struct evtchn_reset reset = {.dom = DOMID_SELF};
    evtchn_port_t port[300], again;

    CHECK_RC(hc_event_channel_op(EVTCHNOP_init_control, &control), 0);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_expand_array, &array), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(port); i++)
        CHECK_RC(bind_ipi(0, &port[i]), 0);
    CHECK_RC(evtchn_send(port[299]), 0);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_reset, &reset), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(port); i++) {
        struct sched_poll poll = {.nr_ports = 1, .timeout = 1};

        CHECK(evtchn_send(port[i]) < 0);
        CHECK(evtchn_close(port[i]) < 0);
        CHECK(evtchn_unmask(port[i]) <= 0);
        set_xen_guest_handle(poll.ports, &port[i]);
        CHECK(hc_sched_op(SCHEDOP_poll, &poll) <= 0);
    }
    stage = 1;
    while (stage != 2)
        hc_sched_op(SCHEDOP_yield, NULL);
    CHECK_RC(bind_ipi(0, &again), 0);
    port_clear(again);
    CHECK_RC(evtchn_send(again), 0);
    CHECK(port_pending(again)); // in the 2-level bitmap
}

void test_main(void)
{
    struct domu *d = domu_create(guest);
    unsigned int two = 2;

    CHECK_RC(domu_unpause(d), 0);
    REQUIRE(REST_UNTIL((domu_fetch(d, &stage), stage == 1), 10 * SECOND));
    CHECK_RC(evtchn_send(d->port), 0); // its end is gone
    domu_poke(d, (void *)&stage, &two, sizeof(two));
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    CHECK_RC(domu_destroy(d), 0);
}
