// SPDX-License-Identifier: MIT
// Event channels between domains: events in both directions, who may bind, what a close or a death
// leaves.
//
// xen ABI: event_channel.h alloc_unbound, bind_interdomain, send, status, close, reset, bind_vcpu.
#include "lib/domu.h"

const char test_title[] = "event channels between domains";

#define ROUNDS 200

static evtchn_port_t for_other, theirs, offered;
static volatile unsigned int stage;

static void guest(void)
{
    evtchn_port_t port = start_info->store_evtchn, local;
    struct evtchn_status st;

    CHECK_RC(evtchn_status(port, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_interdomain);
    CHECK_EQ(st.u.interdomain.dom, 0);
    CHECK_RC(bind_interdomain(0, for_other, &local), -EINVAL); // meant for somebody else
    CHECK_RC(bind_interdomain(0, theirs, &local), 0);
    CHECK_RC(evtchn_send(local), 0);
    CHECK_RC(alloc_unbound(DOMID_SELF, 0, &offered), 0);
    port_unmask(port);
    events_enable();
    stage = 1;
    CHECK_RC(evtchn_send(port), 0);
    for (unsigned int i = 1; i <= ROUNDS; i++) { // ping pong
        events_disable(); // else one that comes before the block is slept through
        while (event_count[port] < i) {
            hc_sched_op(SCHEDOP_block, NULL); // unmasks and sleeps
            events_disable();
        }
        events_enable();
        CHECK_RC(evtchn_send(port), 0);
    }
    while (stage != 2)
        hc_sched_op(SCHEDOP_yield, NULL);
    CHECK_RC(evtchn_status(port, &st), 0); // dom0 closed its end
    CHECK_EQ(st.status, EVTCHNSTAT_unbound);
    CHECK_RC(evtchn_send(port), 0); // and nobody hears
}

static unsigned int status_in(unsigned int dom, evtchn_port_t port)
{
    struct evtchn_status st = {.dom = (domid_t)dom, .port = port};

    CHECK_RC(hc_event_channel_op(EVTCHNOP_status, &st), 0);
    return st.status;
}

void test_main(void)
{
    unsigned int two = 2;
    evtchn_port_t port, mine, ours;
    struct domu *d;

    REQUIRE(alloc_unbound(DOMID_SELF, 77, &for_other) == 0);
    d = domu_new(&(struct domu_config){.main = guest});
    REQUIRE(alloc_unbound(DOMID_SELF, d->id, &theirs) == 0);
    ours = theirs;
    domu_populate(d);
    domu_build(d);
    static struct vcpu_guest_context ctx;
    domu_context(d, &ctx);
    REQUIRE(domu_set_context(d, 0, &ctx) == 0);
    CHECK_EQ(status_in(d->id, d->console_evtchn), EVTCHNSTAT_unbound);
    CHECK_EQ(status_in(d->id, d->store_evtchn), EVTCHNSTAT_interdomain);
    CHECK_RC(alloc_unbound(0x1234, 0, &port), -ESRCH);
    CHECK_RC(bind_interdomain(d->id, 100, &port), -EINVAL);
    CHECK_RC(bind_interdomain(d->id, d->store_evtchn, &port), -EINVAL); // taken
    CHECK_RC(domu_unpause(d), 0);
    CHECK(port_wait(d->port, 5 * SECOND));
    CHECK(port_wait(ours, 5 * SECOND));
    for (unsigned int i = 0; i < ROUNDS; i++) {
        CHECK_RC(evtchn_send(d->port), 0);
        REQUIRE(port_wait(d->port, 5 * SECOND));
    }
    domu_fetch(d, &offered);
    CHECK_RC(bind_interdomain(d->id, offered, &mine), 0);
    CHECK_RC(evtchn_send(mine), 0);
    CHECK_RC(evtchn_close(d->port), 0);
    d->port = 0;
    CHECK_EQ(status_in(d->id, d->store_evtchn), EVTCHNSTAT_unbound);
    domu_poke(d, (void *)&stage, &two, sizeof(two));
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    CHECK_RC(evtchn_send(mine), 0); // to a domain that stands still
    CHECK_RC(domu_destroy(d), 0);
    CHECK_EQ(status_in(DOMID_SELF, mine), EVTCHNSTAT_unbound);
    CHECK_EQ(status_in(DOMID_SELF, ours), EVTCHNSTAT_unbound);
    CHECK_RC(evtchn_send(mine), 0);
    CHECK_RC(evtchn_close(mine), 0);
    CHECK_RC(evtchn_close(ours), 0);
    CHECK_RC(evtchn_close(for_other), 0);
}
