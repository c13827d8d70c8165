// SPDX-License-Identifier: MIT
// Arrays of grant operations: every element has its own status, long ones are carried out in full.
//
// xen ABI: grant_table.h "@args points to an array of a per-command data structure. The array has
// @count members"; a count of 0 does nothing.
#include "lib/grant.h"

const char test_title[] = "grant operations on arrays";

enum { REF = 20, REFS = 8, MANY = 240 };
static struct gnttab_map_grant_ref maps[MANY];
static struct gnttab_unmap_grant_ref unmaps[MANY];
static struct gnttab_copy copies[MANY];

static void check_mixed(void)
{
    for (unsigned int i = 0; i < 8; i++)
        maps[i] = (struct gnttab_map_grant_ref){.host_addr = (uint64_t)GRANT_AREA + i * PAGE_SIZE,
                                                .flags = GNTMAP_host_map,
                                                .ref = REF};
    maps[1].ref = REF + 1; // empty
    maps[3].dom = 0x1234;
    maps[5].flags = 0;
    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, maps, 8), 0);
    for (unsigned int i = 0; i < 8; i++) {
        int want = i == 1   ? GNTST_general_error
                   : i == 3 ? GNTST_bad_domain
                   : i == 5 ? GNTST_bad_gntref
                            : GNTST_okay;

        CHECK_EQ(maps[i].status, want);
        unmaps[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = maps[i].host_addr,
            .handle = maps[i].status ? 0xfffffff0 : maps[i].handle,
        };
    }
    CHECK_RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, unmaps, 8), 0);
    for (unsigned int i = 0; i < 8; i++)
        CHECK_EQ(unmaps[i].status, maps[i].status ? GNTST_bad_handle : GNTST_okay);
    CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, 0);
}

static void check_many(char *page)
{
    unsigned int ok = 0, gone = 0;

    for (unsigned int i = 0; i < REFS; i++)
        grant_give(REF + i, 0, page, 0);
    for (unsigned int i = 0; i < MANY; i++)
        maps[i] = (struct gnttab_map_grant_ref){.host_addr = (uint64_t)GRANT_AREA + i * PAGE_SIZE,
                                                .flags = GNTMAP_host_map,
                                                .ref = REF + i % REFS};
    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, maps, MANY), 0);
    for (unsigned int i = 0; i < MANY; i++) {
        ok += maps[i].status == GNTST_okay && GRANT_AREA[i * PAGE_SIZE] == 'g';
        unmaps[i] = (struct gnttab_unmap_grant_ref){.host_addr = maps[i].host_addr,
                                                    .handle = maps[i].handle};
    }
    CHECK_EQ(ok, MANY);
    CHECK_RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, unmaps, MANY), 0);
    for (unsigned int i = 0; i < MANY; i++)
        gone += unmaps[i].status == GNTST_okay &&
                try_read(GRANT_AREA + i * PAGE_SIZE, NULL)->frame.vector == X86_PF;
    CHECK_EQ(gone, MANY);
    CHECK_EQ(GRANT_TABLE[REF].flags & GRANT_SHOWN, 0);
    memset(page, 0, PAGE_SIZE);
}

static void check_copies(char *page)
{
    unsigned int ok = 0;
    char *mine = page_alloc();

    for (unsigned int i = 0; i < MANY; i++) {
        copies[i] = (struct gnttab_copy){.flags = GNTCOPY_source_gref, .len = 4, .status = 77};
        copies[i].source.u.ref = i % 10 == 9 ? REF + REFS : REF;
        copies[i].dest.u.gmfn = va_to_mfn(mine);
        copies[i].dest.domid = DOMID_SELF;
        copies[i].dest.offset = (uint16_t)(i * 8);
    }
    memcpy(page, "grant", 6);
    CHECK_RC(hc_grant_table_op(GNTTABOP_copy, copies, MANY), 0);
    for (unsigned int i = 0; i < MANY; i++) {
        bool there = mine[i * 8] == 'g' && mine[i * 8 + 3] == 'n' && mine[i * 8 + 4] == 0;

        ok += i % 10 == 9 ? copies[i].status == GNTST_general_error && !there
                          : copies[i].status == GNTST_okay && there;
    }
    CHECK_EQ(ok, MANY);
}

void test_main(void)
{
    char *page = page_alloc();

    grant_setup();
    page[0] = 'g';
    grant_give(REF, 0, page, 0);
    check_mixed();
    check_many(page);
    check_copies(page);
    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, NULL, 0), 0);
    CHECK_RC(hc_grant_table_op(GNTTABOP_copy, NULL, 0), 0);
    CHECK_RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, NULL, 0x80000000), -EINVAL);
    CHECK_RC(hc_grant_table_op(GNTTABOP_copy, (void *)HYPERVISOR_VIRT_START, 1), -EFAULT);
}
