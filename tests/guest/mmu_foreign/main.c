// SPDX-License-Identifier: MIT
// What of the machine's memory dom0 can map: its own, devices, and nothing of the hypervisor's.
//
// xen ABI: xen.h HYPERVISOR_mmu_update "the mapped frame must belong to FD", DOMID_IO, DOMID_XEN. A
// sweep over all frames finds no RAM frame above 1 MiB that is writable and neither ours nor shared
// with us on purpose (shared_info, grant table). Device frames can be mapped; the local APIC's
// cannot. DOMID_IO refuses RAM of our own; the M2P can be mapped read-only through DOMID_XEN.
#include "lib/guest.h"

const char test_title[] = "mapping frames that are not ours";

#define AREA ((char *)0xffffc90000000000)

static uint64_t *slot;

static long map_as(uint64_t mfn, uint64_t flags, unsigned int fd)
{
    struct mmu_update req = {.ptr = pte_maddr(slot), .val = mfn_pte(mfn, flags)};

    return hc_mmu_update(&req, 1, NULL, fd);
}

static xen_pfn_t grant_frame(void)
{
    static xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};

    set_xen_guest_handle(s.frame_list, &frame);
    REQUIRE(hc_grant_table_op(GNTTABOP_setup_table, &s, 1) == 0 && s.status == GNTST_okay);
    return frame;
}

static void check_sweep(void)
{
    xen_pfn_t grant = grant_frame();
    uint64_t end = (uint64_t)hc_memory_op(XENMEM_maximum_ram_page, NULL);
    unsigned int writable = 0, tried = 0;

    for (uint64_t mfn = 0x100; mfn < end; mfn++) {
        uint64_t pfn = mfn_to_pfn(mfn);

        if (pfn < start_info->nr_pages && pfn_to_mfn(pfn) == mfn)
            continue;
        tried++;
        if (mfn == grant || mfn == start_info->shared_info >> 12)
            continue;
        if (map_as(mfn, PTE_RW, DOMID_SELF) == 0) {
            if (writable++ < 4)
                printk("  frame %lx can be written\n", mfn);
        }
    }
    CHECK(tried > 1000);
    CHECK_EQ(writable, 0);
}

static void check_devices(void)
{
    CHECK_RC(map_as(0xfd000, PTE_RW | PTE_PCD, DOMID_SELF), 0); // a PCI window
    CHECK_RC(map_as(0xfd000, PTE_RW | PTE_PCD, DOMID_IO), 0);   // a PCI window
    CHECK_RC(map_as(0xb8, PTE_RW | PTE_PCD, DOMID_IO), 0);      // VGA text
    CHECK(map_as(0xfee00, PTE_RW | PTE_PCD, DOMID_SELF) < 0);   // the local APIC
    CHECK(map_as(0xfee00, PTE_RW | PTE_PCD, DOMID_IO) < 0);
    CHECK(map_as(pfn_to_mfn(0), PTE_RW, DOMID_IO) < 0); // ours, so no I/O
    CHECK_RC(map_as(pfn_to_mfn(0), PTE_RW, DOMID_SELF), 0);
}

static void check_m2p(void)
{
    static xen_pfn_t frames[4];
    struct xen_machphys_mfn_list l = {.max_extents = 4};
    uint64_t ours = pfn_to_mfn(0);

    set_xen_guest_handle(l.extent_start, frames);
    REQUIRE(hc_memory_op(XENMEM_machphys_mfn_list, &l) == 0);
    CHECK(map_as(frames[0], PTE_RO, DOMID_SELF) < 0);
    CHECK(map_as(frames[0], PTE_RW, DOMID_XEN) < 0);
    CHECK_RC(map_as(frames[0] + ours / 512, PTE_RO, DOMID_XEN), 0);
    CHECK_EQ(((uint64_t *)AREA)[ours % 512], 0); // the pfn of our first frame
    CHECK_RC(map_as(0, 0, DOMID_SELF), 0);
}

void test_main(void)
{
    REQUIRE(map_page(kernel_l4(), AREA, 0));
    slot = pte_of(kernel_l4(), AREA, 1);
    check_devices();
    check_m2p();
    check_sweep();
}
