// SPDX-License-Identifier: MIT
// XSA-46 (CVE-2013-1919): a domain could use interrupts that were never given to it, or keep them
// after they were taken away.
//
// What must hold: a domU cannot map, bind, or ask about interrupts without dom0's permission.
#include "lib/domu.h"

const char test_title[] = "interrupts of a domU without permission";

static void guest(void)
{
    for (uint32_t i = 0; i < 64; i++) {
        struct physdev_map_pirq map = {
            .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = (int)i, .pirq = (int)i};
        struct physdev_map_pirq msi = {
            .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI, .index = -1, .pirq = -1, .bus = 0};
        struct evtchn_bind_pirq bind = {.pirq = i};
        struct physdev_unmap_pirq unmap = {.domid = DOMID_SELF, .pirq = (int)i};
        struct physdev_map_pirq other = map;

        CHECK(hc_physdev_op(PHYSDEVOP_map_pirq, &map) < 0);
        CHECK(hc_event_channel_op(EVTCHNOP_bind_pirq, &bind) < 0);
        CHECK(hc_physdev_op(PHYSDEVOP_unmap_pirq, &unmap) < 0);
        msi.devfn = (int)i;
        CHECK(hc_physdev_op(PHYSDEVOP_map_pirq, &msi) < 0);
        other.domid = 0;
        CHECK(hc_physdev_op(PHYSDEVOP_map_pirq, &other) < 0);
    }
}

void test_main(void)
{
    struct domu *d;

    CHECK_EQ(domu_run(guest), SHUTDOWN_poweroff);
    d = domu_create(guest); // given and taken again
    struct physdev_map_pirq rtc = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 8, .pirq = 8};
    CHECK_RC(hc_physdev_op(PHYSDEVOP_map_pirq, &rtc), 0);
    for (unsigned int allow = 2; allow--;) {
        dc.u.irq_permission =
            (struct xen_domctl_irq_permission){.pirq = 8, .allow_access = (uint8_t)allow};
        CHECK_RC(domctl(XEN_DOMCTL_irq_permission, d->id), 0);
    }
    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
}
