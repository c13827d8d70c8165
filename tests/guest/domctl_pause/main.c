// SPDX-License-Identifier: MIT
// pausedomain and unpausedomain: by how often the tools paused it, a domain stands still.
//
// xen ABI: domctl.h. A new domain is paused once; a paused one makes no progress, keeps its events
// for later, and says so in getdomaininfo; an unpause without a pause is -EINVAL; dom0 cannot pause
// itself.
#include "lib/domu.h"

const char test_title[] = "pausing domains";

static volatile uint64_t ticks, events;

static void guest(void)
{
    evtchn_port_t port = start_info->store_evtchn;

    port_unmask(port);
    events_enable();
    for (;;) {
        ticks++;
        events = event_count[port];
        if (ticks % 64 == 0)
            hc_sched_op(SCHEDOP_yield, NULL);
    }
}

static uint64_t ticks_of(struct domu *d)
{
    domu_fetch(d, &ticks);
    domu_fetch(d, &events);
    return ticks;
}

static bool runs(struct domu *d)
{
    uint64_t before = ticks_of(d);

    return REST_UNTIL(ticks_of(d) != before, SECOND);
}

static bool stands(struct domu *d)
{
    uint64_t before = ticks_of(d);

    for (unsigned int i = 0; i < 20; i++)
        dom0_rest(0);
    return ticks_of(d) == before;
}

static bool paused(struct domu *d)
{
    return domain_info(d->id)->flags & XEN_DOMINF_paused;
}

void test_main(void)
{
    struct domu *d = domu_create(guest);

    CHECK(paused(d) && stands(d));
    CHECK_RC(domu_pause(d), 0); // twice now
    CHECK_RC(domu_unpause(d), 0);
    CHECK(paused(d) && stands(d));
    CHECK_RC(domu_unpause(d), 0);
    CHECK(!paused(d) && runs(d));
    CHECK_RC(domu_unpause(d), -EINVAL);
    CHECK_RC(evtchn_send(d->port), 0);
    CHECK(REST_UNTIL((ticks_of(d), events == 1), SECOND));

    for (unsigned int i = 0; i < 10; i++)
        CHECK_RC(domu_pause(d), 0);
    CHECK(paused(d) && stands(d));
    CHECK_RC(evtchn_send(d->port), 0);
    CHECK(stands(d));
    for (unsigned int i = 0; i < 10; i++) {
        CHECK(paused(d));
        CHECK_RC(domu_unpause(d), 0);
    }
    CHECK(!paused(d) && runs(d));
    CHECK(REST_UNTIL((ticks_of(d), events == 2), SECOND));

    CHECK_RC(domctl(XEN_DOMCTL_pausedomain, 0), -EINVAL);
    CHECK_RC(domctl(XEN_DOMCTL_unpausedomain, 0), -EINVAL);
    CHECK_RC(domctl(XEN_DOMCTL_pausedomain, DOMID_SELF), -ESRCH);
    CHECK_RC(domctl(XEN_DOMCTL_unpausedomain, 0x1234), -ESRCH);
    CHECK_RC(domu_pause(d), 0);
    CHECK_RC(domu_destroy(d), 0); // while it is paused
    CHECK_RC(domctl(XEN_DOMCTL_unpausedomain, d->id), -ESRCH);
}
