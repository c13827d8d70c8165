// SOURCES: hv/dom/grant.c
// SPDX-License-Identifier: MIT
// Grant tables: growth, limits, running out of memory, the change between versions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "dom/domain.h"
#include "boot/globals.h"
#include "dom/grant.h"
#include "fake/host.h"
#include "mm/frame.h"
#include "mm/shared.h"

struct options options;
static struct domain dom;
static int pages_left; // until memory is out; -1: never
static long pages_live;

void *shared_page_alloc(struct domain *d)
{
    if (pages_left == 0)
        return NULL;
    if (pages_left > 0)
        pages_left--;
    pages_live++;
    return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE);
}

void shared_page_free(void *page)
{
    pages_live -= page != NULL;
    free(page);
}

static int setup(void **state)
{
    options.gnttab_max_version = 2;
    pages_left = -1;
    memset(&dom, 0, sizeof(dom));
    return grant_init(&dom, 20, 4);
}

static int teardown(void **state)
{
    grant_free(&dom);
    assert_int_equal(pages_live, 0);
    assert_int_equal(fake_heap_live, 0);
    assert_int_equal(fake_locks_held(), 0);
    return 0;
}

static int grow_all(u32 frames)
{
    int rc;
    while ((rc = grant_grow(&dom, frames)) > 0)
        ;
    return rc;
}

static void test_growth(void **state)
{
    assert_int_equal(grant_table_frames(&dom), 1);
    assert_int_equal(grow_all(3), 0);
    assert_int_equal(grow_all(2), 0);
    assert_int_equal(grant_table_frames(&dom), 3);
    assert_int_equal(grow_all(20), 0);
    assert_int_equal(grow_all(21), -EINVAL);
    assert_int_equal(grow_all(~0u), -EINVAL);
    assert_int_equal(grant_shared_pages(&dom), 20);
    assert_int_equal(grant_frame(&dom, 19).v, virt_mfn(dom.grant->page[19]).v);
    assert_int_equal(grant_frame(&dom, 20).v, MFN_NONE.v);
    assert_int_equal(grant_frame(&dom, ~0u).v, MFN_NONE.v);
    assert_int_equal(grant_status_frame(&dom, 0).v, MFN_NONE.v);
}

static void test_status_pages(void **state)
{
    assert_int_equal(grow_all(8), 0);
    assert_int_equal(grant_set_version(&dom, 2), 0);
    assert_int_equal(grant_shared_pages(&dom), 9); // 8 pages of 256 entries, 2048 to a status page
    assert_int_not_equal(grant_status_frame(&dom, 0).v, MFN_NONE.v);
    assert_int_equal(grant_status_frame(&dom, 1).v, MFN_NONE.v);
    assert_int_equal(grow_all(9), 0);
    assert_int_not_equal(grant_status_frame(&dom, 1).v, MFN_NONE.v);
    assert_int_equal(grow_all(20), 0);
    assert_int_equal(grant_shared_pages(&dom), 23);
}

static void test_no_memory(void **state)
{
    assert_int_equal(grow_all(8), 0);
    pages_left = 0;
    assert_int_equal(grow_all(9), -ENOMEM);
    assert_int_equal(grant_set_version(&dom, 2), -ENOMEM);
    assert_int_equal(grant_version(&dom), 1);
    pages_left = 2; // the status page, and one of two
    assert_int_equal(grant_set_version(&dom, 2), 0);
    assert_int_equal(grow_all(9), -ENOMEM);
    assert_int_equal(grant_table_frames(&dom), 8);
}

static void test_init_without_memory(void **state)
{
    for (int n = 0; n < 4; n++) {
        struct domain d = {0};
        fake_heap_fail_after(n);
        assert_int_equal(grant_init(&d, 20, 4), -ENOMEM);
        assert_null(d.grant);
    }
    fake_heap_fail_after(-1);
    struct domain d = {0};
    pages_left = 0;
    assert_int_equal(grant_init(&d, 20, 4), -ENOMEM);
    assert_null(d.grant);
}

static void test_versions(void **state)
{
    struct grant_entry_v1 *v1 = dom.grant->page[0];
    union grant_entry_v2 *v2 = dom.grant->page[0];
    v1[GNTTAB_RESERVED_XENSTORE] = (struct grant_entry_v1){GTF_permit_access, 5, 0x1234};
    v1[GNTTAB_NR_RESERVED_ENTRIES] = (struct grant_entry_v1){GTF_permit_access, 5, 1};
    assert_int_equal(grant_set_version(&dom, 2), 0);
    assert_int_equal(v2[GNTTAB_RESERVED_XENSTORE].full_page.hdr.flags, GTF_permit_access);
    assert_int_equal(v2[GNTTAB_RESERVED_XENSTORE].full_page.hdr.domid, 5);
    assert_int_equal(v2[GNTTAB_RESERVED_XENSTORE].full_page.frame, 0x1234);
    assert_int_equal(v2[GNTTAB_RESERVED_CONSOLE].full_page.hdr.flags, 0);
    assert_int_equal(v2[GNTTAB_NR_RESERVED_ENTRIES].full_page.hdr.flags, 0);
    assert_int_equal(grant_set_version(&dom, 2), 0); // nothing happens
    assert_int_equal(v2[GNTTAB_RESERVED_XENSTORE].full_page.frame, 0x1234);
    assert_int_equal(grant_set_version(&dom, 1), 0);
    assert_int_equal(v1[GNTTAB_RESERVED_XENSTORE].frame, 0x1234);
    assert_int_equal(v1[GNTTAB_RESERVED_XENSTORE].domid, 5);
    assert_int_equal(v1[GNTTAB_NR_RESERVED_ENTRIES].flags, 0);
}

static void test_no_version_1_form(void **state)
{
    union grant_entry_v2 *e = (union grant_entry_v2 *)dom.grant->page[0] + 3;
    assert_int_equal(grant_set_version(&dom, 2), 0);
    e->full_page.frame = (u64)1 << 32;
    assert_int_equal(grant_set_version(&dom, 1), 0); // the entry is not in use
    assert_int_equal(grant_set_version(&dom, 2), 0);
    e->full_page.frame = (u64)1 << 32;
    e->hdr.flags = GTF_permit_access;
    assert_int_equal(grant_set_version(&dom, 1), -EINVAL);
    e->full_page.frame = 1;
    e->hdr.flags = GTF_permit_access | GTF_sub_page;
    assert_int_equal(grant_set_version(&dom, 1), -EINVAL);
    e->hdr.flags = GTF_transitive;
    assert_int_equal(grant_set_version(&dom, 1), -EINVAL);
    assert_int_equal(grant_version(&dom), 2);
}

static void test_version_limits(void **state)
{
    assert_int_equal(grant_set_version(&dom, 0), -EINVAL);
    assert_int_equal(grant_set_version(&dom, 3), -EINVAL);
    options.gnttab_max_version = 1;
    assert_int_equal(grant_set_version(&dom, 2), -EINVAL);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_growth),         CASE(test_status_pages),
        CASE(test_no_memory),      CASE(test_init_without_memory),
        CASE(test_versions),       CASE(test_no_version_1_form),
        CASE(test_version_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
