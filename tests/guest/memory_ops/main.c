// SPDX-License-Identifier: MIT
// HYPERVISOR_memory_op: reservations, growing, shrinking, populating.
//
// xen ABI: memory.h XENMEM_current_reservation, maximum_reservation, decrease_reservation,
// increase_reservation, populate_physmap. Partial success returns the number of extents done;
// frames in use are not given back; orders beyond the limit and unreadable arguments are refused.
#include "lib/guest.h"

const char test_title[] = "memory reservations";

static long current(void)
{
    struct xen_memory_domain arg = {.domid = DOMID_SELF};

    return hc_memory_op(XENMEM_current_reservation, &arg);
}

static long reserve(unsigned int op, xen_pfn_t *list, unsigned long n, unsigned int order)
{
    struct xen_memory_reservation r = {.nr_extents = n, .extent_order = order, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, list);
    return hc_memory_op(op, &r);
}

static void check_query(void)
{
    struct xen_memory_domain arg = {.domid = DOMID_SELF};
    long max;

    CHECK(current() >= (long)start_info->nr_pages);
    max = hc_memory_op(XENMEM_maximum_reservation, &arg);
    CHECK(max >= current());
    CHECK(hc_memory_op(XENMEM_maximum_ram_page, NULL) > 0x10000);
    CHECK(hc_memory_op(XENMEM_maximum_gpfn, &arg) >= 0);
    arg.domid = 0x1234;
    CHECK_RC(hc_memory_op(XENMEM_current_reservation, &arg), -ESRCH);
    CHECK_RC(hc_memory_op(XENMEM_current_reservation, (void *)0x10), -EFAULT);
    CHECK_RC(hc_memory_op(63, NULL), -ENOSYS);
}

static void check_balloon(void)
{
    long before = current();
    uint64_t pfn = pfn_alloc_unmapped(), mfn = pfn_to_mfn(pfn);
    xen_pfn_t list[2] = {mfn, mfn};

    CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 1, 0), 1);
    CHECK_EQ(current(), before - 1);
    CHECK(map_page(kernel_l4(), (void *)0xffffc90000000000, 0)); // tables for the next line
    CHECK(pte_write(pte_of(kernel_l4(), (void *)0xffffc90000000000, 1), mfn_pte(mfn, PTE_RW)) < 0);
    CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 1, 0), 0); // not ours any more
    list[0] = pfn;
    CHECK_EQ(reserve(XENMEM_populate_physmap, list, 1, 0), 1);
    CHECK_EQ(current(), before);
    CHECK_EQ(mfn_to_pfn(list[0]), pfn); // the M2P was updated
    CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 1, 0), 1);
    CHECK_EQ(reserve(XENMEM_increase_reservation, list, 1, 0), 1);
    CHECK_EQ(current(), before);
    CHECK(map_page(kernel_l4(), (void *)0xffffc90000000000, mfn_pte(list[0], PTE_RW)));
    CHECK_NO_TRAP(try_write((void *)0xffffc90000000000, 1));
}

// A frame with a mapping: given back only when the last mapping goes.
static void check_mapped(void)
{
    char *page = page_alloc(), *table = table_alloc();
    xen_pfn_t list[1] = {va_to_mfn(table)};
    long before = current();

    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, list[0]), 0);
    list[0] = va_to_mfn(page);
    CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 1, 0), 1);
    CHECK_NO_TRAP(try_write(page, 1)); // the mapping keeps it alive
    CHECK_RC(hc_update_va_mapping(page, 0, UVMF_INVLPG), 0);
    CHECK(hc_update_va_mapping(page, mfn_pte(list[0], PTE_RW), UVMF_INVLPG) < 0);
    CHECK_EQ(current(), before - 1);
}

static void check_orders(void)
{
    xen_pfn_t list[1] = {pfn_alloc_unmapped()};

    CHECK_EQ(reserve(XENMEM_populate_physmap, list, 1, 60) <= 0, 1);
    CHECK_EQ(reserve(XENMEM_increase_reservation, list, 1, 40) <= 0, 1);
    CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 0, 0), 0);
    CHECK_EQ(reserve(XENMEM_decrease_reservation, (void *)0x10, 1, 0) <= 0, 1);
    CHECK_RC(hc_memory_op(XENMEM_populate_physmap, (void *)0x10), 0); // no extent was done
    list[0] = 0xffffffff;
    CHECK_EQ(reserve(XENMEM_decrease_reservation, list, 1, 0), 0);
}

void test_main(void)
{
    check_query();
    check_balloon();
    check_mapped();
    check_orders();
}
