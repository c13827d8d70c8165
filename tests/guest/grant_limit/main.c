// SPDX-License-Identifier: MIT
// A domain has a limited number of mappings; beyond, it is told so, and what it has goes on.
//
// xen ABI: grant_table.h GNTST_no_space "Out of space (handles etc)".
//
// HV: gnttab_max_maptrack_frames=1
#include "lib/grant.h"

const char test_title[] = "limit of grant mappings";

enum { REF = 20, REFS = 16, MANY = 1024 };
static grant_handle_t handle[MANY];

static unsigned int fill(void)
{
    for (unsigned int n = 0; n < MANY; n++) {
        struct gnttab_map_grant_ref op = grant_map(0, REF + n % REFS, GNTMAP_device_map, NULL);

        if (op.status != GNTST_okay) {
            CHECK_EQ(op.status, GNTST_no_space);
            return n;
        }
        handle[n] = op.handle;
    }
    return MANY;
}

void test_main(void)
{
    char *page = page_alloc();
    uint64_t bus = va_to_mfn(page) << 12;
    unsigned int most, bad = 0;

    grant_setup();
    for (unsigned int i = 0; i < REFS; i++)
        grant_give(REF + i, 0, page, 0);
    for (unsigned int round = 0; round < 3; round++) {
        most = fill();
        CHECK(most >= 128 && most <= 512);
        for (unsigned int i = 0; i < most; i++)
            for (unsigned int k = 0; round == 0 && k < i; k++)
                bad += handle[i] == handle[k];
        CHECK_EQ(bad, 0);
        CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, GRANT_SHOWN);
        for (unsigned int i = 0; i < most; i++)
            CHECK_EQ(grant_unmap2(NULL, bus, handle[i]), GNTST_okay);
        CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, 0);
    }
}
