// SPDX-License-Identifier: MIT
// Traps of PV guests: which of them are ours, and how the others reach the guest's handler.
//
// Both halves of a 64-bit PV guest run in ring 3; `kernel_mode` tells which one does. A handler is
// entered in kernel mode on this stack (xen ABI: arch-x86/xen.h, set_callbacks and set_trap_table;
// Linux: arch/x86/xen/xen-asm.S), lowest address first:
//
//   rcx, r11, [failsafe: ds, es, fs, gs], [error code], rip, cs | upcall mask << 32, rflags, rsp,
//   ss
//
// rcx and r11 are there because the way back may be a sysret. The RPL of the pushed CS tells where
// the guest was: 0 in its kernel, 3 in its user mode. RFLAGS.IF shows the event mask, inverted.
#include "pv/pv.h"
#include "cpu/cpu.h"
#include "cpu/traps.h"
#include "cpu/x86.h"
#include "dom/domain.h"
#include "hc/guest_access.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "pv/mmu.h"
#include "sched/sched.h"

#define ERROR_VECTORS                                                                          \
    (1u << VEC_DF | 1u << VEC_TS | 1u << VEC_NP | 1u << VEC_SS | 1u << VEC_GP | 1u << VEC_PF | \
     1u << VEC_AC)
#define RFLAGS_HIDDEN (RFLAGS_IF | RFLAGS_IOPL)

enum pf_error { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8, PF_FETCH = 16 };

u64 pv_rflags(u64 wanted)
{
    const u64 kept = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF |
                     RFLAGS_DF | RFLAGS_OF | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
    return (wanted & kept) | RFLAGS_IF | RFLAGS_ONE;
}

// --- the trap table ---

// NULL: there is no room for that vector's entry.
static struct pv_trap *chunk_of(struct pv_vcpu *pv, u8 vector)
{
    u32 n = vector / PV_TRAP_CHUNK;
    return n == 0 ? pv->trap : pv->more_traps[n - 1];
}

const struct pv_trap *pv_trap_of(const struct pv_vcpu *pv, u8 vector)
{
    static const struct pv_trap none;
    u32 n = vector / PV_TRAP_CHUNK;
    const struct pv_trap *chunk = n == 0 ? pv->trap : pv->more_traps[n - 1];
    return chunk ? &chunk[vector % PV_TRAP_CHUNK] : &none;
}

int pv_trap_room(struct pv_vcpu *pv, u8 vector)
{
    u32 n = vector / PV_TRAP_CHUNK;
    if (n == 0 || pv->more_traps[n - 1])
        return 0;
    pv->more_traps[n - 1] = heap_alloc(PV_TRAP_CHUNK * sizeof(struct pv_trap));
    return pv->more_traps[n - 1] ? 0 : -ENOMEM;
}

void pv_set_trap(struct pv_vcpu *pv, const struct trap_info *t, u8 vector)
{
    struct pv_trap *chunk = chunk_of(pv, vector);
    if (chunk)
        chunk[vector % PV_TRAP_CHUNK] = (struct pv_trap){.address = t->address,
                                                         .cs = (u16)(t->cs | 3),
                                                         .dpl = TI_GET_DPL(t) & 3,
                                                         .mask_events = TI_GET_IF(t) != 0};
}

void pv_clear_traps(struct pv_vcpu *pv)
{
    memset(pv->trap, 0, sizeof(pv->trap));
    for (u32 i = 0; i < ARRAY_SIZE(pv->more_traps); i++)
        if (pv->more_traps[i])
            memset(pv->more_traps[i], 0, sizeof(pv->trap));
}

// A guest that wants IOPL to look like the processor's sees and sets it in its RFLAGS; for others
// it is what PHYSDEVOP_set_iopl said.
static bool shows_iopl(const struct vcpu *v)
{
    return v->pv.architectural_iopl;
}

// Where a frame that is entered from the current mode goes, and what of the interrupted context it
// shows. Switches to kernel mode.
struct bounce {
    u64 sp; // 16-byte aligned end of the frame
    u64 cs, rflags;
};

