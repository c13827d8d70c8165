// SPDX-License-Identifier: MIT
// The debug keys of the console (three Ctrl-A, then the key). A key may arrive inside a preemption
// point, with locks held; all but the restart wait for the CPU's way back to a guest, as a timer.
#include "boot/keys.h"
#include "cpu/power.h"
#include "cpu/smp.h"
#include "cpu/time.h"
#include "cpu/traps.h"
#include "cpu/x86.h"
#include "dom/domain.h"
#include "io/console.h"
#include "pv/mmu.h"
#include "sched/sched.h"

enum { KICK_US = 1000, STACK_WORDS = 8, FRAMES_SHOWN = 12 };
// --- 'd': where the guests are ---

// A word of the vCPU's current address space, by its tables. Under mmu_lock.
static bool guest_word(struct vcpu *v, u64 va, u64 *out)
{
    maddr_t slot = va & 7 ? MADDR(0) : mmu_l1_entry(v, va);
    u64 pte = slot.v ? READ_ONCE(*(u64 *)maddr_virt(slot)) : 0;
    mfn_t m = pte_mfn(pte);
    if (!(pte & PTE_P) || !mfn_valid(m) || frame_of(m)->owner != frame_owner_id(v->dom))
        return false;
    *out = READ_ONCE(*(u64 *)maddr_virt(MADDR(mfn_to_maddr(m).v | (va & ~PAGE_MASK))));
    return true;
}

static void print_stack(struct vcpu *v, u64 sp)
{
    u64 word;
    for (u32 i = 0; i < STACK_WORDS && guest_word(v, sp + i * 8, &word); i++)
        printk(LOG_ERR, "   stack %016lx: %016lx", sp + i * 8, word);
}

// Only what was built with frame pointers shows something here.
static void print_callers(struct vcpu *v, u64 rbp)
{
    for (u32 i = 0; i < FRAMES_SHOWN; i++) {
        u64 next, caller;
        if (!guest_word(v, rbp, &next) || !guest_word(v, rbp + 8, &caller))
            return;
        printk(LOG_ERR, "   called from %016lx", caller);
        if (next <= rbp)
            return;
        rbp = next;
    }
}

static void dump_cpu(u32 cpu)
{
    struct vcpu *v = READ_ONCE(cpus[cpu].info->current);
    if (!v) {
        printk(LOG_ERR, "CPU %u: idle", cpu);
        return;
    }
    struct cpu_regs r = cpus[cpu].info->regs;
    printk(LOG_ERR, "CPU %u: domain %u vCPU %u (%s mode), at its last entry", cpu, v->dom->id.v,
           v->id.v, v->pv.kernel_mode ? "kernel" : "user");
    trap_print_regs(&r);
    spin_lock(&v->dom->mmu_lock);
    print_stack(v, r.rsp);
    print_callers(v, r.rbp);
    spin_unlock(&v->dom->mmu_lock);
}

static void dump_cpus(void)
{
    for_each_cpu (i)
        if (i != this_cpu()->id)
            smp_kick(i); // comes in, which saves its guest's registers
    time_delay(KICK_US);
    for_each_cpu (i)
        dump_cpu(i);
}

// --- 'q': domains and vCPUs ---

static void print_vcpu(struct vcpu *v)
{
    struct vcpu_runstate_info r;
    sched_runstate(v, &r);
    u32 flags = READ_ONCE(v->flags);
    printk(LOG_ERR, "  vCPU %u: CPU %u%s%s%s%s%s, ran %lu ms, events %s%s", v->id.v, v->cpu,
           v->running ? ", runs" : "", v->sched.queued ? ", waits for the CPU" : "",
           flags & VCPU_BLOCKED ? ", blocked" : "", flags & VCPU_DOWN ? ", down" : "",
           flags & VCPU_PAUSED ? ", paused" : "", r.time[RUNSTATE_running] / 1000000,
           v->info->evtchn_upcall_pending ? "pending" : "none",
           v->info->evtchn_upcall_mask ? ", masked" : "");
}

static void print_domains(void)
{
    static const char *const state[] = {"running", "shut down", "dying"};
    struct domain *d;
    struct vcpu *v;
    for_each_domain (d) {
        printk(LOG_ERR, "domain %u: %s, %u pauses, %u references, %lu frames of at most %lu",
               d->id.v, state[d->state], d->pauses, d->refs, d->frames, d->frames_max);
        printk(LOG_ERR, "  %lu bytes of the hypervisor's own", domain_footprint(d));
        for_each_vcpu (d, v)
            if (v->pv.initialised)
                print_vcpu(v);
    }
    printk(LOG_ERR, "%lu frames free", frames_free_count());
}

// --- 'H': for testing the watchdog ---

static void hang(void)
{
    for (;;)
        cpu_pause();
}

// --- 'F', 'f': for testing what happens when memory is out ---

static void key_refuse(void *arg)
{
    alloc_refuse(alloc_refuse_left() + 1);
}

static void key_refused(void *arg)
{
    printk(LOG_ERR, "allocations until one would have been refused: %u", alloc_refuse_left());
    alloc_refuse(0);
}

// --- the keys ---

static struct deferred_key {
    struct timer timer;
    void (*fn)(void);
} deferred[] = {{.fn = dump_cpus}, {.fn = print_domains}, {.fn = domain_audit_all}, {.fn = hang}};

static void run(void *data)
{
    ((struct deferred_key *)data)->fn();
}

static void defer(void *key)
{
    timer_set(&((struct deferred_key *)key)->timer, time_now());
}

static void key_reboot(void *arg)
{
    machine_reboot();
}

void keys_init(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(deferred); i++)
        timer_init(&deferred[i].timer, run, &deferred[i]);
    console_key_register('d', defer, &deferred[0], "the registers of each CPU's guest");
    console_key_register('q', defer, &deferred[1], "domains and vCPUs");
    console_key_register('m', defer, &deferred[2], "recount the references of all frames");
    console_key_register('R', key_reboot, NULL, "restart the machine");
    if (!DEBUG_BUILD)
        return;
    console_key_register('H', defer, &deferred[3], "hang this CPU");
    console_key_register('F', key_refuse, NULL,
                         "refuse the next allocation, or the one after that");
    console_key_register('f', key_refused, NULL, "refuse none any more");
}
