// SPDX-License-Identifier: MIT
// Parameters of the schedulers that the tools know: what is out of range is refused and changes
// nothing, what is in range is read back.
//
// xen ABI: domctl.h, struct xen_domctl_scheduler_op; sysctl.h, struct xen_sysctl_scheduler_op, the
// constants beside it.
//
// SMP: 1
// ALSO: sched=credit
#include "lib/hogs.h"

const char test_title[] = "parameters of the schedulers";

enum { NO_CAP = UINT16_MAX };

static long put(uint32_t scheduler, struct domu *d, uint16_t weight, uint16_t cap)
{
    return params(scheduler, XEN_DOMCTL_SCHEDOP_putinfo, d, weight, cap);
}

static void check_is(uint32_t scheduler, struct domu *d, uint16_t weight, uint16_t cap)
{
    CHECK_RC(params(scheduler, XEN_DOMCTL_SCHEDOP_getinfo, d, 0, 0), 0);
    CHECK_EQ(dc.u.scheduler_op.u.credit2.weight, weight);
    CHECK_EQ(dc.u.scheduler_op.u.credit2.cap, cap);
}

static void check_domain(uint32_t scheduler, struct domu *d)
{
    check_is(scheduler, d, 256, 0);
    CHECK_RC(put(scheduler, d, 1, 0), 0);
    check_is(scheduler, d, 1, 0);
    CHECK_RC(put(scheduler, d, 65535, 30), 0);
    check_is(scheduler, d, 65535, 30);
    CHECK_RC(put(scheduler, d, 0, 30), 0); // the weight as it is
    check_is(scheduler, d, 65535, 30);
    // Credit takes no cap for the one there is, Credit2 for one that is too high.
    CHECK_RC(put(scheduler, d, 0, NO_CAP), scheduler == XEN_SCHEDULER_CREDIT ? 0 : -EINVAL);
    check_is(scheduler, d, 65535, 30);
    CHECK_RC(put(scheduler, d, 0, 200), 0); // it has two vCPUs
    check_is(scheduler, d, 65535, 200);
    CHECK_RC(put(scheduler, d, 512, 0), 0);
    check_is(scheduler, d, 512, 0);
    CHECK_RC(params(scheduler, XEN_DOMCTL_SCHEDOP_putvcpuinfo, d, 0, 0), -EINVAL);
    CHECK_RC(params(scheduler, XEN_DOMCTL_SCHEDOP_getvcpuinfo, d, 0, 0), -EINVAL);
    CHECK_RC(params(scheduler, 99, d, 0, 0), -EINVAL);
    for (uint32_t id = XEN_SCHEDULER_CREDIT; id <= XEN_SCHEDULER_NULL + 1; id++)
        if (id != scheduler)
            CHECK_RC(put(id, d, 100, 0), -EINVAL);
    check_is(scheduler, d, 512, 0);
    CHECK_RC(put(scheduler, d, 256, 0), 0);
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, 0x1234), -ESRCH);
}

static long pool_params(uint32_t scheduler, uint32_t pool, uint32_t cmd)
{
    sc.u.scheduler_op.cpupool_id = pool;
    sc.u.scheduler_op.sched_id = scheduler;
    sc.u.scheduler_op.cmd = cmd;
    return sysctl(XEN_SYSCTL_scheduler_op);
}

static long put_ratelimit(uint32_t us)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.scheduler_op.u.sched_credit2.ratelimit_us = us;
    return pool_params(XEN_SCHEDULER_CREDIT2, 0, XEN_SYSCTL_SCHEDOP_putinfo);
}

static uint32_t ratelimit(void)
{
    CHECK_RC(pool_params(XEN_SCHEDULER_CREDIT2, 0, XEN_SYSCTL_SCHEDOP_getinfo), 0);
    return sc.u.scheduler_op.u.sched_credit2.ratelimit_us;
}