static inline struct bounce bounce_start(struct vcpu *v, const struct cpu_regs *r)
{
    struct pv_vcpu *pv = &v->pv;
    bool masked = READ_ONCE(v->info->evtchn_upcall_mask) & 1;
    struct bounce b = {.sp = r->rsp & ~(u64)15, .cs = r->cs & ~3u};
    b.rflags = (r->rflags & ~(u64)RFLAGS_HIDDEN) | (masked ? 0 : RFLAGS_IF);
    if (unlikely(shows_iopl(v)))
        b.rflags |= (u64)pv->iopl << 12;
    if (!pv->kernel_mode) {
        b.sp = pv->kernel_sp & ~(u64)15;
        b.cs = r->cs;
        pv_toggle_mode(v);
    }
    b.cs |= masked ? (u64)1 << 32 : 0; // saved_upcall_mask
    return b;
}

// Pushes a frame on the guest's kernel stack and sets the registers to enter `address` with
// selector cs. `extra` words go between r11 and rip.
static inline bool push_frame(struct vcpu *v, struct cpu_regs *r, u64 address, u16 cs, bool mask,
                              const u64 *extra, u32 extra_count)
{
    struct bounce b = bounce_start(v, r);
    u64 sp = b.sp - (7 + extra_count) * 8, top;
    if (unlikely(address == 0 || !guest_range_ok(sp, b.sp - sp)))
        return false;
    sp = guest_clamp(sp);
    top = sp + (2 + extra_count) * 8;
    user_access_begin();
    GUEST_PUT(top + 32, r->ss, fault);
    GUEST_PUT(top + 24, r->rsp, fault);
    GUEST_PUT(top + 16, b.rflags, fault);
    GUEST_PUT(top + 8, b.cs, fault);
    GUEST_PUT(top, r->rip, fault);
    for (u32 i = 0; i < extra_count; i++)
        GUEST_PUT(sp + 16 + i * 8, extra[i], fault);
    GUEST_PUT(sp + 8, r->r11, fault);
    GUEST_PUT(sp, r->rcx, fault);
    user_access_end();
    if (mask)
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
    r->rsp = sp;
    r->rip = address;
    r->cs = cs;
    r->ss = FLAT_RING3_SS64;
    r->rflags &= ~(u64)(RFLAGS_TF | RFLAGS_RF | RFLAGS_NT | RFLAGS_AC | RFLAGS_VM);
    // rcx and r11 are in the frame: sysret may be used
    r->vector = cs == FLAT_RING3_CS64 ? VECTOR_SYSCALL : 0;
    return true;
fault:
    user_access_end();
    return false;
}

static void inject(struct vcpu *v, struct cpu_regs *r, u8 vector, const u64 *error)
{
    const struct pv_trap *t = pv_trap_of(&v->pv, vector);
    bool has_error = vector < 32 && (ERROR_VECTORS >> vector & 1);
    perfc(PERFC_INJECTED);
    if (!push_frame(v, r, t->address, t->cs, t->mask_events, error, has_error))
        domain_crash(v->dom, t->address ? "its exception handler's stack is not writable"
                                        : "exception without a handler");
}

void pv_inject(struct cpu_regs *regs, u8 vector, u32 error)
{
    u64 word = error;
    inject(current_vcpu(), regs, vector, &word);
}

void pv_inject_pf(struct cpu_regs *regs, u64 address, u32 error)
{
    struct vcpu *v = current_vcpu();
    v->info->arch.cr2 = address;
    // The processor saw ring 3 in both modes; the guest wants to know its own.
    error = v->pv.kernel_mode ? error & ~(u32)PF_USER : error | PF_USER;
    pv_inject(regs, VEC_PF, error);
}

// --- events ---

static inline void enter_callback(struct vcpu *v, struct cpu_regs *r, const struct pv_callback *cb)
{
    if (!push_frame(v, r, cb->address, FLAT_RING3_CS64, cb->mask_events, NULL, 0))
        domain_crash(v->dom, "its callback's stack is not writable, or it has no callback");
}

