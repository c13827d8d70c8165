// SPDX-License-Identifier: MIT
// Grants between two domains: what dom0 maps and copies of a domU's, what a domU maps of dom0's,
// what neither may do, and the end of either while mappings are left.
//
// xen ABI: grant_table.h. The entry shows the use to who granted; a frame that is mapped writable
// elsewhere becomes no page table; a read-only grant stays read-only; a dying domain's mappings are
// undone, and its granted frames stay while others have them. Who was granted a frame cannot grant
// it on: "@frame: Frame number corresponding to page being granted", of the granter's own pages.
//
#include "lib/domu.h"
#include "lib/grant.h"

const char test_title[] = "grants between domains";

enum { REF = 20, REF_RO = 21, REF_OTHER = 22, REF_ON = 23, DOM0_REF = 30, DOM0_REF_RO = 31 };

static char *volatile page;
static volatile unsigned int go; // poked by dom0

static void await(unsigned int step)
{
    for (uint64_t end = system_time() + 10 * SECOND; go < step && system_time() < end;)
        hc_sched_op(SCHEDOP_yield, NULL);
    CHECK(go >= step);
}

static void tell(void)
{
    CHECK_RC(evtchn_send(start_info->store_evtchn), 0);
}

static void granter(void)
{
    volatile grant_entry_v1_t *e;

    grant_setup();
    page = page_alloc();
    memcpy(page, "domU's page", 12);
    e = grant_give(REF, 0, page, 0);
    grant_give(REF_RO, 0, page, GTF_readonly);
    grant_give(REF_OTHER, 77, page, 0);
    tell();
    await(1); // dom0 has it mapped, writable
    CHECK_EQ(e->flags & GRANT_SHOWN, GRANT_SHOWN);
    CHECK_EQ(page[0], 'D');
    memset(page, 0, PAGE_SIZE);
    CHECK_RC(page_protect(page, PTE_RO), 0);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(page)) != 0);
    tell();
    await(2); // not any more
    CHECK_EQ(e->flags & GRANT_SHOWN, 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(page)), 0);
    tell();
    await(3); // dom0 has seen that it cannot be mapped writable
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(page)), 0);
    CHECK_RC(page_protect(page, PTE_RW), 0);
    memcpy(page, "the end", 8);
    tell();
    await(99); // to be destroyed
}

static void step(struct domu *d, unsigned int n)
{
    domu_poke(d, (const void *)&go, &n, sizeof(n));
    CHECK(port_wait(d->port, 10 * SECOND));
}

static void check_copy(struct domu *d)
{
    struct gnttab_copy c = {.flags = GNTCOPY_source_gref, .len = 12};
    char *mine = page_alloc();

    c.source.u.ref = REF;
    c.source.domid = d->id;
    c.dest.u.gmfn = va_to_mfn(mine);
    c.dest.domid = DOMID_SELF;
    CHECK_EQ(grant_copy(&c), GNTST_okay);
    CHECK_EQ(memcmp(mine, "domU's page", 12), 0);
    c = (struct gnttab_copy){.flags = GNTCOPY_dest_gref, .len = 1};
    mine[0] = 'D';
    c.source.u.gmfn = va_to_mfn(mine);
    c.source.domid = DOMID_SELF;
    c.dest.u.ref = REF;
    c.dest.domid = d->id;
    CHECK_EQ(grant_copy(&c), GNTST_okay);
    c.dest.u.ref = REF_RO;
    CHECK_EQ(grant_copy(&c), GNTST_general_error);
    c.dest.u.ref = REF_OTHER;
    CHECK_EQ(grant_copy(&c), GNTST_general_error);
}

// dom0 maps, the domU watches.
static void check_granter(void)
{
    struct domu *d = domu_create(granter);
    struct gnttab_map_grant_ref op, ro;
    uint64_t free;
    domid_t id = d->id;

    CHECK_RC(domu_unpause(d), 0);
    REQUIRE(port_wait(d->port, 10 * SECOND));
    check_copy(d);
    op = grant_map(id, REF, GNTMAP_host_map, GRANT_AREA);
    REQUIRE(op.status == GNTST_okay);
    CHECK_EQ(memcmp(GRANT_AREA, "DomU's page", 12), 0);
    CHECK_EQ(grant_map(id, REF_RO, GNTMAP_host_map, GRANT_AREA + PAGE_SIZE).status,
             GNTST_general_error);
    CHECK_EQ(grant_map(id, REF_OTHER, GNTMAP_host_map, GRANT_AREA + PAGE_SIZE).status,
             GNTST_general_error);
    ro = grant_map(id, REF_RO, GNTMAP_host_map | GNTMAP_readonly, GRANT_AREA + PAGE_SIZE);
    CHECK_EQ(ro.status, GNTST_okay);
    step(d, 1);
    CHECK_EQ(GRANT_AREA[0], 0); // cleared by its owner
    CHECK_EQ(grant_unmap(GRANT_AREA, op.handle), GNTST_okay);
    CHECK_EQ(grant_unmap(GRANT_AREA + PAGE_SIZE, ro.handle), GNTST_okay);
    step(d, 2);
    CHECK_EQ(grant_map(id, REF, GNTMAP_host_map, GRANT_AREA).status, GNTST_general_error);
    op = grant_map(id, REF, GNTMAP_host_map | GNTMAP_readonly, GRANT_AREA); // a page table
    CHECK_EQ(op.status, GNTST_okay);
    CHECK_EQ(grant_unmap(GRANT_AREA, op.handle), GNTST_okay);
    step(d, 3);
    op = grant_map(id, REF, GNTMAP_host_map, GRANT_AREA);
    REQUIRE(op.status == GNTST_okay);
    free = free_pages();
    CHECK_RC(domu_destroy(d), 0);
    CHECK(free_pages() > free + 100);
    CHECK_EQ(memcmp(GRANT_AREA, "the end", 8), 0);
    GRANT_AREA[0] = 'T';
    CHECK(domain_exists(id)); // dying: a page of it is in use
    CHECK_EQ(grant_unmap(GRANT_AREA, op.handle), GNTST_okay);
    CHECK(REST_UNTIL(!domain_exists(id), 5 * SECOND));
}

