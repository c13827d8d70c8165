// SPDX-License-Identifier: MIT
// acquire_resource: dom0 maps another domain's grant table, as the tools do to fill the first
// entries.
//
// xen ABI: memory.h struct xen_mem_acquire_resource: "frame_list will be populated with the MFNs of
// the resource"; nr_frames 0 without a list asks for the size; pad must be zero.
#include "lib/domu.h"

const char test_title[] = "another domain's grant table";

static xen_pfn_t frames[8];

static struct xen_mem_acquire_resource ask(unsigned int dom, uint32_t n, uint64_t first)
{
    struct xen_mem_acquire_resource r = {.domid = (domid_t)dom,
                                         .type = XENMEM_resource_grant_table,
                                         .id = XENMEM_resource_grant_table_id_shared,
                                         .nr_frames = n,
                                         .frame = first};

    set_xen_guest_handle(r.frame_list, n ? frames : NULL);
    return r;
}

static void guest(void)
{
    static xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    volatile grant_entry_v1_t *table = page_alloc();
    struct xen_mem_acquire_resource r = ask(DOMID_SELF, 1, 0);

    set_xen_guest_handle(s.frame_list, &frame);
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    CHECK_EQ(s.status, GNTST_okay);
    CHECK_RC(hc_update_va_mapping((void *)table, mfn_pte(frame, PTE_RW), UVMF_INVLPG), 0);
    CHECK_EQ(table[1].flags, GTF_permit_access);
    CHECK_EQ(table[1].frame, start_info->store_mfn);
    CHECK(hc_memory_op(XENMEM_acquire_resource, &r) < 0); // not for us
    r = ask(0, 1, 0);
    CHECK(hc_memory_op(XENMEM_acquire_resource, &r) < 0);
}

void test_main(void)
{
    struct domu *d = domu_create(guest);
    struct xen_mem_acquire_resource r = ask(d->id, 0, 0);
    grant_entry_v1_t *table;

    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), 0);
    CHECK_EQ(r.nr_frames, 4); // its max_grant_frames
    r = ask(d->id, 1, 0);
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), 0);
    table = foreign_map(d->id, frames[0], PTE_RW);
    REQUIRE(table);
    table[1] = (grant_entry_v1_t){
        .flags = GTF_permit_access, .domid = 0, .frame = (uint32_t)d->p2m[DOMU_XENSTORE]};
    r = ask(d->id, 4, 0);
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), 0);
    CHECK(frames[1] != frames[0] && frames[3] != frames[2]);
    r = ask(d->id, 1, 4); // beyond its limit
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), -EINVAL);
    r = ask(d->id, 1, ~0ul);
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), -EINVAL);
    r = ask(d->id, 8, 0);
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), -EINVAL);
    r = ask(d->id, 1, 0);
    r.pad = 1;
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), -EINVAL);
    r = ask(d->id, 1, 0);
    r.type = 9;
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), -EOPNOTSUPP);
    r = ask(d->id, 1, 0);
    r.id = 9;
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), -EINVAL);
    r = ask(0x1234, 1, 0);
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), -ESRCH);
    r = ask(d->id, 1, 0);
    set_xen_guest_handle(r.frame_list, (xen_pfn_t *)0x10);
    CHECK_RC(hc_memory_op(XENMEM_acquire_resource, &r), -EFAULT);
    r = ask(d->id, 1, 0);
    r.type = XENMEM_resource_vmtrace_buf;
    CHECK(hc_memory_op(XENMEM_acquire_resource, &r) < 0);
    CHECK_RC(domu_unpause(d), 0);
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    CHECK_EQ(table[1].frame, d->p2m[DOMU_XENSTORE]);
    CHECK_RC(foreign_unmap(table), 0);
    CHECK_RC(domu_destroy(d), 0);
    CHECK(!domain_exists(d->id));
}
