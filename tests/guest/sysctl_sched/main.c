// SPDX-License-Identifier: MIT
// sysctl: the scheduler's identity and parameters, CPU pools, CPUs and power management.
//
// xen ABI: sysctl.h, "Error return values of cpupool operations". There is one pool at boot, with
// all CPUs and domains; another scheduler's parameters are -EINVAL, an unknown pool's -ESRCH.
#include "lib/domu.h"

const char test_title[] = "sysctl: scheduler, pools, power";

static uint8_t map[16];

static long pool(uint32_t op, uint32_t id)
{
    memset(&sc, 0, sizeof(sc));
    memset(map, 0xee, sizeof(map));
    sc.u.cpupool_op.op = op;
    sc.u.cpupool_op.cpupool_id = id;
    sc.u.cpupool_op.cpu = 99;
    sc.u.cpupool_op.domid = 77;
    sc.u.cpupool_op.sched_id = XEN_SCHEDULER_CREDIT2;
    sc.u.cpupool_op.cpumap.nr_bits = 64;
    set_xen_guest_handle(sc.u.cpupool_op.cpumap.bitmap, map);
    return sysctl(XEN_SYSCTL_cpupool_op);
}

static void check_pools(uint32_t scheduler)
{
    CHECK_RC(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 0), 0);
    CHECK_EQ(sc.u.cpupool_op.cpupool_id, 0);
    CHECK_EQ(sc.u.cpupool_op.sched_id, scheduler);
    CHECK_EQ(sc.u.cpupool_op.n_dom, 1);
    CHECK_EQ(map[0], (1 << vcpu_count()) - 1);
    CHECK_EQ(map[1], 0);
    CHECK_EQ(map[7], 0);
    CHECK_EQ(map[8], 0xee);
    CHECK_RC(pool(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0), 0);
    CHECK_EQ(map[0], 0);
    CHECK_EQ(map[8], 0xee);
    for (uint32_t op = XEN_SYSCTL_CPUPOOL_OP_DESTROY; op <= XEN_SYSCTL_CPUPOOL_OP_RMCPU; op++)
        CHECK_RC(pool(op, 1), -ENOENT);
    CHECK_RC(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, XEN_SYSCTL_CPUPOOL_PAR_ANY), -ENOENT);
    CHECK_RC(pool(XEN_SYSCTL_CPUPOOL_OP_CREATE, 0), -EEXIST);
    CHECK_RC(pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 0), -EBUSY);
    CHECK_RC(pool(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, 0), -EINVAL);
    CHECK_RC(pool(XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN, 0), -ESRCH);
    CHECK_RC(pool(0, 0), -ENOSYS);
    CHECK_RC(pool(8, 0), -ENOSYS);
    memset(&sc, 0, sizeof(sc));
    sc.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_ADDCPU;
    CHECK_RC(sysctl(XEN_SYSCTL_cpupool_op), -ENODEV); // in use already
    sc.u.cpupool_op.cpu = XEN_SYSCTL_CPUPOOL_PAR_ANY;
    CHECK_RC(sysctl(XEN_SYSCTL_cpupool_op), -ENODEV);
    sc.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN;
    CHECK_RC(sysctl(XEN_SYSCTL_cpupool_op), -EPERM); // the control domain
}

static long parameters(uint32_t scheduler, uint32_t cmd)
{
    sc.u.scheduler_op.sched_id = scheduler;
    sc.u.scheduler_op.cmd = cmd;
    return sysctl(XEN_SYSCTL_scheduler_op);
}

static void check_scheduler(void)
{
    struct xen_sysctl_scheduler_op *s = &sc.u.scheduler_op;

    memset(&sc, 0, sizeof(sc));
    CHECK_RC(sysctl(XEN_SYSCTL_sched_id), 0);
    // The tools know no others. Both hypervisors say Credit2.
    REQUIRE(sc.u.sched_id.sched_id == XEN_SCHEDULER_CREDIT2);
    memset(&sc, 0, sizeof(sc));
    for (uint32_t id = 4; id < 12; id++)
        CHECK_RC(parameters(id, XEN_SYSCTL_SCHEDOP_getinfo),
                 id == XEN_SCHEDULER_CREDIT2 ? 0 : -EINVAL);
    CHECK_RC(parameters(XEN_SCHEDULER_CREDIT2, XEN_SYSCTL_SCHEDOP_getinfo), 0);
    CHECK(s->u.sched_credit2.ratelimit_us <= XEN_SYSCTL_SCHED_RATELIMIT_MAX);
    s->u.sched_credit2.ratelimit_us = XEN_SYSCTL_SCHED_RATELIMIT_MIN - 1;
    CHECK_RC(parameters(XEN_SCHEDULER_CREDIT2, XEN_SYSCTL_SCHEDOP_putinfo), -EINVAL);
    s->u.sched_credit2.ratelimit_us = XEN_SYSCTL_SCHED_RATELIMIT_MAX + 1;
    CHECK_RC(parameters(XEN_SCHEDULER_CREDIT2, XEN_SYSCTL_SCHEDOP_putinfo), -EINVAL);
    s->u.sched_credit2.ratelimit_us = 0;
    CHECK_RC(parameters(XEN_SCHEDULER_CREDIT2, XEN_SYSCTL_SCHEDOP_putinfo), 0);
    CHECK_RC(parameters(XEN_SCHEDULER_CREDIT2, 5), -EINVAL);
    s->cpupool_id = 3;
    CHECK_RC(parameters(XEN_SCHEDULER_CREDIT2, XEN_SYSCTL_SCHEDOP_getinfo), -ESRCH);
}

