// SPDX-License-Identifier: MIT
// XSA-241 (CVE-2017-15588): a stale writable translation of what became a page table.
//
// Class: a page is unmapped without a flush and then becomes a page table; a CPU that still has the
// old translation writes into it. What must hold: before the change of type takes effect every CPU
// that may hold the translation has flushed.
#include "lib/guest.h"

const char test_title[] = "no stale translation writes a page table";

static volatile uint64_t *page, *alias;
static volatile unsigned int up, stop, faulted, done;

static void secondary(void)
{
    uint64_t n = 0;

    up = 1;
    while (!stop) {
        if (try_write((void *)&page[3], ++n << 12)->count)
            faulted = 1;
    }
    done = 1;
    for (;;)
        asm volatile("pause");
}

static void round_trip(bool smp)
{
    uint64_t mfn = va_to_mfn((void *)page), seen;

    page[0] = 0;
    page[3] = 0x7000;
    CHECK_RC(pte_write(pte_of(kernel_l4(), (void *)page, 1), 0), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0);
    seen = alias[3];
    CHECK_TRAP(try_write((void *)&page[0], 0x5000), X86_PF, PFEC_W);
    if (smp)
        wait_ns(20000000);
    CHECK_EQ(alias[0], 0);
    CHECK_EQ(alias[3], seen);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0);
    CHECK_RC(pte_write(pte_of(kernel_l4(), (void *)page, 1), mfn_pte(mfn, PTE_RW)), 0);
}

void test_main(void)
{
    page = page_alloc();
    alias = page_alloc();
    REQUIRE(hc_update_va_mapping((void *)alias, mfn_pte(va_to_mfn((void *)page), PTE_RO),
                                 UVMF_INVLPG) == 0);
    round_trip(false);
    if (vcpu_count() < 2)
        return;
    REQUIRE(smp_start(1, secondary) == 0);
    REQUIRE(wait_for(&up, 2000000000));
    for (int i = 0; i < 5; i++)
        round_trip(true);
    stop = 1;
    CHECK(wait_for(&done, 2000000000));
    CHECK(faulted);
}
