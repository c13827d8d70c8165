// SOURCES: $(filter-out %/trace.c,$(wildcard hv/sched/*.c))
// CFLAGS: -fsanitize-coverage=trace-pc -Dsched_yield=hv_sched_yield
// SPDX-License-Identifier: MIT
// The scheduler on a machine in simulated time (unit/sched_world.h): guests that run, block, wake
// each other and yield, and a toolstack that changes everything it can, all at random. Each time
// nothing is left to do before time goes on, everything that sched.c says of its state is checked.
// Then tables of workloads, whose shares of the CPUs must come out.
#include "unit/sched_world.h"
#include <xen/domctl.h>

// --- what must be true whenever every CPU is in a guest or idle ---

static u64 idle_ns(u32 cpu)
{
    u64 times;
    return sched_idle_ns(cpu, &times);
}

static void check_times(const struct vcpu *v)
{
    struct task *t = task_of(v);
    u64 sum = world.now - v->runstate.state_entry_time;
    if (sum > (u64)INT64_MAX)
        world_fail("d%uv%u: state entered in the future", v->dom->id.v, v->id.v);
    for (u32 i = 0; i < 4; i++) {
        if (v->runstate.time[i] < t->seen[i] || v->runstate.time[i] > world.now)
            world_fail("d%uv%u: time in state %u goes back", v->dom->id.v, v->id.v, i);
        t->seen[i] = v->runstate.time[i];
        sum += t->seen[i];
    }
    EXPECT_EQ(sum, world.now - t->born);
    if (!world.chaos && t->on == NO_POINT)
        EXPECT_EQ(t->seen[RUNSTATE_running], t->ran);
}

static void check_place(const struct vcpu *v)
{
    struct cpumask may = sched_allowed(v);
    u32 d = v->dom->id.v, n = v->id.v;
    if (v->running != (v->cpu < cpu_count && cpus[v->cpu].info->current == v))
        world_fail("d%uv%u: running is %u", d, n, v->running);
    if (v->flags && (v->running || v->sched.queued))
        world_fail("d%uv%u: runs with flags %x", d, n, v->flags);
    if (!v->flags && v->running == v->sched.queued)
        world_fail("d%uv%u: lost", d, n);
    if (!v->flags && !cpumask_test(&may, v->cpu))
        world_fail("d%uv%u: is on CPU %u", d, n, v->cpu);
    if (v->sched.queued && !cpus[v->cpu].info->current)
        world_fail("d%uv%u: waits on CPU %u, which idles", d, n, v->cpu);
    if (v->flags & VCPU_CAPPED && !v->dom->share.cap_timer.armed)
        world_fail("d%uv%u: capped for ever", d, n);
    if (v->sched.queued)
        for_each_cpu_in (&may, i)
            if (!cpus[i].info->current)
                world_fail("d%uv%u: waits on CPU %u while CPU %u idles", d, n, v->cpu, i);
}

static void check_all(void)
{
    struct domain *d;
    struct vcpu *v;
    for_each_domain (d) {
        u32 active = 0;
        for_each_vcpu (d, v) {
            check_place(v);
            check_times(v);
            active += !v->flags;
            if (v->sched.queued)
                task_of(v)->longest =
                    MAX(task_of(v)->longest, world.now - v->runstate.state_entry_time);
        }
        EXPECT_EQ(d->share.active, active);
    }
    for_each_cpu (i) {
        const struct world_cpu *c = &world.cpu[i];
        const struct vcpu *cur = cpus[i].info->current;
        u64 busy = c->busy + (cur ? world.now - cur->runstate.state_entry_time : 0);
        if (!world.chaos)
            EXPECT_EQ(busy + idle_ns(i), world.now);
        EXPECT(c->locks_held == 0);
    }
}

// --- random lives ---

static u64 some_ns(void)
{
    return chance((u64)1000 << chance(15)) + 1000;
}

static struct vcpu *some_vcpu(void)
{
    const struct domain *d = &world.dom[chance(world.domains)];
    while (!d->vcpu_count)
        d = &world.dom[(d->id.v + 1u) % world.domains];
    return d->vcpu[chance(d->vcpu_count)];
}

