// SPDX-License-Identifier: MIT
// The C end of every entry: what came from a guest is shared out to hv/pv and the interrupt code,
// what came from ourselves is a known fault with a fix-up, or the end. The way back to a guest runs
// through exit_to_guest, which is where vCPUs are switched and events delivered.
#include "cpu/traps.h"
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/irq.h"
#include "cpu/smp.h"
#include "cpu/spec.h"
#include "cpu/watchdog.h"
#include "cpu/x86.h"
#include "dom/domain.h"
#include "hc/continue.h"
#include "hc/table.h"
#include "io/console.h"
#include "lib/symbols.h"
#include "mm/frame.h"
#include "mm/tlb.h"
#include "pv/pv.h"
#include "sched/sched.h"

struct ex_entry {
    s32 fault, fixup; // relative to the field itself
};
extern const struct ex_entry ex_table_start[], ex_table_end[];
extern u8 image_start[], text_end[];

static bool fixed_up(struct cpu_regs *regs)
{
    for (const struct ex_entry *e = ex_table_start; e < ex_table_end; e++)
        if ((u64)&e->fault + (u64)(s64)e->fault == regs->rip) {
            cpu_info()->fault_vector = regs->vector;
            cpu_info()->fault_error = regs->error_code;
            regs->rip = (u64)&e->fixup + (u64)(s64)e->fixup;
            return true;
        }
    return false;
}

static void interrupt(struct cpu_regs *regs)
{
    switch (regs->vector) {
    case VECTOR_TIMER:
        apic_eoi();
        softirq_raise(SOFTIRQ_TIMER);
        break;
    case VECTOR_KICK:
        apic_eoi();
        break;
    case VECTOR_FLUSH:
        apic_eoi();
        tlb_serve();
        break;
    case VECTOR_SPURIOUS:
        break;
    case VECTOR_ERROR:
        apic_eoi();
        break;
    default:
        perfc(PERFC_IRQS);
        irq_dispatch((u8)regs->vector);
    }
}

// True when the guest may be resumed by sysret, which takes rcx and r11 for rip and rflags: those
// are free when it came by syscall or is entering a handler (whose frame holds them).
// Whoever changes cs or ss away from the flat ones that sysret loads clears the vector.
static inline bool sysret_ok(const struct cpu_regs *regs)
{
    return regs->vector == VECTOR_SYSCALL && is_canonical(regs->rip) &&
           !(regs->rflags & (RFLAGS_TF | RFLAGS_RF));
}

static void run_softirqs(void)
{
    u32 pending = __atomic_exchange_n(&cpu_info()->softirq, 0, __ATOMIC_SEQ_CST);
    if (pending & SOFTIRQ_TIMER)
        timer_run();
    if (pending & SOFTIRQ_SCHED)
        schedule();
    if (pending & SOFTIRQ_REAP)
        domain_reap();
}

static inline bool exit_to_guest(struct cpu_regs *regs)
{
    struct cpu_info *info = CONTAINER_OF(regs, struct cpu_info, regs);
    for (;;) {
        if (unlikely(READ_ONCE(info->softirq))) {
            run_softirqs();
            continue;
        }
        struct vcpu *v = info->current;
        if (unlikely(!v)) {
            if (info->guard & GUARD_VERW)
                cpu_verw(HV_DS); // the sibling gets our share of the buffers
            if (frames_scrub())
                cpu_sti_nop_cli();
            else
                cpu_sti_hlt_cli();
            continue;
        }
        if (unlikely(v->pv.nmi_pending || v->info->evtchn_upcall_pending) &&
            pv_deliver_events(v, regs))
            continue;
        return sysret_ok(regs);
    }
}

bool trap_from_guest(struct cpu_regs *regs)
{
    if (regs->vector == VEC_NMI) {
        trap_nmi(regs);
        exit_to_guest(regs);
        return false; // only an iret lets the next NMI in
    }
    if (regs->vector < 32 || regs->vector == 0x80)
        pv_trap(regs);
    else
        interrupt(regs);
    return exit_to_guest(regs);
}

bool syscall_from_guest(struct cpu_regs *regs)
{
    struct vcpu *v = CONTAINER_OF(regs, struct cpu_info, regs)->current;
    if (v->pv.kernel_mode)
        hc_dispatch(v, regs);
    else
        pv_syscall(v, regs);
    return exit_to_guest(regs);
}

