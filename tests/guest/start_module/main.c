// SPDX-License-Identifier: MIT
// A second module is the ram disk: mapped in the boot region, complete, at mod_start.
//
// xen ABI: xen.h start_info.mod_start, mod_len and "Start-of-day memory layout", item b: it follows
// the kernel image and precedes the p2m list; without the note MOD_START_PFN it is a virtual
// address.
//
// MODULE: tests/guest/start_module/main.c
#include "lib/guest.h"

const char test_title[] = "ram disk mapped at mod_start";

void test_main(void)
{
    const char *text = (const char *)start_info->mod_start;
    extern char image_end[];

    CHECK_EQ(start_info->flags & SIF_MOD_START_PFN, 0);
    CHECK_EQ(start_info->mod_start & 0xfff, 0);
    CHECK(start_info->mod_start >= (uint64_t)image_end);
    CHECK(start_info->mod_start < start_info->mfn_list);
    CHECK_EQ(start_info->mod_len, GUEST_MODULE_SIZE);
    CHECK(str_starts(text, "// SPDX-License-Identifier: MIT\n// A second module"));
    CHECK_EQ(text[start_info->mod_len - 1], '\n');
    CHECK_EQ(mfn_to_pfn(va_to_mfn(text)), va_to_pfn(text));
    CHECK_NO_TRAP(try_write((void *)text, 0));
}
