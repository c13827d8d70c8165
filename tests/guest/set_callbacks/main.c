// SPDX-License-Identifier: MIT
// The old set_callbacks and the calls a PV guest does not have.
//
// xen ABI: xen.h __HYPERVISOR_set_callbacks(event, failsafe, syscall), as 64-bit kernels used it
// before callback_op; XENMEM_add_to_physmap and hvm_op are for translated guests.
#include "lib/guest.h"

const char test_title[] = "set_callbacks and calls of translated guests";

USER_SNIPPET(user_syscall, "syscall");

static char other_entry_used;

static bool note_entry(struct frame *f)
{
    if (f->vector == VEC_SYSCALL32)
        other_entry_used = 1;
    return false;
}

static void check_physmap(void)
{
    struct xen_add_to_physmap arg = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = 5};
    struct xen_remove_from_physmap rem = {.domid = DOMID_SELF, .gpfn = 5};
    uint64_t mfn = pfn_to_mfn(5);

    CHECK(hc_memory_op(XENMEM_add_to_physmap, &arg) < 0);
    CHECK(hc_memory_op(XENMEM_remove_from_physmap, &rem) < 0);
    CHECK_EQ(mfn_to_pfn(mfn), 5);
}

void test_main(void)
{
    user_setup();
    CHECK_RC(HC3(__HYPERVISOR_set_callbacks, event_entry, failsafe_entry, syscall32_entry), 0);
    trap_hook = note_entry;
    CHECK_TRAP(USER_RUN(user_syscall, NULL), VEC_SYSCALL32, 0);
    CHECK_EQ(other_entry_used, 1);
    CHECK_RC(HC3(__HYPERVISOR_set_callbacks, event_entry, failsafe_entry, syscall_entry), 0);
    CHECK_TRAP(USER_RUN(user_syscall, NULL), VEC_SYSCALL, 0);
    check_physmap();
}
