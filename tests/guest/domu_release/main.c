// SPDX-License-Identifier: MIT
// A domU gives back frames that it still uses, in every way a frame can be used: the frame stays
// until the use ends, and goes with the domain at the latest.
//
// xen ABI: memory.h decrease_reservation; xen.h mmuext_op pin, set_gdt, MMUEXT_SET_LDT,
// NEW_USER_BASEPTR; vcpu.h register_vcpu_info, register_runstate_memory_area; event_channel.h
// init_control, expand_array; grant_table.h map_grant_ref.
#include "lib/domu.h"

const char test_title[] = "giving back frames in use";

static unsigned int way;
static char *page;
static uint64_t mfn;

static long give_back(void)
{
    xen_pfn_t frame = mfn;

    return memory_extent(XENMEM_decrease_reservation, DOMID_SELF, &frame, 0);
}

static void use_descriptors(void)
{
    xen_pfn_t frame = mfn;

    CHECK_RC(hc_update_va_mapping(page, mfn_pte(mfn, PTE_RO), UVMF_INVLPG), 0);
    if (way == 4) {
        CHECK_RC(hc_set_gdt(&frame, 512), 0);
    } else {
        CHECK_RC(mmuext2(MMUEXT_SET_LDT, (uint64_t)page, 512), 0);
        TRY("mov %0, %%ds", : : "r"(7)); // looks at it
    }
    CHECK_RC(hc_update_va_mapping(page, 0, UVMF_INVLPG), 0);
}

static void use_event_array(void)
{
    struct evtchn_init_control control = {.control_gfn = way == 7 ? mfn : va_to_mfn(page_alloc())};
    struct evtchn_expand_array array = {.array_gfn = way == 8 ? mfn : va_to_mfn(page_alloc())};

    CHECK_RC(hc_event_channel_op(EVTCHNOP_init_control, &control), 0);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_expand_array, &array), 0);
}

static void use_grant(void)
{
    static xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    volatile grant_entry_v1_t *table = page_alloc();
    struct gnttab_map_grant_ref m = {.host_addr = (uint64_t)page,
                                     .flags = GNTMAP_host_map | (way == 10 ? GNTMAP_readonly : 0),
                                     .ref = 20,
                                     .dom = own_domid()};

    set_xen_guest_handle(s.frame_list, &frame);
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    CHECK_RC(hc_update_va_mapping((void *)table, mfn_pte(frame, PTE_RW), UVMF_INVLPG), 0);
    CHECK_RC(hc_update_va_mapping(page, 0, UVMF_INVLPG), 0);
    table[20].domid = own_domid();
    table[20].frame = (uint32_t)mfn;
    table[20].flags = GTF_permit_access;
    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
    CHECK_EQ(m.status, GNTST_okay);
}

static void use(void)
{
    struct vcpu_register_vcpu_info info = {.mfn = mfn};
    struct vcpu_register_runstate_memory_area area;
    uint64_t *l2;

    switch (way) {
    case 0:
        CHECK_RC(hc_update_va_mapping(page, mfn_pte(mfn, PTE_RW), UVMF_INVLPG), 0);
        break;
    case 1:
        CHECK_RC(hc_update_va_mapping(page, mfn_pte(mfn, PTE_RO), UVMF_INVLPG), 0);
        break;
    case 2:
        CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, mfn), 0);
        break;
    case 3:
        CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, mfn), 0);
        CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn), 0);
        break;
    case 4:
    case 5:
        use_descriptors();
        break;
    case 6:
        CHECK_RC(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &info), 0);
        break;
    case 7:
    case 8:
        use_event_array();
        break;
    case 9:
    case 10:
        use_grant();
        break;
    case 11:
        CHECK_RC(hc_update_va_mapping(page, mfn_pte(mfn, PTE_RW), UVMF_INVLPG), 0);
        area.addr.v = (void *)page;
        CHECK_RC(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 1, &area), 0);
        break;
    case 13: // its own root; what it does about that comes after
        mfn = va_to_mfn(kernel_l4());
        break;
    default: // a table below a pinned one
        l2 = table_alloc();
        CHECK_RC(mmuext(MMUEXT_PIN_L2_TABLE, va_to_mfn(l2)), 0);
        CHECK_RC(pte_write(l2, mfn_pte(mfn, PTE_RW)), 0);
    }
}

static void guest(void)
{
    long rc;

    page = page_alloc();
    mfn = pfn_to_mfn(pfn_alloc_unmapped());
    use();
    rc = give_back();
    CHECK(rc == 0 || rc == 1);
    give_back();   // twice
    if (way == 13) // the domain's end would not find the pin
        mmuext(MMUEXT_PIN_L4_TABLE, mfn);
}

void test_main(void)
{
    uint64_t before;

    for (unsigned int round = 0; round < 2; round++) {
        before = round ? free_pages_settled() : 0;
        for (way = 0; way <= 13; way++) {
            struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .vcpus = 2});

            CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
            if (!CHECK(!domain_exists(d->id)))
                printk("way %u: domain %u stays with %lu pages\n", way, d->id,
                       (uint64_t)dc.u.getdomaininfo.tot_pages);
        }
    }
    CHECK(REST_UNTIL(free_pages() + 4 >= before, 5 * SECOND)); // 26 lives; the oracle's vCPUs
}
