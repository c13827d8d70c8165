// SPDX-License-Identifier: MIT
// Application processors: started one at a time by INIT-SIPI-SIPI through the trampoline of
// boot/head.S (SDM 3A "Multiple-Processor (MP) Initialization").
#include "cpu/smp.h"
#include "boot/acpi.h"
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/spinlock.h"
#include "cpu/time.h"
#include "cpu/tsc_sync.h"
#include "cpu/watchdog.h"
#include "cpu/x86.h"
#include "io/console.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/map.h"
#include "mm/tlb.h"

enum { TRAMPOLINE_PAGE = 0x8, START_TIMEOUT_US = 10000000 };
enum { SYNC_ROUNDS = 20, SYNC_NS = 20000000, SYNC_OVER = ~0u, SYNC_TOO_LATE = ~0u - 1 };

extern u8 ap_trampoline[], ap_trampoline_end[], ap_trampoline_l4[], boot_l4[];
NORETURN void ap_main(void);

u64 ap_stack; // the starting CPU's stack, for head.S
static bool stopping;

// The TSC questions to a starting CPU: odd when one is asked, even when it is answered.
static u32 sync_turn;   // [a]
static u64 sync_answer; // by sync_turn

static u64 stack_top(const struct cpu *c)
{
    return (u64)&c->info->regs;
}

static u32 sync_wait(u32 turn)
{
    u32 now;
    while ((now = __atomic_load_n(&sync_turn, __ATOMIC_ACQUIRE)) == turn) // pairs with sync_set
        cpu_pause();
    return now;
}

static void sync_set(u32 turn)
{
    __atomic_store_n(&sync_turn, turn, __ATOMIC_RELEASE); // pairs with sync_wait
}

static void answer_tsc(void)
{
    for (u32 turn = sync_wait(0); turn != SYNC_OVER; turn = sync_wait(turn + 1)) {
        if (turn == SYNC_TOO_LATE)
            for (;;) // nobody counts on this CPU any more
                cpu_hlt();
        sync_answer = rdtsc();
        sync_set(turn + 1);
    }
}

// While that CPU is in answer_tsc. Its first answer comes when it has got there; where the two run
// in turns (an emulator's, on one CPU), later ones come slowly, and fewer must do.
static bool compare_tsc(u32 id, u64 end)
{
    struct tsc_skew skew = TSC_SKEW_UNKNOWN;
    u64 enough = end;
    for (u32 turn = 1; turn < 2 * SYNC_ROUNDS && time_now() < enough; turn += 2) {
        u64 before = rdtsc();
        sync_set(turn);
        while (__atomic_load_n(&sync_turn, __ATOMIC_ACQUIRE) == turn) { // pairs with sync_set
            if (turn == 1 && time_now() > end)
                return false;
            cpu_pause();
        }
        tsc_skew_add(&skew, before, sync_answer, rdtsc());
        if (turn == 1)
            enough = time_now() + SYNC_NS;
    }
    s64 cycles = tsc_skew_value(&skew);
    time_set_skew(id, cycles);
    sync_set(SYNC_OVER);
    if (cycles)
        printk(LOG_WARN, "CPU %u: its TSC is %ld cycles off CPU 0's; corrected", id, cycles);
    return true;
}

// In C for the first time, on the CPU's own stack.
void ap_main(void)
{
    struct cpu *c = this_cpu();
    cpu_setup();
    answer_tsc();
    apic_setup();
    c->apic_id = apic_id();
    tlb_leave();
    watchdog_start();
    __atomic_store_n(&c->online, 1, __ATOMIC_RELEASE); // pairs with start_one
    enter_guest_first();
}

// False: no memory, or it does not come. If it comes late it takes the place made for it: no other
// may be started.
static bool start_one(u32 apic_id)
{
    u32 id = cpu_count;
    if (cpu_area_create(id) != 0) {
        printk(LOG_WARN, "no memory for CPU %u", id);
        return false;
    }
    struct cpu *c = &cpus[id];
    c->apic_id = apic_id;
    ap_stack = stack_top(c);
    sync_set(0);
    apic_start_cpu(apic_id, TRAMPOLINE_PAGE);
    u64 end = time_now() + (u64)START_TIMEOUT_US * 1000;
    if (!compare_tsc(id, end)) {
        sync_set(SYNC_TOO_LATE);
        printk(LOG_WARN, "CPU with APIC id %u does not start; it and those behind it are ignored",
               apic_id);
        return false;
    }
    while (!__atomic_load_n(&c->online, __ATOMIC_ACQUIRE)) // pairs with ap_main
        cpu_pause();
    cpu_count++;
    return true;
}

static void place_trampoline(void)
{
    u8 *page = maddr_virt(MADDR(TRAMPOLINE_PAGE << PAGE_SHIFT));
    memcpy(page, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
    u32 l4 = (u32)((u64)boot_l4 - VIRT_BASE);
    memcpy(page + (ap_trampoline_l4 - ap_trampoline), &l4, sizeof(l4));
}

void smp_start(const struct acpi_info *acpi, u32 max)
{
    u32 self = apic_id();
    u32 limit = max == 0 || max > CPUS_MAX ? CPUS_MAX : max;
    place_trampoline();
    for (u32 i = 0; i < acpi->cpu_count; i++) {
        const struct acpi_cpu *a = &acpi->cpu[i];
        if (a->apic_id == self)
            continue;
        if (cpu_count >= limit) {
            if (limit == CPUS_MAX)
                printk(LOG_WARN, "more than %u CPUs: the rest is ignored", CPUS_MAX);
            break;
        }
        if (a->apic_id > 254 && !apic_is_x2apic()) {
            printk(LOG_WARN, "CPU with APIC id %u needs x2APIC: ignored", a->apic_id);
            continue;
        }
        if (!start_one(a->apic_id))
            break;
    }
    printk(LOG_INFO, "%u CPUs", cpu_count);
}

void smp_kick(u32 cpu)
{
    perfc(PERFC_IPIS);
    apic_send_ipi(cpus[cpu].apic_id, VECTOR_KICK);
}

void smp_raise(u32 cpu, enum softirq s)
{
    __atomic_fetch_or(&cpus[cpu].info->softirq, (u32)s, __ATOMIC_SEQ_CST);
    if (cpu != this_cpu()->id)
        smp_kick(cpu);
}

void smp_stop_others(void)
{
    if (__atomic_exchange_n(&stopping, true, __ATOMIC_SEQ_CST) || cpu_count < 2)
        return;
    // One by one: a CPU that was never started may not be ready for an NMI.
    for (u32 i = 0; i < cpu_count; i++)
        if (cpus[i].apic_id != apic_id())
            apic_send_nmi(cpus[i].apic_id);
    console_force_unlock(); // one of them may have been stopped while it was printing
}

bool smp_stopping(void)
{
    return READ_ONCE(stopping);
}

void spin_wait_turn(spinlock_t *l, u16 ticket)
{
    while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket) // with spin_unlock
        spin_wait();
}

void spin_wait(void)
{
    cpu_pause();
    if (cpu_count > 1)
        tlb_serve();
}
