// SPDX-License-Identifier: MIT
// A level-triggered interrupt of a device arrives as a PIRQ event and comes again while the line is
// up.
//
// Without an EOI it must not storm: the oracle re-arms the line by itself after about a
// millisecond, a hypervisor may as well wait for the EOI for ever.
//
// xen ABI: physdev.h PHYSDEVOP_setup_gsi, map_pirq, irq_status_query (needs_eoi), eoi;
// event_channel.h EVTCHNOP_bind_pirq. The device is QEMU's edu, whose INTA is one of the GSIs 16
// to 23.
//
// QEMU: -device edu
#include "lib/guest.h"

const char test_title[] = "level-triggered PIRQ with EOI";

#define REGS ((volatile uint32_t *)0xffffc90000000000)
#define WAIT 500000000ul

static evtchn_port_t port_of[24];
static int pirq_of[24];

static bool bind_gsi(int gsi)
{
    struct physdev_setup_gsi setup = {.gsi = gsi, .triggering = 1, .polarity = 1};
    struct physdev_map_pirq map = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = gsi, .pirq = gsi};
    struct evtchn_bind_pirq bind = {.flags = BIND_PIRQ__WILL_SHARE};

    if (hc_physdev_op(PHYSDEVOP_setup_gsi, &setup) || hc_physdev_op(PHYSDEVOP_map_pirq, &map))
        return false;
    bind.pirq = (uint32_t)map.pirq;
    if (hc_event_channel_op(EVTCHNOP_bind_pirq, &bind))
        return false;
    port_of[gsi] = bind.port;
    pirq_of[gsi] = map.pirq;
    return evtchn_unmask(bind.port) == 0;
}

static int fired_gsi(void)
{
    uint64_t end = system_time() + WAIT;

    while (system_time() < end) {
        for (int gsi = 16; gsi < 24; gsi++) {
            if (event_count[port_of[gsi]])
                return gsi;
        }
    }
    return -1;
}

static void eoi(int gsi)
{
    struct physdev_eoi arg = {.irq = (uint32_t)pirq_of[gsi]};

    CHECK_RC(hc_physdev_op(PHYSDEVOP_eoi, &arg), 0);
}

void test_main(void)
{
    struct physdev_irq_status_query query;
    int gsi;

    if (edu_setup(REGS) < 0)
        test_skip("no edu device");
    for (gsi = 16; gsi < 24; gsi++)
        CHECK(bind_gsi(gsi));
    events_enable();
    REGS[EDU_IRQ_RAISE] = 1;
    gsi = fired_gsi();
    REQUIRE(gsi > 0);
    query.irq = (uint32_t)pirq_of[gsi];
    CHECK_RC(hc_physdev_op(PHYSDEVOP_irq_status_query, &query), 0);
    CHECK_EQ(query.flags & XENIRQSTAT_needs_eoi, XENIRQSTAT_needs_eoi);
    wait_ns(20000000);
    CHECK(event_count[port_of[gsi]] <= 40); // no storm without an EOI
    eoi(gsi);
    wait_ns(20000000);
    CHECK(event_count[port_of[gsi]] >= 2); // the line is still up: it comes again
    REGS[EDU_IRQ_ACK] = 1;
    event_count[port_of[gsi]] = 0;
    eoi(gsi);
    wait_ns(20000000);
    CHECK_EQ(event_count[port_of[gsi]], 0); // quiet
    REGS[EDU_IRQ_RAISE] = 1;
    CHECK(wait_for(&event_count[port_of[gsi]], WAIT));
    REGS[EDU_IRQ_ACK] = 1;
    eoi(gsi);
    CHECK_RC(evtchn_close(port_of[gsi]), 0);
}
