// SPDX-License-Identifier: MIT
// A domain's memory as dom0 sees it: limits, what it has, and giving and taking frames.
//
// xen ABI: domctl.h max_mem; memory.h populate_physmap, increase_reservation, decrease_reservation,
// current_reservation, maximum_reservation, maximum_gpfn, claim_pages. A domain gets no more than
// its max_mem; the calls give the number of extents done, or how many pages; claims are kept until
// they are used or given back.
#include "lib/domu.h"

const char test_title[] = "reservations and limits of another domain";

static long about(unsigned int cmd, unsigned int dom)
{
    domid_t id = (domid_t)dom;

    return hc_memory_op(cmd, &id);
}

static long max_mem(unsigned int dom, uint64_t kb)
{
    dc.u.max_mem.max_memkb = kb;
    return domctl(XEN_DOMCTL_max_mem, dom);
}

static long claim(unsigned int dom, uint64_t pages, unsigned int order)
{
    struct xen_memory_reservation r = {
        .nr_extents = pages, .extent_order = order, .domid = (domid_t)dom};

    return hc_memory_op(XENMEM_claim_pages, &r);
}

static long give(unsigned int dom, unsigned int n, xen_pfn_t *list)
{
    struct xen_memory_reservation r = {.nr_extents = n, .domid = (domid_t)dom};

    set_xen_guest_handle(r.extent_start, list);
    return hc_memory_op(XENMEM_populate_physmap, &r);
}

static void check_limits(unsigned int dom)
{
    static xen_pfn_t list[64];

    CHECK_EQ(about(XENMEM_current_reservation, dom), 0);
    CHECK_RC(max_mem(dom, 40 * 4), 0);
    CHECK_EQ(about(XENMEM_maximum_reservation, dom), 40);
    CHECK_EQ(domain_info(dom)->max_pages, 40);
    for (unsigned int i = 0; i < 64; i++)
        list[i] = i;
    CHECK_EQ(give(dom, 64, list), 40);
    CHECK_EQ(about(XENMEM_current_reservation, dom), 40);
    CHECK_EQ(domain_info(dom)->tot_pages, 40);
    for (unsigned int i = 0; i < 40; i++)
        CHECK_EQ(mfn_to_pfn(list[i]), i);
    CHECK_EQ(list[40], 40); // not touched
    CHECK_EQ(give(dom, 1, list + 40), 0);
    CHECK_RC(max_mem(dom, 8 * 4), 0); // below what it has: keeps it, gets no more
    CHECK_EQ(about(XENMEM_maximum_reservation, dom), 8);
    CHECK_EQ(about(XENMEM_current_reservation, dom), 40);

    struct xen_memory_reservation r = {.nr_extents = 40, .domid = (domid_t)dom};
    set_xen_guest_handle(r.extent_start, list);
    CHECK_EQ(hc_memory_op(XENMEM_decrease_reservation, &r), 40);
    CHECK_EQ(about(XENMEM_current_reservation, dom), 0);
    CHECK_EQ(hc_memory_op(XENMEM_decrease_reservation, &r), 0); // not its frames any more
    CHECK_RC(max_mem(dom, 1024), 0);
}

static void check_orders(unsigned int dom)
{
    xen_pfn_t frame = 512;

    CHECK_EQ(memory_extent(XENMEM_populate_physmap, dom, &frame, 4), 1);
    CHECK_EQ(frame % 16, 0);
    for (unsigned int i = 0; i < 16; i++)
        CHECK_EQ(mfn_to_pfn(frame + i), 512 + i);
    CHECK_EQ(about(XENMEM_current_reservation, dom), 16);
    CHECK_EQ(memory_extent(XENMEM_decrease_reservation, dom, &frame, 4), 1);
    CHECK_EQ(about(XENMEM_current_reservation, dom), 0);
    CHECK_EQ(memory_extent(XENMEM_increase_reservation, dom, &frame, 0), 1);
    CHECK_EQ(about(XENMEM_current_reservation, dom), 1);
    CHECK_EQ(memory_extent(XENMEM_decrease_reservation, dom, &frame, 0), 1);
    frame = va_to_mfn(page_alloc()); // ours
    CHECK_EQ(memory_extent(XENMEM_decrease_reservation, dom, &frame, 0), 0);
    frame = 0;
    CHECK_EQ(memory_extent(XENMEM_populate_physmap, dom, &frame, 60), 0);
}

static void check_claims(unsigned int dom)
{
    xen_pfn_t list[4] = {1, 2, 3, 4};

    CHECK_RC(claim(dom, 64, 0), 0);
    CHECK_EQ(domain_info(dom)->outstanding_pages, 64);
    CHECK_EQ(give(dom, 4, list), 4);
    CHECK_EQ(domain_info(dom)->outstanding_pages, 60);
    CHECK_RC(claim(dom, 64, 0), -EINVAL); // there is one
    CHECK_RC(claim(dom, 0, 0), 0);
    CHECK_EQ(domain_info(dom)->outstanding_pages, 0);
    CHECK_RC(claim(dom, 2, 0), -EINVAL);    // less than it has
    CHECK_RC(claim(dom, 8, 1), -EINVAL);    // only single frames
    CHECK_RC(claim(dom, 1000, 0), -EINVAL); // more than its limit
    CHECK(claim(0x1234, 8, 0) < 0);
    CHECK_RC(claim(dom, 100, 0), 0); // and destroyed with it
}

void test_main(void)
{
    uint64_t before;
    unsigned int dom;

    domu_create_args(1);
    REQUIRE(domctl(XEN_DOMCTL_createdomain, 0) == 0);
    CHECK_RC(domain_kill(dc.domain), 0);
    before = free_pages_settled();
    domu_create_args(1);
    REQUIRE(domctl(XEN_DOMCTL_createdomain, 0) == 0);
    dom = dc.domain;
    CHECK_EQ(about(XENMEM_maximum_reservation, dom), 0);
    check_limits(dom);
    check_orders(dom);
    check_claims(dom);
    CHECK_RC(max_mem(0x1234, 1), -ESRCH);
    CHECK_EQ(about(XENMEM_current_reservation, 0x1234), -ESRCH);
    CHECK_EQ(about(XENMEM_maximum_gpfn, 0x1234), -ESRCH);
    CHECK(about(XENMEM_current_reservation, DOMID_SELF) >= (long)start_info->nr_pages);
    CHECK_RC(domain_kill(dom), 0);
    CHECK(free_pages_back(before));
    CHECK_EQ(free_pages(), before);
    REQUIRE(sysctl(XEN_SYSCTL_physinfo) == 0);
    CHECK_EQ(sc.u.physinfo.outstanding_pages, 0);
}
