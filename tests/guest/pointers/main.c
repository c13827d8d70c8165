// SPDX-License-Identifier: MIT
// Guest pointers that lead outside what the guest may read or write: -EFAULT, and nothing is
// written.
//
// xen ABI: every hypercall with a buffer. Pointers below, in and around the hypervisor's range, not
// canonical, wrapping, and, for results, at pages the guest may only read: page tables, the M2P,
// code mapped read-only. The hypervisor writes with the guest's rights, not with its own.
#include "lib/guest.h"

const char test_title[] = "guest pointers out of bounds";

static void *const bad[] = {
    (void *)0x10,
    (void *)0x00007fffffffffff,
    (void *)0x0000800000000000,
    (void *)0x8000000000000000,
    (void *)0xffff7fffffffffff,
    (void *)0xffff800000000000,
    (void *)0xffff82d080000000,
    (void *)0xffff830000000000,
    (void *)0xffff87ffffffffff,
    (void *)0xffffc00000000000,
    (void *)0xffffffffffffffff,
    (void *)0xfffffffffffffff8,
};

static void check_inputs(void *p)
{
    CHECK_RC(hc_mmu_update(p, 1, NULL, DOMID_SELF), -EFAULT);
    CHECK_RC(hc_mmuext_op(p, 1, NULL, DOMID_SELF), -EFAULT);
    CHECK_RC(hc_multicall(p, 1), -EFAULT);
    CHECK_RC(hc_console_io(CONSOLEIO_write, 16, p), -EFAULT);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_send, p), -EFAULT);
    CHECK_RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, p), -EFAULT);
    CHECK_RC(hc_sched_op(SCHEDOP_poll, p), -EFAULT);
    CHECK_RC(hc_physdev_op(PHYSDEVOP_set_iopl, p), -EFAULT);
    CHECK_RC(hc_callback_op(CALLBACKOP_register, p), -EFAULT);
    CHECK_RC(hc_set_trap_table(p), -EFAULT);
    CHECK_RC(hc_set_gdt(p, 512), -EFAULT);
    CHECK_RC(hc_platform_op(p), -EFAULT);
}

static void check_outputs(void *p)
{
    struct xen_memory_map map = {.nr_entries = 64};

    CHECK_RC(hc_xen_version(XENVER_capabilities, p), -EFAULT);
    CHECK_RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, p), -EFAULT);
    CHECK_RC(hc_grant_table_op(GNTTABOP_query_size, p, 1), -EFAULT);
    set_xen_guest_handle(map.buffer, p);
    CHECK_RC(hc_memory_op(XENMEM_machine_memory_map, &map), -EFAULT);
}

// Readable, not writable: a plain copy-out must fail and leave it as it is.
static void check_read_only(void *p)
{
    uint64_t before = *(uint64_t *)p;

    CHECK_RC(hc_xen_version(XENVER_extraversion, p), -EFAULT);
    CHECK_RC(hc_xen_version(XENVER_guest_handle, p), -EFAULT);
    CHECK_RC(hc_vcpu_op(VCPUOP_get_runstate_info, 0, p), -EFAULT);
    CHECK_EQ(*(uint64_t *)p, before);
}

void test_main(void)
{
    char *page = page_alloc();

    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        check_inputs(bad[i]);
        check_outputs(bad[i]);
    }
    REQUIRE(page_protect(page, PTE_RO) == 0);
    check_read_only(page);
    check_read_only(kernel_l4());
    check_read_only(&machine_to_phys_mapping[pfn_to_mfn(0)]);
    // The last bytes of a page with nothing behind it: what is crossed is not there.
    REQUIRE(page_protect(page, PTE_RW) == 0);
    REQUIRE(map_page(kernel_l4(), (void *)0xffffc90000000000, mfn_pte(va_to_mfn(page), PTE_RW)));
    CHECK_RC(hc_console_io(CONSOLEIO_write, 16, (void *)0xffffc90000000ff8), -EFAULT);
    CHECK_RC(hc_xen_version(XENVER_extraversion, (void *)0xffffc90000000ff8), -EFAULT);
}
