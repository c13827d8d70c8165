// SPDX-License-Identifier: MIT
// For tests of the scheduler: domUs that use all the CPU time they get, CPU pools and affinity.
#ifndef GUEST_HOGS_H
#define GUEST_HOGS_H

#include "lib/domu.h"

static volatile unsigned int hogs_stop;

static void hog_spin(void)
{
    while (!hogs_stop)
        asm volatile("pause");
}

// A domU's function: all its vCPUs spin, for ever unless hogs_stop is poked.
static inline void hog(void)
{
    unsigned int n = vcpu_count();

    for (unsigned int i = 1; i < n; i++)
        CHECK_RC(smp_start(i, hog_spin), 0);
    hog_spin();
}

static unsigned int hogs_pool;

static inline void hogs_set_pool(struct xen_domctl_createdomain *args)
{
    args->cpupool_id = hogs_pool;
}

// Created in the pool, paused.
static inline struct domu *hog_create(void (*main)(void), unsigned int vcpus, unsigned int pool)
{
    hogs_pool = pool;
    return domu_create_with(
        &(struct domu_config){.main = main, .vcpus = vcpus, .limits = hogs_set_pool});
}

// struct xen_domctl_sched_credit is laid out alike.
static inline long params(uint32_t scheduler, uint32_t cmd, struct domu *d, uint16_t weight,
                          uint16_t cap)
{
    memset(&dc.u, 0, sizeof(dc.u));
    dc.u.scheduler_op.sched_id = scheduler;
    dc.u.scheduler_op.cmd = cmd;
    dc.u.scheduler_op.u.credit2.weight = weight;
    dc.u.scheduler_op.u.credit2.cap = cap;
    return domctl(XEN_DOMCTL_scheduler_op, d->id);
}

static inline void rest(uint64_t ns)
{
    (void)REST_UNTIL(false, ns);
}

// ---- pools -----------------------------------------------------------------------------------

static uint8_t cpus_out[8];

static inline long pool_op(uint32_t op, uint32_t id, uint32_t cpu)
{
    memset(&sc, 0, sizeof(sc));
    memset(cpus_out, 0, sizeof(cpus_out));
    sc.u.cpupool_op.op = op;
    sc.u.cpupool_op.cpupool_id = id;
    sc.u.cpupool_op.cpu = cpu;
    sc.u.cpupool_op.cpumap.nr_bits = 64;
    set_xen_guest_handle(sc.u.cpupool_op.cpumap.bitmap, cpus_out);
    return sysctl(XEN_SYSCTL_cpupool_op);
}

static inline long pool_create(uint32_t id, uint32_t scheduler)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_CREATE;
    sc.u.cpupool_op.cpupool_id = id;
    sc.u.cpupool_op.sched_id = scheduler;
    return sysctl(XEN_SYSCTL_cpupool_op);
}

// The oracle answers -EBUSY while the CPU is being vacated.
static inline long pool_remove_cpu(uint32_t id, uint32_t cpu)
{
    long rc;

    (void)REST_UNTIL((rc = pool_op(XEN_SYSCTL_CPUPOOL_OP_RMCPU, id, cpu)) != -EAGAIN, SECOND);
    return rc;
}

static inline long pool_add_cpu(uint32_t id, uint32_t cpu)
{
    return pool_op(XEN_SYSCTL_CPUPOOL_OP_ADDCPU, id, cpu);
}

static inline long pool_move(unsigned int dom, uint32_t id)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN;
    sc.u.cpupool_op.cpupool_id = id;
    sc.u.cpupool_op.domid = dom;
    return sysctl(XEN_SYSCTL_cpupool_op);
}

// ---- affinity ----------------------------------------------------------------------------------

static inline long affinity(unsigned int dom, unsigned int vcpu, uint32_t flags, uint8_t hard,
                            uint8_t soft)
{
    static uint8_t maps[2];
    struct xen_domctl_vcpuaffinity *a = &dc.u.vcpuaffinity;

    maps[0] = hard, maps[1] = soft;
    memset(&dc.u, 0, sizeof(dc.u));
    a->vcpu = vcpu;
    a->flags = flags;
    a->cpumap_hard.nr_bits = a->cpumap_soft.nr_bits = 8;
    set_xen_guest_handle(a->cpumap_hard.bitmap, &maps[0]);
    set_xen_guest_handle(a->cpumap_soft.bitmap, &maps[1]);
    return domctl(XEN_DOMCTL_setvcpuaffinity, dom);
}

static inline long hard_affinity(unsigned int dom, unsigned int vcpu, uint8_t cpus)
{
    return affinity(dom, vcpu, XEN_VCPUAFFINITY_HARD, cpus, 0);
}

static inline unsigned int cpu_of(unsigned int dom, unsigned int vcpu)
{
    dc.u.getvcpuinfo.vcpu = vcpu;
    REQUIRE(domctl(XEN_DOMCTL_getvcpuinfo, dom) == 0);
    return dc.u.getvcpuinfo.cpu;
}

static inline uint64_t ran(unsigned int dom)
{
    const struct xen_domctl_getdomaininfo *info = domain_info(dom);

    REQUIRE(info != NULL);
    return info->cpu_time;
}

// Percent that a gets of what both get.
static inline long share(struct domu *a, struct domu *b, uint64_t ns)
{
    uint64_t a0 = ran(a->id), b0 = ran(b->id);

    rest(ns);
    uint64_t a1 = ran(a->id) - a0, b1 = ran(b->id) - b0;
    long result = (long)(a1 * 100 / (a1 + b1 + 1));
    printk("domain %u gets %lu%% of both: %lu and %lu ms\n", a->id, (unsigned long)result,
           a1 / 1000000, b1 / 1000000);
    return result;
}

// A host that stops the machine for a moment spoils a measurement: some more are made.
#define SOON_WITHIN(measure, low, high)                                   \
    ({                                                                    \
        long got_ = measure;                                              \
        for (int i_ = 0; i_ < 5 && (got_ < (low) || got_ > (high)); i_++) \
            got_ = measure;                                               \
        got_ >= (low) && got_ <= (high);                                  \
    })

// It runs: it is given CPU time.
static inline bool progresses(unsigned int dom)
{
    uint64_t before = ran(dom);

    return REST_UNTIL(ran(dom) > before + 1000000, 5 * SECOND);
}

#endif
