// SPDX-License-Identifier: MIT
// XSA-113 (CVE-2014-9030): a refused MMU_MACHPHYS_UPDATE kept its reference to the frame, so that
// the frame, and with it the domain, could never be freed.
//
// What must hold: after many such updates, good and refused, a domain dies completely.
#include "lib/domu.h"

const char test_title[] = "references taken by M2P updates";

static long m2p(uint64_t mfn, uint64_t pfn, unsigned int fd)
{
    struct mmu_update u = {.ptr = mfn << 12 | MMU_MACHPHYS_UPDATE, .val = pfn};

    return hc_mmu_update(&u, 1, NULL, fd);
}

static void guest(void)
{
    uint64_t mfn = pfn_to_mfn(start_info->nr_pages - 1);

    for (unsigned int i = 0; i < 100; i++) {
        CHECK_RC(m2p(mfn, i, DOMID_SELF), 0);
        m2p(mfn, ~0ul, DOMID_SELF);
        m2p(mfn, 1ul << 45, DOMID_SELF);
        CHECK(m2p(mfn, i, DOMID_IO) < 0);
        CHECK(m2p(1ul << 40, i, DOMID_SELF) < 0);
    }
    CHECK_RC(m2p(mfn, start_info->nr_pages - 1, DOMID_SELF), 0);
    CHECK_EQ(mfn_to_pfn(mfn), start_info->nr_pages - 1);
}

static void life(void)
{
    struct domu *d = domu_create(guest);
    uint64_t spare = d->p2m[d->nr_pfns - 1];

    for (unsigned int i = 0; i < 100; i++) {
        CHECK_RC(m2p(spare, d->nr_pfns - 1, d->id), 0);
        CHECK(m2p(spare, i, DOMID_SELF) < 0);
        CHECK(m2p(va_to_mfn(kernel_l4()), i, d->id) < 0);
        m2p(spare, 1ul << 45, d->id);
    }
    CHECK_RC(m2p(spare, d->nr_pfns - 1, d->id), 0);
    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
}

void test_main(void)
{
    domu_lives(life);
}
