// SPDX-License-Identifier: MIT
// CPU pools (sched/pool.h). A CPU is in its pool's mask only while its queue is the pool's: it
// comes into the mask last and leaves it first, so who sees it there with the queue's lock held may
// queue.
#include "sched/pool.h"
#include "abi/errno.h"
#include "cpu/irq.h"
#include "cpu/smp.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "sched/sched.h"

static spinlock_t lock = SPINLOCK_INIT(LOCK_POOLS); // all of these, and membership
static struct sched_pool pools[POOLS_MAX];          // by number; those with a policy exist
static struct cpumask in_pools, offline;

static const struct sched_policy *const policies[] = {&sched_bvt, &sched_credit, &sched_null};

static struct sched_pool *find(u32 id)
{
    return id < POOLS_MAX && pools[id].policy ? &pools[id] : NULL;
}

static void set_up(u32 id, const struct sched_policy *policy)
{
    pools[id] = (struct sched_pool){
        .id = id, .policy = policy, .slice = policy->slice, .allowance = policy->allowance};
}

// All vCPUs look again where they may run. The pools' lock.
static void replace_all(const struct sched_pool *p)
{
    struct domain *d;
    struct vcpu *v;
    for_each_domain (d)
        if (d->pool == p)
            for_each_vcpu (d, v)
                sched_replace(v);
}

static void give_cpu(struct sched_pool *p, u32 cpu)
{
    sched_set_pool(cpu, p);
    cpumask_set(&in_pools, cpu);
    cpumask_set(&p->cpus, cpu);
    smp_raise(cpu, SOFTIRQ_SCHED); // only now may it take from the others
    replace_all(p);                // it may be the only one of some vCPU's affinity
}

static int take_cpu(struct sched_pool *p, u32 cpu)
{
    struct cpumask left = p->cpus;
    cpumask_clear(&left, cpu);
    if (cpumask_empty(&left) && p->domains)
        return -EBUSY;
    cpumask_clear(&p->cpus, cpu);
    sched_set_pool(cpu, NULL);
    cpumask_clear(&in_pools, cpu);
    if (p->domains)
        replace_all(p);
    return 0;
}

void pools_init(const char *name)
{
    const struct sched_policy *policy = NULL;
    for (u32 i = 0; i < ARRAY_SIZE(policies); i++)
        if (strcmp(name, policies[i]->name) == 0)
            policy = policies[i];
    if (!policy && name[0] && strcmp(name, "credit2") != 0)
        printk(LOG_WARN, "sched=%s: there are bvt (also called credit2), credit and null", name);
    set_up(0, policy ? policy : &sched_bvt);
    for_each_cpu (i)
        give_cpu(&pools[0], i);
}

struct sched_pool *pool_enter(u32 id)
{
    spin_lock(&lock);
    struct sched_pool *p = find(id);
    if (p && cpumask_empty(&p->cpus))
        p = NULL;
    if (p)
        p->domains++;
    spin_unlock(&lock);
    return p;
}

void pool_leave(struct sched_pool *p)
{
    spin_lock(&lock);
    p->domains--;
    spin_unlock(&lock);
}

bool pool_info(u32 id, struct sched_pool *out)
{
    spin_lock(&lock);
    while (id < POOLS_MAX && !find(id))
        id++;
    bool found = id < POOLS_MAX;
    if (found)
        *out = pools[id];
    spin_unlock(&lock);
    return found;
}

int pool_create(u32 *id, u32 policy)
{
    const struct sched_policy *found = NULL;
    int rc = 0;
    for (u32 i = 0; i < ARRAY_SIZE(policies); i++)
        if (policies[i]->id == policy)
            found = policies[i];
    if (!found)
        return -EINVAL;
    spin_lock(&lock);
    if (*id == (u32)POOL_ANY)
        for (*id = 1; find(*id); ++*id)
            ;
    else if (find(*id))
        rc = -EEXIST;
    if (rc == 0 && *id >= POOLS_MAX)
        rc = -ENOSPC;
    if (rc == 0)
        set_up(*id, found);
    spin_unlock(&lock);
    return rc;
}

