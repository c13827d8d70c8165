// SPDX-License-Identifier: MIT
// XSA-227, XSA-316 (CVE-2017-12137, CVE-2020-11743): mapping grants into page-table entries.
//
// Class: the address of an entry is used although it is not 8-byte aligned or not in a page table;
// or an error path keeps the references it took. What must hold: such a mapping fails, no entry
// changes, and afterwards the granted page is as free as before (it can become a page table).
#include "lib/guest.h"

const char test_title[] = "grant mappings into bad places";

static struct grant_entry_v1 *table;
static uint64_t *granted, *pte;

static long map(uint64_t where, uint32_t flags, grant_ref_t ref)
{
    struct gnttab_map_grant_ref m = {
        .host_addr = where, .flags = flags, .ref = ref, .dom = DOMID_SELF};

    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
    return m.status;
}

static bool setup(void)
{
    static xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    uint64_t *va = page_alloc();

    set_xen_guest_handle(s.frame_list, &frame);
    if (hc_grant_table_op(GNTTABOP_setup_table, &s, 1) || s.status)
        return false;
    if (hc_update_va_mapping(va, mfn_pte(frame, PTE_RW), UVMF_INVLPG))
        return false;
    table = (struct grant_entry_v1 *)va;
    return true;
}

void test_main(void)
{
    const uint32_t flags = GNTMAP_host_map | GNTMAP_contains_pte;
    uint64_t before, maddr, mfn;

    REQUIRE(setup());
    granted = page_alloc();
    mfn = va_to_mfn(granted);
    pte = pte_of(kernel_l4(), page_alloc(), 1);
    before = *pte;
    maddr = pte_maddr(pte);
    table[20] = (struct grant_entry_v1){
        .flags = GTF_permit_access, .domid = DOMID_SELF, .frame = (uint32_t)mfn};
    table[20].domid = 0;
    for (unsigned int off = 1; off < 8; off++)
        CHECK(map(maddr + off, flags, 20) < 0);
    CHECK(map(va_to_mfn(granted) << 12, flags, 20) < 0);        // no page table
    CHECK(map(va_to_mfn(kernel_l4()) << 12, flags, 20) < 0);    // an L4
    CHECK(map(0xfffffffffffff000, flags, 20) < 0);              // no memory
    CHECK(map(HYPERVISOR_VIRT_START, GNTMAP_host_map, 20) < 0); // ours to see, not to set
    CHECK(map(0x0000800000000000, GNTMAP_host_map, 20) < 0);    // not canonical
    CHECK(map(0x123456789000, GNTMAP_host_map, 20) < 0);        // no table there
    CHECK(map((uint64_t)granted, GNTMAP_host_map, ~0u) < 0);    // no grant
    CHECK_EQ(*pte, before);
    CHECK_EQ(table[20].flags & (GTF_reading | GTF_writing), 0);
    memset(granted, 0, PAGE_SIZE);
    CHECK_RC(page_protect(granted, PTE_RO), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0);
    CHECK(map((uint64_t)pfn_to_va(va_to_pfn(page_alloc())), GNTMAP_host_map, 20) < 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0);
    CHECK_RC(page_protect(granted, PTE_RW), 0);
}