static void lives(struct vcpu *v)
{
    struct task *t = task_of(v);
    t->left = some_ns();
    switch (chance(8)) {
    case 0:
        sched_yield(v);
        break;
    case 1:
        sched_clear(some_vcpu(), VCPU_BLOCKED);
        break;
    case 2:
        sched_clear(some_vcpu(), VCPU_BLOCKED);
        sched_clear(some_vcpu(), VCPU_BLOCKED);
        sched_set(v, VCPU_BLOCKED);
        timer_set(&t->sleep, time_now() + some_ns());
        break;
    case 3:
    case 4:
        sched_set(v, VCPU_BLOCKED);
        timer_set(&t->sleep, time_now() + some_ns());
        break;
    case 5: // an event is there already
        sched_set(v, VCPU_BLOCKED);
        sched_clear(v, VCPU_BLOCKED);
        break;
    }
}

static void create_domain(u32 id)
{
    struct sched_pool *pool = pool_enter((u32)chance(3));
    if (!pool)
        pool = pool_enter(0);
    if (!pool)
        return;
    struct domain *d = world_domain(id, pool, 1 + (u32)chance(WORLD_VCPUS), WEIGHT_DEFAULT);
    struct vcpu *v;
    for_each_vcpu (d, v) {
        task_of(v)->act = lives;
        task_of(v)->left = some_ns();
        sched_clear(v, VCPU_DOWN);
    }
}

// Down for ever. What it consists of goes when no CPU looks at it any more.
static void kill_domain(struct domain *d)
{
    struct vcpu *v;
    for_each_vcpu (d, v)
        sched_set(v, VCPU_DOWN);
}

static void end_domain(struct domain *d)
{
    struct vcpu *v;
    for_each_vcpu (d, v)
        timer_stop(&task_of(v)->sleep);
    timer_stop(&d->share.cap_timer);
    pool_leave(d->pool);
    d->vcpu_count = 0;
}

static void change_domain(struct domain *d)
{
    struct sched_share *s = &d->share;
    u32 weight = 1u << chance(16);
    struct vcpu *v;
    switch (chance(7)) {
    case 0:
        WRITE_ONCE(s->weight, weight);
        WRITE_ONCE(s->advance, (u32)ADVANCE_MAX / weight);
        break;
    case 1:
        cap_set(d, chance(2) ? 0 : 1 + (u32)chance(200));
        break;
    case 2:
        WRITE_ONCE(s->warp, chance(50) * MS);
        WRITE_ONCE(s->warp_limit, chance(2) ? 0 : chance(20) * MS);
        WRITE_ONCE(s->unwarp, chance(100) * MS);
        WRITE_ONCE(s->warps, chance(2));
        break;
    case 3: {
        bool stop = chance(2);
        for_each_vcpu (d, v) {
            if (stop)
                sched_set(v, VCPU_PAUSED);
            else
                sched_clear(v, VCPU_PAUSED);
        }
        break;
    }
    case 4:
    case 5:
        (void)!pool_move(d, (u32)chance(3));
        break;
    case 6:
        if (d->id.v)
            kill_domain(d);
    }
}

static void change_pools(void)
{
    u32 id = 1 + (u32)chance(2), any = (u32)POOL_ANY;
    u32 cpu = chance(4) ? (u32)chance(cpu_count) : any;
    switch (chance(8)) {
    case 0: {
        static const u32 kinds[] = {XEN_SCHEDULER_CREDIT2, XEN_SCHEDULER_CREDIT,
                                    XEN_SCHEDULER_NULL};
        (void)!pool_create(&id, kinds[chance(3)]);
        break;
    }
    case 1:
        (void)!pool_destroy(id);
        break;
    case 2:
    case 3:
        (void)!pool_add_cpu((u32)chance(3), cpu);
        break;
    case 4:
    case 5:
        (void)!pool_remove_cpu((u32)chance(3), cpu);
        break;
    case 6:
        (void)!cpu_offline((u32)chance(cpu_count));
        break;
    case 7:
        (void)!cpu_online((u32)chance(cpu_count));
    }
}

