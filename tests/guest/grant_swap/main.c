// SPDX-License-Identifier: MIT
// GNTTABOP_swap_grant_ref exchanges two entries, unless one is in use. Operations that x86 has no
// use for.
//
// xen ABI: grant_table.h GNTTABOP_swap_grant_ref; GNTST_eagain.
#include "lib/grant.h"

const char test_title[] = "grant entries exchanged";

static int swap(unsigned int a, unsigned int b)
{
    struct gnttab_swap_grant_ref op = {.ref_a = a, .ref_b = b, .status = 77};

    CHECK_RC(hc_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1), 0);
    return op.status;
}

void test_main(void)
{
    char *page = page_alloc();
    struct gnttab_map_grant_ref op;
    volatile union grant_entry_v2 *v2 = (volatile union grant_entry_v2 *)GRANT_TABLE;

    grant_setup();
    grant_give(30, 0, page, 0);
    GRANT_TABLE[31].domid = 9;
    CHECK_EQ(swap(30, 31), GNTST_okay);
    CHECK_EQ(GRANT_TABLE[30].domid, 9);
    CHECK_EQ(GRANT_TABLE[31].flags, GTF_permit_access);
    CHECK_EQ(GRANT_TABLE[31].frame, va_to_mfn(page));
    CHECK_EQ(swap(31, 31), GNTST_okay);
    CHECK_EQ(swap(31, 1u << 20), GNTST_bad_gntref);
    CHECK_EQ(swap(~0u, 31), GNTST_bad_gntref);
    op = grant_map(0, 31, GNTMAP_host_map, GRANT_AREA);
    CHECK_EQ(op.status, GNTST_okay);
    CHECK_EQ(swap(30, 31), GNTST_eagain);
    CHECK_EQ(GRANT_TABLE[31].frame, va_to_mfn(page));
    CHECK_EQ(grant_unmap(GRANT_AREA, op.handle), GNTST_okay);
    CHECK_EQ(swap(30, 31), GNTST_okay);
    REQUIRE(grant_version(2) == 0);
    v2[40].full_page.frame = 0x123456789a;
    v2[40].hdr.domid = 7;
    CHECK_EQ(swap(40, 41), GNTST_okay);
    CHECK_EQ(v2[41].full_page.frame, 0x123456789a);
    CHECK_EQ(v2[41].hdr.domid, 7);
    CHECK_EQ(v2[40].full_page.frame, 0);
    CHECK_RC(hc_grant_table_op(GNTTABOP_dump_table, NULL, 1), -ENOSYS);
}