bool pv_deliver_events(struct vcpu *v, struct cpu_regs *r)
{
    const struct pv_callback *cb = &v->pv.event;
    if (unlikely(v->pv.nmi_pending) && !v->pv.nmi_masked && v->pv.nmi.address) {
        v->pv.nmi_pending = false;
        v->pv.nmi_masked = true;
        cb = &v->pv.nmi;
    } else if (!READ_ONCE(v->info->evtchn_upcall_pending) ||
               READ_ONCE(v->info->evtchn_upcall_mask) || cb->address == 0) {
        return false;
    }
    enter_callback(v, r, cb);
    return true;
}

void pv_syscall(struct vcpu *v, struct cpu_regs *r)
{
    const struct pv_callback *cb = &v->pv.syscall;
    if (cb->address == 0) {
        r->rip -= 2;
        pv_inject(r, VEC_UD, 0);
        return;
    }
    enter_callback(v, r, cb);
}

void pv_failsafe(struct vcpu *v, struct cpu_regs *r)
{
    const u64 selectors[4] = {v->pv.ds, v->pv.es, v->pv.fs, v->pv.gs};
    const struct pv_callback *cb = &v->pv.failsafe;
    if (!push_frame(v, r, cb->address, FLAT_RING3_CS64, cb->mask_events, selectors, 4))
        domain_crash(v->dom, "bad data selectors, and no failsafe callback");
}

// --- the iret hypercall ---

static long iret_refused(struct vcpu *v, const char *why)
{
    domain_crash(v->dom, why);
    return 0;
}

long pv_iret(struct vcpu *v, struct cpu_regs *r)
{
    struct iret_context c;
    struct pv_vcpu *pv = &v->pv;
    u64 at = r->rsp;
    u32 failed = 0;
    if (!guest_range_ok(at, sizeof(c)))
        return iret_refused(v, "iret hypercall with a stack that is not the guest's");
    at = guest_clamp(at);
    user_access_begin();
    GUEST_GET(c.rax, at, failed);
    GUEST_GET(c.r11, at + 8, failed);
    GUEST_GET(c.rcx, at + 16, failed);
    GUEST_GET(c.flags, at + 24, failed);
    GUEST_GET(c.rip, at + 32, failed);
    GUEST_GET(c.cs, at + 40, failed);
    GUEST_GET(c.rflags, at + 48, failed);
    GUEST_GET(c.rsp, at + 56, failed);
    GUEST_GET(c.ss, at + 64, failed);
    user_access_end();
    if (unlikely(failed))
        return iret_refused(v, "iret hypercall with an unreadable stack");
    if ((c.cs & 3) == 3) { // to user mode
        if (unlikely(mfn_eq(pv->l4_user, MFN_NONE)))
            return iret_refused(v, "iret hypercall to user mode without a user page table");
        pv_toggle_mode(v);
    }
    if (unlikely(shows_iopl(v)))
        pv->iopl = (u8)(c.rflags >> 12 & 3);
    r->rip = c.rip;
    r->rsp = c.rsp;
    r->rflags = pv_rflags(c.rflags);
    r->rax = c.rax;
    if (c.flags & VGCF_in_syscall) {
        r->cs = FLAT_RING3_CS64;
        r->ss = FLAT_RING3_SS64;
    } else {
        r->cs = (u16)(c.cs | 3);
        r->ss = (u16)(c.ss | 3);
        r->vector = 0;
        r->r11 = c.r11;
        r->rcx = c.rcx;
    }
    pv->nmi_masked = false;
    WRITE_ONCE(v->info->evtchn_upcall_mask, (c.rflags & RFLAGS_IF) == 0);
    return (long)r->rax;
}

// --- faults ---

// Present but write-protected, by the guest's own tables: perhaps a write to an L1 table.
static bool ptwrite_candidate(u32 error)
{
    return (error & (PF_PRESENT | PF_WRITE | PF_RESERVED | PF_FETCH)) == (PF_PRESENT | PF_WRITE);
}

