// SPDX-License-Identifier: MIT
// Wirt's own: parameters of Borrowed Virtual Time, virtual times, what weights and warps come to;
// that soft affinity is followed; that in a null pool who has a CPU keeps it.
//
// abi/wirt.h; docs/scheduling.md.
//
// SMP: 4
// XEN: skip abi/wirt.h is Wirt's own, and how exactly shares are kept is too
#include "lib/hogs.h"
#include "abi/wirt.h"

const char test_title[] = "Borrowed Virtual Time, soft affinity, null pools";

enum { POOL = 5 };

static volatile unsigned int woken;

// Runs for a short while after each event.
static void sleeper(void)
{
    evtchn_port_t port = start_info->store_evtchn;

    port_unmask(port);
    events_enable();
    for (;;) {
        while (event_count[port] == woken)
            hc_sched_op(SCHEDOP_block, NULL);
        woken = event_count[port];
    }
}

// Its second vCPU comes while the first one runs, and has to wait until that blocks.
static volatile unsigned int second_ran, too_early, checked;

static void second(void)
{
    second_ran = 1;
}

static void first(void)
{
    CHECK_RC(smp_start(1, second), 0);
    wait_ns(SECOND / 2);
    too_early = second_ran;
    checked = 1;
    events_disable();
    hc_sched_op(SCHEDOP_block, NULL);
}

static void *bvt(uint32_t cmd)
{
    memset(&dc.u, 0, sizeof(dc.u));
    dc.u.scheduler_op.sched_id = WIRT_SCHEDULER_BVT;
    dc.u.scheduler_op.cmd = cmd;
    return WIRT_SCHED_ARGUMENT(&dc);
}

static long put(struct domu *d, struct wirt_sched_bvt p)
{
    memcpy(bvt(XEN_DOMCTL_SCHEDOP_putinfo), &p, sizeof(p));
    return domctl(XEN_DOMCTL_scheduler_op, d->id);
}

static void check_is(struct domu *d, struct wirt_sched_bvt want)
{
    struct wirt_sched_bvt *p = bvt(XEN_DOMCTL_SCHEDOP_getinfo);

    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, d->id), 0);
    CHECK_EQ(memcmp(p, &want, sizeof(want)), 0);
}

static long vcpu_times(struct domu *d, uint32_t vcpu, struct wirt_sched_vcpu *out)
{
    struct wirt_sched_vcpu *p = bvt(XEN_DOMCTL_SCHEDOP_getvcpuinfo);

    p->vcpu = vcpu;
    long rc = domctl(XEN_DOMCTL_scheduler_op, d->id);
    *out = *p;
    return rc;
}

static long weight(struct domu *d, uint32_t cmd, uint16_t *value)
{
    memset(&dc.u, 0, sizeof(dc.u));
    dc.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    dc.u.scheduler_op.cmd = cmd;
    dc.u.scheduler_op.u.credit2.weight = *value;
    long rc = domctl(XEN_DOMCTL_scheduler_op, d->id);
    *value = dc.u.scheduler_op.u.credit2.weight;
    return rc;
}

static void check_params(struct domu *d)
{
    static const struct wirt_sched_bvt usual = {.mcu_advance = WIRT_MCU_ADVANCE_DEFAULT},
                                       good = {20, 1, 50000, 5000, 100000},
                                       most = {WIRT_MCU_ADVANCE_MAX, 1, WIRT_WARP_MAX_US,
                                               WIRT_WARP_MAX_US, WIRT_WARP_MAX_US},
                                       bad[] = {{0, 0, 0, 0, 0},
                                                {WIRT_MCU_ADVANCE_MAX + 1, 0, 0, 0, 0},
                                                {10, 2, 0, 0, 0},
                                                {10, 1, WIRT_WARP_MAX_US + 1, 0, 0},
                                                {10, 1, 0, WIRT_WARP_MAX_US + 1, 0},
                                                {10, 1, 0, 0, WIRT_WARP_MAX_US + 1},
                                                {10, 1, UINT64_MAX, 0, 0}};
    struct wirt_sched_vcpu v;
    uint16_t w = 0;

    check_is(d, usual);
    CHECK_RC(put(d, good), 0);
    check_is(d, good);
    CHECK_RC(weight(d, XEN_DOMCTL_SCHEDOP_getinfo, &w), 0);
    CHECK_EQ(w, 128);
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_RC(put(d, bad[i]), -EINVAL);
    check_is(d, good);
    CHECK_RC(put(d, most), 0);
    check_is(d, most);
    w = 512;
    CHECK_RC(weight(d, XEN_DOMCTL_SCHEDOP_putinfo, &w), 0);
    check_is(d,
             (struct wirt_sched_bvt){5, 1, WIRT_WARP_MAX_US, WIRT_WARP_MAX_US, WIRT_WARP_MAX_US});
    CHECK_RC(put(d, usual), 0);
    bvt(XEN_DOMCTL_SCHEDOP_putvcpuinfo);
    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, d->id), -EINVAL);
    bvt(99);
    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, d->id), -EINVAL);
    // While it waits it keeps the place that it came with.
    CHECK(REST_UNTIL(vcpu_times(d, 0, &v) == 0 && !v.warped, 5 * SECOND));
    CHECK(v.cpu < 4 && v.ran_ns > 0 && v.evt_ns == v.avt_ns);
    CHECK_RC(vcpu_times(d, 1, &v), -EINVAL);
    CHECK_RC(vcpu_times(d, UINT32_MAX, &v), -EINVAL);
}

