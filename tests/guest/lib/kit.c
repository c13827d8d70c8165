// SPDX-License-Identifier: MIT
// Start, verdict and end of a test kernel.
#include "lib/guest.h"
#include "lib/internal.h"

struct boot_state boot_state = {.rip = 1}; // in .data: written before anything else runs
struct start_info *start_info;
struct shared_info *shared_info;

struct verdict verdict;
void (*domu_main)(void);

void check_report(bool ok, const char *file, int line, const char *what, long got, long want)
{
    __atomic_fetch_add(&verdict.checks, 1, __ATOMIC_RELAXED);
    if (ok)
        return;
    if (__atomic_add_fetch(&verdict.failures, 1, __ATOMIC_RELAXED) > 40)
        return;
    printk("FAIL %s:%d: %s (got %ld = %lx, want %ld = %lx)\n", file, line, what, got,
           (unsigned long)got, want, (unsigned long)want);
}

// Not poweroff: a reboot ends QEMU (-no-reboot) on every hypervisor, a halt may not.
unsigned int shutdown_reason = SHUTDOWN_reboot;

_Noreturn static void machine_end(void)
{
    struct sched_shutdown arg = {.reason = shutdown_reason};

    hc_sched_op(SCHEDOP_shutdown, &arg);
    for (;;)
        hc_sched_op(SCHEDOP_yield, NULL);
}

void test_skip(const char *why)
{
    printk("RESULT %s skip %s\n", TEST_NAME, why);
    machine_end();
}

void test_finish(void)
{
    if (is_domu())
        machine_end();
    if (verdict.failures)
        printk("RESULT %s fail %u of %u checks\n", TEST_NAME, verdict.failures, verdict.checks);
    else if (!verdict.checks)
        printk("RESULT %s fail nothing was checked\n", TEST_NAME);
    else
        printk("RESULT %s pass %u checks\n", TEST_NAME, verdict.checks);
    machine_end();
}

// A domU starts with a copy of dom0's variables: those of the kit begin anew.
_Noreturn static void domu_start(void)
{
    shutdown_reason = SHUTDOWN_poweroff;
    trap_hook = NULL;
    upcall_hook = NULL;
    memset((void *)event_count, 0, 4096 * sizeof(event_count[0]));
    mm_init();
    trap_init();
    event_init();
    domu_main();
    test_finish();
}

void kit_start(struct start_info *si)
{
    start_info = si;
    this_cpu()->id = 0;
    if (is_domu())
        domu_start();
    printk("TEST %s: %s\n", TEST_NAME, test_title);
    mm_init();
    trap_init();
    event_init();
    test_main();
    test_finish();
}
