// SPDX-License-Identifier: MIT
// Frames that dom0 gives to a domU, which has an entry ready for each.
//
// xen ABI: grant_table.h, GNTTABOP_transfer and GTF_accept_transfer: the entry shows that the
// transfer was committed and completed, and the frame. A page that is in use is refused; any other
// is not the caller's afterwards, whatever came of it.
//
#include "lib/domu.h"
#include "lib/grant.h"

const char test_title[] = "transfers of frames by grants";

enum { REF = 20, REF_OTHER = 21, REF_ACCESS = 22, REF_AGAIN = 23 };

static volatile unsigned int go; // poked by dom0

static void accept(unsigned int ref, unsigned int dom)
{
    volatile grant_entry_v1_t *e = &GRANT_TABLE[ref];

    e->frame = 0;
    e->domid = (domid_t)dom;
    asm volatile("" : : : "memory");
    e->flags = GTF_accept_transfer;
}

static void tell(void)
{
    CHECK_RC(evtchn_send(start_info->store_evtchn), 0);
}

static void await(unsigned int step)
{
    for (uint64_t end = system_time() + 10 * SECOND; go < step && system_time() < end;)
        hc_sched_op(SCHEDOP_yield, NULL);
    CHECK(go >= step);
}

static void receiver(void)
{
    volatile grant_entry_v1_t *e = &GRANT_TABLE[REF];

    grant_setup();
    REQUIRE(map_page(kernel_l4(), GRANT_AREA, 0));
    accept(REF, 0);
    accept(REF_OTHER, 77);
    accept(REF_AGAIN, 0);
    grant_give(REF_ACCESS, 0, page_alloc(), 0);
    tell();
    await(1);
    CHECK_EQ(e->flags, GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    REQUIRE(map_page(kernel_l4(), GRANT_AREA, mfn_pte(e->frame, PTE_RW)));
    CHECK_EQ(memcmp(GRANT_AREA, "dom0's page", 12), 0);
    GRANT_AREA[0] = 'D';
    CHECK_EQ(GRANT_TABLE[REF_OTHER].flags, GTF_accept_transfer);
    CHECK_EQ(GRANT_TABLE[REF_ACCESS].flags, GTF_permit_access);
    CHECK_EQ(GRANT_TABLE[REF_AGAIN].flags, GTF_accept_transfer);
    // As a page table of its new owner's.
    memset(GRANT_AREA, 0, PAGE_SIZE);
    CHECK_RC(hc_update_va_mapping(GRANT_AREA, mfn_pte(e->frame, PTE_RO), UVMF_INVLPG), 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, e->frame), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, e->frame), 0);
    tell();
    await(99);
}

static int transfer(uint64_t mfn, unsigned int dom, unsigned int ref)
{
    struct gnttab_transfer t = {.mfn = mfn, .domid = (domid_t)dom, .ref = ref, .status = 77};

    CHECK_RC(hc_grant_table_op(GNTTABOP_transfer, &t, 1), 0);
    return t.status;
}

// Takes away the only mapping of a page of ours.
static uint64_t unmapped(char *va)
{
    uint64_t mfn = va_to_mfn(va);

    CHECK_RC(hc_update_va_mapping(va, 0, UVMF_INVLPG), 0);
    return mfn;
}

static bool ours(char *va, uint64_t mfn)
{
    return hc_update_va_mapping(va, mfn_pte(mfn, PTE_RW), UVMF_INVLPG) == 0;
}

static uint64_t pages_of(unsigned int dom)
{
    return domain_info(dom)->tot_pages;
}

// A page is lost by a transfer that is refused, unless it was no page to give.
static void check_lost(unsigned int dom, unsigned int ref, int status)
{
    char *page = page_alloc();
    uint64_t mfn = unmapped(page), before = pages_of(0);

    CHECK_EQ(transfer(mfn, dom, ref), status);
    CHECK(!ours(page, mfn));
    CHECK_EQ(pages_of(0), before - 1);
}

static void check_refused(struct domu *d)
{
    char *page = page_alloc();
    uint64_t table = pte_mfn(*pte_of(kernel_l4(), (void *)(uintptr_t)GRANT_TABLE, 1));

    CHECK_EQ(transfer(va_to_mfn(page), d->id, REF), GNTST_bad_page); // mapped
    page[0] = 1;
    CHECK_EQ(transfer(~0ul, d->id, REF), GNTST_bad_page);
    CHECK_EQ(transfer(table, d->id, REF), GNTST_bad_page);
    check_lost(77, REF, GNTST_bad_domain);
    check_lost(DOMID_SELF, REF, GNTST_bad_domain);
    check_lost(0, REF, GNTST_general_error); // our own entry, which accepts nothing
    check_lost(d->id, 1u << 20, GNTST_general_error);
    check_lost(d->id, REF_OTHER, GNTST_general_error);
    check_lost(d->id, REF_ACCESS, GNTST_general_error);
}

static void check_given(struct domu *d)
{
    char *page = page_alloc();
    uint64_t mfn, mine = pages_of(0), its = pages_of(d->id);

    memcpy(page, "dom0's page", 12);
    mfn = unmapped(page);
    CHECK_EQ(transfer(mfn, d->id, REF), GNTST_okay);
    CHECK_EQ(pages_of(0), mine - 1);
    CHECK_EQ(pages_of(d->id), its + 1);
    CHECK(!ours(page, mfn));
    CHECK_EQ(transfer(mfn, d->id, REF_AGAIN), GNTST_bad_page);
    check_lost(d->id, REF, GNTST_general_error); // completed already
}

void test_main(void)
{
    struct domu_config c = {.main = receiver, .max_kb = 64 * 1024};
    struct domu *d = domu_create_with(&c);
    unsigned int n = 1;

    grant_setup();
    CHECK_RC(domu_unpause(d), 0);
    REQUIRE(port_wait(d->port, 10 * SECOND));
    check_refused(d);
    check_given(d);
    domu_poke(d, (const void *)&go, &n, sizeof(n));
    CHECK(port_wait(d->port, 10 * SECOND));
    dc.u.max_mem.max_memkb = pages_of(d->id) * (PAGE_SIZE / 1024);
    CHECK_RC(domctl(XEN_DOMCTL_max_mem, d->id), 0);
    check_lost(d->id, REF_AGAIN, GNTST_general_error); // no room
    CHECK_RC(domu_destroy(d), 0);
}
