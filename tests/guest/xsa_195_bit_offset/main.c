// SPDX-License-Identifier: MIT
// XSA-195 (CVE-2016-9383): bit-test instructions with a bit offset in a register.
//
// Class: the offset moves the address of the operand by up to 2^60 bytes; an emulator that works
// with another address than the one that was checked writes elsewhere. What must hold: an emulated
// write to a page table changes the entry the processor would change, or none and faults.
#include "lib/guest.h"

const char test_title[] = "emulated bit tests with far offsets";

static uint64_t *pte, old_entry;
static uint64_t *far_base;

static void check_done(const struct trap *t, uint64_t want)
{
    if (t->count == 0) {
        CHECK_PTE(*pte, want);
    } else {
        CHECK_EQ(t->frame.vector, X86_PF);
        CHECK_PTE(*pte, old_entry);
    }
    CHECK_EQ(*far_base, 0x77);
    CHECK_RC(pte_write(pte, old_entry), 0);
}

void test_main(void)
{
    char *page = page_alloc();
    int64_t bit;

    far_base = page_alloc();
    *far_base = 0x77;
    pte = pte_of(kernel_l4(), page, 1);
    old_entry = mfn_pte(va_to_mfn(page), PTE_RW);
    REQUIRE(pte_write(pte, old_entry) == 0);
    bit = ((char *)pte - (char *)far_base) * 8 + 9; // AVAIL0 of our entry
    check_done(TRY("lock btsq %1, (%0)",
                   :
                   : "r"(far_base), "r"(bit)
                   : "memory", "cc"),
               old_entry | PTE_AVAIL0);
    check_done(TRY("btsq %1, (%0)",
                   :
                   : "r"(far_base), "r"(bit)
                   : "memory", "cc"),
               old_entry | PTE_AVAIL0);
    check_done(TRY("lock btcl %1, (%0)",
                   :
                   : "r"(far_base), "r"((int32_t)bit)
                   : "memory", "cc"),
               old_entry | PTE_AVAIL0);
    check_done(TRY("btsw %w1, (%0)",
                   :
                   : "r"((char *)pte + 0x800), "r"(-0x4000 + 9)
                   : "memory", "cc"),
               old_entry | PTE_AVAIL0);
    check_done(TRY("lock btrq %1, (%0)",
                   :
                   : "r"(far_base), "r"(bit - 9 + 1)
                   : "memory", "cc"),
               old_entry & ~PTE_W);
}
