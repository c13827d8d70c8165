// SPDX-License-Identifier: MIT
// CPUs are taken out of use and put back while vCPUs run there.
//
// xen ABI: sysctl.h struct xen_sysctl_cpu_hotplug, physinfo (nr_cpus), cputopoinfo
// (XEN_INVALID_CORE_ID of a CPU that is not there); platform.h XENPF_cpu_online, cpu_offline,
// get_cpuinfo; xen.h VIRQ_PCPU_STATE.
//
// SMP: 4
// XEN: skip on QEMU's TCG its operations on pools and CPUs take seconds each, or stall
#include "lib/hogs.h"

const char test_title[] = "CPUs offline and online";

static long hotplug(uint32_t op, uint32_t cpu)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.cpu_hotplug.op = op;
    sc.u.cpu_hotplug.cpu = cpu;
    return sysctl(XEN_SYSCTL_cpu_hotplug);
}

static long offline(uint32_t cpu)
{
    long rc;

    (void)REST_UNTIL((rc = hotplug(XEN_SYSCTL_CPU_HOTPLUG_OFFLINE, cpu)) != -EBUSY, SECOND);
    return rc;
}

static long online(uint32_t cpu)
{
    return hotplug(XEN_SYSCTL_CPU_HOTPLUG_ONLINE, cpu);
}

// The same by dom0's own interface, which says how it looks after.
static uint32_t use_cpu(uint32_t cmd, uint32_t cpu)
{
    struct xen_platform_op op = {.cmd = cmd, .interface_version = XENPF_INTERFACE_VERSION};

    op.u.cpu_ol.cpuid = cpu;
    CHECK_RC(hc_platform_op(&op), 0);
    op.cmd = XENPF_get_cpuinfo;
    op.u.pcpu_info.xen_cpuid = cpu;
    CHECK_RC(hc_platform_op(&op), 0);
    return op.u.pcpu_info.flags;
}

static uint32_t cpus(void)
{
    CHECK_RC(sysctl(XEN_SYSCTL_physinfo), 0);
    return sc.u.physinfo.nr_cpus;
}

static uint32_t core(uint32_t cpu)
{
    static xen_sysctl_cputopo_t list[8];

    memset(&sc, 0, sizeof(sc));
    sc.u.cputopoinfo.num_cpus = 8;
    set_xen_guest_handle(sc.u.cputopoinfo.cputopo, list);
    CHECK_RC(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    CHECK(cpu < sc.u.cputopoinfo.num_cpus);
    return list[cpu].core;
}

static uint8_t pool0(void)
{
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, 0, 0), 0);
    return cpus_out[0];
}

static bool nobody_on(struct domu *d, uint32_t cpu)
{
    for (unsigned int i = 0; i < d->config.vcpus; i++)
        if (cpu_of(d->id, i) == cpu)
            return false;
    return true;
}

void test_main(void)
{
    CHECK_EQ(cpus(), 4);
    CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_OFFLINE, 0), -EINVAL);
    CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_OFFLINE, 99), -EINVAL);
    CHECK_RC(online(99), -EINVAL);
    CHECK_RC(online(3), -EEXIST);

    struct domu *d = hog_create(hog, 6, 0);
    CHECK_RC(domu_unpause(d), 0);
    CHECK(progresses(d->id));
    CHECK_RC(hard_affinity(d->id, 5, 0x8), 0);
    CHECK_RC(offline(3), 0);
    CHECK_EQ(cpus(), 3);
    CHECK_EQ(core(3), XEN_INVALID_CORE_ID);
    CHECK(core(2) != XEN_INVALID_CORE_ID);
    CHECK_EQ(pool0(), 0x7);
    CHECK(REST_UNTIL(nobody_on(d, 3), SECOND));
    CHECK(progresses(d->id));
    CHECK_RC(offline(3), -EINVAL); // it is already
    CHECK(pool_add_cpu(0, 3) < 0);
    CHECK_RC(offline(2), 0);
    CHECK_RC(offline(1), 0);
    CHECK_EQ(cpus(), 1);
    CHECK(progresses(d->id));
    CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_OFFLINE, 0), -EINVAL);
    for (uint32_t i = 3; i > 0; i--)
        CHECK_RC(online(i), 0);
    CHECK_EQ(cpus(), 4);
    CHECK_EQ(pool0(), 0xf);
    CHECK(core(3) != XEN_INVALID_CORE_ID);
    CHECK(REST_UNTIL(!nobody_on(d, 1) && !nobody_on(d, 2) && !nobody_on(d, 3), 5 * SECOND));
    evtchn_port_t port;
    CHECK_RC(bind_virq(VIRQ_PCPU_STATE, 0, &port), 0);
    CHECK_EQ(use_cpu(XENPF_cpu_offline, 2), 0);
    CHECK(port_pending(port));
    port_clear(port);
    CHECK_EQ(cpus(), 3);
    CHECK_EQ(use_cpu(XENPF_cpu_online, 2), XEN_PCPU_FLAGS_ONLINE);
    CHECK(port_pending(port));
    CHECK_EQ(cpus(), 4);
    for (unsigned int i = 0; i < 6; i++) {
        CHECK_RC(offline(1 + i % 3), 0);
        CHECK_RC(online(1 + i % 3), 0);
    }
    CHECK(progresses(d->id));
    CHECK_RC(domu_destroy(d), 0);
}
