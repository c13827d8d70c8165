// SPDX-License-Identifier: MIT
// Four vCPUs change the types of the same pages at once; counts come out right.
//
// xen ABI: xen.h page types. While they race a page may be refused (-EINVAL, -EBUSY, -EAGAIN), but
// never two types are held: at the end every page can be made writable, a page table, and writable
// again.
//
// SMP: 4
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "concurrent pinning, mapping and unpinning";

#define PAGES  4
#define ROUNDS 25 // each is a dozen TLB flushes on all vCPUs, slow when host CPUs are few

static char *page[PAGES];
static volatile unsigned int up[4], finished[4], go;
static unsigned int pinned[4], mapped[4], odd;

static bool expected(long rc)
{
    return rc == 0 || rc == -EINVAL || rc == -EBUSY || rc == -EAGAIN;
}

static void race(unsigned int id)
{
    for (unsigned int i = 0; i < ROUNDS; i++) {
        char *p = page[(i + id) % PAGES];
        uint64_t mfn = va_to_mfn(p);
        uint64_t pte = mfn_pte(mfn, (i + id) & 1 ? PTE_RW : PTE_RO);
        long rc = hc_update_va_mapping(p, pte, UVMF_INVLPG);

        mapped[id] += rc == 0;
        odd += !expected(rc);
        rc = mmuext(MMUEXT_PIN_L1_TABLE, mfn);
        pinned[id] += rc == 0;
        odd += !expected(rc);
        if (rc == 0)
            odd += mmuext(MMUEXT_UNPIN_TABLE, mfn) != 0;
    }
    finished[id] = 1;
}

static void secondary(void)
{
    up[this_cpu()->id] = 1;
    while (!go)
        asm volatile("pause");
    race(this_cpu()->id);
}

void test_main(void)
{
    for (unsigned int i = 0; i < PAGES; i++)
        page[i] = page_alloc();
    for (unsigned int id = 1; id < 4; id++) {
        REQUIRE(smp_start(id, secondary) == 0);
        REQUIRE(wait_for(&up[id], 2000000000));
    }
    go = 1;
    race(0);
    for (unsigned int id = 1; id < 4; id++)
        CHECK(wait_for(&finished[id], 15000000000));
    CHECK_EQ(odd, 0);
    for (unsigned int i = 0; i < PAGES; i++) {
        CHECK_RC(page_protect(page[i], PTE_RO), 0);
        CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(page[i])), 0);
        CHECK_RC(page_protect(page[i], PTE_RW), -EBUSY);
        CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(page[i])), 0);
        CHECK_RC(page_protect(page[i], PTE_RW), 0);
    }
    CHECK(pinned[0] + pinned[1] + pinned[2] + pinned[3] > 0);
    CHECK(mapped[0] + mapped[1] + mapped[2] + mapped[3] > 0);
}
