// SPDX-License-Identifier: MIT
// XSA-255 (CVE-2018-7541): from grant table version 2 back to 1 with its pages in use.
//
// Class: the status pages are given back while the guest still maps them. What must hold: the
// change is refused or the pages stay whose they are; what is mapped never becomes somebody else's.
#include "lib/guest.h"

const char test_title[] = "grant table versions with mapped status pages";

static uint64_t frames[16];

static long set_version(unsigned int v)
{
    struct gnttab_set_version s = {.version = v};

    return hc_grant_table_op(GNTTABOP_set_version, &s, 1);
}

static unsigned int version(void)
{
    struct gnttab_get_version g = {.dom = DOMID_SELF};

    CHECK_RC(hc_grant_table_op(GNTTABOP_get_version, &g, 1), 0);
    return g.version;
}

void test_main(void)
{
    static xen_pfn_t list[8];
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 2};
    struct gnttab_get_status_frames g = {.dom = DOMID_SELF, .nr_frames = 1};
    volatile uint64_t *va = page_alloc();
    long rc;

    set_xen_guest_handle(s.frame_list, list);
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    CHECK(set_version(0) != 0 || version() == 1);
    CHECK(set_version(3) != 0);
    if (set_version(2) != 0) {
        CHECK_EQ(version(), 1);
        return;
    }
    CHECK_EQ(version(), 2);
    set_xen_guest_handle(g.frame_list, frames);
    CHECK_RC(hc_grant_table_op(GNTTABOP_get_status_frames, &g, 1), 0);
    REQUIRE(g.status == 0);
    REQUIRE(hc_update_va_mapping((void *)va, mfn_pte(frames[0], PTE_RW), UVMF_INVLPG) == 0);
    va[0] = 0x1111;
    rc = set_version(1);
    CHECK_EQ(version(), rc ? 2 : 1);
    CHECK_RC(hc_update_va_mapping((void *)va, 0, UVMF_INVLPG), 0);
    for (int i = 0; i < 4; i++)
        set_version(1 + i % 2);
    CHECK_EQ(version(), 2);
}
