// SPDX-License-Identifier: MIT
// XSA-13, XSA-21 (CVE-2012-3495, CVE-2012-4536): physical interrupt numbers out of range.
//
// Class: a number from the guest indexes a table of interrupts without a check. What must hold:
// each physdev operation and bind refuses numbers beyond the table and leaves no trace.
#include "lib/guest.h"

const char test_title[] = "interrupt numbers out of range";

static const uint32_t bad[] = {1u << 16, 1u << 20, INT32_MAX, 1u << 31, ~0u - 1, ~0u};

static void check_number(uint32_t n)
{
    struct physdev_eoi eoi = {.irq = n};
    struct physdev_irq_status_query query = {.irq = n};
    struct physdev_setup_gsi gsi = {.gsi = (int)n};
    struct physdev_unmap_pirq unmap = {.domid = DOMID_SELF, .pirq = (int)n};
    struct physdev_map_pirq map = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = (int)n, .pirq = (int)n};
    struct evtchn_bind_pirq bind = {.pirq = n};
    struct physdev_get_free_pirq get = {.type = (int)n};

    CHECK(hc_physdev_op(PHYSDEVOP_eoi, &eoi) < 0);
    CHECK(hc_physdev_op(PHYSDEVOP_irq_status_query, &query) < 0);
    CHECK(hc_physdev_op(PHYSDEVOP_setup_gsi, &gsi) < 0);
    CHECK(hc_physdev_op(PHYSDEVOP_unmap_pirq, &unmap) < 0);
    CHECK(hc_physdev_op(PHYSDEVOP_map_pirq, &map) < 0);
    CHECK(hc_event_channel_op(EVTCHNOP_bind_pirq, &bind) < 0);
    hc_physdev_op(PHYSDEVOP_get_free_pirq, &get);
}

void test_main(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
        check_number(bad[i]);
    CHECK_EQ(hc_xen_version(XENVER_version, NULL) >> 16, 4);
}
