// SPDX-License-Identifier: MIT
// HYPERVISOR_mca: the number of CPUs without an array, their APIC ids with one; nothing to fetch.
//
// xen ABI: arch-x86/xen-mca.h. A fetch names one of the two kinds of telemetry and finds no data.
// What the header leaves open is as the oracle answered: a wrong interface_version is -EACCES, a
// bad array -EFAULT; an unknown command (not -ENOSYS), a fetch of both kinds, of none or to
// nowhere, and an array of no elements are -EINVAL. Not asked: fewer elements than CPUs (of which
// the oracle dies: a panic in its allocator) and injections (which Wirt does not have).
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

static long fetch(uint32_t flags, mc_info_t *data)
{
    op.u.mc_fetch.flags = flags;
    op.u.mc_fetch.fetch_id = 5;
    set_xen_guest_handle(op.u.mc_fetch.data, data);
    return run(XEN_MC_fetch);
}

static void check_fetch(void)
{
    static mc_info_t info;

    for (uint32_t kind = XEN_MC_NONURGENT; kind <= XEN_MC_URGENT; kind++) {
        CHECK_RC(fetch(kind, &info), 0);
        CHECK_EQ(op.u.mc_fetch.flags, XEN_MC_NODATA);
        CHECK_RC(fetch(kind, NULL), -EINVAL);
        CHECK_RC(fetch(kind | XEN_MC_ACK, NULL), 0);
        CHECK_EQ(op.u.mc_fetch.fetch_id, 5);
    }
    CHECK_RC(fetch(0, &info), -EINVAL);
    CHECK_RC(fetch(XEN_MC_ACK, &info), -EINVAL);
    CHECK_RC(fetch(XEN_MC_NONURGENT | XEN_MC_URGENT, &info), -EINVAL);
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
    op.u.mc_physcpuinfo.ncpus = 0;
    CHECK_RC(run(XEN_MC_physcpuinfo), -EINVAL);
    op.u.mc_physcpuinfo.ncpus = count;
    set_xen_guest_handle(op.u.mc_physcpuinfo.info, (void *)0x1000);
    CHECK_RC(run(XEN_MC_physcpuinfo), -EFAULT);
    op.cmd = XEN_MC_physcpuinfo;
    op.interface_version = 1;
    CHECK_RC(HC1(__HYPERVISOR_mca, &op), -EACCES);
    CHECK_RC(run(0), -EINVAL);
    CHECK_RC(run(99), -EINVAL);
    check_fetch();
}
