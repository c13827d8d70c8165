// SPDX-License-Identifier: MIT
// L1TF (CVE-2018-3620): entries that are not present and name RAM.
//
// Class: a processor with this flaw looks into its cache at the address of an entry that is not
// present. With pv-l1tf= on for a domain, such an entry is refused wherever it would become part of
// a table: by mmu_update, update_va_mapping, a direct write, and in a page that is to become a
// table. Entries whose address is behind the end of RAM (what Linux writes for swapped pages) or
// zero are taken.
//
// HV: pv-l1tf=dom0
// XEN: skip it answers by shadow paging, which Debian's build lacks
#include "lib/guest.h"

const char test_title[] = "not-present entries do not name RAM";

#define TOP   0x000ffffffffff000ul // Linux inverts the offset
#define OTHER 0x100000ul           // a frame of RAM, not ours

static void check_entry(uint64_t *e)
{
    uint64_t was = *e;

    CHECK_RC(pte_write(e, OTHER), -EINVAL);
    CHECK_RC(pte_write(e, OTHER | PTE_NX | PTE_PSE), -EINVAL);
    CHECK_RC(pte_write(e, OTHER | 1ul << 51), -EINVAL); // beyond the processor's width
    CHECK_EQ(*e & PTE_ADDR, was & PTE_ADDR);
    CHECK_RC(pte_write(e, TOP - (5 << 12)), 0);
    CHECK_RC(pte_write(e, PTE_NX | 0xa00), 0);
    CHECK_RC(pte_write(e, was), 0);
}

void test_main(void)
{
    char *page = page_alloc();
    uint64_t *l1 = pte_of(kernel_l4(), page, 1), old = *l1, *table = page_alloc();

    check_entry(l1);
    check_entry(pte_of(kernel_l4(), (void *)0xffffc90000000000, 4));
    CHECK_RC(hc_update_va_mapping(page, old & ~PTE_P, UVMF_INVLPG), -EINVAL);
    CHECK_NO_TRAP(try_read(page, NULL));
    CHECK_TRAP(try_write(l1, old & ~PTE_P), X86_PF, PFEC_P | PFEC_W); // not carried out
    CHECK_EQ(*l1 & ~(PTE_A | PTE_D | PTE_G), old & ~(PTE_A | PTE_D | PTE_G));
    CHECK_NO_TRAP(try_write(l1, 0));
    CHECK_NO_TRAP(try_write(l1, old));
    table[7] = OTHER;
    CHECK_RC(page_protect(table, PTE_RO), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table)), -EINVAL);
    CHECK_RC(page_protect(table, PTE_RW), 0);
    table[7] = TOP;
    CHECK_RC(page_protect(table, PTE_RO), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(table)), 0);
}
