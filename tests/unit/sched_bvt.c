// SOURCES: $(filter-out %/trace.c,$(wildcard hv/sched/*.c))
// CFLAGS: -fsanitize-coverage=trace-pc -Dsched_yield=hv_sched_yield
// SPDX-License-Identifier: MIT
// Borrowed Virtual Time on one CPU, with the real core, in simulated time. A unit is 1 ms.
#include "unit/sched_world.h"

static struct domain *solo(u32 id, u32 weight)
{
    struct sched_pool *pool = pool_enter(0);
    EXPECT(pool);
    return world_domain(id, pool, 1, weight);
}

// Who has run how long since the last look, in ns.
static u64 ran(u32 dom, u32 vcpu)
{
    struct vcpu_runstate_info r;
    sched_runstate(&world.vcpu[dom][vcpu], &r);
    u64 now = r.time[RUNSTATE_running], before = world.task[dom][vcpu].mark;
    world.task[dom][vcpu].mark = now;
    return now - before;
}

static void needs(u32 dom, u64 units)
{
    world.task[dom][0].left = units * MS;
    world.task[dom][0].act = blocks;
}

static void start(u32 dom)
{
    world_do(0, start_domain, &world.dom[dom]);
}

static void wake(u32 dom)
{
    world_do(0, task_wakes, &world.vcpu[dom][0]);
}

static void pause_vcpu(void *data)
{
    sched_set(data, VCPU_BLOCKED);
}

static void begin(const char *policy, u32 count, u64 slice, u64 allowance)
{
    world_begin(count, policy, 1);
    EXPECT_EQ(pool_set_times(0, slice * MS, allowance * MS), 0);
}

// --- the classic example ---

// Whoever came first, a slice for each.
static void rr_join(struct sched_queue *q, struct sched_entity *e, u64 now, bool woken)
{
    e->key = 0;
}

static void rr_charge(struct sched_queue *q, struct sched_entity *e, u64 time, u64 now)
{
}

static void rr_yield(struct sched_queue *q, struct sched_entity *e)
{
}

static u64 rr_slice(const struct sched_queue *q, const struct sched_entity *e,
                    const struct sched_entity *next)
{
    return q->pool->slice;
}

static const struct sched_policy round_robin = {
    .name = "rr", .join = rr_join, .charge = rr_charge, .yield = rr_yield, .slice_of = rr_slice};

struct example {
    const char *name;
    bool rr;
    u64 warp, served, ends[3]; // units; when P1's interrupt gets the CPU, when each one is done
};

static const struct example examples[] = {
    {"round robin", true, 0, 15, {16, 21, 26}},
    {"BVT, no warp", false, 0, 20, {21, 26, 20}},
    {"BVT, warp 7", false, 7, 10, {11, 26, 21}},
};

// P1 needs 5 units, P2 and P3 need 10. At 6 there is an interrupt for P1, which needs one more.
static void run_example(const void *arg)
{
    const struct example *x = arg;
    static struct sched_pool rr = {.policy = &round_robin};
    u64 served = NEVER, ends[3] = {0};
    begin("bvt", 1, 5, 5);
    if (x->rr) {
        rr.slice = rr.allowance = 5 * MS;
        rr.cpus.w[0] = 1;
        sched_set_pool(0, &rr);
        world_run(0);
    }
    for (u32 i = 0; i < 3; i++) {
        struct domain *d = solo(i, WEIGHT_DEFAULT);
        if (x->rr)
            d->pool = &rr;
        needs(i, i == 0 ? 5 : 10);
    }
    world.dom[0].share.warps = x->warp;
    world.dom[0].share.warp = x->warp * MS;
    for (u32 i = 0; i < 3; i++)
        start(i);
    for (u32 t = 1; t < 40; t++) {
        world_run(t * MS);
        if (t == 6) {
            EXPECT_EQ(world.vcpu[0][0].flags, VCPU_BLOCKED);
            needs(0, 1);
            wake(0);
        }
        for (u32 i = 0; i < 3; i++)
            if (!ends[i] && world.vcpu[i][0].flags && (i || t > 6))
                ends[i] = t;
        if (t > 6 && served == NEVER && world.vcpu[0][0].running)
            served = t;
    }
    printf("# %s: served at %llu, ends at %llu %llu %llu\n", x->name, (unsigned long long)served,
           (unsigned long long)ends[0], (unsigned long long)ends[1], (unsigned long long)ends[2]);
    EXPECT_EQ(served, x->served);
    for (u32 i = 0; i < 3; i++)
        EXPECT_EQ(ends[i], x->ends[i]);
}

