// SPDX-License-Identifier: MIT
// TLB flushes across CPUs (mm/tlb.h). A request raises the target's `flush_wanted`; the target
// copies it to `flush_done` before it flushes, so a requester that sees done >= its ticket knows
// that a whole flush began after its request and, since done is written last, has ended.
#include "mm/tlb.h"
#include "cpu/apic.h"
#include "cpu/spinlock.h"
#include "cpu/x86.h"
#include "mm/map.h"

u32 tlb_clock_value = 1;

// The clock is read first: what is cached between the two counts as cached after the flush.
void tlb_load_cr3(u64 cr3)
{
    u32 now = __atomic_add_fetch(&tlb_clock_value, 1, __ATOMIC_SEQ_CST);
    write_cr3(cr3);
    this_cpu()->tlb_stamp = now;
}

// Who sees tlb_idle after a change of tables has its change seen by the walks that follow here: the
// clock's locked increment, and cr3 itself, stand between.
void tlb_enter(u64 cr3)
{
    WRITE_ONCE(this_cpu()->tlb_idle, false);
    tlb_load_cr3(cr3);
}

void tlb_leave(void)
{
    tlb_load_cr3(idle_cr3);
    WRITE_ONCE(this_cpu()->tlb_idle, true);
}

void tlb_flush_local(void)
{
    tlb_load_cr3(read_cr3());
}

void tlb_serve(void)
{
    struct cpu *c = this_cpu();
    u32 wanted = __atomic_load_n(&c->flush_wanted, __ATOMIC_ACQUIRE); // pairs with request()
    if (wanted == c->flush_done)
        return;
    tlb_flush_local();
    __atomic_store_n(&c->flush_done, wanted, __ATOMIC_RELEASE); // pairs with wait()
}

static void wait(const struct cpu *c, u32 ticket)
{
    while ((s32)(__atomic_load_n(&c->flush_done, __ATOMIC_ACQUIRE) - ticket) < 0)
        spin_wait();
}

static bool flushed_since(const struct cpu *c, u32 stamp)
{
    return (s32)(READ_ONCE(c->tlb_stamp) - stamp) > 0 || READ_ONCE(c->tlb_idle);
}

bool tlb_flushed_since(u32 stamp)
{
    for_each_cpu (i)
        if (READ_ONCE(cpus[i].online) && !flushed_since(&cpus[i], stamp))
            return false;
    return true;
}

// Flushes the CPUs of the mask whose last flush is not younger than `stamp`.
static void flush(const struct cpumask *mask, u32 stamp, bool spare)
{
    if (cpu_count == 0)
        return; // boot: no guest has run yet
    u32 self = this_cpu()->id;
    u32 ticket[CPUS_MAX];
    struct cpumask asked = {0};
    for_each_cpu (i) {
        if (!cpumask_test(mask, i) || !READ_ONCE(cpus[i].online))
            continue;
        if (spare && flushed_since(&cpus[i], stamp))
            continue;
        if (i == self) {
            tlb_flush_local();
            continue;
        }
        ticket[i] = __atomic_add_fetch(&cpus[i].flush_wanted, 1, __ATOMIC_SEQ_CST);
        asked.w[i / 64] |= (u64)1 << (i % 64);
        perfc(PERFC_FLUSHES);
        apic_send_ipi(cpus[i].apic_id, VECTOR_FLUSH);
    }
    for_each_cpu (i)
        if (cpumask_test(&asked, i))
            wait(&cpus[i], ticket[i]);
}

// Does the mask name this CPU and no other?
static bool only_self(const struct cpumask *mask)
{
    u32 self = this_cpu()->id;
    u64 others = 0;
    for (u32 i = 0; i < ARRAY_SIZE(mask->w); i++)
        others |= READ_ONCE(mask->w[i]) ^ (i == self / 64 ? (u64)1 << (self % 64) : 0);
    return others == 0;
}

void tlb_flush_mask(const struct cpumask *mask)
{
    if (cpu_count != 0 && only_self(mask)) {
        tlb_flush_local();
        return;
    }
    flush(mask, 0, false);
}

void tlb_flush_since(const struct cpumask *mask, u32 stamp)
{
    flush(mask, stamp, true);
}
