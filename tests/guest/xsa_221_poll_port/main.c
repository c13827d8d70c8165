// SPDX-License-Identifier: MIT
// XSA-221 (CVE-2017-10917): SCHEDOP_poll looked at ports that were never created, through a null
// pointer.
//
// What must hold: polling any port number is an error or returns; dom0 and a domU, with both event
// ABIs.
#include "lib/domu.h"

const char test_title[] = "polling ports that do not exist";

static void poll_all(void)
{
    evtchn_port_t ports[] = {0, 1, 63, 64, 1023, 1024, 4095, 4096, 65535, 131071, 131072, ~0u};
    struct sched_poll poll = {.nr_ports = 1};

    for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++) {
        poll.timeout = system_time() + 1000000;
        set_xen_guest_handle(poll.ports, ports + i);
        CHECK(hc_sched_op(SCHEDOP_poll, &poll) <= 0);
    }
    poll.nr_ports = 129;
    CHECK_RC(hc_sched_op(SCHEDOP_poll, &poll), -EINVAL);
    poll.nr_ports = ~0u;
    CHECK_RC(hc_sched_op(SCHEDOP_poll, &poll), -EINVAL);
}

static void guest(void)
{
    struct evtchn_init_control control = {.control_gfn = va_to_mfn(page_alloc())};

    poll_all();
    CHECK_RC(hc_event_channel_op(EVTCHNOP_init_control, &control), 0);
    poll_all(); // no array at all
}

void test_main(void)
{
    poll_all();
    CHECK_EQ(domu_run(guest), SHUTDOWN_poweroff);
}
