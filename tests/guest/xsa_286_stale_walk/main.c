// SPDX-License-Identifier: MIT
// XSA-286, XSA-292 (CVE-2020-27674, CVE-2019-17346): walks through tables that were let go.
//
// Class: an upper entry is removed without a flush; the tables below become ordinary pages which
// the guest fills with entries of its own choice, while a processor still walks through them. What
// must hold: once a page of a former table can be written, nothing translates through it.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "no walk through former page tables";

#define AREA ((char *)0xffffc90000000000)

static void round(int level)
{
    uint64_t *l1 = pfn_to_va(mfn_to_pfn(pte_mfn(*pte_of(kernel_l4(), AREA, 2))));
    uint64_t *upper = pte_of(kernel_l4(), AREA, level), saved = *upper, value = 0;

    CHECK_NO_TRAP(try_write(AREA, 0x11)); // now the TLB has it
    CHECK_NO_TRAP(try_read(AREA + PAGE_SIZE, &value));
    CHECK_RC(pte_write(upper, 0), 0);
    // The L1 is free only when nothing above it holds it: unpinned and unlinked.
    CHECK_RC(hc_update_va_mapping(l1, mfn_pte(va_to_mfn(l1), PTE_RW), UVMF_NONE),
             level == 2 ? 0 : 0);
    CHECK_RC(mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)l1), 0);
    l1[2] = mfn_pte(va_to_mfn(kernel_l4()), PTE_RW);
    l1[1] = mfn_pte(va_to_mfn(kernel_l4()), PTE_RW);
    CHECK_EQ(try_write(AREA + 2 * PAGE_SIZE, 0)->count, 1);
    CHECK_EQ(try_write(AREA + PAGE_SIZE, 0)->count, 1);
    CHECK_EQ(try_read(AREA, &value)->count, 1);
    CHECK(pte_write(upper, saved) < 0); // the page is writable, and its entries are bad
    l1[1] = l1[2] = 0;
    CHECK_RC(page_protect(l1, PTE_RO), 0);
    CHECK_RC(pte_write(upper, saved), 0);
    CHECK_RC(pte_write(&l1[1], l1[0]), 0);
    CHECK_NO_TRAP(try_read(AREA, &value));
    CHECK_EQ(value, 0x11);
}

void test_main(void)
{
    uint64_t data = mfn_pte(va_to_mfn(page_alloc()), PTE_RW);

    REQUIRE(map_page(kernel_l4(), AREA, data));
    REQUIRE(map_page(kernel_l4(), AREA + PAGE_SIZE, data));
    for (int level = 2; level <= 4; level++)
        round(level);
}
