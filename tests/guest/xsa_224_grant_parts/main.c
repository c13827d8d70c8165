// SPDX-License-Identifier: MIT
// XSA-224 (CVE-2017-10920 to 10922): mappings for the host and for devices by one handle.
//
// Class: taking back one part takes references that belong to the other, or keeps some. What must
// hold: the entry shows a use until both are gone, in either order, and afterwards the page is as
// free as before (it can become a page table).
#include "lib/grant.h"

const char test_title[] = "grant handles of two parts";

enum { REF = 20 };
static char *page;

static void check_free(void)
{
    CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, 0);
    CHECK_RC(page_protect(page, PTE_RO), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(page)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(page)), 0);
    CHECK_RC(page_protect(page, PTE_RW), 0);
}

static void check_order(bool host_first, bool readonly)
{
    struct gnttab_map_grant_ref op = grant_map(
        0, REF, GNTMAP_host_map | GNTMAP_device_map | (readonly ? GNTMAP_readonly : 0), GRANT_AREA);
    uint64_t bus = va_to_mfn(page) << 12;
    unsigned int shown = readonly ? GTF_reading : GRANT_SHOWN;

    CHECK_EQ(op.status, GNTST_okay);
    CHECK_EQ(op.dev_bus_addr, bus);
    CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, shown);
    CHECK_EQ(grant_unmap2(NULL, bus + PAGE_SIZE, op.handle), GNTST_bad_dev_addr);
    CHECK_EQ(grant_unmap2(NULL, 0, op.handle), GNTST_okay); // nothing
    for (int i = 0; i < 2; i++) { // the second is ignored: there is no such part
        CHECK_EQ(host_first ? grant_unmap(GRANT_AREA, op.handle)
                            : grant_unmap2(NULL, bus, op.handle),
                 GNTST_okay);
        CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, shown);
    }
    if (!readonly) { // still written to, by a device or by us
        CHECK_RC(page_protect(page, PTE_RO), 0);
        CHECK(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(page)) != 0);
        CHECK_RC(page_protect(page, PTE_RW), 0);
    }
    CHECK_EQ(host_first ? grant_unmap2(NULL, bus, op.handle) : grant_unmap(GRANT_AREA, op.handle),
             GNTST_okay);
    CHECK_EQ(grant_unmap2(GRANT_AREA, bus, op.handle), GNTST_bad_handle);
    check_free();
}

void test_main(void)
{
    grant_setup();
    page = page_alloc();
    grant_give(REF, 0, page, 0);
    for (int i = 0; i < 4; i++)
        check_order(i & 1, i & 2);
    struct gnttab_map_grant_ref op =
        grant_map(0, REF, GNTMAP_host_map | GNTMAP_device_map, GRANT_AREA);
    CHECK_EQ(grant_unmap2(GRANT_AREA, va_to_mfn(page) << 12, op.handle), GNTST_okay); // at once
    check_free();
}
