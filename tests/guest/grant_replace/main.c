// SPDX-License-Identifier: MIT
// GNTTABOP_unmap_and_replace: the entry for new_addr takes the place of the mapping.
//
// xen ABI: grant_table.h "atomically replace the page table entry with one pointing to the machine
// address under <new_addr>. <new_addr> will be redirected to the null entry". A new_addr of 0 just
// unmaps. A mapping that was named by its entry's machine address cannot be replaced.
#include "lib/grant.h"

const char test_title[] = "grant unmap and replace";

enum { REF = 20 };
#define NEW (GRANT_AREA + 2 * PAGE_SIZE)

static char *page, *other;
static uint64_t *pte, *from;

static int replace(uint64_t host, uint64_t with, grant_handle_t handle)
{
    struct gnttab_unmap_and_replace op = {
        .host_addr = host, .new_addr = with, .handle = handle, .status = 77};

    CHECK_RC(hc_grant_table_op(GNTTABOP_unmap_and_replace, &op, 1), 0);
    return op.status;
}

static void check_refused(grant_handle_t handle)
{
    uint64_t was = *pte, was_from = *from;

    CHECK_EQ(replace((uint64_t)GRANT_AREA, (uint64_t)NEW, handle + 1000), GNTST_bad_handle);
    CHECK_EQ(replace((uint64_t)GRANT_AREA, 0x123456789000, handle), GNTST_general_error);
    CHECK_EQ(replace((uint64_t)GRANT_AREA, HYPERVISOR_VIRT_START, handle), GNTST_general_error);
    CHECK_EQ(replace(0, (uint64_t)NEW, handle), GNTST_okay); // which does nothing
    CHECK_EQ(*pte, was);
    CHECK_EQ(*from, was_from);
    CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, GRANT_SHOWN);
}

static void check_replaced(void)
{
    struct gnttab_map_grant_ref op = grant_map(0, REF, GNTMAP_host_map, GRANT_AREA);

    REQUIRE(op.status == GNTST_okay);
    REQUIRE(hc_update_va_mapping(NEW, mfn_pte(va_to_mfn(other), PTE_RW), UVMF_INVLPG) == 0);
    check_refused(op.handle);
    CHECK_EQ(GRANT_AREA[0], 'g');
    CHECK_EQ(replace((uint64_t)GRANT_AREA, (uint64_t)NEW, op.handle), GNTST_okay);
    CHECK_EQ(GRANT_AREA[0], 'o');
    CHECK_EQ(*from, 0);
    CHECK_EQ(try_read(NEW, NULL)->frame.vector, X86_PF);
    CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, 0);
    GRANT_AREA[1] = 'O'; // the entry's rights came with it
    CHECK_EQ(other[1], 'O');
    REQUIRE(hc_update_va_mapping(GRANT_AREA, 0, UVMF_INVLPG) == 0);
    op = grant_map(0, REF, GNTMAP_host_map, GRANT_AREA);
    CHECK_EQ(replace((uint64_t)GRANT_AREA, 0, op.handle), GNTST_okay);
    CHECK_EQ(*pte, 0);
}

static void check_by_entry(void)
{
    void *where = (void *)pte_maddr(pte);
    struct gnttab_map_grant_ref op =
        grant_map(0, REF, GNTMAP_host_map | GNTMAP_contains_pte, where);

    CHECK_EQ(op.status, GNTST_okay);
    REQUIRE(hc_update_va_mapping(NEW, mfn_pte(va_to_mfn(other), PTE_RW), UVMF_INVLPG) == 0);
    CHECK_EQ(replace((uint64_t)where, (uint64_t)NEW, op.handle), GNTST_general_error);
    CHECK_EQ(replace((uint64_t)where, pte_maddr(from), op.handle), GNTST_general_error);
    CHECK_EQ(replace((uint64_t)where, 0, op.handle), GNTST_okay);
    CHECK_EQ(*pte, 0);
    CHECK_EQ(NEW[0], 'o');
    REQUIRE(hc_update_va_mapping(NEW, 0, UVMF_INVLPG) == 0);
}

void test_main(void)
{
    grant_setup();
    page = page_alloc();
    other = page_alloc();
    page[0] = 'g';
    other[0] = 'o';
    pte = pte_of(kernel_l4(), GRANT_AREA, 1);
    from = pte_of(kernel_l4(), NEW, 1);
    grant_give(REF, 0, page, 0);
    check_replaced();
    check_by_entry();
    // Nothing is left: each page is as free as before.
    CHECK_RC(page_protect(page, PTE_RO), 0);
    CHECK_RC(page_protect(other, PTE_RO), 0);
}
