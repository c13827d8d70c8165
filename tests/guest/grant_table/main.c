// SPDX-License-Identifier: MIT
// The grant table of a domain: setting it up, its size and version.
//
// xen ABI: grant_table.h GNTTABOP_setup_table, query_size, get_version, set_version,
// get_status_frames. Frames come back in the list and can be mapped; asking for more than the
// maximum is GNTST_general_error; a table in use may still change its version when no entry is.
#include "lib/guest.h"

const char test_title[] = "grant table setup, size and version";

#define AREA ((char *)0xffffc90000000000)

static struct gnttab_query_size query(unsigned int dom)
{
    struct gnttab_query_size q = {.dom = (domid_t)dom};

    CHECK_RC(hc_grant_table_op(GNTTABOP_query_size, &q, 1), 0);
    return q;
}

static void check_setup(void)
{
    static xen_pfn_t frames[64];
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 2};
    struct gnttab_query_size q = query(DOMID_SELF);
    grant_entry_v1_t *entries = (grant_entry_v1_t *)AREA;

    CHECK_EQ(q.status, GNTST_okay);
    CHECK(q.nr_frames >= 1);
    CHECK(q.max_nr_frames >= 2 && q.max_nr_frames <= 64 * 1024);
    set_xen_guest_handle(s.frame_list, frames);
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    CHECK_EQ(s.status, GNTST_okay);
    CHECK(frames[0] && frames[1] && frames[0] != frames[1]);
    CHECK_EQ(query(DOMID_SELF).nr_frames >= 2, 1);
    REQUIRE(map_page(kernel_l4(), AREA, mfn_pte(frames[0], PTE_RW)));
    CHECK_EQ(entries[8].flags, 0);
    entries[8].domid = 5;
    entries[8].frame = 1;
    entries[8].flags = GTF_permit_access;
    CHECK_EQ(entries[8].flags, GTF_permit_access);
    entries[8].flags = 0;
    s.nr_frames = q.max_nr_frames + 1;
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    CHECK_EQ(s.status, GNTST_general_error);
    s.nr_frames = 1;
    s.dom = 0x1234;
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    CHECK_EQ(s.status, GNTST_bad_domain);
    CHECK_EQ(query(0x1234).status, GNTST_bad_domain);
}

static unsigned int version(void)
{
    struct gnttab_get_version v = {.dom = DOMID_SELF};

    CHECK_RC(hc_grant_table_op(GNTTABOP_get_version, &v, 1), 0);
    return v.version;
}

static void check_version(void)
{
    struct gnttab_set_version v = {.version = 2};

    CHECK_EQ(version(), 1);
    CHECK_RC(hc_grant_table_op(GNTTABOP_set_version, &v, 1), 0);
    CHECK_EQ(v.version, 2);
    CHECK_EQ(version(), 2);
    v.version = 1;
    CHECK_RC(hc_grant_table_op(GNTTABOP_set_version, &v, 1), 0);
    CHECK_EQ(version(), 1);
    v.version = 3;
    CHECK_RC(hc_grant_table_op(GNTTABOP_set_version, &v, 1), -EINVAL);
    CHECK_EQ(version(), 1);
}

static void check_errors(void)
{
    CHECK_RC(hc_grant_table_op(GNTTABOP_query_size, (void *)0x10, 1), -EFAULT);
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, (void *)0x10, 1), -EFAULT);
    CHECK_RC(hc_grant_table_op(GNTTABOP_query_size, NULL, 2), -EINVAL); // one at a time
    CHECK_RC(hc_grant_table_op(99, NULL, 0), -ENOSYS);
}

void test_main(void)
{
    check_setup();
    check_version();
    check_errors();
}
