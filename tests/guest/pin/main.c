// SPDX-License-Identifier: MIT
// MMUEXT_PIN_Lx_TABLE and MMUEXT_UNPIN_TABLE.
//
// xen ABI: xen.h MMUEXT_(UN)PIN_*_TABLE. A pin validates the page as a table of that level and
// keeps it so without any link. Seen on the oracle: pinning twice, unpinning what is not pinned, a
// page with a writable mapping and another level are -EINVAL;
// state is unchanged.
#include "lib/guest.h"

const char test_title[] = "pinning and unpinning page tables";

static const unsigned int pin_cmd[] = {0, MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE,
                                       MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE};

static void check_level(int level)
{
    char *page = page_alloc();
    uint64_t mfn = va_to_mfn(page);
    int other = level == 1 ? 2 : level - 1;

    CHECK_RC(mmuext(pin_cmd[level], mfn), -EINVAL); // mapped writable
    CHECK_RC(page_protect(page, PTE_RO), 0);
    CHECK_RC(mmuext(pin_cmd[level], mfn), 0);
    CHECK_RC(page_protect(page, PTE_RW), -EBUSY);
    CHECK_RC(mmuext(pin_cmd[level], mfn), -EINVAL); // twice
    CHECK(mmuext(pin_cmd[other], mfn) < 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), -EINVAL);
    // An L4 may keep the hypervisor's slots in it: start afresh.
    CHECK_RC(page_protect(page, PTE_RW), 0);
    memset(page, 0, PAGE_SIZE);
    CHECK_RC(page_protect(page, PTE_RO), 0);
    CHECK_RC(mmuext(pin_cmd[other], mfn), 0); // now it can be the other
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0);
    CHECK_RC(page_protect(page, PTE_RW), 0);
}

// A tree: the pin of the top takes everything below, and what is below cannot be written.
static void check_tree(void)
{
    uint64_t *l4 = page_alloc(), *l3 = page_alloc(), *l2 = page_alloc(), *l1 = page_alloc();
    uint64_t *tables[] = {l4, l3, l2, l1};
    char *data = page_alloc();

    l4[0] = mfn_pte(va_to_mfn(l3), PTE_RW);
    l3[0] = mfn_pte(va_to_mfn(l2), PTE_RW);
    l2[0] = mfn_pte(va_to_mfn(l1), PTE_RW);
    l1[0] = mfn_pte(va_to_mfn(data), PTE_RW);
    CHECK(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4)) < 0); // all are writable
    for (unsigned int i = 0; i < 3; i++)
        CHECK_RC(page_protect(tables[i], PTE_RO), 0);
    CHECK(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4)) < 0); // the L1 still is
    for (unsigned int i = 0; i < 3; i++)                   // and nothing stuck
        CHECK_RC(page_protect(tables[i], PTE_RW), 0);
    for (unsigned int i = 0; i < 4; i++)
        CHECK_RC(page_protect(tables[i], PTE_RO), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4)), 0);
    for (unsigned int i = 0; i < 4; i++)
        CHECK_RC(page_protect(tables[i], PTE_RW), -EBUSY);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(data)) < 0); // mapped writable in the tree
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(l4)), 0);
    for (unsigned int i = 0; i < 4; i++)
        CHECK_RC(page_protect(tables[i], PTE_RW), 0);
}

void test_main(void)
{
    for (int level = 1; level <= 4; level++)
        check_level(level);
    check_tree();
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, 0xffffffff) < 0); // no such frame
    CHECK(mmuext(MMUEXT_UNPIN_TABLE, 0xffffffff) < 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(page_alloc())), -EINVAL);
}