static void change_affinity(struct vcpu *v)
{
    struct cpumask hard = cpumask_all, soft = cpumask_all;
    if (chance(4))
        hard.w[0] = chance(1u << cpu_count);
    if (chance(2))
        soft.w[0] = chance(1u << cpu_count);
    (void)!sched_set_affinity(v, &hard, &soft);
}

static void toolstack(void *arg)
{
    struct vcpu *v = some_vcpu();
    switch (chance(8)) {
    case 0:
    case 1:
        change_affinity(v);
        break;
    case 2:
    case 3:
        change_pools();
        break;
    case 4:
    case 5:
        change_domain(v->dom);
        break;
    case 6:
        sched_clear(v, VCPU_BLOCKED);
        break;
    case 7:
        if (chance(2))
            (void)!pool_set_times((u32)chance(3), (1 + chance(30)) * MS, chance(5) * MS / 2);
    }
    u32 id = (u32)chance(6);
    if (!world.dom[id].vcpu_count)
        create_domain(id);
}

static void settled(void)
{
    struct domain *d;
    check_all();
    for_each_domain (d)
        if (d->id.v && d->vcpu[0]->flags & VCPU_DOWN) // one stays
            end_domain(d);
}

static u64 every;

static void now_and_then(void)
{
    world.external_at = world.now + chance(every);
    u32 cpu = (u32)chance(cpu_count);
    if (!world.cpu[cpu].op)
        world_on(cpu, toolstack, NULL);
}

struct lives {
    const char *policy;
    u32 cpus;
    bool chaos;
    u32 spread;
    u64 seed, ms, every;
};

static void run_lives(const void *arg)
{
    const struct lives *x = arg;
    world_begin(x->cpus, x->policy, x->seed);
    world.chaos = x->chaos;
    world.spread = x->spread;
    world.settled = settled;
    for (u32 i = 0; i < 6; i++)
        create_domain(i);
    every = x->every;
    world.external = now_and_then;
    world_run(x->ms * MS);
    if (getenv("WORLD_VERBOSE"))
        printf("# %s, %u CPUs, %llu schedules, %llu switches at %llu points\n", x->policy, x->cpus,
               (unsigned long long)world.runs, (unsigned long long)world.switches,
               (unsigned long long)world.points);
}

static const char *const policies[] = {"bvt", "credit", "null"};
static const u32 counts[] = {1, 2, 3, 4, 8};

static u64 first_seed(void)
{
    const char *seed = getenv("SEED");
    return seed ? strtoull(seed, NULL, 0) : 1;
}

static u64 seeds(u64 normally)
{
    const char *n = getenv("SEEDS");
    return n ? strtoull(n, NULL, 0) : normally;
}

static void all_lives(struct lives x, u64 n)
{
    for (u32 p = 0; p < ARRAY_SIZE(policies); p++)
        for (u32 c = 0; c < ARRAY_SIZE(counts); c++)
            for (x.seed = first_seed(); x.seed < first_seed() + n; x.seed++) {
                x.policy = policies[p];
                x.cpus = counts[c];
                if (getenv("WORLD_VERBOSE"))
                    printf("# %s %u CPUs seed %llu\n", x.policy, x.cpus,
                           (unsigned long long)x.seed);
                isolated(run_lives, &x);
            }
}

static void test_lives(void **state)
{
    all_lives((struct lives){.ms = 500, .every = MS}, seeds(2));
}

// The same with several CPUs in the scheduler at a time.
static void test_interleaved(void **state)
{
    all_lives((struct lives){.chaos = true, .spread = 8, .ms = 20, .every = MS / 10}, seeds(10));
}

// --- shares ---

enum { GUESTS = 12 };

// Domains that compete, and what each must have of the CPUs (0: whatever).
struct shares {
    const char *name, *policy;
    u32 cpus, tolerance; // thousandths
    struct guest {
        u32 vcpus, weight, share, cap; // share: thousandths of a CPU
        u64 run, sleep;                // each vCPU's, ns at the most; 0: it runs for ever
        u64 hard;                      // CPUs; 0: all
    } guest[GUESTS];
};

static const struct guest *guest_of(const struct vcpu *v);

static void runs_and_sleeps(struct vcpu *v)
{
    const struct guest *g = guest_of(v);
    task_of(v)->left = g->run / 2 + chance(g->run);
    sched_set(v, VCPU_BLOCKED);
    timer_set(&task_of(v)->sleep, time_now() + g->sleep / 2 + chance(g->sleep));
}

