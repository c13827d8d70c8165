// SPDX-License-Identifier: MIT
// XSA-31, XSA-14 (CVE-2012-5515, CVE-2012-3496): absurd extents in memory operations.
//
// Class: an order or count from the guest is shifted or looped over without a bound, or a flag that
// only makes sense for translated guests reaches their code. What must hold: nothing happens, soon,
// and the reservation stays as it was.
#include "lib/guest.h"

const char test_title[] = "absurd orders, counts and flags of extents";

static const unsigned int order[] = {19, 31, 32, 52, 63, 64, 255, 1u << 31, ~0u};

static long reserved(void)
{
    domid_t self = DOMID_SELF;

    return hc_memory_op(XENMEM_current_reservation, &self);
}

static void check_op(unsigned int cmd, unsigned int ord, unsigned long count, unsigned int flags)
{
    static xen_pfn_t list[4];
    struct xen_memory_reservation r = {
        .nr_extents = count, .extent_order = ord, .mem_flags = flags, .domid = DOMID_SELF};

    list[0] = ~0ul >> 12;
    set_xen_guest_handle(r.extent_start, list);
    CHECK(hc_memory_op(cmd, &r) <= 0);
}

void test_main(void)
{
    long before = reserved();
    struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = 1, .domid = DOMID_SELF}};

    for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
        check_op(XENMEM_increase_reservation, order[i], 1, 0);
        check_op(XENMEM_populate_physmap, order[i], 1, 0);
        check_op(XENMEM_decrease_reservation, order[i], 1, 0);
        x.in.extent_order = x.out.extent_order = order[i];
        CHECK(hc_memory_op(XENMEM_exchange, &x) < 0);
    }
    check_op(XENMEM_decrease_reservation, 0, ~0ul >> 7, 0);
    check_op(XENMEM_decrease_reservation, 0, ~0ul, 0);
    check_op(XENMEM_populate_physmap, 0, 1, XENMEMF_populate_on_demand);
    CHECK_EQ(reserved(), before);
}
