// SPDX-License-Identifier: MIT
// XSA-18 (CVE-2012-3516): GNTTABOP_swap_grant_ref did not check its references against the table,
// which let a guest write outside of it.
//
// What must hold: references beyond the table are GNTST_bad_gntref; nothing else changes.
#include "lib/guest.h"

const char test_title[] = "swapping grant references out of range";

static long swap(grant_ref_t a, grant_ref_t b)
{
    struct gnttab_swap_grant_ref s = {.ref_a = a, .ref_b = b, .status = 77};
    long rc = hc_grant_table_op(GNTTABOP_swap_grant_ref, &s, 1);

    return rc ? rc : s.status;
}

void test_main(void)
{
    static const grant_ref_t bad[] = {1u << 20, 1u << 30, ~0u, 0x7fffffff};
    static xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};

    set_xen_guest_handle(s.frame_list, &frame);
    REQUIRE(hc_grant_table_op(GNTTABOP_setup_table, &s, 1) == 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(swap(20, bad[i]) < 0);
        CHECK(swap(bad[i], 20) < 0);
        CHECK(swap(bad[i], bad[i]) < 0);
    }
}
