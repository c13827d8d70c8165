// SOURCES: hv/cpu/watchdog.c
// SPDX-License-Identifier: MIT
// When the watchdog takes a CPU for dead: rows of looks, each so many ms after the one before.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "boot/globals.h"
#include "cpu/apic.h"
#include "cpu/percpu.h"
#include "cpu/time.h"
#include "cpu/traps.h"
#include "cpu/watchdog.h"
#include "io/console.h"
#include "lib/printk.h"
#include "sched/timer.h"

struct options options;
struct cpu cpus[CPUS_MAX];
u32 cpu_count;

// The rest of the file is not run here.
u64 time_now(void)
{
    abort();
}
void timer_init(struct timer *t, void (*fn)(void *), void *data)
{
    (void)t, (void)fn, (void)data;
    abort();
}
void timer_set(struct timer *t, u64 expires)
{
    (void)t, (void)expires;
    abort();
}
void apic_send_nmi(u32 id)
{
    (void)id;
    abort();
}
void console_force_unlock(void)
{
    abort();
}
void trap_print_state(const struct cpu_regs *regs)
{
    (void)regs;
    abort();
}

enum { LOOKS = 8, LIMIT = 3 };

static const struct {
    const char *what;
    u32 ms[LOOKS], beats[LOOKS];
    u32 dead; // at this look, counted from 1; 0: never
} rows[] = {
    {"alive", {1000, 1000, 1000, 1000, 1000, 1000}, {1, 2, 3, 4, 5, 6}, 0},
    {"slow", {1000, 1000, 1000, 1000, 1000, 1000}, {1, 1, 1, 1, 2, 2}, 0},
    {"dead", {1000, 1000, 1000, 1000, 1000, 1000}, {1, 1, 1, 1, 1, 1}, 5},
    {"dead from the start", {1000, 1000, 1000, 1000}, {0, 0, 0, 0}, 4},
    {"looks a little late", {1900, 1900, 1900, 1900, 1900}, {1, 1, 1, 1, 1}, 5},
    {"the machine was stopped", {1000, 1000, 1000, 9000, 1000, 1000}, {1, 1, 1, 1, 1, 1}, 0},
    {"stopped and then dead", {1000, 1000, 9000, 1000, 1000, 1000, 1000}, {1, 1, 1, 1, 1, 1, 1}, 7},
    {"the watching CPU hardly runs", {5000, 5000, 5000, 5000, 5000}, {1, 1, 1, 1, 1}, 0},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct watch w = {0};
        u64 now = 0;
        u32 dead = 0;
        for (u32 n = 0; n < LOOKS && rows[i].ms[n] && !dead; n++) {
            now += (u64)rows[i].ms[n] * 1000000;
            if (watch_look(&w, now, rows[i].beats[n], LIMIT))
                dead = n + 1;
        }
        if (dead != rows[i].dead)
            fail_msg("%s: dead at %u", rows[i].what, dead);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