static const struct shares *shares;

static const struct guest *guest_of(const struct vcpu *v)
{
    return &shares->guest[v->dom->id.v];
}

static u64 ran(const struct domain *d)
{
    u64 sum = 0;
    struct vcpu *v;
    for_each_vcpu (d, v) {
        struct vcpu_runstate_info r;
        sched_runstate(v, &r);
        sum += r.time[RUNSTATE_running];
    }
    return sum;
}

static void begin_shares(const struct shares *x)
{
    shares = x;
    world_begin(x->cpus, x->policy, 7);
    world.settled = check_all;
    for (u32 i = 0; i < GUESTS && x->guest[i].vcpus; i++) {
        const struct guest *g = &x->guest[i];
        struct domain *d = world_domain(i, pool_enter(0), g->vcpus, g->weight);
        struct vcpu *v;
        cap_set(d, g->cap);
        for_each_vcpu (d, v) {
            if (g->run) {
                task_of(v)->act = runs_and_sleeps;
                task_of(v)->left = g->run;
            }
            if (g->hard)
                v->hard = (struct cpumask){{g->hard}};
            sched_clear(v, VCPU_DOWN);
            sched_replace(v);
        }
    }
}

// How long a vCPU of d may have to wait under BVT. When it begins to wait it is at most LAG of its
// own running ahead of its queue's time; whoever comes to the queue is at most LAG of its own
// behind it. So each other runs, before d's is the first, for no more than what brings it from
// there to where d's stands, and the slice that it has then begun.
static u64 wait_bound(const struct domain *d)
{
    const u64 lag = 40 * MS, slice = 5 * MS;
    u64 sum = 0, rate = (u64)d->share.advance * d->vcpu_count;
    struct domain *u;
    for_each_domain (u)
        sum += u->vcpu_count * (lag + lag * rate / (u->share.advance * u->vcpu_count) + slice);
    return sum;
}

static bool was_fair(const struct shares *x, const struct domain *d, u64 had, u64 window)
{
    const struct guest *g = &x->guest[d->id.v];
    u64 want = window / 1000 * g->share, off = had > want ? had - want : want - had, longest = 0;
    struct vcpu *v;
    for_each_vcpu (d, v)
        longest = MAX(longest, task_of(v)->longest);
    bool waits = strcmp(x->policy, "bvt") == 0 && longest > wait_bound(d);
    bool bad = waits || (g->share && off * 1000 > want * x->tolerance);
    if (bad || getenv("WORLD_VERBOSE"))
        printf("# %s: domain %u had %llu, wants %u; waited up to %llu of %llu us\n", x->name,
               d->id.v, (unsigned long long)(had * 1000 / window), g->share,
               (unsigned long long)longest / 1000, (unsigned long long)wait_bound(d) / 1000);
    return !bad;
}

static void run_shares(const void *arg)
{
    const struct shares *x = arg;
    const u64 window = 10000 * MS;
    u64 before[GUESTS] = {0};
    bool fair = true;
    begin_shares(x);
    world_run(1000 * MS);
    for (u32 i = 0; i < world.domains; i++)
        before[i] = ran(&world.dom[i]);
    world_run(world.now + window);
    for (u32 i = 0; i < world.domains; i++)
        fair &= was_fair(x, &world.dom[i], ran(&world.dom[i]) - before[i], window);
    EXPECT(fair);
}

#define G(v, w, s, ...)                                  \
    {                                                    \
        .vcpus = v, .weight = w, .share = s, __VA_ARGS__ \
    }