int pool_destroy(u32 id)
{
    spin_lock(&lock);
    struct sched_pool *p = find(id);
    int rc = !p ? -ENOENT : p->domains || !cpumask_empty(&p->cpus) ? -EBUSY : 0;
    if (rc == 0)
        p->policy = NULL;
    spin_unlock(&lock);
    return rc;
}

static struct cpumask free_cpus(void)
{
    struct cpumask m = {0};
    for_each_cpu (i)
        if (!cpumask_test(&in_pools, i) && !cpumask_test(&offline, i))
            cpumask_set(&m, i);
    return m;
}

struct cpumask pool_free_cpus(void)
{
    spin_lock(&lock);
    struct cpumask m = free_cpus();
    spin_unlock(&lock);
    return m;
}

int pool_add_cpu(u32 id, u32 cpu)
{
    spin_lock(&lock);
    struct sched_pool *p = find(id);
    struct cpumask m = free_cpus();
    if (cpu == (u32)POOL_ANY && !cpumask_empty(&m))
        cpu = cpumask_first(&m);
    int rc = !p                       ? -ENOENT
             : cpu == (u32)POOL_ANY   ? -ENODEV
             : cpu >= cpu_count       ? -EINVAL
             : !cpumask_test(&m, cpu) ? -ENODEV
                                      : 0;
    if (rc == 0)
        give_cpu(p, cpu);
    spin_unlock(&lock);
    return rc;
}

int pool_remove_cpu(u32 id, u32 cpu)
{
    spin_lock(&lock);
    struct sched_pool *p = find(id);
    if (p && cpu == (u32)POOL_ANY)
        for_each_cpu_in (&p->cpus, i)
            cpu = i;
    int rc = !p                             ? -ENOENT
             : cpu == (u32)POOL_ANY         ? -ENODEV
             : cpu >= cpu_count             ? -EINVAL
             : !cpumask_test(&p->cpus, cpu) ? -ENODEV
                                            : take_cpu(p, cpu);
    spin_unlock(&lock);
    return rc;
}

int pool_move(struct domain *d, u32 id)
{
    struct vcpu *v;
    spin_lock(&lock);
    struct sched_pool *p = find(id);
    int rc = !p ? -ENOENT : cpumask_empty(&p->cpus) ? -EBUSY : 0;
    if (rc == 0 && p != d->pool) {
        d->pool->domains--;
        p->domains++;
        __atomic_store_n(&d->pool, p, __ATOMIC_RELAXED);
        for_each_vcpu (d, v)
            sched_replace(v);
    }
    spin_unlock(&lock);
    return rc;
}

int pool_set_times(u32 id, u64 slice, u64 allowance)
{
    spin_lock(&lock);
    struct sched_pool *p = find(id);
    if (p) {
        WRITE_ONCE(p->slice, slice);
        WRITE_ONCE(p->allowance, allowance);
    }
    spin_unlock(&lock);
    return p ? 0 : -ENOENT;
}

// --- offline ---

int cpu_offline(u32 cpu)
{
    if (cpu == 0 || cpu >= cpu_count)
        return -EINVAL;
    spin_lock(&lock);
    int rc = cpumask_test(&offline, cpu) ? -EINVAL : 0;
    for (u32 i = 0; i < POOLS_MAX; i++)
        if (pools[i].policy && cpumask_test(&pools[i].cpus, cpu))
            rc = take_cpu(&pools[i], cpu);
    if (rc == 0)
        cpumask_set(&offline, cpu);
    spin_unlock(&lock);
    if (rc == 0)
        irqs_leave(cpu);
    return rc;
}

int cpu_online(u32 cpu)
{
    if (cpu >= cpu_count)
        return -EINVAL;
    spin_lock(&lock);
    int rc = cpumask_test(&offline, cpu) ? 0 : -EEXIST;
    if (rc == 0) {
        cpumask_clear(&offline, cpu);
        give_cpu(&pools[0], cpu);
    }
    spin_unlock(&lock);
    return rc;
}

bool cpu_is_offline(u32 cpu)
{
    return cpumask_test(&offline, cpu);
}
