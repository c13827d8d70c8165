// SPDX-License-Identifier: MIT
// The part of a vCPU that only a paravirtualised guest needs, and what hv/pv offers the rest.
#ifndef WIRT_PV_PV_H
#define WIRT_PV_PV_H

#include "abi/xen.h"
#include "cpu/regs.h"
#include "lib/compiler.h"

struct domain;
struct vcpu;

enum {
    PV_GDT_FRAMES = FIRST_RESERVED_GDT_PAGE,
    PV_LDT_FRAMES = 16,
    PV_DR7_FIXED = 0x400,
    PV_TRAP_CHUNK = 32, // entries of the trap table that are allocated together
    PV_TRAP_CHUNKS = 256 / PV_TRAP_CHUNK,
};
#define PV_MSR_HYPERCALL_PAGE 0x40000000u // writing a frame number | page index fills that page
#define PV_DR6_FIXED          0xffff0ff0u

// PV guests of ours have each assist that 64-bit guests can ask for, or need none.
#define PV_ASSIST(name) ((u64)1 << VMASST_TYPE_##name)
#define PV_VM_ASSISTS                                                                            \
    (PV_ASSIST(4gb_segments) | PV_ASSIST(4gb_segments_notify) | PV_ASSIST(writable_pagetables) | \
     PV_ASSIST(pae_extended_cr3) | PV_ASSIST(architectural_iopl) |                               \
     PV_ASSIST(runstate_update_flag) | PV_ASSIST(m2p_strict))

// A guest's handler: an address in its kernel, and whether events are masked when it is entered.
struct pv_callback {
    u64 address; // 0: none
    bool mask_events;
};

struct pv_trap {
    u64 address; // 0: none
    u16 cs;
    u8 dpl;
    bool mask_events;
};

// All fields [c] unless marked.
struct pv_vcpu {
    struct cpu_regs regs; // while not on a CPU
    u16 ds, es, fs, gs;
    u64 fs_base, gs_base_kernel, gs_base_user;
    bool kernel_mode; // guest kernel (true) or guest user: both in ring 3
    bool initialised;
    u8 iopl;       // guest's virtual I/O privilege level
    u64 kernel_sp; // stack on entry from user mode
    u16 kernel_ss;
    mfn_t l4_kernel; // reference and FT_L4 type held
    mfn_t l4_user;   // the same, or MFN_NONE
    u64 cr0;         // TS as the guest sees it; the rest is constant
    u64 cr4;
    u64 dr[4], dr6, dr7;
    struct pv_callback event, failsafe, syscall, syscall32, sysenter, nmi;
    mfn_t gdt_frame[PV_GDT_FRAMES]; // FT_DESC held; MFN_NONE: not present
    u32 gdt_entries;
    u64 ldt_base;
    u32 ldt_entries;
    mfn_t ldt_frame[PV_LDT_FRAMES]; // mapped lazily, FT_DESC held; MFN_NONE: not mapped yet
    u64 xcr0;
    void *fpu; // XSAVE area
    bool nmi_pending, nmi_masked;
    u64 iobmp;               // guest address of its I/O permission bitmap
    u32 iobmp_ports;         // its length in ports
    bool architectural_iopl; // VMASST_TYPE_architectural_iopl, at hand
    // Last, since they are long: what each entry and exit touches stays together.
    struct pv_trap *more_traps[PV_TRAP_CHUNKS - 1]; // of the vectors above; NULL: none is set
    struct pv_trap trap[PV_TRAP_CHUNK];             // the exceptions'
};

// --- pv/vcpu.c: state that a CPU loads and saves ---