static void test_example(void **state)
{
    for (u32 i = 0; i < ARRAY_SIZE(examples); i++)
        isolated(run_example, &examples[i]);
}

// --- single rules ---

static void hog(u32 id, u32 weight)
{
    solo(id, weight);
    start(id);
}

// Domain 1 may warp for a limited time at a time; its weight is next to nothing otherwise.
static void begin_limited(u64 limit_ms)
{
    begin("bvt", 1, 5, 1);
    hog(0, 65535);
    struct domain *d = solo(1, 256);
    d->share.warp = 1000 * MS;
    d->share.warp_limit = limit_ms * MS;
    d->share.unwarp = 10 * MS;
    d->share.warps = true;
    world.task[1][0].act = blocks;
}

// Under warp for 2 of every 12 ms or so.
static void run_limit(const void *arg)
{
    begin_limited(2);
    world.task[1][0].left = 100 * MS;
    start(1);
    for (u32 i = 0; i < 100; i++) {
        u64 end = world.now + 12 * MS;
        for (ran(1, 0); world.now < end;) {
            world_run(world.now + MS / 4);
            if (world.vcpu[1][0].flags == 0 && world.now % (4 * MS) == 0) {
                world_do(0, pause_vcpu, &world.vcpu[1][0]); // sleep gives no warp back
                world_do(0, task_wakes, &world.vcpu[1][0]);
            }
        }
        u64 got = ran(1, 0);
        EXPECT(got <= 4 * MS); // the window may cut two of its times, 2 ms each
    }
    EXPECT(world.vcpu[1][0].runstate.time[RUNSTATE_running] >= 50 * MS);
}

// Who has done without for the unwarp time has the whole limit again: none of its bursts is cut.
static void run_bursts(const void *arg)
{
    begin_limited(3);
    needs(1, 2);
    start(1);
    for (u32 i = 0; i < 50; i++) {
        world_run(world.now + 4 * MS);
        EXPECT_EQ(ran(1, 0), 2 * MS);
        world_run(world.now + 12 * MS);
        needs(1, 2);
        wake(1);
    }
}

// A sleep of a second is worth no more than the allowance.
static void run_sleep(const void *arg)
{
    begin("bvt", 1, 5, 1);
    hog(0, 256);
    solo(1, 256);
    needs(1, 1);
    start(1);
    world_run(1000 * MS);
    world.task[1][0].left = NEVER;
    ran(0, 0);
    ran(1, 0);
    wake(1);
    world_run(1100 * MS);
    u64 first = ran(1, 0);
    EXPECT(first >= 45 * MS && first <= 56 * MS);
    EXPECT_EQ(first + ran(0, 0), 100 * MS);
}

static void yields(struct vcpu *v)
{
    task_of(v)->left = MS;
    sched_yield(v);
}

// Who yields gives its place to its sibling, whoever else is next in line.
static void run_yield(const void *arg)
{
    begin("bvt", 1, 5, 0);
    world_domain(0, pool_enter(0), 2, 256);
    solo(1, 256);
    world.task[0][0].act = yields;
    world.task[0][0].left = MS;
    start(0);
    start(1);
    world_run(world.now + MS + 1);
    EXPECT(world.vcpu[0][1].running);
    world_run(1000 * MS);
    EXPECT(ran(1, 0) >= 400 * MS);
    EXPECT(ran(0, 0) + ran(0, 1) >= 400 * MS);
}

// It is heavy and alone on its CPU: what it lacks is forgotten but for 8 slices of its own.
static void run_alone(const void *arg)
{
    struct cpumask second = {{2}};
    begin("bvt", 2, 5, 1);
    for (u32 i = 0; i < 2; i++)
        world_domain(i, pool_enter(0), 1, i ? 2560 : 256);
    solo(2, 2560);
    world.vcpu[0][0].hard = (struct cpumask){{1}};
    world.vcpu[1][0].hard = world.vcpu[2][0].hard = second;
    for (u32 i = 0; i < 3; i++) {
        if (i == 2)
            world_run(5000 * MS);
        world.vcpu[i][0].cpu = i ? 1 : 0;
        start(i);
    }
    ran(1, 0);
    world_run(6000 * MS);
    u64 first = ran(1, 0);
    EXPECT(first >= 450 * MS && first <= 550 * MS);
}

static void test_rules(void **state)
{
    void (*const rules[])(const void *) = {run_limit, run_bursts, run_sleep, run_yield, run_alone};
    for (u32 i = 0; i < ARRAY_SIZE(rules); i++)
        isolated(rules[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
