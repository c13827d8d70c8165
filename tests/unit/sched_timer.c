// SOURCES: hv/sched/timer.c
// SPDX-License-Identifier: MIT
// A CPU's timers against a plain table of expiries, after random arming, arming anew and stopping:
// all that are due fire, none early, none twice, the earliest first, and the APIC is set to the
// first.
#include <setjmp.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>
#include <cmocka.h>
#include "cpu/apic.h"
#include "cpu/percpu.h"
#include "cpu/time.h"
#include "sched/timer.h"

enum { TIMERS = 300, STEPS = 30000, SPAN = 1000 };

static struct timer timers[TIMERS];
static u64 due[TIMERS]; // 0: not armed
static u64 now = 1, apic, last_fired;

struct cpu cpus[CPUS_MAX];
u32 cpu_count = 1;

u64 time_now(void)
{
    return now;
}

void apic_timer_set(u64 when)
{
    apic = when;
}

static void fired(void *data)
{
    u64 *mine = data;
    assert_true(*mine && *mine <= now);
    assert_true(*mine >= last_fired);
    last_fired = *mine;
    *mine = 0;
}

static u64 earliest(void)
{
    u64 first = UINT64_MAX;
    for (u32 i = 0; i < TIMERS; i++)
        if (due[i])
            first = MIN(first, due[i]);
    return first;
}

static void step(u32 i)
{
    switch (rand() % 8) {
    case 0:
        timer_stop(&timers[i]);
        due[i] = 0;
        break;
    case 1:
        now += (u64)rand() % (SPAN / 4);
        last_fired = 0;
        timer_run();
        assert_true(earliest() > now);
        if (earliest() < UINT64_MAX)
            assert_int_equal(apic, earliest());
        break;
    default: {
        u64 before = earliest();
        due[i] = 0;
        u64 others = earliest();
        due[i] = now + 1 + (u64)rand() % SPAN;
        timer_set(&timers[i], due[i]);
        if (due[i] < others && due[i] < before)
            assert_int_equal(apic, due[i]);
    }
    }
    assert_int_equal(timers[i].armed, due[i] != 0);
}

static void test_random(void **state)
{
    srand(1);
    timers_init();
    for (u32 i = 0; i < TIMERS; i++)
        timer_init(&timers[i], fired, &due[i]);
    for (u32 n = 0; n < STEPS; n++)
        step((u32)rand() % TIMERS);
    now += SPAN + 1;
    last_fired = 0;
    timer_run();
    assert_int_equal(earliest(), UINT64_MAX);
}

// All for the same moment: each fires once.
static void test_equal(void **state)
{
    for (u32 i = 0; i < TIMERS; i++)
        timer_set(&timers[i], due[i] = now + 7);
    now += 7;
    last_fired = 0;
    timer_run();
    assert_int_equal(earliest(), UINT64_MAX);
    for (u32 i = 0; i < TIMERS; i++)
        assert_false(timers[i].armed);
}

// cpu_info() goes by the stack pointer: the tests run on a CPU's stack.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_stack_use_after_return=0";
}

static int failed;

static void run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_equal),
    };
    failed = cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    static ucontext_t cpu_context, main_context;
    u8 *area = aligned_alloc(PERCPU_SIZE, PERCPU_SIZE);
    struct cpu_info *info = (void *)(area + PERCPU_STACK_END - sizeof(*info));
    *info = (struct cpu_info){.cpu = &cpus[0]};
    getcontext(&cpu_context);
    cpu_context.uc_stack.ss_sp = area;
    cpu_context.uc_stack.ss_size = (size_t)((u8 *)info - area);
    cpu_context.uc_link = &main_context;
    makecontext(&cpu_context, run_all, 0);
    swapcontext(&main_context, &cpu_context);
    free(area);
    return failed;
}
