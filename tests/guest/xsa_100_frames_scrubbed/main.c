// SPDX-License-Identifier: MIT
// XSA-100 (CVE-2014-4021): frames of a destroyed domain were given to the next one with their
// contents.
//
// What must hold: after a domain full of a pattern has died, no frame that another domain gets
// shows it.
#include "lib/domu.h"

const char test_title[] = "frames of a dead domain are cleared";

#define FRAMES  2048
#define PATTERN 0x5ec2e75ec2e75ec2

static void guest(void)
{
    char *va = page_alloc();

    for (unsigned int i = 0; i < FRAMES; i++) {
        uint64_t mfn = pfn_to_mfn(pfn_alloc_unmapped());

        REQUIRE(hc_update_va_mapping(va, mfn_pte(mfn, PTE_RW), UVMF_INVLPG) == 0);
        for (unsigned int k = 0; k < 512; k++)
            ((volatile uint64_t *)va)[k] = PATTERN;
    }
}

static void check_frame(unsigned int dom, uint64_t mfn)
{
    const uint64_t *p = foreign_map(dom, mfn, PTE_RO);
    unsigned int seen = 0;

    REQUIRE(p);
    for (unsigned int i = 0; i < 512; i++)
        seen += p[i] == PATTERN;
    if (seen)
        CHECK_EQ(seen, 0);
    foreign_unmap((void *)p);
}

void test_main(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .extra = FRAMES + 8});

    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
    for (unsigned int round = 0; round < 2; round++) { // at once, and when all is free again
        d = domu_new(&(struct domu_config){.main = guest, .extra = FRAMES + 8});
        domu_populate(d);
        for (unsigned int pfn = 0; pfn < d->nr_pfns; pfn++) {
            if (d->p2m[pfn] != INVALID_PFN)
                check_frame(d->id, d->p2m[pfn]);
        }
        CHECK_RC(domu_destroy(d), 0);
        free_pages_settled();
    }
}
