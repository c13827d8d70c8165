// SPDX-License-Identifier: MIT
// With the note MOD_START_PFN the ram disk need not be mapped: mod_start is its first pfn.
//
// xen ABI: elfnote.h XEN_ELFNOTE_MOD_START_PFN, xen.h SIF_MOD_START_PFN.
//
// MODULE: tests/guest/start_module_pfn/main.c
#include "lib/guest.h"

const char test_title[] = "ram disk by pfn";

#define AREA ((char *)0xffffc90000000000)

void test_main(void)
{
    CHECK_EQ(start_info->flags & SIF_MOD_START_PFN, SIF_MOD_START_PFN);
    CHECK(start_info->mod_start > 0);
    CHECK(start_info->mod_start < start_info->nr_pages);
    CHECK_EQ(start_info->mod_len, GUEST_MODULE_SIZE);
    REQUIRE(map_page(kernel_l4(), AREA, mfn_pte(pfn_to_mfn(start_info->mod_start), PTE_RW)));
    CHECK(str_starts(AREA, "// SPDX-License-Identifier: MIT\n// With the note MOD_START_PFN"));
    CHECK_EQ(AREA[start_info->mod_len - 1], '\n');
}