bool guest_iret_failed(struct cpu_regs *regs)
{
    // The guest sees the fault as if its instruction at the new place had raised it (seen on the
    // oracle: tests/guest/iret_bad).
    pv_inject(regs, (u8)cpu_info()->fault_vector, cpu_info()->fault_error);
    return exit_to_guest(regs);
}

bool idle_resume(struct cpu_regs *regs)
{
    softirq_raise(SOFTIRQ_SCHED);
    return exit_to_guest(regs);
}

bool preempt_wanted(void)
{
    if (!current_vcpu())
        return false;
    cpu_sti_nop_cli();
    const struct vcpu_info *info = current_vcpu()->info;
    return READ_ONCE(cpu_info()->softirq) != 0 ||
           (info->evtchn_upcall_pending && !info->evtchn_upcall_mask);
}

// --- faults of our own ---

static void print_backtrace(u64 rbp, u64 rip)
{
    for (u32 depth = 0; depth < 24; depth++) {
        u64 off = 0;
        char buffer[SYMBOL_NAME_BYTES];
        const char *name = symbol_lookup(rip, &off, buffer);
        printk(LOG_ERR, "   [%016lx] %s+0x%lx", rip, name ? name : "?", off);
        u64 frame[2];
        if (rbp < VIRT_BASE || copy8_fixup(frame, (const void *)rbp, 2) != 0)
            break;
        rbp = frame[0];
        rip = frame[1];
        if (rip < (u64)image_start || rip >= (u64)text_end)
            break;
    }
}

void trap_print_regs(const struct cpu_regs *r)
{
    printk(LOG_ERR, "rip %016lx  cs %04x  rflags %08lx  vector %u  error %04x", r->rip, r->cs,
           r->rflags, r->vector, r->error_code);
    printk(LOG_ERR, "rax %016lx  rbx %016lx  rcx %016lx", r->rax, r->rbx, r->rcx);
    printk(LOG_ERR, "rdx %016lx  rsi %016lx  rdi %016lx", r->rdx, r->rsi, r->rdi);
    printk(LOG_ERR, "rbp %016lx  rsp %016lx  r8  %016lx", r->rbp, r->rsp, r->r8);
    printk(LOG_ERR, "r9  %016lx  r10 %016lx  r11 %016lx", r->r9, r->r10, r->r11);
    printk(LOG_ERR, "r12 %016lx  r13 %016lx  r14 %016lx", r->r12, r->r13, r->r14);
    printk(LOG_ERR, "r15 %016lx", r->r15);
}

void trap_print_state(const struct cpu_regs *regs)
{
    struct vcpu *v = cpu_count ? current_vcpu() : NULL;
    if (cpu_count)
        printk(LOG_ERR, "CPU %u", this_cpu()->id);
    if (v)
        printk(LOG_ERR, "domain %u vCPU %u (%s mode)", v->dom->id.v, v->id.v,
               v->pv.kernel_mode ? "kernel" : "user");
    if (regs) {
        trap_print_regs(regs);
        printk(LOG_ERR, "cr2 %016lx  cr3 %016lx", read_cr2(), read_cr3());
        if (!(regs->cs & 3))
            print_backtrace(regs->rbp, regs->rip);
    } else {
        print_backtrace((u64)__builtin_frame_address(0), (u64)__builtin_return_address(0));
    }
}

void trap_nmi(struct cpu_regs *regs)
{
    if (smp_stopping())
        for (;;)
            cpu_hlt();
    watchdog_nmi(regs);
}

void trap_from_hv(struct cpu_regs *regs)
{
    if (regs->vector == VEC_NMI) {
        trap_nmi(regs);
        return;
    }
    if (regs->vector >= 32) {
        interrupt(regs);
        return;
    }
    if (regs->vector == VEC_DB) { // a trap, also where it hits an instruction with a fix-up
        write_dr7(PV_DR7_FIXED);  // a guest's breakpoint on something that we touch for it
        return;
    }
    if (fixed_up(regs))
        return;
    console_force_unlock();
    printk(LOG_ERR, "exception %u in the hypervisor", regs->vector);
    trap_print_state(regs);
    panic("exception %u at %016lx", regs->vector, regs->rip);
}
