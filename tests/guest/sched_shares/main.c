// SPDX-License-Identifier: MIT
// Who gets how much, and where: weights, caps, hard affinity. Times are compared with each
// other, never with a clock outside, and the bounds are wide.
//
// xen ABI: domctl.h, struct xen_domctl_scheduler_op, xen_domctl_vcpuaffinity, getdomaininfo
// (cpu_time).
//
// SMP: 1 4
#include "lib/hogs.h"

const char test_title[] = "weights, caps and affinity take effect";

static long put(struct domu *d, uint16_t weight, uint16_t cap)
{
    return params(XEN_SCHEDULER_CREDIT2, XEN_DOMCTL_SCHEDOP_putinfo, d, weight, cap);
}

// Percent of a CPU that the domain gets over so many ns.
static long percent(struct domu *d, uint64_t ns)
{
    uint64_t start = system_time(), before = ran(d->id);

    rest(ns);
    uint64_t got = ran(d->id) - before;
    long result = (long)(got * 100 / (system_time() - start));
    printk("domain %u: %lu%% of a CPU\n", d->id, (unsigned long)result);
    return result;
}

static void check_caps(struct domu *d, unsigned int cpus)
{
    CHECK_RC(put(d, 0, 30), 0);
    rest(SECOND / 10);
    CHECK(SOON_WITHIN(percent(d, SECOND), 5, 80));
    if (cpus > 1) {
        CHECK_RC(put(d, 0, 130), 0);
        rest(SECOND / 2);
        CHECK(SOON_WITHIN(percent(d, SECOND), 40, 180));
    }
    CHECK_RC(put(d, 0, 0), 0);
    CHECK(SOON_WITHIN(percent(d, SECOND), 50, 1000));
}

// How much exactly, is for the model of the scheduler: the oracle has been seen to give the heavier
// one less than half.
static void check_weights(struct domu *a, struct domu *b)
{
    rest(SECOND / 5); // what they did before is forgotten
    CHECK(SOON_WITHIN(share(a, b, SECOND), 10, 90));
    CHECK_RC(put(a, 2048, 0), 0); // 8 to 1
    long more = share(a, b, SECOND);
    CHECK_RC(put(a, 32, 0), 0);
    CHECK(SOON_WITHIN(share(a, b, 2 * SECOND), 0, more - 1));
}

static void check_hard(struct domu *d, unsigned int cpus)
{
    for (unsigned int i = 0; i < 2 * cpus; i++) {
        unsigned int to = i * 3 % cpus;

        CHECK_RC(hard_affinity(d->id, 0, (uint8_t)(1u << to)), 0);
        CHECK(REST_UNTIL(cpu_of(d->id, 0) == to, 5 * SECOND));
        CHECK(progresses(d->id));
        CHECK_EQ(cpu_of(d->id, 0), to);
    }
    CHECK_RC(hard_affinity(d->id, 0, 0), -EINVAL);
    CHECK_RC(hard_affinity(d->id, 0, (uint8_t) ~((1u << cpus) - 1)), -EINVAL);
    CHECK_RC(affinity(d->id, 0, 0, 1, 1), -EINVAL);
    CHECK_RC(hard_affinity(d->id, 0, 0xff), 0);
}

// The answer is what comes of it.
static void check_effective(struct domu *d, unsigned int cpus)
{
    static uint8_t maps[2];
    uint8_t all = (uint8_t)((1u << cpus) - 1);

    CHECK_RC(affinity(d->id, 0, XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT, 0x3, 0x6), 0);
    struct xen_domctl_vcpuaffinity *a = &dc.u.vcpuaffinity;
    memset(&dc.u, 0, sizeof(dc.u));
    a->flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;
    a->cpumap_hard.nr_bits = a->cpumap_soft.nr_bits = 8;
    set_xen_guest_handle(a->cpumap_hard.bitmap, &maps[0]);
    set_xen_guest_handle(a->cpumap_soft.bitmap, &maps[1]);
    CHECK_RC(domctl(XEN_DOMCTL_getvcpuaffinity, d->id), 0);
    CHECK_EQ(maps[0] & all, 0x3 & all); // as they were given
    CHECK_EQ(maps[1] & all, 0x6 & all);
    CHECK_RC(affinity(d->id, 0, XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT, 0xff, 0xff), 0);
}

void test_main(void)
{
    unsigned int cpus = vcpu_count();
    uint8_t last = (uint8_t)(1u << (cpus - 1));
    struct domu *a = hog_create(hog, cpus > 1 ? 2 : 1, 0), *b;

    CHECK_RC(domu_unpause(a), 0);
    CHECK(progresses(a->id));
    check_caps(a, cpus);
    check_hard(a, cpus);
    check_effective(a, cpus);
    CHECK_RC(domu_destroy(a), 0);
    a = hog_create(hog, 1, 0);
    b = hog_create(hog, 1, 0);
    CHECK_RC(hard_affinity(a->id, 0, last), 0);
    CHECK_RC(hard_affinity(b->id, 0, last), 0);
    CHECK_RC(domu_unpause(a), 0);
    CHECK_RC(domu_unpause(b), 0);
    check_weights(a, b);
    CHECK_RC(domu_destroy(a), 0);
    CHECK_RC(domu_destroy(b), 0);
}