static const struct shares tables[] = {
    {"1:2:4:8", "bvt", 1, 10, {G(1, 128, 67), G(1, 256, 133), G(1, 512, 267), G(1, 1024, 533)}},
    {"1 vCPU and 4", "bvt", 1, 10, {G(1, 256, 500), G(4, 256, 500)}},
    {"equal, 3 on 2", "bvt", 2, 10, {G(1, 256, 667), G(1, 256, 667), G(1, 256, 667)}},
    {"equal, 5 on 4",
     "bvt",
     4,
     10,
     {G(1, 256, 800), G(1, 256, 800), G(1, 256, 800), G(1, 256, 800), G(1, 256, 800)}},
    {"equal, 7 on 4",
     "bvt",
     4,
     10,
     {G(1, 256, 571), G(1, 256, 571), G(1, 256, 571), G(1, 256, 571), G(1, 256, 571),
      G(1, 256, 571), G(1, 256, 571)}},
    {"2:1:1 on 2", "bvt", 2, 10, {G(1, 512, 1000), G(1, 256, 500), G(1, 256, 500)}},
    {"3:2:2:1 on 2",
     "bvt",
     2,
     10,
     {G(1, 768, 750), G(1, 512, 500), G(1, 512, 500), G(1, 256, 250)}},
    {"infeasible 8:1:1 on 2", "bvt", 2, 20, {G(1, 2048, 1000), G(1, 256, 500), G(1, 256, 500)}},
    {"infeasible 8:1:1:1 on 2",
     "bvt",
     2,
     20,
     {G(1, 2048, 1000), G(1, 256, 333), G(1, 256, 333), G(1, 256, 333)}},
    {"4 and 1 vCPUs on 2", "bvt", 2, 10, {G(4, 256, 1000), G(1, 256, 1000)}},
    {"4, 2 and 1 vCPUs on 4", "bvt", 4, 10, {G(4, 256, 1500), G(2, 256, 1500), G(1, 256, 1000)}},
    {"4, 4, 2 on 4, 1:2:1", "bvt", 4, 10, {G(4, 256, 1000), G(4, 512, 2000), G(2, 256, 1000)}},
    {"8 weights on 4",
     "bvt",
     4,
     10,
     {G(1, 100, 182), G(1, 200, 364), G(1, 300, 545), G(1, 400, 727), G(1, 100, 182),
      G(1, 200, 364), G(2, 400, 727), G(2, 500, 909)}},
    {"sleepers beside a hog",
     "bvt",
     1,
     20,
     {G(1, 256, 500), G(2, 256, 500, .run = 2 * MS, .sleep = MS / 100)}},
    {"sleepers, hogs, 4 CPUs",
     "bvt",
     4,
     150,
     {G(4, 256, 1333), G(4, 256, 1333), G(4, 256, 1333, .run = 3 * MS, .sleep = MS / 50)}},
    {"pinned beside free",
     "bvt",
     2,
     10,
     {G(1, 256, 500, .hard = 1), G(1, 256, 500, .hard = 1), G(1, 256, 1000)}},
    {"only far ones may help",
     "bvt",
     3,
     10,
     {G(1, 32, 500, .hard = 2), G(1, 32, 500, .hard = 2), G(1, 256, 667, .hard = 5),
      G(1, 256, 667, .hard = 5), G(1, 256, 667, .hard = 5)}},
    {"cap 30", "bvt", 1, 10, {G(1, 256, 300, .cap = 30), G(1, 256, 700)}},
    {"cap 30 alone", "bvt", 1, 10, {G(1, 256, 300, .cap = 30)}},
    {"cap 50 of 4 vCPUs", "bvt", 4, 10, {G(4, 256, 500, .cap = 50)}},
    {"cap 150 of 4 vCPUs", "bvt", 4, 10, {G(4, 256, 1500, .cap = 150)}},
    {"cap 150 of 2 vCPUs", "bvt", 2, 10, {G(2, 256, 1500, .cap = 150)}},
    {"cap 150 of 4 vCPUs, busy", "bvt", 4, 10, {G(4, 256, 1500, .cap = 150), G(4, 256, 2500)}},
    {"cap 20 credit", "credit", 1, 10, {G(1, 256, 200, .cap = 20), G(1, 256, 800)}},
    {"credit 1:2:4:8",
     "credit",
     1,
     30,
     {G(1, 128, 67), G(1, 256, 133), G(1, 512, 267), G(1, 1024, 533)}},
    {"null keeps", "null", 1, 10, {G(1, 256, 1000), G(1, 256, 0)}},
};

static void test_shares(void **state)
{
    for (u32 i = 0; i < ARRAY_SIZE(tables); i++)
        isolated(run_shares, &tables[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives),
        cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
