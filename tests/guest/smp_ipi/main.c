// SPDX-License-Identifier: MIT
// IPIs between vCPUs through event channels, and events bound to another vCPU.
//
// xen ABI: event_channel.h EVTCHNOP_bind_ipi: events on the port are delivered on the bound vCPU
// only; bind_vcpu moves an interdomain port. A blocked vCPU wakes up.
//
// SMP: 4
#include "lib/guest.h"

const char test_title[] = "IPIs and cross-vCPU events";

#define WAIT 2000000000ul

static evtchn_port_t ipi[4], port, peer;
static volatile unsigned int up[4], hits[4], wrong;

static bool count_by_cpu(struct frame *f)
{
    if (f->vector == VEC_EVENT)
        hits[this_cpu()->id]++;
    return false;
}

static void secondary(void)
{
    up[this_cpu()->id] = 1;
    for (;;)
        hc_sched_op(SCHEDOP_block, NULL); // unmasks and sleeps
}

static void check_ipis(void)
{
    for (unsigned int round = 1; round <= 20; round++) {
        for (unsigned int id = 1; id < 4; id++) {
            unsigned int before = hits[id];
            uint64_t end = system_time() + WAIT;

            if (!CHECK_RC(evtchn_send(ipi[id]), 0))
                return;
            while (hits[id] == before && system_time() < end)
                asm volatile("pause");
            if (!CHECK(hits[id] != before))
                return;
        }
    }
    for (unsigned int id = 1; id < 4; id++)
        CHECK_EQ(event_count[ipi[id]], 20);
    CHECK_EQ(hits[0], 0);
}

static void check_moved(void)
{
    struct evtchn_bind_vcpu arg = {.port = port, .vcpu = 2};
    unsigned int before = hits[2];

    CHECK_RC(hc_event_channel_op(EVTCHNOP_bind_vcpu, &arg), 0);
    event_count[port] = 0;
    CHECK_RC(evtchn_send(peer), 0);
    CHECK(wait_for(&event_count[port], WAIT));
    CHECK(hits[2] > before);
    CHECK_EQ(hits[0], 0);
}

void test_main(void)
{
    trap_hook = count_by_cpu;
    REQUIRE(alloc_unbound(DOMID_SELF, DOMID_SELF, &port) == 0);
    REQUIRE(bind_interdomain(DOMID_SELF, port, &peer) == 0);
    port_clear(port);
    port_unmask(port);
    for (unsigned int id = 1; id < 4; id++) {
        REQUIRE(bind_ipi(id, &ipi[id]) == 0);
        port_unmask(ipi[id]);
        REQUIRE(smp_start(id, secondary) == 0);
        REQUIRE(wait_for(&up[id], WAIT));
    }
    check_ipis();
    check_moved();
}
