// SPDX-License-Identifier: MIT
// CPU pools: created with each scheduler, given and deprived of CPUs, with domains that run in them
// or move between them, destroyed.
//
// xen ABI: sysctl.h, "Error return values of cpupool operations"; domctl.h, createdomain's and
// getdomaininfo's pool.
//
// SMP: 4
// XEN: skip on QEMU's TCG its operations on pools and CPUs take seconds each, or stall
#include "lib/hogs.h"

const char test_title[] = "CPU pools";

enum { POOL = 7, OTHER = 9 };

static uint8_t pool_cpus(uint32_t id)
{
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, id, 0), 0);
    CHECK_EQ(sc.u.cpupool_op.cpupool_id, id);
    return cpus_out[0];
}

static uint8_t free_cpus(void)
{
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0, 0), 0);
    return cpus_out[0];
}

static uint32_t pool_domains(uint32_t id)
{
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, id, 0), 0);
    return sc.u.cpupool_op.n_dom;
}

// Each scheduler, by number and wherever there is room, and those that do not exist.
static void check_schedulers(void)
{
    static const uint32_t schedulers[] = {XEN_SCHEDULER_CREDIT, XEN_SCHEDULER_CREDIT2};

    for (unsigned int i = 0; i < ARRAY_SIZE(schedulers); i++) {
        CHECK_RC(pool_create(POOL, schedulers[i]), 0);
        CHECK_EQ(sc.u.cpupool_op.cpupool_id, POOL);
        CHECK_EQ(pool_cpus(POOL), 0);
        CHECK_EQ(sc.u.cpupool_op.sched_id, schedulers[i]);
        CHECK_EQ(sc.u.cpupool_op.n_dom, 0);
        CHECK_RC(pool_create(POOL, schedulers[i]), -EEXIST);
        CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, POOL, 0), 0);
        CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, POOL, 0), -ENOENT);
    }
    CHECK(pool_create(POOL, 1) < 0);
    CHECK(pool_create(POOL, 99) < 0);
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, 1, 0), -ENOENT);
}

// INFO gives the pool of that number or the next one.
static void check_list(void)
{
    uint32_t ids[4], n = 0;

    CHECK_RC(pool_create(XEN_SYSCTL_CPUPOOL_PAR_ANY, XEN_SCHEDULER_CREDIT), 0);
    CHECK_EQ(sc.u.cpupool_op.cpupool_id, 1);
    CHECK_RC(pool_create(OTHER, XEN_SCHEDULER_CREDIT), 0);
    for (uint32_t id = 0; n < 4 && pool_op(XEN_SYSCTL_CPUPOOL_OP_INFO, id, 0) == 0;
         id = ids[n++] + 1)
        ids[n] = sc.u.cpupool_op.cpupool_id;
    CHECK_EQ(n, 3);
    CHECK(ids[0] == 0 && ids[1] == 1 && ids[2] == OTHER);
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 1, 0), 0);
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, OTHER, 0), 0);
}

// The oracle says what the header has for something else.
static bool not_member(long rc)
{
    return rc == -ENODEV || rc == -EADDRNOTAVAIL;
}

static void check_cpus(void)
{
    CHECK_RC(pool_create(POOL, XEN_SCHEDULER_CREDIT2), 0);
    CHECK_RC(pool_add_cpu(POOL, 3), -ENODEV); // pool 0's
    CHECK_RC(pool_add_cpu(POOL, 99), -EINVAL);
    CHECK_RC(pool_remove_cpu(POOL, 99), -EINVAL);
    CHECK(not_member(pool_remove_cpu(POOL, 3)));
    CHECK_RC(pool_remove_cpu(0, 3), 0);
    CHECK_EQ(pool_cpus(0), 0x7);
    CHECK_EQ(free_cpus(), 0x8);
    CHECK(not_member(pool_remove_cpu(0, 3)));
    CHECK_RC(pool_add_cpu(33, 3), -ENOENT);
    CHECK_RC(pool_add_cpu(POOL, XEN_SYSCTL_CPUPOOL_PAR_ANY), 0);
    CHECK_EQ(free_cpus(), 0);
    CHECK_EQ(pool_cpus(POOL), 0x8);
    CHECK_RC(pool_add_cpu(POOL, XEN_SYSCTL_CPUPOOL_PAR_ANY), -ENODEV);
    CHECK_RC(pool_add_cpu(0, 3), -ENODEV);
    CHECK_RC(pool_remove_cpu(POOL, XEN_SYSCTL_CPUPOOL_PAR_ANY), 0); // nobody needs its last one
    CHECK_EQ(pool_cpus(POOL), 0);
    CHECK_RC(pool_add_cpu(POOL, 3), 0);
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, POOL, 0), -EBUSY); // it has a CPU
    CHECK_RC(pool_remove_cpu(POOL, 3), 0);
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, POOL, 0), 0);
    CHECK_EQ(free_cpus(), 0x8);
    CHECK_RC(pool_add_cpu(0, 3), 0);
    CHECK_EQ(pool_cpus(0), 0xf);
}

