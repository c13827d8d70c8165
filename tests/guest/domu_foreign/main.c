// SPDX-License-Identifier: MIT
// A domU cannot reach another domain: its memory, page tables, channels, grants, reservation.
//
// xen ABI: xen.h mmu_update "FD, PFD", update_va_mapping_otherdomain, mmuext_op; memory.h
// "Unprivileged domains can specify only DOMID_SELF"; event_channel.h "only a privileged domain may
// specify another than DOMID_SELF"; grant_table.h setup_table, query_size.
#include "lib/domu.h"

const char test_title[] = "a domU reaching for other domains";

static uint64_t secret_mfn, l4_mfn, hypervisor_mfn;
static domid_t peer;
static char *page;

static long mmu(uint64_t ptr, uint64_t val, unsigned int dom)
{
    struct mmu_update u = {.ptr = ptr, .val = val};

    return hc_mmu_update(&u, 1, NULL, dom);
}

static void check_memory(unsigned int dom)
{
    xen_pfn_t frame = secret_mfn;
    domid_t id = (domid_t)dom;

    CHECK(memory_extent(XENMEM_populate_physmap, dom, &frame, 0) <= 0);
    frame = secret_mfn;
    CHECK(memory_extent(XENMEM_decrease_reservation, dom, &frame, 0) <= 0);
    CHECK(memory_extent(XENMEM_increase_reservation, dom, &frame, 0) <= 0);
    CHECK(hc_memory_op(XENMEM_current_reservation, &id) < 0);
    CHECK(hc_memory_op(XENMEM_maximum_reservation, &id) < 0);
    CHECK(hc_memory_op(XENMEM_maximum_gpfn, &id) < 0);
}

static void check_mapping(unsigned int dom)
{
    uint64_t *l1 = pte_of(kernel_l4(), page, 1);
    uint64_t old = *l1;

    for (uint64_t flags = PTE_RO; flags <= PTE_RW; flags += PTE_RW - PTE_RO) {
        CHECK(mmu(pte_maddr(l1), mfn_pte(secret_mfn, flags), dom) < 0);
        CHECK(HC4(__HYPERVISOR_update_va_mapping_otherdomain, page, mfn_pte(secret_mfn, flags),
                  UVMF_INVLPG, dom) < 0);
    }
    CHECK(mmu(secret_mfn << 12 | MMU_MACHPHYS_UPDATE, 1, dom) < 0);
    CHECK(mmu(l4_mfn << 12, 0, DOMID_SELF | (dom + 1u) << 16) < 0); // its page table
    CHECK(mmu(l4_mfn << 12 | 8, 0, DOMID_SELF) < 0);
    CHECK(mmuext_foreign(MMUEXT_PIN_L4_TABLE, l4_mfn, dom) < 0);
    CHECK(mmuext_foreign(MMUEXT_UNPIN_TABLE, l4_mfn, dom) < 0);
    CHECK(mmuext_foreign(MMUEXT_CLEAR_PAGE, secret_mfn, dom) < 0);
    CHECK_EQ(*l1, old);
}

static void check_self(void)
{
    uint64_t *l1 = pte_of(kernel_l4(), page, 1);
    uint64_t old = *l1;

    CHECK(mmu(pte_maddr(l1), mfn_pte(secret_mfn, PTE_RO), DOMID_SELF) < 0);
    CHECK(mmu(pte_maddr(l1), mfn_pte(secret_mfn, PTE_RO), DOMID_IO) < 0);
    CHECK(mmu(pte_maddr(l1), mfn_pte(secret_mfn, PTE_RO), DOMID_XEN) < 0);
    CHECK(mmu(pte_maddr(l1), mfn_pte(hypervisor_mfn, PTE_RO), DOMID_SELF) < 0);
    CHECK(mmu(pte_maddr(l1), mfn_pte(0xb8, PTE_RW), DOMID_IO) < 0);
    CHECK(mmu(pte_maddr(l1), mfn_pte(0xfee00, PTE_RW), DOMID_IO) < 0);
    CHECK(mmuext(MMUEXT_NEW_BASEPTR, l4_mfn) < 0);
    CHECK(mmuext(MMUEXT_NEW_USER_BASEPTR, l4_mfn) < 0);
    CHECK(mmuext(MMUEXT_CLEAR_PAGE, secret_mfn) < 0);
    CHECK(mmuext2(MMUEXT_COPY_PAGE, va_to_mfn(page), secret_mfn) < 0);
    xen_pfn_t gdt = secret_mfn;
    CHECK(hc_set_gdt(&gdt, 512) < 0);
    CHECK(hc_update_descriptor(secret_mfn << 12, 0) < 0);
    CHECK_EQ(*l1, old);
}

static void check_channels(unsigned int dom)
{
    struct evtchn_status st = {.dom = (domid_t)dom, .port = 1};
    struct evtchn_reset reset = {.dom = (domid_t)dom};
    evtchn_port_t port;

    CHECK_RC(alloc_unbound(dom, DOMID_SELF, &port), -EPERM);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_status, &st), -EPERM);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_reset, &reset), -EPERM);
    for (port = 1; port < 16; port++) {
        evtchn_port_t local;
        CHECK_RC(bind_interdomain(dom, port, &local), -EINVAL); // none is meant for us
    }
}

static void check_grants(unsigned int dom)
{
    xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = (domid_t)dom, .nr_frames = 1};
    struct gnttab_query_size q = {.dom = (domid_t)dom};
    struct gnttab_map_grant_ref m = {
        .host_addr = (uint64_t)page, .flags = GNTMAP_host_map, .ref = 8, .dom = (domid_t)dom};

    set_xen_guest_handle(s.frame_list, &frame);
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    CHECK_EQ(s.status, GNTST_permission_denied);
    CHECK_RC(hc_grant_table_op(GNTTABOP_query_size, &q, 1), 0);
    CHECK_EQ(q.status, GNTST_permission_denied);
    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
    CHECK(m.status < 0);
}

static void guest(void)
{
    page = page_alloc();
    for (unsigned int i = 0; i < 2; i++) {
        unsigned int dom = i ? peer : 0;
        check_memory(dom);
        check_mapping(dom);
        check_channels(dom);
        check_grants(dom);
    }
    check_memory(0x1234);
    check_self();
}

static void victim(void)
{
}

void test_main(void)
{
    struct domu *v = domu_create(victim), *d;
    char *secret = page_alloc();
    uint64_t pages;

    memcpy(secret, "dom0's", 7);
    secret_mfn = va_to_mfn(secret);
    l4_mfn = va_to_mfn(kernel_l4());
    hypervisor_mfn = start_info->shared_info >> 12;
    peer = v->id;
    d = domu_create(guest);
    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
    CHECK_EQ(memcmp(secret, "dom0's", 7), 0);

    secret_mfn = domu_mfn(v, page_alloc()); // the same against the other domU
    secret_mfn = v->p2m[v->nr_pfns - 1];
    l4_mfn = v->p2m[DOMU_L4];
    hypervisor_mfn = v->shared_info;
    pages = domain_info(v->id)->tot_pages;
    CHECK_EQ(domu_run(guest), SHUTDOWN_poweroff);
    CHECK_EQ(domain_info(v->id)->tot_pages, pages);
    CHECK_EQ(domu_finish(v), SHUTDOWN_poweroff); // and it is unharmed
}
