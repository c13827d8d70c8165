// SPDX-License-Identifier: MIT
// Start, verdict and end of a test kernel.
#include "lib/guest.h"
#include "lib/internal.h"

struct boot_state boot_state = {.rip = 1}; // in .data: written before anything else runs
struct start_info *start_info;
struct shared_info *shared_info;

static unsigned int checks, failures;

void check_report(bool ok, const char *file, int line, const char *what, long got, long want)
{
    __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
    if (ok)
        return;
    if (__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED) > 40)
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
    if (failures)
        printk("RESULT %s fail %u of %u checks\n", TEST_NAME, failures, checks);
    else if (!checks)
        printk("RESULT %s fail nothing was checked\n", TEST_NAME);
    else
        printk("RESULT %s pass %u checks\n", TEST_NAME, checks);
    machine_end();
}

void kit_start(struct start_info *si)
{
    start_info = si;
    this_cpu()->id = 0;
    printk("TEST %s: %s\n", TEST_NAME, test_title);
    mm_init();
    trap_init();
    event_init();
    test_main();
    test_finish();
}
