// SPDX-License-Identifier: MIT
// A domain's whole life: created, filled, started; it talks over its console page and an event
// channel, changes its page tables, stops; it is destroyed and all its frames come back.
//
// xen ABI: domctl.h createdomain, max_vcpus, max_mem, hypercall_init, setvcpucontext,
// unpausedomain, getdomaininfo, destroydomain; xen.h "startofday"; sysctl.h physinfo free_pages.
//
#include "lib/domu.h"

const char test_title[] = "the life of a second domain";

static volatile unsigned int magic = 1; // dom0's; its fork has its own
static char *volatile page;

static void guest(void)
{
    printk("domU: hello from %s, %lu frames\n", start_info->magic, start_info->nr_pages);
    CHECK_EQ(start_info->flags, 0);
    CHECK_EQ(magic, 2);
    magic = 3;
    page = page_alloc();
    CHECK_EQ(page_protect(page, PTE_RO), 0);
    CHECK_TRAP(try_write(page, 1), X86_PF, PFEC_P | PFEC_W);
    CHECK_EQ(page_protect(page, PTE_RW), 0);
    memcpy(page, "written by domU", 16);
    uint64_t spare = pfn_to_mfn(pfn_alloc_unmapped());
    CHECK_EQ(mfn_to_pfn(spare), start_info->nr_pages - 1);
    CHECK_RC(hc_update_va_mapping(page, mfn_pte(spare, PTE_RW), UVMF_INVLPG | UVMF_ALL), 0);
    CHECK_EQ(page[0], 0);
    CHECK_RC(page_protect(page, PTE_RW), 0);
    CHECK_RC(evtchn_send(start_info->store_evtchn), 0);
    struct sched_shutdown s = {.reason = SHUTDOWN_suspend + 40};
    hc_sched_op(SCHEDOP_shutdown, &s);
}

static void life(void)
{
    const struct xen_domctl_getdomaininfo *info;
    char text[16] = "";
    struct domu *d;

    magic = 2;
    d = domu_create(guest);
    info = domain_info(d->id);
    REQUIRE(info);
    CHECK_EQ(info->flags & 0xff, XEN_DOMINF_paused);
    CHECK_EQ(info->max_vcpu_id, 0);
    CHECK(info->tot_pages > 16);
    port_clear(dom_exc_port);
    CHECK_RC(domu_unpause(d), 0);
    CHECK(port_wait(d->port, 5 * SECOND));
    CHECK_EQ(domu_wait(d), SHUTDOWN_suspend + 40);
    CHECK(port_pending(dom_exc_port) || port_wait(dom_exc_port, SECOND));
    domu_fetch(d, &magic);
    CHECK_EQ(magic, 3);
    domu_fetch(d, &page);
    domu_peek(d, page, text, sizeof(text));
    CHECK_EQ(memcmp(text, "written by domU", 16), 0);
    CHECK_RC(domu_destroy(d), 0);
    CHECK(!domain_exists(d->id));
}

void test_main(void)
{
    uint64_t before;

    life(); // what the first one allocates for good
    before = free_pages_settled();
    for (unsigned int i = 0; i < 3; i++) {
        life();
        CHECK(free_pages_back(before));
        CHECK_EQ(free_pages(), before);
    }
}
