// SPDX-License-Identifier: MIT
// Narrow and string writes to L1 entries: emulated whole or refused whole.
//
// xen ABI: xen.h, as in the test ptwr. A 1-, 2- or 4-byte write changes only its bytes and the
// whole new entry is checked; rep stos over not-present entries works; an unaligned write over two
// entries never goes through, nor does an access that is not aligned to its size.
#include "lib/guest.h"

const char test_title[] = "narrow writes to page tables";

#define AREA ((char *)0xffffc90000000000)

void test_main(void)
{
    char *page = page_alloc();
    uint64_t mfn = va_to_mfn(page), n = 16, *l1;
    void *dst;

    CHECK(map_page(kernel_l4(), AREA, mfn_pte(mfn, PTE_RW)));
    l1 = pte_of(kernel_l4(), AREA, 1);
    CHECK_NO_TRAP(TRY("movl %1, (%0)",
                      :
                      : "r"(l1), "r"((uint32_t)mfn_pte(mfn, PTE_RO))
                      : "memory"));
    CHECK_PTE(*l1, mfn_pte(mfn, PTE_RO));
    CHECK_NO_TRAP(TRY("andb $0xfd, (%0)", : : "r"(l1) : "memory", "cc"));
    CHECK_PTE(*l1, mfn_pte(mfn, PTE_RO));
    CHECK_NO_TRAP(TRY("movb $0, (%0)", : : "r"(l1) : "memory")); // not present any more
    CHECK_PTE(*l1, mfn_pte(mfn, 0));
    CHECK_NO_TRAP(TRY("movw $0, 2(%0)", : : "r"(l1) : "memory"));
    CHECK_PTE(*l1, mfn_pte(mfn, 0) & 0xff00);
    CHECK_EQ(TRY("movw $0, 1(%0)", : : "r"(l1) : "memory")->frame.vector, X86_PF);
    dst = l1 + 4;
    CHECK_NO_TRAP(TRY("rep stosq", : "+D"(dst), "+c"(n) : "a"(0ul) : "memory"));
    CHECK_EQ(n, 0);
    CHECK_EQ(dst, l1 + 20);
    CHECK_EQ(try_write((char *)l1 + 12, 0)->frame.vector, X86_PF); // half of two entries
    CHECK_EQ(l1[1] | l1[2], 0);
}
