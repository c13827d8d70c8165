// SPDX-License-Identifier: MIT
// What a domain costs beyond the memory it was given.
//
// xen ABI: sysctl.h physinfo free_pages. A domain with one vCPU and 256 MiB, with the limits that
// the tools give it; then several small ones, since what is less than a page is shared. On Wirt
// the cost is at most 20 KiB (docs/footprint.md), and the debug key 'q' says the same.
#include "lib/domu.h"

const char test_title[] = "the hypervisor's memory for a domain";

enum { MANY = 16, LARGE_EXTENTS = 128, LARGE_ORDER = 9, KIB_MAX = 20 };

static unsigned int create(void)
{
    domu_create_args(1);
    dc.u.createdomain.max_evtchn_port = 1023;
    dc.u.createdomain.max_grant_frames = 64;
    dc.u.createdomain.max_maptrack_frames = 1024;
    REQUIRE(domctl(XEN_DOMCTL_createdomain, 0) == 0);
    unsigned int dom = dc.domain;

    dc.u.max_vcpus.max = 1;
    REQUIRE(domctl(XEN_DOMCTL_max_vcpus, dom) == 0);
    dc.u.max_mem.max_memkb = 256 << 10;
    REQUIRE(domctl(XEN_DOMCTL_max_mem, dom) == 0);
    return dom;
}

// How many pages of memory were given.
static unsigned long fill(unsigned int dom)
{
    static xen_pfn_t list[LARGE_EXTENTS];
    struct xen_memory_reservation r = {
        .domid = (domid_t)dom, .nr_extents = LARGE_EXTENTS, .extent_order = LARGE_ORDER};

    for (unsigned int i = 0; i < LARGE_EXTENTS; i++)
        list[i] = (xen_pfn_t)i << LARGE_ORDER;
    set_xen_guest_handle(r.extent_start, list);
    long n = hc_memory_op(XENMEM_populate_physmap, &r);
    return n < 0 ? 0 : (unsigned long)n << LARGE_ORDER;
}

// What the hypervisor says of the domain that is last on its list; 0 when it says nothing.
static unsigned long told(void)
{
    static const char words[] = " bytes of the hypervisor's own";
    static char text[32768];
    unsigned long last = 0, n = 0;

    memset(&sc, 0, sizeof(sc));
    sc.u.debug_keys.nr_keys = 1;
    set_xen_guest_handle(sc.u.debug_keys.keys, "q");
    REQUIRE(sysctl(XEN_SYSCTL_debug_keys) == 0);
    wait_ns(SECOND / 10);
    memset(&sc, 0, sizeof(sc));
    sc.u.readconsole.count = sizeof(text) - 1;
    set_xen_guest_handle(sc.u.readconsole.buffer, text);
    REQUIRE(sysctl(XEN_SYSCTL_readconsole) == 0);
    text[sc.u.readconsole.count] = '\0';
    for (const char *t = text; *t; t++) {
        last = str_starts(t, words) ? n : last;
        n = *t >= '0' && *t <= '9' ? n * 10 + (unsigned long)(*t - '0') : 0;
    }
    return last;
}

void test_main(void)
{
    unsigned int dom[MANY];
    uint64_t before = free_pages_settled();
    unsigned long given, own, each, bytes;

    dom[0] = create();
    given = fill(dom[0]);
    CHECK_EQ(given, (unsigned long)LARGE_EXTENTS << LARGE_ORDER);
    own = before - free_pages_settled() - given;
    bytes = told();
    printk("256 MiB: %lu pages; by its own account %lu bytes\n", own, bytes);
    CHECK_RC(domain_kill(dom[0]), 0);
    CHECK(free_pages_back(before));
    for (unsigned int i = 0; i < MANY; i++)
        dom[i] = create();
    each = (before - free_pages_settled()) * PAGE_SIZE / MANY;
    printk("one of %u: %lu bytes\n", MANY, each);
    for (unsigned int i = 0; i < MANY; i++)
        CHECK_RC(domain_kill(dom[i]), 0);
    if (!bytes)
        return; // the oracle, which does not say and may take more
    CHECK(bytes <= KIB_MAX << 10);
    CHECK(each <= KIB_MAX << 10);
    CHECK(each + 512 >= bytes && each <= bytes + 512);
}
