// SPDX-License-Identifier: MIT
// XSA-318 (CVE-2020-11742): bad continuation handling in GNTTABOP_copy.
//
// Class: when a long array is interrupted just before an element that fails, the rest is skipped or
// the call reports a count. What must hold: the call's result is 0, every element has a status.
#include "lib/grant.h"

const char test_title[] = "long arrays of grant copies";

enum { REF = 20, MANY = 2000 };
static struct gnttab_copy op[MANY];

void test_main(void)
{
    char *page = page_alloc(), *mine = page_alloc();
    struct vcpu_set_periodic_timer t = {.period_ns = 1000000};

    grant_setup();
    grant_give(REF, 0, page, 0);
    hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &t); // something to be interrupted by
    for (unsigned int bad = 0; bad < 6; bad++) {
        unsigned int odd = 0;

        for (unsigned int i = 0; i < MANY; i++) {
            op[i] =
                (struct gnttab_copy){.flags = GNTCOPY_source_gref, .len = PAGE_SIZE, .status = 77};
            op[i].source.u.ref = i % 7 == bad ? REF + 1 : REF;
            op[i].dest.u.gmfn = va_to_mfn(mine);
            op[i].dest.domid = DOMID_SELF;
        }
        CHECK_RC(hc_grant_table_op(GNTTABOP_copy, op, MANY), 0);
        for (unsigned int i = 0; i < MANY; i++)
            odd += op[i].status != (i % 7 == bad ? GNTST_general_error : GNTST_okay);
        CHECK_EQ(odd, 0);
    }
    hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, 0);
}
