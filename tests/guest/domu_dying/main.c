// SPDX-License-Identifier: MIT
// A destroyed domain of which something is still in use stays, dying, until that is let go.
//
// xen ABI: domctl.h destroydomain, getdomaininfo XEN_DOMINF_dying; a mapped frame (foreign mapping
// or grant) keeps its contents; an event channel does not hold a domain. A dying domain can be
// neither started nor filled.
#include "lib/domu.h"

const char test_title[] = "dying domains";

static volatile unsigned int granted;
static struct vcpu_guest_context ctx;

static void spin(void)
{
    for (;;)
        hc_sched_op(SCHEDOP_yield, NULL);
}

static void grant(void)
{
    static xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    volatile grant_entry_v1_t *table = page_alloc();
    char *page = page_alloc();

    memcpy(page, "granted", 8);
    set_xen_guest_handle(s.frame_list, &frame);
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    CHECK_RC(hc_update_va_mapping((void *)table, mfn_pte(frame, PTE_RW), UVMF_INVLPG), 0);
    table[20].domid = 0;
    table[20].frame = (uint32_t)va_to_mfn(page);
    table[20].flags = GTF_permit_access;
    granted = 1;
    spin();
}

static bool dying(unsigned int dom)
{
    const struct xen_domctl_getdomaininfo *info = domain_info(dom);

    return info && info->flags & XEN_DOMINF_dying;
}

static bool gone(unsigned int dom)
{
    return REST_UNTIL(!domain_exists(dom), 5 * SECOND);
}

// Its console page stays mapped.
static void check_mapping(bool running)
{
    struct domu *d = domu_create(spin);
    struct xencons_interface *console = d->console;
    evtchn_port_t port;
    xen_pfn_t frame = 1;

    if (running) {
        CHECK_RC(domu_unpause(d), 0);
        dom0_rest(0);
    }
    memcpy(console->in, "kept", 5);
    CHECK_RC(domain_kill(d->id), 0);
    for (unsigned int i = 0; i < 20; i++)
        dom0_rest(0);
    REQUIRE(dying(d->id));
    CHECK_EQ(memcmp(console->in, "kept", 5), 0);
    CHECK(domain_info(d->id)->tot_pages <= 2);
    CHECK_RC(domain_kill(d->id), 0); // nothing to add
    CHECK(memory_extent(XENMEM_populate_physmap, d->id, &frame, 0) <= 0);
    CHECK(alloc_unbound(d->id, 0, &port) < 0);
    CHECK(foreign_map(d->id, d->p2m[DOMU_XENSTORE], PTE_RO) == NULL);
    domu_context(d, &ctx);
    CHECK(domu_set_context(d, 0, &ctx) < 0);
    domctl(XEN_DOMCTL_unpausedomain, d->id);
    domu_create_args(1);
    CHECK_RC(domctl(XEN_DOMCTL_createdomain, d->id), -EEXIST);
    CHECK(dying(d->id));
    CHECK_RC(foreign_unmap(console), 0);
    CHECK(gone(d->id));
    CHECK_RC(evtchn_close(d->port), 0);
    d->in_use = false;
}

static void check_grant(void)
{
    granted = 0;
    struct domu *d = domu_create(grant);
    char *window = page_alloc();
    struct gnttab_map_grant_ref m = {
        .host_addr = (uint64_t)window, .flags = GNTMAP_host_map, .ref = 20, .dom = d->id};

    CHECK_RC(domu_unpause(d), 0);
    REQUIRE(REST_UNTIL((domu_fetch(d, &granted), granted), 5 * SECOND));
    CHECK_RC(hc_update_va_mapping(window, 0, UVMF_INVLPG | UVMF_ALL), 0);
    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
    REQUIRE(m.status == GNTST_okay);
    CHECK_EQ(memcmp(window, "granted", 8), 0);
    CHECK_RC(foreign_unmap(d->console), 0);
    CHECK_RC(domain_kill(d->id), 0);
    for (unsigned int i = 0; i < 20; i++)
        dom0_rest(0);
    CHECK(dying(d->id));
    CHECK_EQ(memcmp(window, "granted", 8), 0);
    struct gnttab_unmap_grant_ref u = {.host_addr = (uint64_t)window, .handle = m.handle};
    CHECK_RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
    CHECK_EQ(u.status, GNTST_okay);
    CHECK(gone(d->id));
    CHECK_RC(evtchn_close(d->port), 0);
    d->in_use = false;
}

// A channel alone does not keep it.
static void check_channel(void)
{
    struct domu *d = domu_create(spin);
    struct evtchn_status st;

    CHECK_RC(foreign_unmap(d->console), 0);
    CHECK_RC(domain_kill(d->id), 0);
    CHECK(gone(d->id));
    CHECK_RC(evtchn_status(d->port, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_unbound);
    CHECK_RC(evtchn_close(d->port), 0);
    d->in_use = false;
}

static bool on_wirt(void)
{
    static xen_extraversion_t version;

    hc_xen_version(XENVER_extraversion, version);
    return str_starts(version, ".wirt");
}

// Calls that would make something of it, or of it something for others, come too late.
static void check_late_calls(void)
{
    xen_pfn_t frame = 1;

    domu_create_args(2);
    REQUIRE(domctl(XEN_DOMCTL_createdomain, 0) == 0);
    unsigned int dom = dc.domain;
    dc.u.max_mem.max_memkb = 1024;
    CHECK_RC(domctl(XEN_DOMCTL_max_mem, dom), 0);
    CHECK_RC(memory_extent(XENMEM_populate_physmap, dom, &frame, 0), 1);
    void *va = foreign_map(dom, frame, PTE_RW);
    REQUIRE(va);
    CHECK_RC(domain_kill(dom), 0);
    REQUIRE(dying(dom));
    dc.u.max_vcpus.max = 2;
    CHECK(domctl(XEN_DOMCTL_max_vcpus, dom) <= 0);
    dc.u.set_virq_handler.virq = VIRQ_ENOMEM;
    if (domctl(XEN_DOMCTL_set_virq_handler, dom) == 0) { // Xen: it would stay for ever
        CHECK(!on_wirt());
        CHECK_RC(domctl(XEN_DOMCTL_set_virq_handler, 0), 0);
    }
    CHECK_RC(foreign_unmap(va), 0);
    CHECK(gone(dom));
}

void test_main(void)
{
    uint64_t before;

    check_mapping(false);
    check_grant();
    check_late_calls();
    before = free_pages_settled();
    check_mapping(false);
    check_mapping(true);
    check_channel();
    check_grant();
    check_late_calls();
    // The oracle's heap has been seen to keep one page or two.
    CHECK(REST_UNTIL(free_pages() + (on_wirt() ? 0 : 4) >= before, 5 * SECOND));
    if (on_wirt())
        CHECK_EQ(free_pages(), before);
}
