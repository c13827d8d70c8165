// SPDX-License-Identifier: MIT
// The ELF note INIT_P2M: the p2m list lies where the kernel asked, outside the boot region.
//
// xen ABI: elfnote.h XEN_ELFNOTE_INIT_P2M; xen.h start_info.first_p2m_pfn, nr_p2m_frames ("covers
// both page table and p->m table frames"). mfn_list is the note's address and is mapped there,
// maybe by large pages; the list is complete; its frames are in the pfn range start_info names.
#include "lib/guest.h"

const char test_title[] = "p2m list at the address of INIT_P2M";

void test_main(void)
{
    unsigned long wrong = 0;
    uint64_t bytes = start_info->nr_pages * 8;
    uint64_t *entry;

    CHECK_EQ(start_info->mfn_list, GUEST_INIT_P2M);
    for (unsigned long pfn = 0; pfn < start_info->nr_pages; pfn++)
        wrong += mfn_to_pfn(pfn_to_mfn(pfn)) != pfn;
    CHECK_EQ(wrong, 0);
    CHECK(start_info->nr_p2m_frames >= (bytes + PAGE_SIZE - 1) / PAGE_SIZE);
    CHECK(start_info->first_p2m_pfn > 0);
    CHECK(start_info->first_p2m_pfn + start_info->nr_p2m_frames <= start_info->nr_pages);
    // The L4 entry leads into frames of that range.
    entry = pte_of(kernel_l4(), (void *)start_info->mfn_list, 4);
    CHECK_EQ(*entry & PTE_P, PTE_P);
    CHECK(mfn_to_pfn(pte_mfn(*entry)) >= start_info->first_p2m_pfn);
    CHECK(mfn_to_pfn(pte_mfn(*entry)) < start_info->first_p2m_pfn + start_info->nr_p2m_frames);
    CHECK_NO_TRAP(try_write((void *)start_info->mfn_list, pfn_to_mfn(0))); // it is ours to write
    // The boot stack follows the page tables directly: no list in between.
    CHECK(boot_state.rsp <= start_info->pt_base + (start_info->nr_pt_frames + 1) * PAGE_SIZE);
}
