// SPDX-License-Identifier: MIT
// XSA-382 (CVE-2021-28699), XSA-379, XSA-387: the status frames of version 2.
//
// Class: more status frames are handed out than there are, and so others' memory; or those that the
// guest has mapped are given back. What must hold: a number too large is refused, version 1 has
// none, and the frames handed out stay the domain's own.
#include "lib/grant.h"

const char test_title[] = "how many grant status frames there are";

static uint64_t list[4096];

static int ask(unsigned int n)
{
    struct gnttab_get_status_frames g = {.dom = DOMID_SELF, .nr_frames = n, .status = 77};

    set_xen_guest_handle(g.frame_list, list);
    CHECK_RC(hc_grant_table_op(GNTTABOP_get_status_frames, &g, 1), 0);
    return g.status;
}

void test_main(void)
{
    static const unsigned int many[] = {2, 3, 8, 64, 100, 1000, 4096};

    grant_setup();
    CHECK(ask(1) != GNTST_okay); // version 1
    REQUIRE(grant_version(2) == 0);
    CHECK_EQ(ask(0), GNTST_okay);
    CHECK_EQ(ask(1), GNTST_okay);
    uint64_t first = list[0];
    memset(list, 0, sizeof(list));
    for (unsigned int i = 0; i < ARRAY_SIZE(many); i++) {
        int status = ask(many[i]);

        CHECK_EQ(status, GNTST_general_error);
        for (unsigned int k = 1; k < ARRAY_SIZE(list); k++)
            REQUIRE(list[k] == 0);
    }
    CHECK_EQ(ask(~0u), GNTST_general_error);
    CHECK(list[0] == 0 || list[0] == first);
    CHECK_RC(hc_update_va_mapping(GRANT_AREA, mfn_pte(first, PTE_RW), UVMF_INVLPG), 0);
    *(volatile uint64_t *)GRANT_AREA = 0;
    CHECK_RC(hc_update_va_mapping(GRANT_AREA, 0, UVMF_INVLPG), 0);
    CHECK_RC(grant_version(1), 0);
}