static long pmstat(uint32_t type, uint32_t cpu)
{
    sc.u.get_pmstat.type = type;
    sc.u.get_pmstat.cpuid = cpu;
    return sysctl(XEN_SYSCTL_get_pmstat);
}

static void check_pmstat(void)
{
    static uint64_t triggers[3], residencies[3];
    struct pm_cx_stat *c = &sc.u.get_pmstat.u.getcx;

    memset(&sc, 0, sizeof(sc));
    for (uint32_t type = PMSTAT_PX; type <= PMSTAT_reset_pxstat; type++)
        CHECK_RC(pmstat(type, 0), -ENODEV);
    CHECK_RC(pmstat(PMSTAT_get_max_cx, 99), -EINVAL);
    CHECK_RC(pmstat(PMSTAT_CX, 0), -ENOSYS);
    CHECK_RC(pmstat(PMSTAT_get_max_cx, 0), 0);
    CHECK(c->nr >= 1);
    residencies[2] = triggers[2] = 0x55;
    c->nr = 2;
    set_xen_guest_handle(c->triggers, triggers);
    set_xen_guest_handle(c->residencies, residencies);
    set_xen_guest_handle(c->pc, NULL);
    set_xen_guest_handle(c->cc, NULL);
    c->nr_pc = c->nr_cc = 0;
    CHECK_RC(pmstat(PMSTAT_get_cxstat, vcpu_count() - 1), 0);
    CHECK_EQ(c->nr, 2);
    CHECK_EQ(triggers[2], 0x55);
    CHECK_EQ(residencies[2], 0x55);
}

static long pm_op(uint32_t cmd, uint32_t cpu)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.pm_op.cmd = cmd;
    sc.u.pm_op.cpuid = cpu;
    return sysctl(XEN_SYSCTL_pm_op);
}

static void check_pm_op(void)
{
    CHECK_RC(pm_op(GET_CPUFREQ_PARA, 0), -EINVAL); // no frequency driver
    CHECK_RC(pm_op(SET_CPUFREQ_GOV, 0), -EINVAL);
    CHECK_RC(pm_op(0, 0), -ENOSYS);
    CHECK_RC(pm_op(0x30, 0), -ENOSYS);
    CHECK_RC(pm_op(0x30, 99), -EINVAL);
    CHECK_RC(pm_op(XEN_SYSCTL_pm_op_enable_turbo, 0), -EACCES);
    CHECK_RC(pm_op(XEN_SYSCTL_pm_op_get_max_cstate, 0), 0);
    CHECK(sc.u.pm_op.u.get_max_cstate >= 1);
    sc.u.pm_op.cmd = XEN_SYSCTL_pm_op_set_max_cstate;
    CHECK_RC(sysctl(XEN_SYSCTL_pm_op), 0);
}

static long hotplug(uint32_t op, uint32_t cpu)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.cpu_hotplug.op = op;
    sc.u.cpu_hotplug.cpu = cpu;
    return sysctl(XEN_SYSCTL_cpu_hotplug);
}

static void check_hotplug(void)
{
    CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_ONLINE, 0), -EEXIST);
    CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_ONLINE, 99), -EINVAL);
    CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_OFFLINE, 99), -EINVAL);
    CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_OFFLINE, 0), -EINVAL);
    CHECK_RC(hotplug(XEN_SYSCTL_CPU_HOTPLUG_SMT_ENABLE, 0), -EOPNOTSUPP);
    CHECK_RC(hotplug(4, 0), -EOPNOTSUPP);
}

void test_main(void)
{
    check_scheduler();
    check_pools(XEN_SCHEDULER_CREDIT2);
    check_pmstat();
    check_pm_op();
    check_hotplug();
}