// 0, -ENOMEM.
NODISCARD int pv_vcpu_init(struct vcpu *v);
void pv_vcpu_free(struct vcpu *v);
// Lets go of the vCPU's tables: page tables and descriptors. It will not run any more.
void pv_vcpu_release(struct vcpu *v);
// Takes the vCPU's registers from, or gives them to, this CPU.
void pv_save(struct vcpu *v);
void pv_load(struct vcpu *v);
// Leaves d's address space, whose tables may go away once its vCPU runs elsewhere.
void pv_unload(struct domain *d);
// Switches the current vCPU between guest kernel and guest user: GS base and CR3.
void pv_toggle_mode(struct vcpu *v);
// Makes m the root for the guest's kernel or user mode (0: no user root) and loads it if it is in
// use; the old one is let go. Errors as mmu_get. mmu_lock.
NODISCARD int pv_set_root(struct vcpu *v, mfn_t m, bool user);
// Reloads CR3 of the current vCPU after its roots changed.
void pv_load_cr3(struct vcpu *v);
// XPTI. What CR3 is to be while the current vCPU runs, its copy of the root brought up to date; 0:
// its own root. Exit path.
u64 pv_guest_cr3(void);
// An entry of a root of d changed: the copies follow before their CPUs return to the guest. Whoever
// takes an entry away makes the other CPUs come in where it matters, by the TLB clock: the copy is
// marked before the table that was let go gets its time.
void pv_roots_changed(struct domain *d);
// Did the current vCPU run on a copy that has changed meanwhile?
bool pv_root_stale(const struct vcpu *v);
void pv_fpu_init(struct vcpu *v);
// Gives a vCPU that does not run another XCR0 and XSAVE area. -EINVAL: the processor would refuse.
NODISCARD int pv_set_xsave(struct vcpu *v, u64 xcr0, const void *area);
// d->vm_assist has become that: vCPUs note what they need at hand.
void pv_vm_assist_changed(struct domain *d, u64 assists);
// The GDT frames or the LDT of v changed: takes them over if it is the current vCPU.
void pv_windows_changed(struct vcpu *v);
// What a guest may have in RFLAGS while it runs: interrupts on, no IOPL, no VM86.
u64 pv_rflags(u64 wanted);
// An entry of the trap table.
const struct pv_trap *pv_trap_of(const struct pv_vcpu *pv, u8 vector);
// Sees that a handler for the vector can be set. 0, -ENOMEM.
NODISCARD int pv_trap_room(struct pv_vcpu *pv, u8 vector);
// Sets an entry for which there is room; without a handler it needs none. Addresses have been
// checked.
void pv_set_trap(struct pv_vcpu *pv, const struct trap_info *t, u8 vector);
void pv_clear_traps(struct pv_vcpu *pv);
// Sets the state that VCPUOP_initialise, XEN_DOMCTL_setvcpucontext or dom0's builder hands over, of
// a vCPU that does not run. On an error nothing has changed. -EINVAL, and what mmu_get says.
NODISCARD int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *c);
// The state of a vCPU that does not run, in a form that pv_set_context takes. *c is zero.
void pv_get_context(const struct vcpu *v, struct vcpu_guest_context *c);
// CR4 as the guest reads it: its own bits, and those of ours that it may know of.
u64 pv_cr4(const struct vcpu *v);

// --- pv/traps.c ---

// An exception, interrupt-gate or software interrupt from the guest on this CPU.
void pv_trap(struct cpu_regs *regs);
// Delivers an exception to the current vCPU; has_error as the architecture says for the vector.
void pv_inject(struct cpu_regs *regs, u8 vector, u32 error);
void pv_inject_pf(struct cpu_regs *regs, u64 address, u32 error);
// Enters the event callback when events are pending and unmasked. True when it did.
bool pv_deliver_events(struct vcpu *v, struct cpu_regs *regs);
void pv_syscall(struct vcpu *v, struct cpu_regs *regs);
// The selectors saved in v->pv could not be loaded: the guest's failsafe callback is told.
void pv_failsafe(struct vcpu *v, struct cpu_regs *regs);
long pv_iret(struct vcpu *v, struct cpu_regs *regs);

// --- pv/emulate.c ---
// #GP or #UD of the guest kernel: true when the instruction was carried out.
bool pv_emulate_privileged(struct vcpu *v, struct cpu_regs *regs);
// A write fault at `address`: true when it was a write to an L1 table and has been carried out.
bool pv_emulate_ptwrite(struct vcpu *v, struct cpu_regs *regs, u64 address);
// iretq or lretq in ring 3 that faulted on SMAP: true when it was carried out.
bool pv_emulate_far_return(struct cpu_regs *regs);
bool pv_emulate_forced_cpuid(struct vcpu *v, struct cpu_regs *regs);

// --- pv/ptwrite.c ---
// The usual writes to the L1 entry, at its byte `byte`, by the instruction at `insn` (15 readable
// bytes): false when it is none of those, or is refused. mmu_lock.
bool pv_quick_ptwrite(struct vcpu *v, struct cpu_regs *r, const u8 *insn, maddr_t entry, u32 byte);

// --- pv/hypercall_page.c ---
// Fills a page with the stubs that guests call.
void pv_write_hypercall_page(void *page);
// Fills the guest's frame, as a write of `value` to the MSR asks. 0, -EINVAL.
NODISCARD int pv_hypercall_msr(struct vcpu *v, u64 value);

// --- pv/debug.c ---
u64 pv_get_debugreg(struct vcpu *v, u32 reg);
// 0, -EINVAL, -EPERM: reserved bits, or an address of ours.
NODISCARD int pv_set_debugreg(struct vcpu *v, u32 reg, u64 value);

// --- pv/desc.c ---
// Lets go of table or descriptor frames and leaves MFN_NONE behind. mmu_lock of d.
void pv_put_frames(struct domain *d, mfn_t *frames, u32 count);
NODISCARD long pv_set_gdt(struct vcpu *v, const u64 *frames, u32 entries);
NODISCARD long pv_update_descriptor(struct vcpu *v, u64 maddr, u64 desc);
NODISCARD long pv_set_ldt(struct vcpu *v, u64 base, u64 entries);
// A fault in the LDT window: true when the page is mapped now.
bool pv_ldt_fault(struct vcpu *v, u64 offset);
// Validation of a frame as FT_DESC: all 512 descriptors harmless.
bool pv_desc_page_ok(mfn_t m);
#endif
