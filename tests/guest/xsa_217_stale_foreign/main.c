// SPDX-License-Identifier: MIT
// XSA-217 (CVE-2017-10913 and others): dom0 unmaps a frame of another domain without a flush, the
// frame becomes a page table, and dom0's stale translation still writes to it.
//
// What must hold: when the frame is a page table, a write through the old address faults or does
// not arrive.
#include "lib/domu.h"

const char test_title[] = "stale translations of another domain's frames";

static void guest(void)
{
}

static uint64_t *old_address(struct domu *d, uint64_t mfn)
{
    static char *window;

    if (!window)
        window = page_alloc();
    REQUIRE(HC4(__HYPERVISOR_update_va_mapping_otherdomain, window, mfn_pte(mfn, PTE_RW),
                UVMF_INVLPG | UVMF_ALL, d->id) == 0);
    *(volatile uint64_t *)window = 0; // now it is in the TLB
    REQUIRE(hc_update_va_mapping(window, 0, UVMF_NONE) == 0);
    return (uint64_t *)window;
}

static uint64_t first_entry(struct domu *d, uint64_t mfn)
{
    uint64_t *p = foreign_map(d->id, mfn, PTE_RO), v;

    REQUIRE(p);
    v = *p;
    foreign_unmap(p);
    return v;
}

void test_main(void)
{
    struct domu *d = domu_create(guest), *other = domu_create(guest);
    uint64_t evil = mfn_pte(va_to_mfn(kernel_l4()), PTE_RW);
    unsigned int same = 0;
    xen_pfn_t spare = d->p2m[d->nr_pfns - 1], frame;

    dc.u.max_mem.max_memkb = 1ul << 20;
    CHECK_RC(domctl(XEN_DOMCTL_max_mem, other->id), 0);
    for (unsigned int i = 0; i < 20; i++) {
        uint64_t *va = old_address(d, spare);

        frame = spare;
        CHECK_EQ(memory_extent(XENMEM_decrease_reservation, d->id, &frame, 0), 1);
        frame = 1; // a number of the other's
        CHECK_EQ(memory_extent(XENMEM_populate_physmap, other->id, &frame, 0), 1);
        same += frame == spare;
        CHECK_RC(mmuext_foreign(MMUEXT_PIN_L1_TABLE, frame, other->id), 0);
        if (frame == spare)
            try_write(va, evil);
        CHECK_EQ(first_entry(other, frame), 0);
        spare = 1;
        CHECK_EQ(memory_extent(XENMEM_populate_physmap, d->id, &spare, 0), 1);
    }
    printk("%u of 20 came again at once\n", same);
    CHECK_RC(domu_destroy(d), 0);
    CHECK_RC(domu_destroy(other), 0);
}
