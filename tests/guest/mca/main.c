// SPDX-License-Identifier: MIT
// HYPERVISOR_mca: the number of CPUs without an array, their APIC ids with one; nothing to fetch.
//
// xen ABI: arch-x86/xen-mca.h. A wrong interface_version is -EACCES, a bad array -EFAULT.
#include "lib/guest.h"
#include <xen/arch-x86/xen-mca.h>

const char test_title[] = "mca";

static struct xen_mc op;
static xen_mc_logical_cpu_t cpu[4];

static long run(uint32_t cmd)
{
    op.cmd = cmd;
    op.interface_version = XEN_MCA_INTERFACE_VERSION;
    return HC1(__HYPERVISOR_mca, &op);
}

void test_main(void)
{
    op.u.mc_physcpuinfo.ncpus = 0;
    set_xen_guest_handle(op.u.mc_physcpuinfo.info, NULL);
    CHECK_RC(run(XEN_MC_physcpuinfo), 0);
    uint32_t count = op.u.mc_physcpuinfo.ncpus;
    CHECK(count >= 1 && count <= 4);
    set_xen_guest_handle(op.u.mc_physcpuinfo.info, cpu);
    CHECK_RC(run(XEN_MC_physcpuinfo), 0);
    CHECK_EQ(op.u.mc_physcpuinfo.ncpus, count);
    for (uint32_t i = 0; i < count; i++)
        CHECK_EQ(cpu[i].mc_cpunr, i);
    op.cmd = XEN_MC_physcpuinfo;
    op.interface_version = 1;
    CHECK_RC(HC1(__HYPERVISOR_mca, &op), -EACCES);
    op.u.mc_fetch.flags = XEN_MC_NONURGENT;
    set_xen_guest_handle(op.u.mc_fetch.data, NULL);
    CHECK_RC(run(99), -ENOSYS);
}
