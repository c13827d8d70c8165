// SPDX-License-Identifier: MIT
// Upper page-table entries: what may be linked where.
//
// xen ABI: xen.h "certain implicit requirements": a page linked as a table must not be mapped
// writable; tables are typed by level. An L2 entry takes an L1 table and so on; superpages are not
// the guest's to map; the hypervisor's L4 slots cannot be changed; a page with one type cannot take
// another until every link of the first is gone.
#include "lib/guest.h"

const char test_title[] = "linking page tables of every level";

#define AREA ((char *)0xffffc90000000000)

static uint64_t l3_mfn, l2_mfn, l1_mfn;

static uint64_t *entry(int level)
{
    return pte_of(kernel_l4(), AREA, level);
}

static uint64_t link_pte(uint64_t mfn)
{
    return mfn_pte(mfn, PTE_RW);
}

static void build(void)
{
    l3_mfn = va_to_mfn(table_alloc());
    l2_mfn = va_to_mfn(table_alloc());
    l1_mfn = va_to_mfn(table_alloc());
    CHECK_RC(pte_write(entry(4), link_pte(l3_mfn)), 0);
    CHECK_RC(pte_write(entry(3), link_pte(l2_mfn)), 0);
    CHECK_RC(pte_write(entry(2), link_pte(l1_mfn)), 0);
    CHECK_RC(pte_write(entry(1), mfn_pte(va_to_mfn(page_alloc()), PTE_RW)), 0);
    CHECK_NO_TRAP(try_write(AREA, 1));
}

static void check_wrong_level(void)
{
    char *writable = page_alloc();
    uint64_t *next2 = entry(2) + 1, *next3 = entry(3) + 1, *next4 = entry(4) + 1;

    CHECK_RC(pte_write(next2, link_pte(l2_mfn)), -EINVAL); // an L2 as an L1
    CHECK_RC(pte_write(next2, link_pte(l3_mfn)), -EINVAL);
    CHECK_RC(pte_write(next3, link_pte(l1_mfn)), -EINVAL);
    CHECK_RC(pte_write(next4, link_pte(l2_mfn)), -EINVAL);
    CHECK_RC(pte_write(next2, link_pte(va_to_mfn(writable))), -EINVAL); // mapped writable
    CHECK_RC(pte_write(next2, mfn_pte(l1_mfn & ~511ul, PTE_RW | PTE_PSE)), -EINVAL);
    CHECK_RC(pte_write(next3, mfn_pte(0, PTE_RW | PTE_PSE)), -EINVAL);
    CHECK_EQ(*next2, 0);
    CHECK_EQ(*next3, 0);
    CHECK_EQ(*next4, 0);
}

static void check_sharing(void)
{
    uint64_t *next2 = entry(2) + 1;

    CHECK_RC(pte_write(next2, link_pte(l1_mfn)), 0); // one L1 in two places
    CHECK_NO_TRAP(try_write(AREA + (2ul << 20), 5));
    CHECK_EQ(*(uint64_t *)AREA, 5);
    CHECK_RC(pte_write(next2, 0), 0);
    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    CHECK_EQ(try_read(AREA + (2ul << 20), NULL)->frame.vector, X86_PF);
}

static void check_hypervisor_slots(void)
{
    uint64_t *l4 = kernel_l4();

    for (unsigned int slot = 256; slot < 272; slot++) {
        uint64_t before = l4[slot];

        CHECK_RC(pte_write(&l4[slot], link_pte(l3_mfn)), -EINVAL);
        CHECK_EQ(l4[slot], before);
    }
    CHECK_RC(hc_update_va_mapping((void *)HYPERVISOR_VIRT_START, 0, 0), -EINVAL);
}

static void check_reuse(void)
{
    char *l1_va = pfn_to_va(mfn_to_pfn(l1_mfn));

    CHECK_RC(page_protect(l1_va, PTE_RW), -EBUSY); // still a page table
    CHECK_RC(pte_write(entry(2), 0), 0);
    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    CHECK_RC(page_protect(l1_va, PTE_RW), 0);
    CHECK_NO_TRAP(try_write(l1_va, 0));
    CHECK_RC(pte_write(entry(2), link_pte(l1_mfn)), -EINVAL); // now writable
    CHECK_RC(page_protect(l1_va, PTE_RO), 0);
    CHECK_RC(pte_write(entry(2), link_pte(l1_mfn)), 0);
}

// A table with one bad entry is refused whole, and the good ones lose their references again.
static void check_validation(void)
{
    uint64_t *l1 = page_alloc();
    char *data = page_alloc();

    l1[0] = mfn_pte(va_to_mfn(data), PTE_RW);
    l1[7] = mfn_pte(l2_mfn, PTE_RW); // writable mapping of a page table
    CHECK_RC(page_protect(l1, PTE_RO), 0);
    CHECK(pte_write(entry(2) + 1, link_pte(va_to_mfn(l1))) < 0);
    CHECK_EQ(entry(2)[1], 0);
    CHECK_RC(page_protect(l1, PTE_RW), 0);
    l1[7] = mfn_pte(l2_mfn, PTE_RO);
    CHECK_RC(page_protect(l1, PTE_RO), 0);
    CHECK_RC(pte_write(entry(2) + 1, link_pte(va_to_mfn(l1))), 0);
    CHECK_RC(pte_write(entry(2) + 1, 0), 0);
    CHECK_RC(page_protect(data, PTE_RO), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(data)), 0); // no writable reference is left
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(data)), 0);
}

void test_main(void)
{
    build();
    check_wrong_level();
    check_sharing();
    check_hypervisor_slots();
    check_reuse();
    check_validation();
}