static void page_fault(struct vcpu *v, struct cpu_regs *r)
{
    u64 address = read_cr2();
    u32 error = r->error_code;
    u64 area = this_cpu()->area + PERCPU_LDT;
    if (!(error & PF_PRESENT) && unlikely(pv_root_stale(v)))
        return; // the processor saw an old copy of the root: again
    if (address - area < PV_LDT_FRAMES * PAGE_SIZE) {
        if (pv_ldt_fault(v, address - area))
            return;
        // To the guest it is a fault at its own LDT.
        pv_inject_pf(r, v->pv.ldt_base + (address - area), error);
        return;
    }
    if (!(error & PF_USER) && pv_emulate_far_return(r))
        return;
    if (v->pv.kernel_mode && ptwrite_candidate(error) && pv_emulate_ptwrite(v, r, address))
        return;
    pv_inject_pf(r, address, error);
}

// The guest's kernel counts as level 1, its user mode as level 3.
static bool may_call(const struct vcpu *v, const struct pv_trap *t)
{
    return t->dpl >= (v->pv.kernel_mode ? 1 : 3);
}

// `int n` from ring 3 through a gate it may not use arrives as #GP with the vector in the error
// code. TCG gets that code wrong, so the instruction itself is looked at.
static bool software_interrupt(struct vcpu *v, struct cpu_regs *r)
{
    u8 insn[2];
    if ((r->error_code & 7) != 2 || guest_copy_in(insn, GUEST_PTR(r->rip), 2) != 0 ||
        insn[0] != 0xcd)
        return false;
    const struct pv_trap *t = pv_trap_of(&v->pv, insn[1]);
    if (!t->address || !may_call(v, t)) {
        r->error_code = (u32)insn[1] << 3 | 2;
        return false;
    }
    r->rip += 2;
    if (!push_frame(v, r, t->address, t->cs, t->mask_events, NULL, 0))
        domain_crash(v->dom, "its interrupt handler's stack is not writable");
    return true;
}

static void device_not_available(struct vcpu *v, struct cpu_regs *r)
{
    cpu_clts();
    bool asked = v->pv.cr0 & CR0_TS;
    v->pv.cr0 &= ~(u64)CR0_TS;
    if (asked)
        pv_inject(r, VEC_NM, 0);
}

static void debug_trap(struct vcpu *v, struct cpu_regs *r)
{
    v->pv.dr6 = (read_dr6() & 0xe00f) | PV_DR6_FIXED;
    write_dr6(PV_DR6_FIXED);
    if (!v->pv.kernel_mode || !domain_stop_for_debugger(v->dom))
        pv_inject(r, VEC_DB, 0);
}

void pv_trap(struct cpu_regs *r)
{
    struct vcpu *v = current_vcpu();
    u8 vector = (u8)r->vector;
    perfc(PERFC_TRAPS);
    switch (vector) {
    case VEC_PF:
        page_fault(v, r);
        break;
    case VEC_GP:
        if (!software_interrupt(v, r) && !pv_emulate_privileged(v, r))
            pv_inject(r, VEC_GP, r->error_code);
        break;
    case VEC_UD:
        if (!pv_emulate_forced_cpuid(v, r))
            pv_inject(r, VEC_UD, 0);
        break;
    case VEC_NM:
        device_not_available(v, r);
        break;
    case VEC_DB:
        debug_trap(v, r);
        break;
    case VEC_BP:
        if (!v->pv.kernel_mode || !domain_stop_for_debugger(v->dom))
            pv_inject(r, VEC_BP, 0);
        break;
    case VEC_DF:
    case VEC_MC:
        domain_crash(v->dom, vector == VEC_DF ? "double fault" : "machine check");
        break;
    case 0x80: {
        const struct pv_trap *t = pv_trap_of(&v->pv, 0x80);
        if (t->address && may_call(v, t)) {
            inject(v, r, 0x80, NULL);
        } else {
            r->rip -= 2;
            pv_inject(r, VEC_GP, 0x80 << 3 | 2);
        }
        break;
    }
    default:
        pv_inject(r, vector, r->error_code);
    }
}
