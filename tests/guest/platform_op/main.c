// SPDX-License-Identifier: MIT
// HYPERVISOR_platform_op: settime moves the wall clock, firmware queries, version and errors.
//
// xen ABI: platform.h. A wrong interface_version is -EACCES; settime with mbz set is -EINVAL; the
// wall clock's version changes; a BIOS machine has no EFI information.
#include "lib/guest.h"

const char test_title[] = "platform_op";

static struct xen_platform_op op;

static long run(uint32_t cmd)
{
    op.cmd = cmd;
    op.interface_version = XENPF_INTERFACE_VERSION;
    return hc_platform_op(&op);
}

static void check_settime(void)
{
    uint32_t version = shared_info->wc_version;
    uint64_t now = system_time();

    op.u.settime64.secs = 2000000000;
    op.u.settime64.nsecs = 0;
    op.u.settime64.mbz = 0;
    op.u.settime64.system_time = now;
    CHECK_RC(run(XENPF_settime64), 0);
    CHECK(shared_info->wc_version != version);
    CHECK_EQ(shared_info->wc_version & 1, 0);
    // wc is the wall clock at system time 0.
    CHECK(shared_info->wc_sec <= 2000000000);
    CHECK(shared_info->wc_sec >= 2000000000 - now / 1000000000 - 1);
    op.u.settime64.mbz = 1;
    CHECK_RC(run(XENPF_settime64), -EINVAL);
}

static void check_firmware(void)
{
    op.u.firmware_info.type = 99;
    op.u.firmware_info.index = 0;
    CHECK_RC(run(XENPF_firmware_info), -EINVAL);
    op.u.firmware_info.type = XEN_FW_DISK_INFO;
    op.u.firmware_info.index = 200;
    CHECK_RC(run(XENPF_firmware_info), -ESRCH);
    op.u.firmware_info.type = XEN_FW_DISK_MBR_SIGNATURE;
    CHECK_RC(run(XENPF_firmware_info), -ESRCH);
    op.u.firmware_info.type = XEN_FW_EFI_INFO;
    op.u.firmware_info.index = XEN_FW_EFI_VERSION;
    CHECK(run(XENPF_firmware_info) < 0);
}

static void check_cpuinfo(void)
{
    op.u.pcpu_info.xen_cpuid = 0;
    CHECK_RC(run(XENPF_get_cpuinfo), 0);
    CHECK_EQ(op.u.pcpu_info.flags & XEN_PCPU_FLAGS_ONLINE, XEN_PCPU_FLAGS_ONLINE);
    CHECK_EQ(op.u.pcpu_info.max_present + 1, vcpu_count());
    op.u.pcpu_info.xen_cpuid = 5000;
    CHECK_RC(run(XENPF_get_cpuinfo), 0);
    CHECK_EQ(op.u.pcpu_info.flags & XEN_PCPU_FLAGS_INVALID, XEN_PCPU_FLAGS_INVALID);
}

static void check_errors(void)
{
    CHECK_RC(hc_platform_op((void *)0x10), -EFAULT);
    CHECK_RC(run(999), -ENOSYS);
    op.cmd = XENPF_get_cpuinfo;
    op.interface_version = 1;
    CHECK_RC(hc_platform_op(&op), -EACCES);
}

void test_main(void)
{
    check_settime();
    check_firmware();
    check_cpuinfo();
    check_errors();
}