static long create_in(uint32_t pool)
{
    domu_create_args(1);
    dc.u.createdomain.cpupool_id = pool;
    long rc = domctl(XEN_DOMCTL_createdomain, 0);

    if (rc == 0)
        CHECK_RC(domain_kill(dc.domain), 0);
    return rc;
}

static void check_domain(uint32_t scheduler)
{
    CHECK(create_in(POOL) < 0); // there is none
    CHECK_RC(pool_create(POOL, scheduler), 0);
    CHECK(create_in(POOL) < 0); // it has no CPU
    CHECK_RC(pool_remove_cpu(0, 3), 0);
    CHECK_RC(pool_remove_cpu(0, 2), 0);
    CHECK_RC(pool_add_cpu(POOL, 3), 0);
    CHECK_RC(pool_add_cpu(POOL, 2), 0);

    struct domu *d = hog_create(hog, 2, POOL);

    CHECK_EQ(domain_info(d->id)->cpupool, POOL);
    CHECK_EQ(domain_info(0)->cpupool, 0);
    CHECK_EQ(pool_domains(POOL), 1);
    CHECK_EQ(pool_domains(0), 1);
    CHECK_RC(domu_unpause(d), 0);
    CHECK(progresses(d->id));
    CHECK(REST_UNTIL(cpu_of(d->id, 0) >= 2 && cpu_of(d->id, 1) >= 2, SECOND));
    CHECK_RC(hard_affinity(d->id, 0, 0x3), -EINVAL); // none of its pool's
    CHECK_RC(hard_affinity(d->id, 0, 0xc), 0);

    // A CPU is taken away under it, but not the last one; nor does the pool go.
    CHECK_RC(pool_remove_cpu(POOL, 3), 0);
    CHECK(progresses(d->id));
    CHECK(REST_UNTIL(cpu_of(d->id, 0) == 2 && cpu_of(d->id, 1) == 2, SECOND));
    CHECK_RC(pool_remove_cpu(POOL, 2), -EBUSY);
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, POOL, 0), -EBUSY);
    CHECK_RC(pool_add_cpu(POOL, 3), 0);

    // To pool 0 and back, running. An affinity without a CPU of the pool stands aside.
    CHECK_RC(pool_move(d->id, 33), -ENOENT);
    CHECK_RC(pool_move(d->id, 0), 0);
    CHECK_EQ(domain_info(d->id)->cpupool, 0);
    CHECK_EQ(pool_domains(POOL), 0);
    CHECK_EQ(pool_domains(0), 2);
    CHECK(progresses(d->id));
    CHECK(REST_UNTIL(cpu_of(d->id, 0) < 2 && cpu_of(d->id, 1) < 2, SECOND));
    CHECK_RC(pool_move(d->id, POOL), 0);
    CHECK_RC(pool_move(d->id, POOL), 0); // where it is
    CHECK(progresses(d->id));
    CHECK(REST_UNTIL(cpu_of(d->id, 0) >= 2 && cpu_of(d->id, 1) >= 2, SECOND));

    CHECK_RC(domu_destroy(d), 0);
    CHECK(REST_UNTIL(pool_domains(POOL) == 0, 5 * SECOND));
    CHECK_RC(pool_remove_cpu(POOL, 3), 0);
    CHECK_RC(pool_remove_cpu(POOL, 2), 0);
    CHECK_RC(pool_op(XEN_SYSCTL_CPUPOOL_OP_DESTROY, POOL, 0), 0);
    CHECK_RC(pool_add_cpu(0, 2), 0);
    CHECK_RC(pool_add_cpu(0, 3), 0);
}

void test_main(void)
{
    check_schedulers();
    check_list();
    check_cpus();
    check_domain(XEN_SCHEDULER_CREDIT2);
    check_domain(XEN_SCHEDULER_CREDIT);
    CHECK_EQ(pool_cpus(0), 0xf);
    CHECK_EQ(free_cpus(), 0);
}
