// SPDX-License-Identifier: MIT
// The watchdog. Each CPU has a timer that counts a heartbeat once a second and then looks at the
// next CPU's. Timers run on the way out of the hypervisor only: a CPU that stays in it, with
// interrupts off, stops beating.
//
// A CPU that stood still is asked by NMI. Where the NMI finds a guest or the idle loop, the CPU was
// only kept from running, e.g. by the host of a virtual machine. Where it finds the hypervisor, and
// does so again at the next tick with no beat in between, that is the end, reported by the CPU
// itself, whose registers and stack tell where it hangs.
#include "cpu/watchdog.h"
#include "boot/globals.h"
#include "cpu/apic.h"
#include "cpu/percpu.h"
#include "cpu/smp.h"
#include "cpu/time.h"
#include "cpu/traps.h"
#include "io/console.h"
#include "lib/printk.h"
#include "sched/timer.h"

static struct watcher {
    struct timer timer; // [c]
    struct watch watch; // [c] of the next CPU
    u32 beats;          // [a] written by its own CPU
    u32 asked;          // [a] set by the watching CPU: the next NMI is a question
    u32 caught;         // [c] beats + 1 when the last question found the hypervisor
} watchers[CPUS_MAX];

bool watch_look(struct watch *w, u64 now, u32 beats, u32 limit)
{
    bool late = now - w->tick > 2 * (u64)WATCH_TICK_NS;
    w->tick = now;
    w->still = late || beats != w->beats ? 0 : w->still + 1;
    w->beats = beats;
    return w->still > limit;
}

static bool running; // [a] all CPUs are to be watched

static void ask(u32 cpu)
{
    __atomic_store_n(&watchers[cpu].asked, 1, __ATOMIC_RELEASE); // pairs with watchdog_nmi
    apic_send_nmi(cpus[cpu].apic_id);
}

static void tick(void *arg)
{
    struct watcher *w = arg;
    u64 now = time_now();
    u32 other = (this_cpu()->id + 1) % cpu_count;
    __atomic_fetch_add(&w->beats, 1, __ATOMIC_RELAXED);
    timer_set(&w->timer, now + WATCH_TICK_NS);
    u32 beats = __atomic_load_n(&watchers[other].beats, __ATOMIC_RELAXED);
    bool dead = watch_look(&w->watch, now, beats, options.watchdog_timeout);
    if (!__atomic_load_n(&running, __ATOMIC_RELAXED))
        w->watch.still = 0;
    else if (dead && other != this_cpu()->id)
        ask(other);
}

void watchdog_start(void)
{
    struct watcher *w = &watchers[this_cpu()->id];
    if (options.watchdog == WATCHDOG_OFF)
        return;
    timer_init(&w->timer, tick, w);
    w->watch.tick = time_now();
    timer_set(&w->timer, w->watch.tick + WATCH_TICK_NS);
}

// Until here the boot CPU was busy building domain 0.
void watchdog_run(void)
{
    if (options.watchdog != WATCHDOG_OFF && cpu_count == 1)
        printk(LOG_WARN, "watchdog: CPUs watch each other, and this is the only one: no effect");
    watchdog_start();
    __atomic_store_n(&running, true, __ATOMIC_RELAXED);
}

void watchdog_nmi(const struct cpu_regs *regs)
{
    struct watcher *w = &watchers[this_cpu()->id];
    if (!__atomic_exchange_n(&w->asked, 0, __ATOMIC_ACQUIRE)) // pairs with tick
        return;
    if (regs->cs & 3 || (!current_vcpu() && regs->rflags & RFLAGS_IF))
        return;
    u32 mark = READ_ONCE(w->beats) + 1;
    if (w->caught != mark) {
        w->caught = mark;
        return;
    }
    console_force_unlock();
    printk(LOG_ERR, "watchdog: CPU %u hangs in the hypervisor", this_cpu()->id);
    trap_print_state(regs);
    panic("CPU %u has not left the hypervisor for %u s", this_cpu()->id, options.watchdog_timeout);
}
