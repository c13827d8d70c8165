// SPDX-License-Identifier: MIT
// A machine in simulated time around the scheduler: CPUs with stacks of their own, IPIs, APIC
// timers, and guests that run for a while and then do something. The hypervisor's part of each CPU
// is a coroutine that goes through the exit path as cpu/traps.c does.
//
// Without `chaos` the hypervisor takes no time, and one CPU at a time is in it. With it, CPUs
// change places at random basic blocks (the program must be built with
// -fsanitize-coverage=trace-pc), locks are waited for, and each look at the clock takes a moment.
// (-Dsched_yield=...: the host's C library has a function of that name, which the sanitizers call.)
#ifndef WIRT_TESTS_SCHED_WORLD_H
#define WIRT_TESTS_SCHED_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sanitizer/asan_interface.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/apic.h"
#include "cpu/irq.h"
#include "cpu/smp.h"
#include "cpu/time.h"
#include "dom/domain.h"
#include "fake/host.h"
#include "sched/cap.h"
#include "sched/pool.h"
#include "sched/sched.h"

enum { WORLD_CPUS = 8, WORLD_DOMAINS = 24, WORLD_VCPUS = 4, WORLD_LOCKS = 8 };
#define NEVER    UINT64_MAX
#define MS       ((u64)1000000)
#define QUIET    __attribute__((no_sanitize_coverage))
#define NO_POINT UINT32_MAX

// What a vCPU's guest does: runs for `left` ns, then `act` on its CPU, in the hypervisor.
struct task {
    u64 left;
    void (*act)(struct vcpu *v);
    u32 on;                       // the CPU that has its registers; NO_POINT: none
    u64 ran, since, born, queued; // ns; when it came to that CPU, to life, to wait
    u64 seen[4];                  // run-state times when last looked at
    u64 longest;                  // wait, ns
    u64 mark;                     // ran at the start of a window
    struct timer sleep;
};

static struct world {
    u64 now, random;
    bool chaos;
    u32 spread; // chaos: one in so many points changes the CPU
    u32 self;   // the CPU whose hypervisor runs; NO_POINT: the simulation's own
    void *sp;   // of the simulation while a CPU runs
    struct world_cpu {
        void *sp;
        bool mid, kicked;
        u64 apic, guest_since, busy;
        void (*op)(void *);
        void *arg;
        const spinlock_t *locks[WORLD_LOCKS];
        u32 locks_held, turns; // softirqs since `turn_at`
        u64 turn_at;
    } cpu[WORLD_CPUS];
    struct domain dom[WORLD_DOMAINS];
    struct vcpu vcpu[WORLD_DOMAINS][WORLD_VCPUS];
    struct task task[WORLD_DOMAINS][WORLD_VCPUS];
    u32 domains; // dom[] in use: an entry with vcpu_count 0 does not exist
    u64 external_at;
    void (*external)(void); // when the time has come; sets when it comes again
    void (*settled)(void);  // each time nothing is left to do before time goes on
    u64 points, switches, runs;
} world;

static u8 world_area[WORLD_CPUS][PERCPU_SIZE] ALIGNED(PERCPU_SIZE);

struct cpu cpus[CPUS_MAX];
u32 cpu_count;
bool trace_on;

const char *__asan_default_options(void);
QUIET const char *__asan_default_options(void)
{
    return "detect_stack_use_after_return=0"; // cpu_info() goes by the stack pointer
}

// --- chance ---

QUIET static u64 chance(u64 n)
{
    world.random = world.random * 6364136223846793005u + 1442695040888963407u;
    return (world.random >> 33) % n;
}

static struct task *task_of(const struct vcpu *v)
{
    return &world.task[v->dom->id.v][v->id.v];
}

// --- coroutines ---

// Saves what a function has to keep, stores the stack pointer, and goes on where `to` was saved.
void world_switch(void **from, void *to);
__asm__(".text\nworld_switch:\n"
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n"
        ".type world_switch, @function\n.size world_switch, . - world_switch\n");

