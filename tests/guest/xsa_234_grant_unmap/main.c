// SPDX-License-Identifier: MIT
// XSA-234 (CVE-2017-14319): unmapping where something else is mapped by now.
//
// Class: only the frame of the page-table entry is compared, not whether it is present and
// writable, so references come out unequal. What must hold: such an unmapping fails and changes
// nothing; put right, it works once; afterwards the page is as free as before.
#include "lib/grant.h"

const char test_title[] = "unmapping a grant after the entry has changed";

enum { REF = 20 };

void test_main(void)
{
    char *page = page_alloc(), *other = page_alloc();
    struct gnttab_map_grant_ref op, ro;
    uint64_t mfn = va_to_mfn(page);

    grant_setup();
    grant_give(REF, 0, page, 0);
    op = grant_map(0, REF, GNTMAP_host_map, GRANT_AREA);
    ro = grant_map(0, REF, GNTMAP_host_map | GNTMAP_readonly, GRANT_AREA + PAGE_SIZE);
    REQUIRE(op.status == GNTST_okay && ro.status == GNTST_okay);
    CHECK(grant_unmap(GRANT_AREA + PAGE_SIZE, op.handle) < 0); // read-only there
    CHECK_RC(hc_update_va_mapping(GRANT_AREA, mfn_pte(mfn, PTE_RO), UVMF_INVLPG), 0);
    CHECK(grant_unmap(GRANT_AREA, op.handle) < 0);
    CHECK_RC(hc_update_va_mapping(GRANT_AREA, mfn_pte(mfn, PTE_RW & ~PTE_P), UVMF_INVLPG), 0);
    CHECK(grant_unmap(GRANT_AREA, op.handle) < 0);
    CHECK_RC(hc_update_va_mapping(GRANT_AREA, 0, UVMF_INVLPG), 0);
    CHECK(grant_unmap(GRANT_AREA, op.handle) < 0);
    CHECK_RC(hc_update_va_mapping(GRANT_AREA, mfn_pte(va_to_mfn(other), PTE_RW), UVMF_INVLPG), 0);
    CHECK(grant_unmap(GRANT_AREA, op.handle) < 0);
    CHECK(grant_unmap((void *)0x123456789000, op.handle) < 0);
    CHECK(grant_unmap((void *)HYPERVISOR_VIRT_START, op.handle) < 0);
    CHECK(grant_unmap((void *)0x900000000000, op.handle) < 0);
    other[1] = 'o'; // not a present entry
    CHECK_EQ(GRANT_AREA[1], 'o');
    CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, GRANT_SHOWN);
    CHECK_EQ(grant_unmap(GRANT_AREA + PAGE_SIZE, ro.handle), GNTST_okay);
    CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, GRANT_SHOWN);
    op = grant_map(0, REF, GNTMAP_host_map, GRANT_AREA); // over another entry
    CHECK_EQ(op.status, GNTST_okay);
    CHECK_EQ(grant_unmap(GRANT_AREA, op.handle), GNTST_okay);
    CHECK_RC(page_protect(other, PTE_RO), 0); // which so has lost its reference
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(other)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(other)), 0);
}
