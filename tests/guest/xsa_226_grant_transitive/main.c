// SPDX-License-Identifier: MIT
// XSA-226 (CVE-2017-12135): transitive grants.
//
// Class: a chain of transitive grants, or one that points at itself, makes the hypervisor recurse
// or lose count. What must hold: they are never mapped, and a copy by one is refused or carried out
// whole; no entry shows a use afterwards.
#include "lib/grant.h"

const char test_title[] = "transitive grants";

enum { DIRECT = 50, FIRST = 51, SECOND = 52 };

static int copy_by(unsigned int ref, char *mine)
{
    struct gnttab_copy c = {.flags = GNTCOPY_source_gref, .len = 8};

    c.source.u.ref = ref;
    c.dest.u.gmfn = va_to_mfn(mine);
    c.dest.domid = DOMID_SELF;
    return grant_copy(&c);
}

static void set(unsigned int ref, unsigned int dom, unsigned int to)
{
    volatile union grant_entry_v2 *e = (volatile union grant_entry_v2 *)GRANT_TABLE + ref;

    e->hdr.domid = 0;
    e->transitive.trans_domid = (domid_t)dom;
    e->transitive.gref = to;
    e->hdr.flags = GTF_transitive;
}

void test_main(void)
{
    char *page = page_alloc(), *mine = page_alloc();
    volatile union grant_entry_v2 *e = (volatile union grant_entry_v2 *)GRANT_TABLE;

    grant_setup();
    if (grant_version(2) != 0)
        test_skip("no version 2");
    e[DIRECT].full_page.frame = va_to_mfn(page);
    e[DIRECT].hdr.flags = GTF_permit_access;
    set(FIRST, 0, DIRECT);
    set(SECOND, 0, FIRST);
    CHECK(grant_map(0, FIRST, GNTMAP_host_map, GRANT_AREA).status < 0);
    CHECK(copy_by(FIRST, mine) <= 0);
    CHECK(copy_by(SECOND, mine) <= 0);
    set(FIRST, 0, SECOND); // in a circle
    CHECK(copy_by(FIRST, mine) < 0);
    set(FIRST, 0, FIRST);
    CHECK(copy_by(FIRST, mine) < 0);
    set(FIRST, 0, 1u << 30);
    CHECK(copy_by(FIRST, mine) < 0);
    set(FIRST, 0x1234, DIRECT);
    CHECK(copy_by(FIRST, mine) < 0);
    CHECK_EQ(copy_by(DIRECT, mine), GNTST_okay);
    CHECK_RC(grant_version(1), 0); // so nothing is in use
}
