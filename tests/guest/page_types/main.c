// SPDX-License-Identifier: MIT
// One page has one type: page tables are never writable, writable pages never page tables.
//
// xen ABI: xen.h "Xen strictly enforces this, and will disallow any pagetable update which will end
// up mapping pagetable page RW, and will disallow using any writable page as a pagetable."
#include "lib/guest.h"

const char test_title[] = "page types: tables and writable mappings exclude each other";

#define AREA ((char *)0xffffc90000000000)

// Every existing page table of the boot mapping.
static void check_boot_tables(void)
{
    for (unsigned long i = 0; i < start_info->nr_pt_frames; i++) {
        char *va = (char *)start_info->pt_base + i * PAGE_SIZE;
        uint64_t *pte = pte_of(kernel_l4(), va, 1), before = *pte;

        CHECK_RC(page_protect(va, PTE_RW), -EBUSY);
        CHECK_EQ(*pte, before);
        CHECK_RC(pte_write(pte, before | PTE_W), -EBUSY);
        CHECK_EQ(*pte, before);
    }
}

// Any number of read-only mappings is fine; one writable one blocks the pin, wherever it is.
static void check_counts(void)
{
    char *page = page_alloc();
    uint64_t mfn = va_to_mfn(page);

    CHECK(map_page(kernel_l4(), AREA, mfn_pte(mfn, PTE_RW)));
    CHECK(map_page(kernel_l4(), AREA + PAGE_SIZE, mfn_pte(mfn, PTE_RO)));
    CHECK_RC(page_protect(page, PTE_RO), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn), -EINVAL);
    CHECK(map_page(kernel_l4(), AREA, mfn_pte(mfn, PTE_RO)));
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0);
    CHECK_RC(pte_write(pte_of(kernel_l4(), AREA, 1), mfn_pte(mfn, PTE_RW)), -EBUSY);
    CHECK(map_page(kernel_l4(), AREA + 2 * PAGE_SIZE, mfn_pte(mfn, PTE_RO)));
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0);
    CHECK_RC(pte_write(pte_of(kernel_l4(), AREA, 1), mfn_pte(mfn, PTE_RW)), 0);
    CHECK_NO_TRAP(try_write(AREA, 3));
    CHECK_EQ(*(uint64_t *)page, 3);
}

// A PTE that is not present holds no reference.
static void check_absent(void)
{
    char *page = page_alloc();
    uint64_t mfn = va_to_mfn(page), *pte = pte_of(kernel_l4(), page, 1);

    CHECK_RC(pte_write(pte, mfn_pte(mfn, PTE_RW & ~PTE_P)), 0);
    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0);
    CHECK_RC(pte_write(pte, mfn_pte(mfn, PTE_RW)), 0);
}

// Tables reached through themselves: linear mappings must be read-only.
static void check_linear(void)
{
    uint64_t *l4 = kernel_l4(), *slot = &l4[300];
    uint64_t l4_mfn = va_to_mfn(l4);
    long rc;

    CHECK(pte_write(slot, mfn_pte(l4_mfn, PTE_RW)) < 0);
    CHECK_EQ(*slot, 0);
    rc = pte_write(slot, mfn_pte(l4_mfn, PTE_RO));
    // Linear page tables are an option of the hypervisor: refused, or usable and read-only.
    if (rc == 0) {
        uint64_t *self = (uint64_t *)(0xffffull << 48 | 300ull << 39 | 300ull << 30 | 300ull << 21 |
                                      300ull << 12);

        CHECK_EQ(self[511], l4[511]);
        CHECK_EQ(try_write(&self[301], 0)->frame.vector, X86_PF);
        CHECK_RC(pte_write(slot, 0), 0);
    } else {
        CHECK_EQ(rc, -EINVAL);
    }
    CHECK_EQ(*slot, 0);
}

void test_main(void)
{
    check_boot_tables();
    check_counts();
    check_absent();
    check_linear();
}
