// SPDX-License-Identifier: MIT
// MMUEXT_SET_LDT: descriptors of a table in guest memory, at most 8192, page aligned.
//
// xen ABI: xen.h MMUEXT_SET_LDT ("linear address of LDT base (NB. must be page-aligned)"). Accesses
// fault the page in lazily, whose type then forbids a writable mapping; a page mapped writable
// cannot be used; setting 0 entries takes the LDT away.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "MMUEXT_SET_LDT";

#define DESC_DATA  0x00cff3000000ffff
#define LDT_SEL(i) ((i) << 3 | 7)

static const struct trap *load_fs(unsigned int sel)
{
    return TRY("mov %0, %%fs", : : "r"(sel));
}

void test_main(void)
{
    uint64_t *ldt = page_alloc();

    ldt[2] = DESC_DATA;
    ldt[3] = 0x0000890000000067; // a TSS: not in any guest's table
    CHECK_EQ(load_fs(LDT_SEL(2))->count, 1);
    CHECK_RC(mmuext2(MMUEXT_SET_LDT, (uint64_t)ldt + 8, 16), -EINVAL);
    CHECK_RC(mmuext2(MMUEXT_SET_LDT, (uint64_t)ldt, 8193), -EINVAL);
    CHECK_RC(page_protect(ldt, PTE_RO), 0);
    CHECK_RC(mmuext2(MMUEXT_SET_LDT, (uint64_t)ldt, 16), 0);
    CHECK_EQ(load_fs(LDT_SEL(2))->count, 1); // the TSS makes the whole page unfit
    CHECK_RC(page_protect(ldt, PTE_RW), 0);
    ldt[3] = 0;
    CHECK_RC(page_protect(ldt, PTE_RO), 0);
    CHECK_NO_TRAP(load_fs(LDT_SEL(2)));
    CHECK_RC(page_protect(ldt, PTE_RW), -EBUSY);                // in use as descriptors
    CHECK_TRAP(load_fs(LDT_SEL(16)), X86_GP, LDT_SEL(16) & ~3); // beyond the limit
    CHECK_TRAP(load_fs(LDT_SEL(1)), X86_GP, LDT_SEL(1) & ~3);   // the null descriptor
    CHECK_RC(hc_update_descriptor((va_to_mfn(ldt) << 12) + 8, DESC_DATA), 0);
    CHECK_NO_TRAP(load_fs(LDT_SEL(1)));
    load_fs(0);
    CHECK_RC(mmuext2(MMUEXT_SET_LDT, 0, 0), 0);
    CHECK_TRAP(load_fs(LDT_SEL(2)), X86_GP, LDT_SEL(2) & ~3);
    CHECK_RC(page_protect(ldt, PTE_RW), 0);
}
