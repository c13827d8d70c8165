// SPDX-License-Identifier: MIT
// A bounce frame that cannot be written crashes the domain, not the hypervisor.
//
// xen ABI: arch-x86/xen.h HYPERVISOR_stack_switch. The kernel stack for entries from user mode
// points where nothing is mapped: the hypervisor has no place for the frame.
//
// CRASH: [Dd]omain 0.*crash
#include "lib/guest.h"

const char test_title[] = "a kernel stack that is not there crashes the domain";

USER_SNIPPET(user_syscall, "syscall");

void test_main(void)
{
    user_setup();
    CHECK_RC(hc_stack_switch(FLAT_KERNEL_SS, 0xffffc00000001000), 0);
    USER_RUN(user_syscall, NULL);
    CHECK(!"the frame went somewhere and the domain lives");
}
