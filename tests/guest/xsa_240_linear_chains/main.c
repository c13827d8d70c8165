// SPDX-License-Identifier: MIT
// XSA-240, XSA-243, XSA-309 (CVE-2017-15595, -15592, CVE-2019-19578): chains of linear tables.
//
// Class: tables that map tables of their own level make validation and its undoing recurse without
// bound, or miscount. What must hold: however long the chain or ring, every link is refused or
// undone, and at the end each page is an ordinary page again.
#include "lib/guest.h"

const char test_title[] = "chains and rings of linear page tables";

#define LINKS 60

static uint64_t *table[LINKS];
static const unsigned int pin_cmd[] = {0, 0, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE,
                                       MMUEXT_PIN_L4_TABLE};

static void fill(int from, int to)
{
    CHECK_RC(page_protect(table[from], PTE_RW), 0);
    memset(table[from], 0, PAGE_SIZE);
    if (to >= 0)
        table[from][1] = mfn_pte(va_to_mfn(table[to]), PTE_RO);
    CHECK_RC(page_protect(table[from], PTE_RO), 0);
}

static void unpin_all(void)
{
    for (int i = 0; i < LINKS; i++)
        mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(table[i]));
}

static void check_level(int level, bool ring)
{
    for (int i = 0; i < LINKS; i++)
        fill(i, i + 1 < LINKS ? i + 1 : ring ? 0 : -1);
    mmuext(pin_cmd[level], va_to_mfn(table[0])); // all at once
    for (int i = LINKS - 1; i >= 0; i--)         // and from the end
        mmuext(pin_cmd[level], va_to_mfn(table[i]));
    for (int i = 0; i < LINKS; i++) // links made and broken while pinned
        pte_write(&table[i][2], mfn_pte(va_to_mfn(table[(i * 7 + 3) % LINKS]), PTE_RO));
    for (int i = 0; i < LINKS; i++)
        pte_write(&table[i][2], 0);
    for (int i = 0; i < LINKS; i++)
        CHECK(page_protect(table[i], PTE_RO) == 0);
    for (int i = 0; ring && i < LINKS; i++) // so that nothing keeps itself alive
        pte_write(&table[i][1], 0);
    unpin_all();
    for (int i = 0; i < LINKS; i++)
        CHECK_RC(page_protect(table[i], PTE_RW), 0);
}

void test_main(void)
{
    for (int i = 0; i < LINKS; i++)
        table[i] = page_alloc();
    for (int level = 2; level <= 4; level++) {
        check_level(level, false);
        check_level(level, true);
    }
}
