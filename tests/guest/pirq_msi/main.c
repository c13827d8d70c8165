// SPDX-License-Identifier: MIT
// A message-signalled interrupt: mapped by the hypercall, delivered as an event, unmapped again.
//
// xen ABI: physdev.h PHYSDEVOP_pci_device_add, map_pirq with MAP_PIRQ_TYPE_MSI_SEG, unmap_pirq. The
// hypervisor programs the device's MSI capability; the guest asks for a pirq and gets its number.
//
// QEMU: -device edu
#include "lib/guest.h"

const char test_title[] = "MSI as a PIRQ event";

#define REGS ((volatile uint32_t *)0xffffc90000000000)
#define WAIT 500000000ul

static unsigned int devfn;

static struct physdev_map_pirq mapping(void)
{
    return (struct physdev_map_pirq){.domid = DOMID_SELF,
                                     .type = MAP_PIRQ_TYPE_MSI_SEG,
                                     .index = -1,
                                     .pirq = -1,
                                     .bus = 0,
                                     .devfn = (int)devfn};
}

static void check_delivery(evtchn_port_t port)
{
    for (unsigned int i = 0; i < 10; i++) {
        event_count[port] = 0;
        REGS[EDU_IRQ_RAISE] = 1;
        CHECK(wait_for(&event_count[port], WAIT));
        CHECK_EQ(event_count[port], 1);
        REGS[EDU_IRQ_ACK] = 1;
    }
}

void test_main(void)
{
    struct physdev_map_pirq map, bad;
    struct evtchn_bind_pirq bind = {0};
    struct physdev_unmap_pirq unmap = {.domid = DOMID_SELF};
    struct physdev_pci_device_add add = {0};
    int found = edu_setup(REGS);
    unsigned int cap;

    if (found < 0)
        test_skip("no edu device");
    devfn = (unsigned int)found;
    cap = pci_capability(devfn, 5);
    REQUIRE(cap != 0);
    add.devfn = (uint8_t)devfn;
    CHECK_RC(hc_physdev_op(PHYSDEVOP_pci_device_add, &add), 0);
    map = mapping();
    REQUIRE(hc_physdev_op(PHYSDEVOP_map_pirq, &map) == 0);
    CHECK(map.pirq >= 16);
    bind.pirq = (uint32_t)map.pirq;
    REQUIRE(hc_event_channel_op(EVTCHNOP_bind_pirq, &bind) == 0);
    // Linux finds the capability enabled by the hypervisor or enables it itself; both are fine.
    pci_write(devfn, cap, pci_read(devfn, cap) | 1u << 16);
    CHECK(pci_read(devfn, cap + 4) >> 20 == 0xfee); // the address is a local APIC's
    CHECK_RC(evtchn_unmask(bind.port), 0);
    events_enable();
    check_delivery(bind.port);
    CHECK_RC(evtchn_close(bind.port), 0);
    unmap.pirq = map.pirq;
    CHECK_RC(hc_physdev_op(PHYSDEVOP_unmap_pirq, &unmap), 0);
    CHECK(hc_physdev_op(PHYSDEVOP_unmap_pirq, &unmap) < 0); // twice
    bad = mapping();
    bad.devfn = 0xff; // no such device
    CHECK(hc_physdev_op(PHYSDEVOP_map_pirq, &bad) < 0);
    map = mapping();
    CHECK_RC(hc_physdev_op(PHYSDEVOP_map_pirq, &map), 0); // and again
}
