// SPDX-License-Identifier: MIT
// sysctl: interface version, unknown commands, bad pointers.
//
// xen ABI: sysctl.h. A wrong interface_version is -EACCES, whatever the command; an unknown command
// is -ENOSYS; a pointer to nothing is -EFAULT; nothing of all that changes the argument.
#include "lib/domu.h"

const char test_title[] = "sysctl: versions and refusals";

void test_main(void)
{
    static const uint32_t unknown[] = {0, 13, 24, 28, 30, 9999};

    for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
        memset(&sc, 0xa5, sizeof(sc));
        CHECK_RC(sysctl(unknown[i]), -ENOSYS);
        CHECK_EQ(sc.u.pad[0], 0xa5);
    }
    for (unsigned int cmd = 0; cmd < 40; cmd++) {
        sc.cmd = cmd;
        sc.interface_version = XEN_SYSCTL_INTERFACE_VERSION - 1;
        CHECK_RC(HC1(__HYPERVISOR_sysctl, &sc), -EACCES);
    }
    CHECK_RC(HC1(__HYPERVISOR_sysctl, 0x10), -EFAULT);
    CHECK_RC(HC1(__HYPERVISOR_sysctl, 0xffff800000000000), -EFAULT);
    memset(&sc, 0, sizeof(sc));
    CHECK_RC(sysctl(XEN_SYSCTL_lockprof_op), -ENOSYS);
}
