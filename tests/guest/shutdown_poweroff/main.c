// SPDX-License-Identifier: MIT
// SCHEDOP_shutdown with SHUTDOWN_poweroff by the initial domain stops the machine.
//
// xen ABI: sched.h SCHEDOP_shutdown. The call does not return. The oracle halts and says so;
// turning the machine off is as good.
//
// SHUTDOWN: Dom0 halted: halting machine|domain 0 has shut down: poweroff
#include "lib/guest.h"

const char test_title[] = "poweroff by the initial domain";

void test_main(void)
{
    CHECK_RC(hc_sched_op(SCHEDOP_shutdown, (void *)0x10), -EFAULT);
    shutdown_reason = SHUTDOWN_poweroff;
}