QUIET static void to_simulation(void)
{
    u32 self = world.self;
    world.self = NO_POINT;
    world_switch(&world.cpu[self].sp, world.sp);
}

QUIET static void to_cpu(u32 cpu)
{
    world.self = cpu;
    world_switch(&world.sp, world.cpu[cpu].sp);
}

// The case has failed.
__attribute__((format(printf, 1, 2))) static void world_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("# at %llu: ", (unsigned long long)world.now);
    vprintf(fmt, ap);
    printf("\n");
    fflush(NULL);
    _exit(1);
}

// For cases in processes of their own: cmocka's would go on with the next test there.
#define EXPECT(c)                                            \
    do {                                                     \
        if (!(c))                                            \
            world_fail("%s:%d: %s", __FILE__, __LINE__, #c); \
    } while (0)
#define EXPECT_EQ(a, b)                                                                \
    do {                                                                               \
        long long a_ = (long long)(a), b_ = (long long)(b);                            \
        if (a_ != b_)                                                                  \
            world_fail("%s:%d: %s is %lld, not %lld", __FILE__, __LINE__, #a, a_, b_); \
    } while (0)
// Within so many thousandths.
#define EXPECT_NEAR(a, b, thousandths)                                                       \
    do {                                                                                     \
        long long a_ = (long long)(a), b_ = (long long)(b);                                  \
        if (llabs(a_ - b_) * 1000 > b_ * (thousandths))                                      \
            world_fail("%s:%d: %s is %lld, not %lld or so", __FILE__, __LINE__, #a, a_, b_); \
    } while (0)

// Another CPU may come in between here.
QUIET static void point(void)
{
    if (!world.chaos || world.self == NO_POINT)
        return;
    world.points++;
    if (chance(world.spread) == 0) {
        world.switches++;
        to_simulation();
    }
}

void __sanitizer_cov_trace_pc(void);
QUIET void __sanitizer_cov_trace_pc(void)
{
    point();
}

void spin_wait(void)
{
    if (!world.chaos)
        world_fail("CPU %u waits for a lock", world.self);
    to_simulation();
}

void lock_order_acquire(const spinlock_t *l)
{
    point();
    if (world.self == NO_POINT)
        return;
    struct world_cpu *c = &world.cpu[world.self];
    for (u32 i = 0; i < c->locks_held; i++)
        if (c->locks[i] == l || c->locks[i]->order > l->order)
            world_fail("CPU %u takes lock %u with %u held", world.self, l->order,
                       c->locks[i]->order);
    if (c->locks_held && l->order == LOCK_SCHED && c->locks[c->locks_held - 1]->order == l->order &&
        c->locks[c->locks_held - 1] > l)
        world_fail("CPU %u takes two queues in the wrong order", world.self);
    c->locks[c->locks_held++] = l;
}

void lock_order_release(const spinlock_t *l)
{
    point();
    if (world.self == NO_POINT)
        return;
    struct world_cpu *c = &world.cpu[world.self];
    for (u32 i = 0; i < c->locks_held; i++)
        if (c->locks[i] == l) {
            c->locks[i] = c->locks[--c->locks_held];
            return;
        }
    world_fail("CPU %u gives back lock %u, which it has not", world.self, l->order);
}

// --- what the scheduler stands on ---

QUIET u64 time_now(void)
{
    point();
    if (world.chaos)
        world.now += chance(64);
    return world.now;
}

void apic_timer_set(u64 when)
{
    world.cpu[world.self].apic = MAX(when, world.now + 100);
}

void smp_kick(u32 cpu)
{
    point();
    world.cpu[cpu].kicked = true;
}

void smp_raise(u32 cpu, enum softirq s)
{
    point();
    __atomic_fetch_or(&cpus[cpu].info->softirq, (u32)s, __ATOMIC_SEQ_CST);
    if (cpu != world.self)
        smp_kick(cpu);
}

void pv_load(struct vcpu *v)
{
    struct task *t = task_of(v);
    point();
    if (t->on != NO_POINT)
        world_fail("d%uv%u loaded on CPU %u and %u", v->dom->id.v, v->id.v, t->on, world.self);
    t->on = world.self;
    t->since = v->runstate.state_entry_time;
    point();
}

void pv_save(struct vcpu *v)
{
    struct task *t = task_of(v);
    point();
    if (t->on != world.self)
        world_fail("d%uv%u saved on CPU %u, not %u", v->dom->id.v, v->id.v, world.self, t->on);
    point();
}

void pv_unload(struct domain *d)
{
    struct task *t = task_of(current_vcpu());
    point();
    u64 ran = MAX(world.now, t->since) - t->since;
    t->ran += ran;
    world.cpu[world.self].busy += ran;
    t->on = NO_POINT;
    point();
}

void domain_vcpu_stopped(struct domain *d)
{
    point();
}

void trace_record(u32 event, const u32 *words, u32 count)
{
    point();
}

void irqs_leave(u32 cpu)
{
}

struct domain *domain_get_from(u32 from)
{
    for (u32 i = from; i < world.domains; i++)
        if (world.dom[i].vcpu_count)
            return &world.dom[i];
    return NULL;
}

struct domain *domain_next(struct domain *d)
{
    return domain_get_from(d->id.v + 1u);
}

void domain_put(struct domain *d)
{
}

// --- CPUs ---

static void exit_path(void)
{
    struct world_cpu *c = &world.cpu[world.self];
    u32 pending;
    while ((pending = __atomic_exchange_n(&cpu_info()->softirq, 0, __ATOMIC_SEQ_CST)) != 0) {
        if (pending & SOFTIRQ_TIMER)
            timer_run();
        if (pending & SOFTIRQ_SCHED)
            schedule();
        if (c->locks_held)
            world_fail("CPU %u goes with a lock held", world.self);
        if (c->turn_at + MS / 50 < world.now) {
            c->turns = 0;
            c->turn_at = world.now;
        }
        if (++c->turns > 100)
            world_fail("CPU %u schedules for ever at %llu", world.self,
                       (unsigned long long)world.now);
        world.runs++;
    }
}

// The guest has run, or the CPU was idle.
static void come_from_guest(struct world_cpu *c)
{
    struct vcpu *v = current_vcpu();
    u64 ran = world.now - c->guest_since;
    if (v)
        task_of(v)->left -= MIN(task_of(v)->left, ran);
}

static void cpu_turn(struct world_cpu *c)
{
    struct vcpu *v = current_vcpu();
    void (*op)(void *) = c->op;
    if (c->apic <= world.now) {
        c->apic = NEVER;
        softirq_raise(SOFTIRQ_TIMER);
    }
    if (op) {
        c->op = NULL;
        op(c->arg);
    } else if (v && task_of(v)->left == 0) {
        task_of(v)->act(v);
        if (task_of(v)->left == 0 && !v->flags)
            world_fail("a guest does not go on");
    }
}

static void cpu_main(void)
{
    struct world_cpu *c = &world.cpu[world.self];
    softirq_raise(SOFTIRQ_SCHED);
    for (;;) {
        exit_path();
        c->guest_since = world.now;
        c->mid = false;
        to_simulation();
        c->mid = true;
        c->kicked = false;
        come_from_guest(c);
        cpu_turn(c);
    }
}

// When the CPU has something to do.
static u64 due(u32 cpu)
{
    const struct world_cpu *c = &world.cpu[cpu];
    struct vcpu *v = cpus[cpu].info->current;
    if (c->mid || c->kicked || c->op)
        return 0;
    u64 at = c->apic;
    if (v && task_of(v)->left < NEVER / 2)
        at = MIN(at, c->guest_since + task_of(v)->left);
    return at;
}

// One step; false: nothing happens up to `until`.
static bool world_step(u64 until)
{
    u32 ready[WORLD_CPUS], count = 0;
    u64 next = world.external ? world.external_at : NEVER;
    for (u32 i = 0; i < cpu_count; i++) {
        u64 at = due(i);
        if (at <= world.now)
            ready[count++] = i;
        next = MIN(next, at);
    }
    if (count) {
        to_cpu(ready[world.chaos ? chance(count) : 0]);
        return true;
    }
    if (world.settled)
        world.settled();
    if (next > until)
        return false;
    world.now = MAX(world.now, next);
    if (world.external && world.external_at <= world.now)
        world.external();
    return true;
}

static void world_run(u64 until)
{
    while (world_step(until))
        ;
    world.now = MAX(world.now, until);
}

// Has a CPU do something, as an interrupt's handler would.
static void world_on(u32 cpu, void (*op)(void *), void *arg)
{
    world.cpu[cpu].op = op;
    world.cpu[cpu].arg = arg;
}

// --- guests ---

static void task_wakes(void *data)
{
    sched_clear(data, VCPU_BLOCKED);
}

UNUSED static void runs_for_ever(struct vcpu *v)
{
    task_of(v)->left = NEVER;
}

UNUSED static void blocks(struct vcpu *v)
{
    task_of(v)->left = NEVER;
    sched_set(v, VCPU_BLOCKED);
}

static struct domain *world_domain(u32 id, struct sched_pool *pool, u32 vcpus, u32 weight)
{
    struct domain *d = &world.dom[id];
    memset(d, 0, sizeof(*d));
    d->id = DOM_ID((u16)id);
    d->pool = pool;
    d->share.weight = weight;
    d->share.advance = (u32)ADVANCE_MAX / weight;
    cap_init(d);
    for (u32 i = 0; i < vcpus; i++) {
        struct vcpu *v = &world.vcpu[id][i];
        struct task *t = &world.task[id][i];
        memset(v, 0, sizeof(*v));
        *t = (struct task){.left = NEVER, .act = runs_for_ever, .on = NO_POINT};
        timer_init(&t->sleep, task_wakes, v);
        v->dom = d;
        v->id = VCPU_ID(i);
        sched_vcpu_init(v, id + i, false);
        t->born = v->runstate.state_entry_time;
        d->vcpu[i] = v;
    }
    d->vcpu_count = vcpus;
    world.domains = MAX(world.domains, id + 1);
    return d;
}

static void start_vcpu(void *data)
{
    sched_clear(data, VCPU_DOWN);
}

UNUSED static void start_domain(void *data)
{
    struct domain *d = data;
    struct vcpu *v;
    for_each_vcpu (d, v)
        start_vcpu(v);
}

// Does something on a CPU now, and all that comes of it.
UNUSED static void world_do(u32 cpu, void (*op)(void *), void *arg)
{
    world_on(cpu, op, arg);
    while (world.cpu[cpu].op || due(cpu) <= world.now)
        world_step(world.now);
}

// Runs one case in a process of its own, as the production files keep their state.
static void isolated(void (*run)(const void *), const void *arg)
{
    int status;
    fflush(NULL);
    pid_t child = getenv("WORLD_NOFORK") ? 0 : fork(); // for a debugger
    if (child == 0) {
        alarm(100);
        run(arg);
        fflush(NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void world_begin(u32 count, const char *policy, u64 seed)
{
    memset(&world, 0, sizeof(world));
    world.self = NO_POINT;
    world.random = seed;
    world.spread = 16;
    cpu_count = count;
    for (u32 i = 0; i < count; i++) {
        u64 *top = (u64 *)(void *)(world_area[i] + PERCPU_STACK_END - sizeof(struct cpu_info));
        cpus[i] = (struct cpu){.id = i, .info = (struct cpu_info *)(void *)top};
        cpus[i].info->cpu = &cpus[i];
        top -= 1 + ((u64)top & 15) / 8; // as a call leaves it
        *--top = (u64)cpu_main;
        world.cpu[i] = (struct world_cpu){.sp = top - 6, .apic = NEVER, .mid = true};
    }
    timers_init();
    sched_init();
    pools_init(policy);
    world_run(0);
}

#endif
