// SPDX-License-Identifier: MIT
// The GSI of the console's serial port, which the hypervisor handles itself: dom0 may map it, as it
// maps every ISA interrupt, but not bind it.
//
// xen ABI: physdev.h map_pirq, unmap_pirq, setup_gsi, eoi; event_channel.h EVTCHNOP_bind_pirq. The
// answers are the oracle's. The kit's console is com1.
#include "lib/guest.h"

const char test_title[] = "GSI that the hypervisor handles itself";

#define COM1_GSI 4

static long map(int gsi, int *pirq)
{
    struct physdev_map_pirq arg = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = gsi, .pirq = *pirq};
    long rc = hc_physdev_op(PHYSDEVOP_map_pirq, &arg);

    *pirq = arg.pirq;
    return rc;
}

static long bind(uint32_t flags)
{
    struct evtchn_bind_pirq arg = {.pirq = COM1_GSI, .flags = flags};

    return hc_event_channel_op(EVTCHNOP_bind_pirq, &arg);
}

void test_main(void)
{
    static const int wanted[] = {COM1_GSI, -1, COM1_GSI};
    struct physdev_unmap_pirq unmap = {.domid = DOMID_SELF, .pirq = COM1_GSI};
    struct physdev_setup_gsi setup = {.gsi = COM1_GSI};
    struct physdev_eoi eoi = {.irq = COM1_GSI};
    int pirq;

    CHECK_RC(bind(0), -EPERM);
    for (unsigned int i = 0; i < ARRAY_SIZE(wanted); i++) {
        pirq = wanted[i];
        CHECK_RC(map(COM1_GSI, &pirq), 0);
        CHECK_EQ(pirq, COM1_GSI);
    }
    CHECK_RC(hc_physdev_op(PHYSDEVOP_setup_gsi, &setup), -EEXIST);
    CHECK_RC(bind(0), -EBUSY);
    CHECK_RC(bind(BIND_PIRQ__WILL_SHARE), -EBUSY);
    CHECK_RC(hc_physdev_op(PHYSDEVOP_eoi, &eoi), 0);
    CHECK_RC(hc_physdev_op(PHYSDEVOP_unmap_pirq, &unmap), 0);
    CHECK_RC(hc_physdev_op(PHYSDEVOP_unmap_pirq, &unmap), -EINVAL);
    CHECK_RC(bind(0), -EPERM);
    pirq = COM1_GSI; // the number is free for another GSI
    CHECK_RC(map(11, &pirq), 0);
    CHECK_EQ(pirq, COM1_GSI);
}
