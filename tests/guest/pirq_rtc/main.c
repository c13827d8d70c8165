// SPDX-License-Identifier: MIT
// An edge-triggered legacy interrupt: the CMOS clock's IRQ 8 as a PIRQ event.
//
// xen ABI: physdev.h, event_channel.h EVTCHNOP_bind_pirq. dom0 drives the clock by its ports; each
// interrupt is one event; an edge interrupt needs no EOI but allows it.
#include "lib/guest.h"
#include "lib/port.h"

const char test_title[] = "edge-triggered PIRQ of the CMOS clock";

static uint8_t cmos_read(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static void cmos_write(uint8_t reg, uint8_t v)
{
    outb(0x70, reg);
    outb(0x71, v);
}

void test_main(void)
{
    struct physdev_set_iopl iopl = {.iopl = 1};
    struct physdev_setup_gsi setup = {.gsi = 8, .triggering = 0, .polarity = 0};
    struct physdev_map_pirq map = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 8, .pirq = 8};
    struct evtchn_bind_pirq bind = {.pirq = 8};
    struct physdev_eoi eoi = {.irq = 8};
    long rc;

    REQUIRE(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl) == 0);
    rc = hc_physdev_op(PHYSDEVOP_setup_gsi, &setup);
    CHECK(rc == 0 || rc == -EEXIST);
    CHECK_RC(hc_physdev_op(PHYSDEVOP_map_pirq, &map), 0);
    REQUIRE(hc_event_channel_op(EVTCHNOP_bind_pirq, &bind) == 0);
    CHECK_RC(evtchn_unmask(bind.port), 0);
    events_enable();
    cmos_write(0x0a, 0x26 | 0x0a);                       // 64 Hz
    cmos_write(0x0b, (uint8_t)(cmos_read(0x0b) | 0x40)); // periodic interrupt
    cmos_read(0x0c);
    for (unsigned int i = 0; i < 5; i++) {
        event_count[bind.port] = 0;
        CHECK(wait_for(&event_count[bind.port], 1000000000));
        cmos_read(0x0c); // re-arms
        hc_physdev_op(PHYSDEVOP_eoi, &eoi);
    }
    cmos_write(0x0b, (uint8_t)(cmos_read(0x0b) & ~0x40));
    cmos_read(0x0c);
    wait_ns(50000000);
    event_count[bind.port] = 0;
    wait_ns(100000000);
    CHECK_EQ(event_count[bind.port], 0);
    CHECK_RC(evtchn_close(bind.port), 0);
}
