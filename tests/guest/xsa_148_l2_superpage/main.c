// SPDX-License-Identifier: MIT
// XSA-148, XSA-176 (CVE-2015-7835, CVE-2016-4480): the page-size bit in upper entries.
//
// Class: an entry whose frame and rights stay the same is exchanged on a fast path that does not
// look at the page-size bit: what was a link to a validated table becomes 2 MiB or 1 GiB of machine
// memory. What must hold: the bit is refused at every level, with or without a change of anything
// else, and the entry stays what it was.
#include "lib/guest.h"

const char test_title[] = "no superpages through upper entries";

#define AREA ((char *)0xffffc90000000000)

static long preserve(const uint64_t *entry, uint64_t value)
{
    struct mmu_update u = {.ptr = pte_maddr(entry) | MMU_PT_UPDATE_PRESERVE_AD, .val = value};

    return hc_mmu_update(&u, 1, NULL, DOMID_SELF);
}

static void check_level(int level)
{
    uint64_t *entry = pte_of(kernel_l4(), AREA, level), before = *entry, value = 0;

    CHECK(pte_write(entry, before | PTE_PSE) < 0);
    CHECK(preserve(entry, before | PTE_PSE) < 0);
    CHECK(pte_write(entry, (before | PTE_PSE) & ~PTE_W) < 0);
    CHECK(pte_write(entry, before | PTE_PSE | PTE_AVAIL0) < 0);
    CHECK(pte_write(entry, (before & ~PTE_ADDR) | PTE_PSE) < 0);
    CHECK_EQ(*entry & (PTE_PSE | PTE_ADDR), before & PTE_ADDR);
    CHECK_NO_TRAP(try_read(AREA, &value));
    CHECK_EQ(value, 0x1234);
    CHECK_RC(pte_write(entry, before | PTE_AVAIL0), 0); // the fast path itself works
}

void test_main(void)
{
    uint64_t *data = page_alloc();

    *data = 0x1234;
    REQUIRE(map_page(kernel_l4(), AREA, mfn_pte(va_to_mfn(data), PTE_RW)));
    for (int level = 2; level <= 4; level++)
        check_level(level);
}
