// SPDX-License-Identifier: MIT
// The p2m list and the M2P table agree, and the boot mapping is the first part of the p2m.
//
// xen ABI: xen.h "Start-of-day memory layout", items 5 and d: the list of page frames forms a
// contiguous pseudo-physical layout and the bootstrap region is a 1:1 mapping to its first section;
// arch-x86/xen-x86_64.h: machine_to_phys_mapping is readable at MACH2PHYS_VIRT_START. Asserted for
// every page: no frame twice, M2P[p2m[pfn]] == pfn, the region maps p2m[pfn] at VIRT_BASE + pfn *
// 4096, the M2P is not writable, and frames that are not ours do not claim one of our pfns.
#include "lib/guest.h"

const char test_title[] = "p2m list, M2P table and boot mapping agree";

static void check_inverse(void)
{
    unsigned long wrong = 0;

    for (unsigned long pfn = 0; pfn < start_info->nr_pages; pfn++)
        wrong += mfn_to_pfn(pfn_to_mfn(pfn)) != pfn;
    CHECK_EQ(wrong, 0);
}

static void check_boot_mapping(void)
{
    unsigned long wrong = 0, pages = 0;
    extern char image_end[];

    // Our own shared_info mapping replaced one page of the image: leave bss out, start behind it.
    for (char *va = image_end; va < (char *)boot_state.rsp; va += PAGE_SIZE, pages++) {
        uint64_t *pte = pte_of(kernel_l4(), va, 1);

        wrong += !pte || pte_mfn(*pte) != va_to_mfn(va);
    }
    CHECK(pages > 64);
    CHECK_EQ(wrong, 0);
}

static void check_m2p_access(void)
{
    uint64_t mfn = pfn_to_mfn(0);
    const struct trap *t = try_write(&machine_to_phys_mapping[mfn], 1);

    CHECK_EQ(t->count, 1);
    CHECK_EQ(t->frame.vector, X86_PF);
    CHECK_EQ(mfn_to_pfn(mfn), 0);
}

void test_main(void)
{
    check_inverse();
    check_boot_mapping();
    check_m2p_access();
}
