// SPDX-License-Identifier: MIT
// Mapping a grant that we gave to ourselves, by address and by PTE, and taking it back.
//
// xen ABI: grant_table.h GNTTABOP_map_grant_ref, unmap_grant_ref: the entry shows GTF_reading and
// GTF_writing while it is mapped; a read-only grant cannot be mapped writable; bad references,
// handles and addresses give their own status; a mapping through a grant can only be undone by its
// handle.
#include "lib/guest.h"

const char test_title[] = "grant map and unmap";

#define TABLE ((grant_entry_v1_t *)0xffffc90000000000)
#define AREA  ((char *)0xffffc90000100000)

static char *page;
static volatile grant_entry_v1_t *entry;

static struct gnttab_map_grant_ref map(uint32_t flags, unsigned int ref, uint64_t where)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = where, .flags = flags, .ref = ref, .dom = 0, .status = 77};

    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    return op;
}

static int unmap(uint64_t where, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = where, .handle = handle, .status = 77};

    CHECK_RC(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static void setup(void)
{
    static xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};

    set_xen_guest_handle(s.frame_list, &frame);
    REQUIRE(hc_grant_table_op(GNTTABOP_setup_table, &s, 1) == 0 && s.status == GNTST_okay);
    REQUIRE(map_page(kernel_l4(), TABLE, mfn_pte(frame, PTE_RW)));
    REQUIRE(map_page(kernel_l4(), AREA, 0));
    page = page_alloc();
    memcpy(page, "granted", 8);
    entry = &TABLE[20];
    entry->domid = 0;
    entry->frame = (uint32_t)va_to_mfn(page);
    entry->flags = GTF_permit_access;
}

static void check_writable(void)
{
    struct gnttab_map_grant_ref op = map(GNTMAP_host_map, 20, (uint64_t)AREA), second;

    CHECK_EQ(op.status, GNTST_okay);
    REQUIRE(op.status == GNTST_okay);
    CHECK_EQ(entry->flags & (GTF_reading | GTF_writing), GTF_reading | GTF_writing);
    CHECK_EQ(memcmp(AREA, "granted", 8), 0);
    AREA[0] = 'G';
    CHECK_EQ(page[0], 'G');
    second = map(GNTMAP_host_map | GNTMAP_readonly, 20, (uint64_t)AREA + PAGE_SIZE);
    CHECK_EQ(second.status, GNTST_okay);
    CHECK_EQ(try_write(AREA + PAGE_SIZE, 0)->frame.vector, X86_PF);
    CHECK_EQ(unmap((uint64_t)AREA, op.handle), GNTST_okay);
    CHECK_EQ(entry->flags & (GTF_reading | GTF_writing), GTF_reading); // the other still reads
    CHECK_EQ(try_read(AREA, NULL)->frame.vector, X86_PF);
    CHECK_EQ(unmap((uint64_t)AREA + PAGE_SIZE, second.handle), GNTST_okay);
    CHECK_EQ(entry->flags & (GTF_reading | GTF_writing), 0);
    CHECK(unmap((uint64_t)AREA, op.handle) < 0); // twice
}

static void check_pte(void)
{
    uint64_t *pte = pte_of(kernel_l4(), AREA, 1);
    struct gnttab_map_grant_ref op = map(GNTMAP_host_map | GNTMAP_contains_pte, 20, pte_maddr(pte));

    CHECK_EQ(op.status, GNTST_okay);
    CHECK_EQ(pte_mfn(*pte), va_to_mfn(page));
    CHECK_EQ(AREA[0], 'G');
    CHECK_EQ(unmap(pte_maddr(pte), op.handle), GNTST_okay);
    CHECK_EQ(*pte & PTE_P, 0);
}

static void check_refused(void)
{
    struct gnttab_map_grant_ref op;

    entry->flags = GTF_permit_access | GTF_readonly;
    CHECK(map(GNTMAP_host_map, 20, (uint64_t)AREA).status < 0);
    op = map(GNTMAP_host_map | GNTMAP_readonly, 20, (uint64_t)AREA);
    CHECK_EQ(op.status, GNTST_okay);
    CHECK(unmap((uint64_t)AREA, op.handle + 100) < 0);
    CHECK(unmap((uint64_t)AREA + PAGE_SIZE, op.handle) < 0);
    CHECK_EQ(AREA[0], 'G'); // it is still there
    CHECK_EQ(unmap((uint64_t)AREA, op.handle), GNTST_okay);
    CHECK(map(GNTMAP_host_map, 21, (uint64_t)AREA).status < 0); // an empty entry
    CHECK_EQ(map(GNTMAP_host_map, 1u << 20, (uint64_t)AREA).status, GNTST_bad_gntref);
    CHECK_EQ(map(0, 20, (uint64_t)AREA).status, GNTST_bad_gntref); // neither host nor device
    entry->domid = 5;
    CHECK(map(GNTMAP_host_map | GNTMAP_readonly, 20, (uint64_t)AREA).status < 0); // not for us
    entry->domid = 0;
    CHECK(map(GNTMAP_host_map | GNTMAP_readonly, 20, 0xffffffff00000000).status < 0);
    CHECK_EQ(entry->flags & (GTF_reading | GTF_writing), 0);
    entry->frame = 0xffffffff;
    CHECK(map(GNTMAP_host_map | GNTMAP_readonly, 20, (uint64_t)AREA).status < 0);
    CHECK_EQ(entry->flags & (GTF_reading | GTF_writing), 0);
}

static void check_copy(void)
{
    struct gnttab_copy op = {.flags = GNTCOPY_source_gref, .len = 8};
    char *target = page_alloc();

    entry->frame = (uint32_t)va_to_mfn(page);
    op.source.u.ref = 20;
    op.source.domid = 0;
    op.dest.u.gmfn = va_to_mfn(target);
    op.dest.domid = DOMID_SELF;
    CHECK_RC(hc_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    CHECK_EQ(op.status, GNTST_okay);
    CHECK_EQ(memcmp(target, "Granted", 8), 0);
    CHECK_EQ(entry->flags & (GTF_reading | GTF_writing), 0);
}

void test_main(void)
{
    CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, (void *)0x10, 1), -EFAULT);
    setup();
    check_writable();
    check_pte();
    check_refused();
    check_copy();
}
