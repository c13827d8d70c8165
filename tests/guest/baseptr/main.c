// SPDX-License-Identifier: MIT
// MMUEXT_NEW_BASEPTR and MMUEXT_NEW_USER_BASEPTR, and mov to cr3.
//
// xen ABI: xen.h MMUEXT_NEW_BASEPTR. The new tables must be a valid L4, pinned or not; the current
// L4 cannot lose its type. Hypervisor slots appear in every L4 whatever the guest wrote there. Only
// an L4 is a base; reading cr3 gives the machine address.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "changing the page-table base";

static uint64_t read_cr3(void)
{
    uint64_t v;

    asm volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}

static uint64_t *copy_l4(void)
{
    uint64_t *l4 = page_alloc();

    memcpy(l4, kernel_l4(), PAGE_SIZE);
    memset(&l4[256], 0, 16 * 8);
    l4[200] = 0;
    REQUIRE(page_protect(l4, PTE_RO) == 0);
    return l4;
}

void test_main(void)
{
    uint64_t old = va_to_mfn(kernel_l4()), *l4 = copy_l4(), new = va_to_mfn(l4);
    char *page = page_alloc();

    CHECK_EQ(read_cr3() & PTE_ADDR, old << 12);
    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, new), 0);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, new), 0);
    CHECK_EQ(read_cr3() & PTE_ADDR, new << 12);
    CHECK_EQ(mfn_to_pfn(new), va_to_pfn(l4));     // the M2P is there
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, new), 0); // the base pointer holds it
    CHECK_RC(page_protect(l4, PTE_RW), -EBUSY);
    CHECK_NO_TRAP(TRY("mov %0, %%cr3", : : "r"(old << 12)));
    CHECK_EQ(read_cr3() & PTE_ADDR, old << 12);
    CHECK_RC(page_protect(l4, PTE_RW), 0);
    CHECK_RC(page_protect(l4, PTE_RO), 0);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, new), 0); // without a pin
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, old), 0);
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, va_to_mfn(page)) < 0);
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, 0xffffffff) < 0);
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, pte_mfn(kernel_l4()[511])) < 0); // an L3
    CHECK_EQ(read_cr3() & PTE_ADDR, old << 12);
    CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, new), 0);
    CHECK_RC(page_protect(l4, PTE_RW), -EBUSY);
    CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, 0), 0); // none
    CHECK_RC(page_protect(l4, PTE_RW), 0);
    CHECK(mmuext(MMUEXT_NEW_USER_BASEPTR, va_to_mfn(page)) < 0);
}