static void mapper(void)
{
    struct gnttab_map_grant_ref rw, ro;
    char *area = GRANT_AREA;

    grant_setup();
    rw = grant_map(0, DOM0_REF, GNTMAP_host_map, area);
    ro = grant_map(0, DOM0_REF_RO, GNTMAP_host_map | GNTMAP_readonly, area + PAGE_SIZE);
    CHECK_EQ(rw.status, GNTST_okay);
    CHECK_EQ(ro.status, GNTST_okay);
    CHECK_EQ(area[0], 'd');
    area[1] = 'U';
    CHECK_EQ(grant_map(0, DOM0_REF_RO, GNTMAP_host_map, area + 2 * PAGE_SIZE).status,
             GNTST_general_error);
    grant_give(REF_ON, 0, (void *)start_info, 0)->frame = (uint32_t)(rw.dev_bus_addr >> 12);
    // No more rights, and no second entry, by way of the page tables.
    uint64_t mfn = pte_mfn(*pte_of(kernel_l4(), area + PAGE_SIZE, 1));
    CHECK(hc_update_va_mapping(area + PAGE_SIZE, mfn_pte(mfn, PTE_RW), UVMF_INVLPG) != 0);
    CHECK(try_write(area + PAGE_SIZE, 0)->frame.vector == X86_PF);
    CHECK(hc_update_va_mapping(area + 3 * PAGE_SIZE, mfn_pte(mfn, PTE_RO), UVMF_INVLPG) != 0);
    CHECK(hc_update_va_mapping(area + 3 * PAGE_SIZE, mfn_pte(rw.dev_bus_addr >> 12, PTE_RW),
                               UVMF_INVLPG) != 0);
    // What it overwrites stays in use until it dies.
    CHECK_RC(hc_update_va_mapping(area, 0, UVMF_INVLPG), 0);
    CHECK_EQ(grant_unmap(area, rw.handle), GNTST_general_error);
    tell();
    await(99);
}

// The domU's grant of what was granted to it.
static void check_handed_on(domid_t id)
{
    struct gnttab_copy c = {.flags = GNTCOPY_source_gref, .len = 12};
    char *mine = page_alloc();

    c.source.u.ref = REF_ON;
    c.source.domid = id;
    c.dest.u.gmfn = va_to_mfn(mine);
    c.dest.domid = DOMID_SELF;
    CHECK_EQ(grant_copy(&c), GNTST_bad_page);
    CHECK_EQ(mine[0], 0);
    CHECK_EQ(grant_map(id, REF_ON, GNTMAP_host_map, GRANT_AREA).status, GNTST_bad_page);
    CHECK_EQ(grant_map(id, REF_ON, GNTMAP_host_map | GNTMAP_readonly, GRANT_AREA).status,
             GNTST_bad_page);
}

// The domU maps, and is killed.
static void check_mapper(void)
{
    struct domu *d = domu_create(mapper);
    volatile grant_entry_v1_t *rw, *ro;
    char *mine = page_alloc(), *other = page_alloc();
    domid_t id = d->id;

    memcpy(mine, "dom0's page", 12);
    rw = grant_give(DOM0_REF, id, mine, 0);
    ro = grant_give(DOM0_REF_RO, id, other, GTF_readonly);
    CHECK_RC(domu_unpause(d), 0);
    REQUIRE(port_wait(d->port, 10 * SECOND));
    CHECK_EQ(mine[1], 'U');
    CHECK_EQ(rw->flags & GRANT_SHOWN, GRANT_SHOWN);
    CHECK_EQ(ro->flags & GRANT_SHOWN, GTF_reading);
    check_handed_on(id);
    CHECK_RC(page_protect(mine, PTE_RO), 0);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(mine)) != 0);
    domu_destroy(d);
    CHECK(REST_UNTIL(!domain_exists(id), 5 * SECOND));
    CHECK_EQ(rw->flags & GRANT_SHOWN, 0);
    CHECK_EQ(ro->flags & GRANT_SHOWN, 0);
    CHECK_RC(page_protect(mine, PTE_RW), 0);
    memset(mine, 0, PAGE_SIZE);
    CHECK_RC(page_protect(mine, PTE_RO), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(mine)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(mine)), 0);
}

void test_main(void)
{
    uint64_t before;

    grant_setup();
    check_granter();
    check_mapper();
    before = free_pages_settled();
    check_mapper();
    CHECK(free_pages_back(before));
}
