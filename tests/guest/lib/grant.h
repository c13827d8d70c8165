// SPDX-License-Identifier: MIT
// Grants, for tests: the table of this domain at a fixed place, and calls of one element.
#ifndef GUEST_GRANT_H
#define GUEST_GRANT_H

#include "lib/guest.h"

#define GRANT_TABLE ((volatile grant_entry_v1_t *)0xffffc90000000000)
#define GRANT_AREA  ((char *)0xffffc90000100000) // an L1 table with nothing in it
#define GRANT_SHOWN (GTF_reading | GTF_writing)

// The first page of the table, mapped.
static inline void grant_setup(void)
{
    static xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};

    set_xen_guest_handle(s.frame_list, &frame);
    REQUIRE(hc_grant_table_op(GNTTABOP_setup_table, &s, 1) == 0 && s.status == GNTST_okay);
    REQUIRE(map_page(kernel_l4(), (void *)(uintptr_t)GRANT_TABLE, mfn_pte(frame, PTE_RW)));
    REQUIRE(map_page(kernel_l4(), GRANT_AREA, 0));
}

// Entry `ref` lets a domain at a page_alloc() page.
static inline volatile grant_entry_v1_t *grant_give(unsigned int ref, unsigned int dom,
                                                    const void *page, unsigned int flags)
{
    volatile grant_entry_v1_t *e = &GRANT_TABLE[ref];

    e->flags = 0;
    e->domid = (domid_t)dom;
    e->frame = (uint32_t)va_to_mfn(page);
    asm volatile("" : : : "memory");
    e->flags = (uint16_t)(GTF_permit_access | flags);
    return e;
}

static inline struct gnttab_map_grant_ref grant_map(unsigned int dom, unsigned int ref,
                                                    uint32_t flags, const void *where)
{
    struct gnttab_map_grant_ref op = {.host_addr = (uint64_t)where,
                                      .flags = flags,
                                      .ref = ref,
                                      .dom = (domid_t)dom,
                                      .status = 77};

    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    return op;
}

static inline int grant_unmap2(const void *where, uint64_t bus, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = (uint64_t)where, .dev_bus_addr = bus, .handle = handle, .status = 77};

    CHECK_RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static inline int grant_unmap(const void *where, grant_handle_t handle)
{
    return grant_unmap2(where, 0, handle);
}

static inline int grant_copy(struct gnttab_copy *op)
{
    op->status = 77;
    CHECK_RC(hc_grant_table_op(GNTTABOP_copy, op, 1), 0);
    return op->status;
}

static inline long grant_version(unsigned int version)
{
    struct gnttab_set_version s = {.version = version};

    return hc_grant_table_op(GNTTABOP_set_version, &s, 1);
}

#endif