// a has two vCPUs on the CPU, b has one: weights are of domains.
static void check_shares(struct domu *a, struct domu *b)
{
    struct wirt_sched_vcpu v;
    unsigned int warped = 0;

    rest(SECOND / 5);
    CHECK(SOON_WITHIN(share(a, b, SECOND), 25, 75));
    CHECK_RC(put(b, (struct wirt_sched_bvt){.mcu_advance = 80}), 0); // 8 to 1
    CHECK(SOON_WITHIN(share(a, b, SECOND), 65, 100));
    // Under warp b comes first, but a warp is borrowed: in the long run nothing changes.
    CHECK_RC(put(b, (struct wirt_sched_bvt){80, 1, 20000, 0, 0}), 0);
    CHECK(SOON_WITHIN(share(a, b, SECOND), 60, 100));
    CHECK_RC(vcpu_times(b, 0, &v), 0);
    CHECK(v.warped && v.evt_ns == v.avt_ns - 20000000);
    // After a millisecond under warp it does without for a second.
    CHECK_RC(put(b, (struct wirt_sched_bvt){10, 1, 20000, 1000, WIRT_WARP_MAX_US}), 0);
    rest(SECOND / 5);
    for (unsigned int i = 0; i < 100; i++) {
        CHECK_RC(vcpu_times(b, 0, &v), 0);
        warped += v.warped;
        rest(5000000);
    }
    printk("%u of 100 times warped\n", warped);
    CHECK(warped <= 95);
}

// A domain that comes when another one has run for long gets its share, and no more.
static void check_newcomer(struct domu *old)
{
    struct domu *d = hog_create(hog, 1, 0);

    CHECK_RC(hard_affinity(d->id, 0, 0x8), 0);
    CHECK_RC(domu_unpause(d), 0);
    rest(SECOND / 10);
    CHECK(SOON_WITHIN(share(old, d, SECOND), 4, 96));
    CHECK_RC(domu_destroy(d), 0);
}

// One that sleeps and wakes up comes to its soft affinity's CPU as long as that is idle.
static void check_soft(struct domu *d)
{
    CHECK_RC(hard_affinity(0, 0, 0x1), 0);
    for (unsigned int cpu = 1; cpu < 4; cpu++) {
        unsigned int there = 0;

        CHECK_RC(affinity(d->id, 0, XEN_VCPUAFFINITY_SOFT, 0, (uint8_t)(1u << cpu)), 0);
        for (unsigned int i = 0; i < 40; i++) {
            CHECK_RC(evtchn_send(d->port), 0);
            dom0_rest(0);
            there += cpu_of(d->id, 0) == cpu;
        }
        printk("%u of 40 times on CPU %u\n", there, cpu);
        CHECK(there >= 15);
    }
    CHECK_RC(affinity(d->id, 0, XEN_VCPUAFFINITY_SOFT, 0, 0xff), 0);
    CHECK_RC(hard_affinity(0, 0, 0xf), 0);
}

static void check_null(void)
{
    CHECK_RC(pool_create(POOL, XEN_SCHEDULER_NULL), 0);
    CHECK_RC(pool_remove_cpu(0, 3), 0);
    CHECK_RC(pool_add_cpu(POOL, 3), 0);

    struct domu *d = hog_create(first, 2, POOL);
    struct wirt_sched_vcpu v;

    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, POOL, 0), 0);
    CHECK_EQ(sc.u.cpupool_op.sched_id, XEN_SCHEDULER_NULL);
    CHECK_RC(vcpu_times(d, 0, &v), -EINVAL); // no virtual time there
    CHECK_RC(put(d, (struct wirt_sched_bvt){.mcu_advance = 10}), -EINVAL);
    memset(&dc.u, 0, sizeof(dc.u));
    dc.u.scheduler_op.sched_id = XEN_SCHEDULER_NULL;
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, d->id), -EINVAL);
    CHECK_RC(domu_unpause(d), 0);
    CHECK(REST_UNTIL((domu_fetch(d, &checked), domu_fetch(d, &second_ran), checked && second_ran),
                     5 * SECOND));
    domu_fetch(d, &too_early);
    CHECK_EQ(too_early, 0);
    CHECK_RC(domu_destroy(d), 0);
    // The domain may leave the pool a moment later.
    CHECK(REST_UNTIL(pool_remove_cpu(POOL, 3) == 0, 5 * SECOND));
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, POOL, 0), 0);
    CHECK_RC(pool_add_cpu(0, 3), 0);
}

void test_main(void)
{
    struct domu *a = hog_create(hog, 2, 0), *b = hog_create(hog, 1, 0), *s;

    for (unsigned int i = 0; i < 2; i++)
        CHECK_RC(hard_affinity(a->id, i, 0x8), 0);
    CHECK_RC(hard_affinity(b->id, 0, 0x8), 0);
    CHECK_RC(domu_unpause(a), 0);
    CHECK_RC(domu_unpause(b), 0);
    CHECK(progresses(b->id));
    check_params(b);
    check_shares(a, b);
    CHECK_RC(domu_destroy(b), 0);
    check_newcomer(a);
    CHECK_RC(domu_destroy(a), 0);
    s = domu_create(sleeper);
    CHECK_RC(domu_unpause(s), 0);
    check_soft(s);
    CHECK_RC(domu_destroy(s), 0);
    check_null();
}
