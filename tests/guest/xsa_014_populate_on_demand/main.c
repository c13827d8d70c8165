// SPDX-License-Identifier: MIT
// XSA-14 (CVE-2012-3496): populate_physmap of a PV guest with the flag for populate on demand,
// which only translated guests know, ran into an assertion.
//
// What must hold: the flag is refused or ignored, for a domU and for dom0 on its behalf, and
// nothing is lost.
#include "lib/domu.h"

const char test_title[] = "populate on demand asked for by a PV guest";

static long populate(unsigned int dom, unsigned int flags)
{
    xen_pfn_t frame = 200;
    struct xen_memory_reservation r = {.nr_extents = 1, .mem_flags = flags, .domid = (domid_t)dom};

    set_xen_guest_handle(r.extent_start, &frame);
    return hc_memory_op(XENMEM_populate_physmap, &r);
}

static void guest(void)
{
    CHECK(populate(DOMID_SELF, XENMEMF_populate_on_demand) <= 1);
    CHECK(populate(DOMID_SELF, XENMEMF_populate_on_demand | XENMEMF_vnode) <= 1);
    CHECK(populate(DOMID_SELF, ~0u) <= 1);
}

void test_main(void)
{
    struct domu *d = domu_create(guest);

    CHECK(populate(d->id, XENMEMF_populate_on_demand) <= 1);
    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
}
