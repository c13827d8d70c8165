// SPDX-License-Identifier: MIT
// CPUs go from pool to pool and offline, and domains from pool to pool, while vCPUs wait for them.
//
// xen ABI: sysctl.h struct xen_sysctl_cpupool_op, xen_sysctl_cpu_hotplug.
//
// SMP: 4
// XEN: skip on QEMU's TCG its operations on pools and CPUs take seconds each, or stall
#include "lib/hogs.h"

const char test_title[] = "CPUs and domains change pools under load";

enum { POOL = 7 };

static uint32_t pool_domains(uint32_t id)
{
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, id, 0), 0);
    return sc.u.cpupool_op.n_dom;
}

static long hotplug(uint32_t op, uint32_t cpu)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.cpu_hotplug.op = op;
    sc.u.cpu_hotplug.cpu = cpu;
    return sysctl(XEN_SYSCTL_cpu_hotplug);
}

void test_main(void)
{
    struct domu *d[2];

    CHECK_RC(pool_create(POOL, XEN_SCHEDULER_CREDIT), 0);
    CHECK_RC(pool_remove_cpu(0, 3), 0);
    CHECK_RC(pool_remove_cpu(0, 2), 0);
    CHECK_RC(pool_add_cpu(POOL, 2), 0);
    for (unsigned int i = 0; i < 2; i++) {
        d[i] = hog_create(hog, 4, POOL);
        CHECK_RC(domu_unpause(d[i]), 0);
    }
    for (unsigned int i = 0; i < 200; i++) {
        CHECK_RC(pool_add_cpu(POOL, 3), 0);
        if (i % 4 == 0)
            rest(2000000);
        CHECK_RC(pool_remove_cpu(POOL, i % 2 ? 3 : 2), 0);
        CHECK_RC(pool_add_cpu(POOL, i % 2 ? 3 : 2), 0);
        if (i % 3 == 0)
            CHECK_RC(pool_move(d[i & 1]->id, 0), 0);
        CHECK_RC(pool_remove_cpu(POOL, 3), 0);
        if (i % 3 == 0)
            CHECK_RC(pool_move(d[i & 1]->id, POOL), 0);
    }
    for (unsigned int i = 0; i < 60; i++) {
        CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_OFFLINE, 1 + i % 3), i % 3 == 1 ? -EBUSY : 0);
        if (i % 4 == 0)
            rest(2000000);
        CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_ONLINE, 1 + i % 3), i % 3 == 1 ? -EEXIST : 0);
    }
    for (unsigned int i = 0; i < 2; i++) {
        CHECK(progresses(d[i]->id));
        CHECK_RC(domu_destroy(d[i]), 0);
    }
    CHECK(REST_UNTIL(pool_domains(POOL) == 0, 5 * SECOND));
    CHECK_RC(pool_remove_cpu(POOL, 2), 0);
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, POOL, 0), 0);
    CHECK_RC(pool_add_cpu(0, 2), 0);
}