static void check_credit2_pool(void)
{
    uint32_t before = ratelimit();

    CHECK(before == 1000 || before == 750); // Xen's, and what suits BVT's slices
    CHECK_RC(put_ratelimit(XEN_SYSCTL_SCHED_RATELIMIT_MIN - 1), -EINVAL);
    CHECK_RC(put_ratelimit(XEN_SYSCTL_SCHED_RATELIMIT_MAX + 1), -EINVAL);
    CHECK_RC(put_ratelimit(UINT32_MAX), -EINVAL);
    CHECK_EQ(ratelimit(), before);
    CHECK_RC(put_ratelimit(XEN_SYSCTL_SCHED_RATELIMIT_MIN), 0);
    CHECK_EQ(ratelimit(), XEN_SYSCTL_SCHED_RATELIMIT_MIN);
    CHECK_RC(put_ratelimit(XEN_SYSCTL_SCHED_RATELIMIT_MAX), 0);
    CHECK_EQ(ratelimit(), XEN_SYSCTL_SCHED_RATELIMIT_MAX);
    CHECK_RC(put_ratelimit(0), 0);
    CHECK_EQ(ratelimit(), 0);
    CHECK_RC(put_ratelimit(before), 0);
}

static long put_credit(uint32_t tslice_ms, uint32_t ratelimit_us)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.scheduler_op.u.sched_credit.tslice_ms = tslice_ms;
    sc.u.scheduler_op.u.sched_credit.ratelimit_us = ratelimit_us;
    return pool_params(XEN_SCHEDULER_CREDIT, 0, XEN_SYSCTL_SCHEDOP_putinfo);
}

static void check_credit_is(uint32_t tslice_ms, uint32_t ratelimit_us)
{
    CHECK_RC(pool_params(XEN_SCHEDULER_CREDIT, 0, XEN_SYSCTL_SCHEDOP_getinfo), 0);
    CHECK_EQ(sc.u.scheduler_op.u.sched_credit.tslice_ms, tslice_ms);
    CHECK_EQ(sc.u.scheduler_op.u.sched_credit.ratelimit_us, ratelimit_us);
}

static void check_credit_pool(void)
{
    check_credit_is(30, 1000);
    CHECK_RC(put_credit(XEN_SYSCTL_CSCHED_TSLICE_MIN - 1, 0), -EINVAL);
    CHECK_RC(put_credit(XEN_SYSCTL_CSCHED_TSLICE_MAX + 1, 0), -EINVAL);
    CHECK_RC(put_credit(30, XEN_SYSCTL_SCHED_RATELIMIT_MIN - 1), -EINVAL);
    CHECK_RC(put_credit(30, XEN_SYSCTL_SCHED_RATELIMIT_MAX + 1), -EINVAL);
    CHECK_RC(put_credit(10, 10001), -EINVAL); // more than a slice
    check_credit_is(30, 1000);
    CHECK_RC(put_credit(XEN_SYSCTL_CSCHED_TSLICE_MAX, 2000), 0);
    check_credit_is(XEN_SYSCTL_CSCHED_TSLICE_MAX, 2000);
    CHECK_RC(put_credit(XEN_SYSCTL_CSCHED_TSLICE_MIN, 0), 0);
    check_credit_is(XEN_SYSCTL_CSCHED_TSLICE_MIN, 0);
    for (uint32_t cmd = XEN_SYSCTL_SCHEDOP_putinfo; cmd <= XEN_SYSCTL_SCHEDOP_getinfo; cmd++) {
        CHECK_RC(pool_params(XEN_SCHEDULER_CREDIT2, 0, cmd), -EINVAL);
        CHECK_RC(pool_params(XEN_SCHEDULER_CREDIT, 3, cmd), -ESRCH);
    }
}

void test_main(void)
{
    struct domu *d = hog_create(hog, 2, 0);

    memset(&sc, 0, sizeof(sc));
    CHECK_RC(sysctl(XEN_SYSCTL_sched_id), 0);
    uint32_t scheduler = sc.u.sched_id.sched_id;
    check_domain(scheduler, d);
    if (scheduler == XEN_SCHEDULER_CREDIT2) {
        CHECK_RC(put(scheduler, d, 0, 201), -EINVAL); // it has two vCPUs
        check_is(scheduler, d, 256, 0);
        check_credit2_pool();
    } else {
        CHECK_EQ(scheduler, XEN_SCHEDULER_CREDIT);
        check_credit_pool();
    }
    CHECK_RC(domu_destroy(d), 0);
}
