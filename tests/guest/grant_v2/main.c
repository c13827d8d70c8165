// SPDX-License-Identifier: MIT
// Grants of version 2: the status is apart from the entry; a part of a page may be granted, for
// copies only.
//
// xen ABI: grant_table.h union grant_entry_v2: sub_page "@domid is allowed to access bytes
// [@page_off,@page_off+@length)"; GNTTABOP_get_status_frames; the version cannot change while an
// entry is in use.
#include "lib/grant.h"

const char test_title[] = "grant table version 2";

enum { REF = 50 };
static volatile union grant_entry_v2 *entry;
static volatile grant_status_t *status;
static char *page, *mine;

static void setup(void)
{
    static uint64_t frame;
    struct gnttab_get_status_frames g = {.dom = DOMID_SELF, .nr_frames = 1};

    grant_setup();
    page = page_alloc();
    mine = page_alloc();
    REQUIRE(grant_version(2) == 0);
    set_xen_guest_handle(g.frame_list, &frame);
    REQUIRE(hc_grant_table_op(GNTTABOP_get_status_frames, &g, 1) == 0 && g.status == GNTST_okay);
    REQUIRE(hc_update_va_mapping(GRANT_AREA + 8 * PAGE_SIZE, mfn_pte(frame, PTE_RW), UVMF_INVLPG) ==
            0);
    status = (void *)(GRANT_AREA + 8 * PAGE_SIZE);
    entry = (volatile union grant_entry_v2 *)GRANT_TABLE + REF;
    entry->full_page.hdr.domid = 0;
    entry->full_page.frame = va_to_mfn(page);
    entry->full_page.hdr.flags = GTF_permit_access;
}

static void check_map(void)
{
    struct gnttab_map_grant_ref op = grant_map(0, REF, GNTMAP_host_map, GRANT_AREA), second;

    CHECK_EQ(op.status, GNTST_okay);
    CHECK_EQ(entry->hdr.flags, GTF_permit_access);
    CHECK_EQ(status[REF], GTF_reading | GTF_writing);
    second = grant_map(0, REF, GNTMAP_host_map | GNTMAP_readonly, GRANT_AREA + PAGE_SIZE);
    CHECK_EQ(second.status, GNTST_okay);
    CHECK_RC(grant_version(1), -EBUSY);
    CHECK_EQ(grant_unmap(GRANT_AREA, op.handle), GNTST_okay);
    CHECK_EQ(status[REF], GTF_reading);
    CHECK_EQ(grant_unmap(GRANT_AREA + PAGE_SIZE, second.handle), GNTST_okay);
    CHECK_EQ(status[REF], 0);
    entry->full_page.frame = (uint64_t)1 << 40;
    CHECK_EQ(grant_map(0, REF, GNTMAP_host_map, GRANT_AREA).status, GNTST_bad_page);
    CHECK_EQ(grant_map(0, 255, GNTMAP_host_map, GRANT_AREA).status, GNTST_general_error);
    CHECK_EQ(grant_map(0, 1u << 20, GNTMAP_host_map, GRANT_AREA).status, GNTST_bad_gntref);
    CHECK_EQ(status[REF], 0);
    entry->full_page.frame = va_to_mfn(page);
}

static int copy_from(unsigned int offset, unsigned int len)
{
    struct gnttab_copy c = {.flags = GNTCOPY_source_gref, .len = (uint16_t)len};

    c.source.u.ref = REF;
    c.source.offset = (uint16_t)offset;
    c.dest.u.gmfn = va_to_mfn(mine);
    c.dest.domid = DOMID_SELF;
    return grant_copy(&c);
}

static int copy_to(unsigned int offset, unsigned int len)
{
    struct gnttab_copy c = {.flags = GNTCOPY_dest_gref, .len = (uint16_t)len};

    c.dest.u.ref = REF;
    c.dest.offset = (uint16_t)offset;
    c.source.u.gmfn = va_to_mfn(mine);
    c.source.domid = DOMID_SELF;
    return grant_copy(&c);
}

static void check_sub_page(void)
{
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        page[i] = (char)i;
    entry->sub_page.page_off = 16;
    entry->sub_page.length = 32;
    entry->hdr.flags = GTF_permit_access | GTF_sub_page;
    CHECK(grant_map(0, REF, GNTMAP_host_map, GRANT_AREA).status < 0);
    CHECK(grant_map(0, REF, GNTMAP_host_map | GNTMAP_readonly, GRANT_AREA).status < 0);
    CHECK_EQ(copy_from(0, 8), GNTST_general_error);
    CHECK_EQ(mine[0], 0);
    CHECK_EQ(copy_from(16, 8), GNTST_okay);
    CHECK_EQ(mine[0], 16);
    CHECK_EQ(copy_from(40, 8), GNTST_okay);
    CHECK_EQ(copy_from(41, 8), GNTST_general_error);
    CHECK_EQ(copy_from(15, 8), GNTST_general_error);
    CHECK_EQ(copy_to(20, 8), GNTST_okay);
    CHECK_EQ(page[20], 40);
    CHECK_EQ(copy_to(8, 8), GNTST_general_error);
    entry->sub_page.length = 0xffff;
    CHECK_EQ(copy_from(16, 4080), GNTST_okay);
    CHECK_EQ(copy_from(4090, 8), GNTST_bad_copy_arg);
    CHECK_EQ(status[REF], 0);
    entry->hdr.flags = GTF_permit_access | GTF_readonly;
    CHECK_EQ(copy_to(0, 8), GNTST_general_error);
    CHECK_EQ(copy_from(0, 8), GNTST_okay);
}

void test_main(void)
{
    setup();
    check_map();
    check_sub_page();
    CHECK_RC(hc_update_va_mapping(GRANT_AREA + 8 * PAGE_SIZE, 0, UVMF_INVLPG), 0);
    CHECK_RC(grant_version(1), 0);
}
