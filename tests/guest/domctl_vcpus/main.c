// SPDX-License-Identifier: MIT
// The vCPUs of another domain: how many, that each of them runs, and their affinity.
//
// xen ABI: domctl.h max_vcpus "must match the value passed to XEN_DOMCTL_createdomain",
// set/getvcpuaffinity (hard and soft maps, and what is effective), nodeaffinity; vcpu.h initialise
// and up used by the domain itself.
#include "lib/domu.h"

const char test_title[] = "vCPUs of another domain";

static volatile unsigned int up[3];

static void second(void)
{
    up[this_cpu()->id] = this_cpu()->id + 10;
    for (;;)
        hc_sched_op(SCHEDOP_yield, NULL);
}

static void guest(void)
{
    CHECK_EQ(vcpu_count(), 3);
    CHECK_RC(hc_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    CHECK_RC(smp_start(1, second), 0);
    CHECK_RC(smp_start(2, second), 0);
    CHECK_RC(hc_vcpu_op(VCPUOP_up, 3, NULL), -ENOENT);
    CHECK(wait_for(&up[1], 5 * SECOND));
    CHECK(wait_for(&up[2], 5 * SECOND));
    CHECK_RC(evtchn_send(start_info->store_evtchn), 0);
    while (up[0] != 1)
        hc_sched_op(SCHEDOP_yield, NULL);
}

static long max_vcpus(unsigned int dom, unsigned int n)
{
    dc.u.max_vcpus.max = n;
    return domctl(XEN_DOMCTL_max_vcpus, dom);
}

static uint64_t hard, soft;

static long affinity(uint32_t cmd, unsigned int dom, unsigned int vcpu, uint32_t flags)
{
    struct xen_domctl_vcpuaffinity *a = &dc.u.vcpuaffinity;

    *a = (struct xen_domctl_vcpuaffinity){.vcpu = vcpu, .flags = flags};
    a->cpumap_hard.nr_bits = a->cpumap_soft.nr_bits = 64;
    set_xen_guest_handle(a->cpumap_hard.bitmap, (uint8_t *)&hard);
    set_xen_guest_handle(a->cpumap_soft.bitmap, (uint8_t *)&soft);
    return domctl(cmd, dom);
}

static void check_affinity(struct domu *d)
{
    uint64_t all = (1ul << vcpu_count()) - 1;
    const uint32_t both = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT;

    CHECK_RC(affinity(XEN_DOMCTL_getvcpuaffinity, d->id, 0, both), 0);
    CHECK_EQ(hard & all, all);
    hard = 1;
    CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, d->id, 1, XEN_VCPUAFFINITY_HARD), 0);
    CHECK_EQ(hard, 1);
    hard = 0;
    CHECK_RC(affinity(XEN_DOMCTL_getvcpuaffinity, d->id, 1, XEN_VCPUAFFINITY_HARD), 0);
    CHECK_EQ(hard, 1);
    CHECK_RC(affinity(XEN_DOMCTL_getvcpuaffinity, d->id, 0, XEN_VCPUAFFINITY_HARD), 0);
    CHECK_EQ(hard & all, all); // the other's
    soft = all;
    CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, d->id, 1, XEN_VCPUAFFINITY_SOFT), 0);
    CHECK_EQ(soft, 1); // what is effective
    hard = 0;
    CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, d->id, 1, XEN_VCPUAFFINITY_HARD), -EINVAL);
    hard = 1ul << 63; // not there
    CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, d->id, 1, XEN_VCPUAFFINITY_HARD), -EINVAL);
    hard = 1;
    CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, d->id, 1, 0), -EINVAL);
    CHECK_RC(affinity(XEN_DOMCTL_getvcpuaffinity, d->id, 1, 0), -EINVAL);
    CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, d->id, 3, both), -EINVAL);
    CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, d->id, 1u << 31, both), -EINVAL);
    CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, 0x1234, 0, both), -ESRCH);
    hard = all;
    CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, d->id, 1, XEN_VCPUAFFINITY_HARD), 0);
}

static void check_nodes(struct domu *d)
{
    uint64_t map = 0;

    dc.u.nodeaffinity.nodemap.nr_bits = 64;
    set_xen_guest_handle(dc.u.nodeaffinity.nodemap.bitmap, (uint8_t *)&map);
    CHECK_RC(domctl(XEN_DOMCTL_getnodeaffinity, d->id), 0);
    CHECK_EQ(map & 1, 1);
    map = 1;
    CHECK_RC(domctl(XEN_DOMCTL_setnodeaffinity, d->id), 0);
    map = 0;
    CHECK_RC(domctl(XEN_DOMCTL_setnodeaffinity, d->id), -EINVAL);
}

void test_main(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .vcpus = 3});
    unsigned int one = 1;

    CHECK_RC(max_vcpus(d->id, 2), -EINVAL);
    CHECK_RC(max_vcpus(d->id, 4), -EINVAL);
    CHECK_RC(max_vcpus(d->id, 3), 0); // they are there
    CHECK_RC(max_vcpus(d->id, 0), -EINVAL);
    CHECK_RC(max_vcpus(0, 1), -EINVAL);
    CHECK_RC(max_vcpus(0x1234, 1), -ESRCH);
    CHECK_EQ(domain_info(d->id)->max_vcpu_id, 2);
    CHECK_EQ(domain_info(d->id)->nr_online_vcpus, 1);
    check_affinity(d);
    check_nodes(d);
    CHECK_RC(domu_unpause(d), 0);
    CHECK(port_wait(d->port, 10 * SECOND));
    CHECK_EQ(domain_info(d->id)->nr_online_vcpus, 3);
    domu_fetch(d, &up);
    CHECK_EQ(up[1], 11);
    CHECK_EQ(up[2], 12);
    hard = 1ul << (vcpu_count() - 1); // while they run
    for (unsigned int i = 0; i < 3; i++) {
        CHECK_RC(affinity(XEN_DOMCTL_setvcpuaffinity, d->id, i, XEN_VCPUAFFINITY_HARD), 0);
        CHECK(REST_UNTIL((dc.u.getvcpuinfo.vcpu = i, domctl(XEN_DOMCTL_getvcpuinfo, d->id) == 0 &&
                                                         dc.u.getvcpuinfo.cpu == vcpu_count() - 1),
                         5 * SECOND));
    }
    domu_poke(d, (void *)&up[0], &one, sizeof(one));
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    CHECK_RC(domu_destroy(d), 0);
}
