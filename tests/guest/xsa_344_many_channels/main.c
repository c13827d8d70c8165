// SPDX-License-Identifier: MIT
// XSA-344 (CVE-2020-25601): closing all of a domain's event channels, at a reset or at its end, was
// not preemptible.
//
// What must hold: a domain with as many channels as it may have, half of them bound to dom0, is
// reset and destroyed; each call of dom0 ends within a second.
#include "lib/domu.h"

const char test_title[] = "a domain with very many event channels";

#define PORTS 4000

static volatile unsigned int opened;

static void limit(struct xen_domctl_createdomain *args)
{
    args->max_evtchn_port = PORTS;
}

static void guest(void)
{
    evtchn_port_t port;

    while (alloc_unbound(DOMID_SELF, 0, &port) == 0)
        opened++;
    CHECK(opened > PORTS - 10);
}

static struct domu *opened_domu(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .limits = limit});

    CHECK_RC(domu_unpause(d), 0);
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    return d;
}

void test_main(void)
{
    struct domu *d = opened_domu();
    struct evtchn_reset reset = {.dom = d->id};
    evtchn_port_t bound[500];
    uint64_t start;

    CHECK_RC(domu_pause(d), 0);
    start = system_time();
    CHECK_RC(hc_event_channel_op(EVTCHNOP_reset, &reset), 0);
    CHECK(system_time() - start < SECOND);
    CHECK_RC(domu_destroy(d), 0);
    d = opened_domu();
    for (unsigned int i = 0; i < ARRAY_SIZE(bound); i++)
        CHECK_RC(bind_interdomain(d->id, 100 + i, &bound[i]), 0);
    start = system_time();
    CHECK_RC(domu_destroy(d), 0);
    CHECK(system_time() - start < 5 * SECOND);
    for (unsigned int i = 0; i < ARRAY_SIZE(bound); i++) {
        struct evtchn_status st;

        CHECK_RC(evtchn_status(bound[i], &st), 0);
        if (st.status != EVTCHNSTAT_unbound)
            CHECK_EQ(st.status, EVTCHNSTAT_unbound);
        CHECK_RC(evtchn_close(bound[i]), 0);
    }
}
