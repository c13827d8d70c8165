// SPDX-License-Identifier: MIT
// XSA-231 (CVE-2017-14316): memory node numbers out of range.
//
// Class: the node in the flags of a reservation indexes an array unchecked. What must hold: the
// call gives memory or not, for each of the 256 numbers, and no more.
#include "lib/guest.h"

const char test_title[] = "every memory node number";

void test_main(void)
{
    static xen_pfn_t mfn[2];
    long got = 0;

    for (unsigned int node = 0; node < 256; node++) {
        for (unsigned int exact = 0; exact < 2; exact++) {
            struct xen_memory_reservation r = {
                .nr_extents = 1,
                .domid = DOMID_SELF,
                .mem_flags = (node + 1) % 256 << 8 | (exact ? XENMEMF_exact_node_request : 0)};
            long rc;

            mfn[0] = start_info->nr_pages + 5;
            set_xen_guest_handle(r.extent_start, mfn);
            rc = hc_memory_op(XENMEM_populate_physmap, &r);
            CHECK(rc <= 1);
            if (rc != 1)
                continue;
            got++;
            r.mem_flags = 0;
            CHECK_RC(hc_memory_op(XENMEM_decrease_reservation, &r), 1);
        }
    }
    printk("%ld of 512 gave memory\n", got);
}
