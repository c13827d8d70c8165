// SPDX-License-Identifier: MIT
// Direct writes to L1 entries trap and are emulated with all checks of mmu_update.
//
// xen ABI: xen.h "if so desired the OS can also try to write to the PTE and be trapped by the
// hypervisor (as the PTE entry is RO)". Asserted for mov, xchg, cmpxchg, lock btr/bts/or: the right
// result in memory and registers; a write that would map a page table writable does not happen and
// is a #PF for the guest; writes to L2 and above are never emulated.
#include "lib/guest.h"

const char test_title[] = "direct writes to page tables are emulated";

static char *page;
static volatile uint64_t *pte;
static uint64_t mfn;

static void check_mov(void)
{
    CHECK_NO_TRAP(try_write((void *)pte, mfn_pte(mfn, PTE_RO)));
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RO));
    CHECK_NO_TRAP(TRY("movq $0, (%0)", : : "r"(pte) : "memory"));
    CHECK_EQ(*pte, 0);
    CHECK_NO_TRAP(try_write((void *)pte, mfn_pte(mfn, PTE_RW)));
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RW));
    CHECK_RC(mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)page), 0);
    CHECK_NO_TRAP(try_write(page, 1));
}

static void check_exchange(void)
{
    uint64_t val = 0, expected;
    bool equal;

    CHECK_NO_TRAP(TRY("xchg %0, (%1)", : "+r"(val) : "r"(pte) : "memory"));
    CHECK_PTE(val, mfn_pte(mfn, PTE_RW));
    CHECK_EQ(*pte, 0);
    expected = 0;
    val = mfn_pte(mfn, PTE_RO);
    CHECK_NO_TRAP(TRY("lock cmpxchg %3, (%2); setz %1",
                      : "+a"(expected), "=&q"(equal)
                      : "r"(pte), "r"(val)
                      : "memory", "cc"));
    CHECK(equal);
    CHECK_PTE(*pte, val);
    expected = 0x777; // does not match
    CHECK_NO_TRAP(TRY("lock cmpxchg %3, (%2); setz %1",
                      : "+a"(expected), "=&q"(equal)
                      : "r"(pte), "r"(0ul)
                      : "memory", "cc"));
    CHECK(!equal);
    CHECK_PTE(expected, val);
    CHECK_PTE(*pte, val);
}

static void check_bits(void)
{
    bool was;

    CHECK_NO_TRAP(try_write((void *)pte, mfn_pte(mfn, PTE_RW)));
    CHECK_NO_TRAP(TRY("lock btrq $1, (%1); setc %0", : "=&q"(was) : "r"(pte) : "memory", "cc"));
    CHECK(was);
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RW & ~PTE_W));
    CHECK_NO_TRAP(TRY("lock btsq $1, (%1); setc %0", : "=&q"(was) : "r"(pte) : "memory", "cc"));
    CHECK(!was);
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RW));
    CHECK_NO_TRAP(TRY("lock andq %1, (%0)", : : "r"(pte), "r"(~PTE_W) : "memory", "cc"));
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RW & ~PTE_W));
    CHECK_NO_TRAP(TRY("lock orq %1, (%0)", : : "r"(pte), "r"(PTE_AVAIL0) : "memory", "cc"));
    CHECK_PTE(*pte, mfn_pte(mfn, (PTE_RW & ~PTE_W) | PTE_AVAIL0));
    CHECK_NO_TRAP(try_write((void *)pte, mfn_pte(mfn, PTE_RW)));
}

static void check_refused(void)
{
    uint64_t before = *pte, l4_mfn = va_to_mfn(kernel_l4());
    uint64_t *l2e = pte_of(kernel_l4(), page, 2), l2_before = *l2e;

    CHECK_TRAP(try_write((void *)pte, mfn_pte(l4_mfn, PTE_RW)), X86_PF, PFEC_P | PFEC_W);
    CHECK_EQ(this_cpu()->trap.cr2, pte);
    CHECK_PTE(*pte, before);
    CHECK_TRAP(try_write((void *)pte, mfn_pte(0xffffffff, PTE_RW)), X86_PF, PFEC_P | PFEC_W);
    CHECK_PTE(*pte, before);
    CHECK_TRAP(try_write(l2e, l2_before), X86_PF, PFEC_P | PFEC_W);
    CHECK_EQ(*l2e, l2_before);
    CHECK_TRAP(try_write(kernel_l4(), 0), X86_PF, PFEC_P | PFEC_W);
}

void test_main(void)
{
    page = page_alloc();
    mfn = va_to_mfn(page);
    pte = pte_of(kernel_l4(), page, 1);
    check_mov();
    check_exchange();
    check_bits();
    check_refused();
}
