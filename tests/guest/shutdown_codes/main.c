// SPDX-License-Identifier: MIT
// SCHEDOP_shutdown_code latches a reason, remote_shutdown checks its domain, watchdogs have two
// slots.
//
// xen ABI: sched.h. Latching does not shut down. Two watchdogs at most: the third is -ENOSPC;
// the initial domain has no remote that it could shut down here.
#include "lib/guest.h"

const char test_title[] = "shutdown codes and watchdogs";

static long watchdog(uint32_t id, uint32_t timeout)
{
    struct sched_watchdog arg = {.id = id, .timeout = timeout};

    return hc_sched_op(SCHEDOP_watchdog, &arg);
}

void test_main(void)
{
    struct sched_shutdown code = {.reason = SHUTDOWN_reboot};
    struct sched_remote_shutdown remote = {.domain_id = 0x1234};

    CHECK_RC(hc_sched_op(SCHEDOP_shutdown_code, &code), 0);
    CHECK_RC(hc_sched_op(SCHEDOP_shutdown_code, (void *)0x10), -EFAULT);
    CHECK_RC(hc_sched_op(SCHEDOP_remote_shutdown, &remote), -ESRCH);
    CHECK_RC(hc_sched_op(SCHEDOP_remote_shutdown, (void *)0x10), -EFAULT);
    CHECK_EQ(watchdog(0, 100), 1);
    CHECK_EQ(watchdog(0, 100), 2);
    CHECK_EQ((int)watchdog(0, 100), -ENOSPC); // 32 bits wide on the oracle
    CHECK_RC(watchdog(1, 200), 0);
    CHECK_RC(watchdog(1, 0), 0);
    CHECK_RC(watchdog(1, 0), -EINVAL); // gone
    CHECK_EQ(watchdog(0, 100), 1);
    CHECK_RC(watchdog(1, 0), 0);
    CHECK_RC(watchdog(2, 0), 0);
    CHECK_RC(watchdog(3, 100), -EINVAL);
}
