// SPDX-License-Identifier: MIT
// XSA-215 (CVE-2017-8905): a bounce frame that reaches into the hypervisor's memory.
//
// Class: the top of the guest's kernel stack is checked, the whole frame below it is not; a stack
// just above the hypervisor's range lets the processor state of the guest be written into it. What
// must hold: the frame is not written and the domain crashes.
//
// CRASH: [Dd]omain 0.*crash
#include "lib/guest.h"

const char test_title[] = "a kernel stack that ends in the hypervisor";

USER_SNIPPET(user_syscall, "syscall");

void test_main(void)
{
    user_setup();
    CHECK_RC(hc_stack_switch(FLAT_KERNEL_SS, HYPERVISOR_VIRT_END + 16), 0);
    USER_RUN(user_syscall, NULL);
    CHECK(!"the frame went somewhere");
}
