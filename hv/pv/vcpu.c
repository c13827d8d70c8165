// SPDX-License-Identifier: MIT
// A PV vCPU's processor state: taken from and given to the CPU at a switch, set and read as the
// ABI's vcpu_guest_context.
//
// While a vCPU is loaded on a CPU its general registers are in cpu_info()->regs, its segment
// registers, FS/GS bases, debug and FPU registers in the processor.
#include "abi/errno.h"
#include "cpu/cpu.h"
#include "cpu/spec.h"
#include "cpu/time.h"
#include "cpu/x86.h"
#include "dom/domain.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/map.h"
#include "mm/tlb.h"
#include "pv/mmu.h"
#include "pv/pv.h"

enum { FXSAVE_BYTES = 512, XSAVE_HEADER = 512, MXCSR_OFFSET = 24, MXCSR_DEFAULT = 0x1f80 };
#define FCW_DEFAULT 0x37f

static inline void fpu_save(void *area)
{
    if (cpu_features.xsave)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(~0u), "d"(~0u) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static inline void fpu_restore(const void *area)
{
    if (cpu_features.xsave)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(~0u), "d"(~0u) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void pv_fpu_init(struct vcpu *v)
{
    memset(v->pv.fpu, 0, cpu_features.xsave ? cpu_features.xsave_size : FXSAVE_BYTES);
    *(u16 *)v->pv.fpu = FCW_DEFAULT;
    *(u32 *)(void *)((u8 *)v->pv.fpu + MXCSR_OFFSET) = MXCSR_DEFAULT;
}

int pv_vcpu_init(struct vcpu *v)
{
    struct pv_vcpu *pv = &v->pv;
    u64 bytes = cpu_features.xsave ? cpu_features.xsave_size : FXSAVE_BYTES;
    pv->fpu = heap_alloc(bytes); // XSAVE wants it aligned to 64
    if (!pv->fpu)
        return -ENOMEM;
    pv_fpu_init(v);
    pv->l4_kernel = pv->l4_user = MFN_NONE;
    pv->kernel_mode = true;
    pv->dr6 = PV_DR6_FIXED;
    pv->dr7 = PV_DR7_FIXED;
    pv->xcr0 = 1;
    for (u32 i = 0; i < PV_GDT_FRAMES; i++)
        pv->gdt_frame[i] = MFN_NONE;
    for (u32 i = 0; i < PV_LDT_FRAMES; i++)
        pv->ldt_frame[i] = MFN_NONE;
    return 0;
}

void pv_vcpu_free(struct vcpu *v)
{
    for (u32 i = 0; i < ARRAY_SIZE(v->pv.more_traps); i++)
        heap_free(v->pv.more_traps[i]);
    heap_free(v->pv.fpu);
}

void pv_vcpu_release(struct vcpu *v)
{
    struct domain *d = v->dom;
    mfn_t roots[] = {v->pv.l4_kernel, v->pv.l4_user};
    v->pv.l4_kernel = v->pv.l4_user = MFN_NONE;
    spin_lock(&d->mmu_lock);
    pv_put_frames(d, roots, ARRAY_SIZE(roots));
    pv_put_frames(d, v->pv.gdt_frame, PV_GDT_FRAMES);
    pv_put_frames(d, v->pv.ldt_frame, PV_LDT_FRAMES);
    v->pv.gdt_entries = v->pv.ldt_entries = 0;
    v->pv.initialised = false;
    spin_unlock(&d->mmu_lock);
}

static u64 current_root(const struct pv_vcpu *pv)
{
    mfn_t root = pv->kernel_mode ? pv->l4_kernel : pv->l4_user;
    return mfn_eq(root, MFN_NONE) ? idle_cr3 : mfn_to_maddr(root).v;
}

// --- XPTI: the roots that guests run on (cpu/xpti.c) ---

static void root_changed(u32 modes) // bit 0: user, bit 1: kernel
{
    if (spec.guard & GUARD_XPTI)
        __atomic_fetch_or(&cpu_info()->root_stale, modes, __ATOMIC_SEQ_CST);
}

void pv_roots_changed(struct domain *d)
{
    if (!(spec.guard & GUARD_XPTI))
        return;
    for_each_cpu (i)
        if (cpumask_test(&d->dirty, i))
            __atomic_fetch_or(&cpus[i].info->root_stale, 3, __ATOMIC_SEQ_CST);
}

bool pv_root_stale(const struct vcpu *v)
{
    const struct cpu_info *info = cpu_info();
    return info->guest_cr3 && READ_ONCE(info->root_stale) >> v->pv.kernel_mode & 1;
}

// An entry that maps the root itself maps the copy instead: the root would show our tables.
static void copy_root(u64 *to, const u64 *from)
{
    mfn_t self = virt_mfn(from);
    u64 own = mfn_to_maddr(virt_mfn(to)).v;
    for (u32 i = 0; i < PAGE_SIZE / 8; i++) {
        if (i == HV_L4_FIRST + 1)
            i = HV_L4_END;
        u64 pte = READ_ONCE(from[i]);
        to[i] = mfn_eq(pte_mfn(pte), self) ? (pte & ~PTE_ADDR) | own : pte;
    }
    for (u32 i = HV_L4_FIRST + 2; i < HV_L4_END; i++)
        ASSERT(to[i] == 0);
}

u64 pv_guest_cr3(void)
{
    struct cpu_info *info = cpu_info();
    const struct vcpu *v = info->current;
    u64 cr3 = 0;
    if (v->dom->privileged ? spec.xpti_dom0 : spec.xpti_domu) {
        bool mode = v->pv.kernel_mode;
        u64 *copy = info->cpu->guest_root[mode];
        // Cleared before the copy is made: a change after that raises it again.
        if (__atomic_fetch_and(&info->root_stale, ~(1u << mode), __ATOMIC_SEQ_CST) >> mode & 1)
            copy_root(copy, maddr_virt(MADDR(current_root(&v->pv))));
        cr3 = mfn_to_maddr(virt_mfn(copy)).v;
    }
    info->guest_cr3 = cr3;
    return cr3;
}

void pv_load_cr3(struct vcpu *v)
{
    tlb_load_cr3(current_root(&v->pv));
}

void pv_toggle_mode(struct vcpu *v)
{
    struct pv_vcpu *pv = &v->pv;
    bool kernel = !pv->kernel_mode;
    pv->kernel_mode = kernel;
    cpu_swapgs();
    write_cr3(mfn_to_maddr(kernel ? pv->l4_kernel : pv->l4_user).v);
}

// A guest may want its user mode not to see the M2P (VMASST_TYPE_m2p_strict).
static void show_m2p(const struct vcpu *v, mfn_t l4, bool user)
{
    bool hide = user && (v->dom->vm_assist >> VMASST_TYPE_m2p_strict & 1);
    u64 *slot = (u64 *)mfn_virt(l4) + HV_L4_FIRST;
    WRITE_ONCE(*slot, hide ? 0 : hv_l4_slots[0]);
}

int pv_set_root(struct vcpu *v, mfn_t m, bool user)
{
    struct domain *d = v->dom;
    mfn_t *slot = user ? &v->pv.l4_user : &v->pv.l4_kernel, old = *slot;
    if (mfn_eq(m, MFN_NONE))
        return -EINVAL; // our own word for "no table": not the guest's to say
    if (user && m.v == 0)
        m = MFN_NONE;
    if (!mfn_eq(old, m) && !mfn_eq(m, MFN_NONE)) {
        int rc = mmu_get(d, m, FT_L4);
        if (rc != 0)
            return rc;
        show_m2p(v, m, user);
    }
    *slot = m;
    root_changed(user ? 1 : 2);
    if (user == !v->pv.kernel_mode)
        pv_load_cr3(v);
    if (!mfn_eq(old, m) && !mfn_eq(old, MFN_NONE))
        mmu_put(d, old);
    return 0;
}

// --- descriptor windows ---

static void window_set(u64 *l1, u32 index, mfn_t m)
{
    WRITE_ONCE(l1[index], mfn_to_maddr(m).v | PTE_P | PTE_NX | PTE_W);
}

static u8 empty_page[PAGE_SIZE] ALIGNED(4096) SECTION(".bss.page"); // descriptors that are absent

static void load_windows(const struct pv_vcpu *pv)
{
    struct cpu *c = this_cpu();
    u32 gdt = PV_GDT_FRAMES - (pv->gdt_entries + 511) / 512;
    u32 ldt = PV_LDT_FRAMES - (pv->ldt_entries + 511) / 512;
    for (u32 i = 0; i < PV_GDT_FRAMES - MIN(gdt, c->gdt_clear); i++)
        if (mfn_eq(pv->gdt_frame[i], MFN_NONE))
            WRITE_ONCE(c->gdt_l1[i], ((u64)empty_page - VIRT_BASE) | PTE_P | PTE_NX);
        else
            window_set(c->gdt_l1, i, pv->gdt_frame[i]);
    for (u32 i = 0; i < PV_LDT_FRAMES - MIN(ldt, c->ldt_clear); i++)
        if (mfn_eq(pv->ldt_frame[i], MFN_NONE))
            WRITE_ONCE(c->ldt_l1[i], 0); // faults, to be mapped then
        else
            window_set(c->ldt_l1, i, pv->ldt_frame[i]);
    c->gdt_clear = gdt;
    c->ldt_clear = ldt;
    if (c->guest_windows) {
        memcpy(c->guest_windows, c->gdt_l1, PV_GDT_FRAMES * sizeof(u64));
        memcpy(c->guest_windows + (c->ldt_l1 - c->gdt_l1), c->ldt_l1, PV_LDT_FRAMES * sizeof(u64));
    }
}

static void load_ldt(const struct pv_vcpu *pv)
{
    struct cpu *c = this_cpu();
    u64 *gdt = (u64 *)(c->area + PERCPU_GDT + HV_LDT);
    u64 base = c->area + PERCPU_LDT, limit = (u64)pv->ldt_entries * 8 - 1;
    if (pv->ldt_entries == 0) {
        __asm__ volatile("lldt %w0" ::"r"(0));
        return;
    }
    gdt[0] =
        (limit & 0xffff) | (base & 0xffffff) << 16 | (u64)0x82 << 40 | (base >> 24 & 0xff) << 56;
    gdt[1] = base >> 32;
    __asm__ volatile("lldt %w0" ::"r"(HV_LDT));
}

void pv_windows_changed(struct vcpu *v)
{
    if (current_vcpu() != v)
        return;
    load_windows(&v->pv);
    load_ldt(&v->pv);
    tlb_flush_local();
}

// --- save and load ---

static void save_segments(struct pv_vcpu *pv)
{
    __asm__ volatile("mov %%ds, %0" : "=r"(pv->ds));
    __asm__ volatile("mov %%es, %0" : "=r"(pv->es));
    __asm__ volatile("mov %%fs, %0" : "=r"(pv->fs));
    __asm__ volatile("mov %%gs, %0" : "=r"(pv->gs));
    pv->fs_base = rdmsr(MSR_FS_BASE);
    u64 active = rdmsr(MSR_GS_BASE), inactive = rdmsr(MSR_KERNEL_GS_BASE);
    pv->gs_base_kernel = pv->kernel_mode ? active : inactive;
    pv->gs_base_user = pv->kernel_mode ? inactive : active;
}

// Selectors first: loading one changes the base. A selector that has gone bad becomes null.
static bool load_segments(struct pv_vcpu *pv)
{
    bool ok = load_seg_ds(pv->ds);
    ok &= load_seg_es(pv->es);
    ok &= load_seg_fs(pv->fs);
    ok &= load_seg_gs(pv->gs);
    wrmsr(MSR_FS_BASE, pv->fs_base);
    wrmsr(MSR_GS_BASE, pv->kernel_mode ? pv->gs_base_kernel : pv->gs_base_user);
    wrmsr(MSR_KERNEL_GS_BASE, pv->kernel_mode ? pv->gs_base_user : pv->gs_base_kernel);
    return ok;
}

static void load_debug(const struct pv_vcpu *pv)
{
    write_dr0(pv->dr[0]);
    write_dr1(pv->dr[1]);
    write_dr2(pv->dr[2]);
    write_dr3(pv->dr[3]);
    write_dr6(pv->dr6);
    write_dr7(pv->dr7);
}

static bool debug_active(const struct pv_vcpu *pv)
{
    return pv->dr7 & 0xff;
}

void pv_save(struct vcpu *v)
{
    struct pv_vcpu *pv = &v->pv;
    pv->regs = cpu_info()->regs;
    save_segments(pv);
    cpu_clts();
    fpu_save(pv->fpu);
    if (debug_active(pv)) {
        pv->dr6 = read_dr6();
        write_dr7(PV_DR7_FIXED);
    }
}

void pv_load(struct vcpu *v)
{
    struct pv_vcpu *pv = &v->pv;
    struct cpu *c = this_cpu();
    cpu_info()->regs = pv->regs;
    cpumask_set(&v->dom->dirty, c->id);
    cpu_info()->current = v;
    root_changed(3);
    if (c->last_domain != v->dom && c->last_domain)
        spec_switch_domain();
    c->last_domain = v->dom;
    load_windows(pv);
    tlb_enter(current_root(pv));
    load_ldt(pv);
    bool segments_ok = load_segments(pv);
    cpu_clts();
    if (cpu_features.xsave)
        cpu_xsetbv(0, cpu_features.xcr0_mask);
    fpu_restore(pv->fpu);
    if (cpu_features.xsave)
        cpu_xsetbv(0, pv->xcr0);
    write_cr0(pv->cr0 & CR0_TS ? read_cr0() | CR0_TS : read_cr0() & ~(u64)CR0_TS);
    if (debug_active(pv))
        load_debug(pv);
    if (unlikely(v->info->time.tsc_to_system_mul == 0)) // a new place, or wiped by the builder
        vcpu_update_time(v);
    if (!segments_ok)
        pv_failsafe(v, &cpu_info()->regs);
    vcpu_update_runstate_area(v);
    if (unlikely(!time_tsc_stable()))
        vcpu_update_time(v);
}

void pv_unload(struct domain *d)
{
    tlb_leave();
    cpumask_clear(&d->dirty, this_cpu()->id);
}

// --- the ABI's context ---

static bool callback_ok(u64 address)
{
    return is_canonical(address);
}

static bool context_ok(const struct vcpu_guest_context *c)
{
    if (c->gdt_ents > FIRST_RESERVED_GDT_ENTRY || c->ldt_ents > 8192)
        return false;
    if (!(c->flags & VGCF_in_kernel) && !c->ctrlreg[1])
        return false; // user mode without a root: nothing to come back to (pv_toggle_mode)
    if (c->ldt_ents && (!is_canonical(c->ldt_base) || c->ldt_base & ~PAGE_MASK))
        return false;
    if (!callback_ok(c->event_callback_eip) || !callback_ok(c->failsafe_callback_eip) ||
        !callback_ok(c->syscall_callback_eip))
        return false;
    for (u32 i = 0; i < ARRAY_SIZE(c->trap_ctxt); i++)
        if (!is_canonical(c->trap_ctxt[i].address))
            return false;
    return is_canonical(c->user_regs.rip) && is_canonical(c->fs_base) &&
           is_canonical(c->gs_base_kernel) && is_canonical(c->gs_base_user);
}

static void set_regs(struct pv_vcpu *pv, const struct cpu_user_regs *u)
{
    struct cpu_regs *r = &pv->regs;
    memset(r, 0, sizeof(*r));
    r->r15 = u->r15, r->r14 = u->r14, r->r13 = u->r13, r->r12 = u->r12;
    r->rbp = u->rbp, r->rbx = u->rbx, r->r11 = u->r11, r->r10 = u->r10;
    r->r9 = u->r9, r->r8 = u->r8, r->rax = u->rax, r->rcx = u->rcx;
    r->rdx = u->rdx, r->rsi = u->rsi, r->rdi = u->rdi;
    r->rip = u->rip, r->rsp = u->rsp;
    r->cs = u->cs | 3;
    r->ss = u->ss | 3;
    r->rflags = pv_rflags(u->rflags);
    pv->ds = u->ds, pv->es = u->es, pv->fs = u->fs, pv->gs = u->gs;
    pv->iopl = (u8)(u->rflags >> 12 & 3);
}

static int trap_room(struct pv_vcpu *pv, const struct vcpu_guest_context *c)
{
    int rc = 0;
    for (u32 i = 0; i < 256 && rc == 0; i++)
        if (c->trap_ctxt[i].address)
            rc = pv_trap_room(pv, (u8)i);
    return rc;
}

static void set_traps(struct pv_vcpu *pv, const struct vcpu_guest_context *c)
{
    for (u32 i = 0; i < 256; i++)
        pv_set_trap(pv, &c->trap_ctxt[i], (u8)i);
    pv->event = (struct pv_callback){c->event_callback_eip, true};
    pv->failsafe =
        (struct pv_callback){c->failsafe_callback_eip, c->flags & VGCF_failsafe_disables_events};
    pv->syscall =
        (struct pv_callback){c->syscall_callback_eip, c->flags & VGCF_syscall_disables_events};
}

// References to the roots that the context names, kernel's and user's.
static int get_roots(struct vcpu *v, const struct vcpu_guest_context *c, mfn_t root[2])
{
    struct domain *d = v->dom;
    root[0] = MFN(xen_cr3_to_pfn(c->ctrlreg[3]));
    root[1] = c->ctrlreg[1] ? MFN(xen_cr3_to_pfn(c->ctrlreg[1])) : MFN_NONE;
    spin_lock(&d->mmu_lock);
    int rc = mmu_get(d, root[0], FT_L4);
    if (rc == 0 && !mfn_eq(root[1], MFN_NONE)) {
        rc = mmu_get(d, root[1], FT_L4);
        if (rc != 0)
            mmu_put(d, root[0]);
    }
    spin_unlock(&d->mmu_lock);
    return rc;
}

static void put_roots(struct domain *d, mfn_t root[2])
{
    spin_lock(&d->mmu_lock);
    pv_put_frames(d, root, 2);
    spin_unlock(&d->mmu_lock);
}

// Exchanges the vCPU's roots for those.
static void set_roots(struct vcpu *v, const mfn_t root[2])
{
    mfn_t old[2] = {v->pv.l4_kernel, v->pv.l4_user};
    v->pv.l4_kernel = root[0];
    v->pv.l4_user = root[1];
    if (!mfn_eq(root[1], MFN_NONE))
        show_m2p(v, root[1], true);
    show_m2p(v, root[0], false);
    put_roots(v->dom, old);
}

static void set_fpu(struct vcpu *v, const struct vcpu_guest_context *c)
{
    u8 *area = v->pv.fpu;
    if (!(c->flags & VGCF_I387_VALID)) {
        pv_fpu_init(v);
        return;
    }
    memcpy(area, &c->fpu_ctxt, FXSAVE_BYTES);
    *(u32 *)(void *)(area + MXCSR_OFFSET) &= 0xffff; // reserved bits fault
    if (cpu_features.xsave)                          // header: x87 and SSE are there, the rest not
        *(u64 *)(void *)(area + XSAVE_HEADER) = 3;
}

int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct pv_vcpu *pv = &v->pv;
    u64 frames[PV_GDT_FRAMES];
    mfn_t root[2];
    if (!context_ok(c))
        return -EINVAL;
    for (u32 i = 0; i < PV_GDT_FRAMES; i++)
        frames[i] = c->gdt_frames[i];
    int rc = trap_room(pv, c);
    if (rc == 0)
        rc = get_roots(v, c, root);
    if (rc != 0)
        return rc;
    rc = (int)pv_set_gdt(v, frames, (u32)c->gdt_ents);
    if (rc != 0) {
        put_roots(v->dom, root);
        return rc;
    }
    set_roots(v, root);
    set_regs(pv, &c->user_regs);
    set_traps(pv, c);
    pv->kernel_mode = c->flags & VGCF_in_kernel;
    pv->kernel_sp = c->kernel_sp;
    pv->kernel_ss = (u16)c->kernel_ss;
    pv->cr0 = c->ctrlreg[0] & CR0_TS;
    pv->fs_base = c->fs_base;
    pv->gs_base_kernel = c->gs_base_kernel;
    pv->gs_base_user = c->gs_base_user;
    spin_lock(&v->dom->mmu_lock);
    (void)!pv_set_ldt(v, c->ldt_base, c->ldt_ents);
    spin_unlock(&v->dom->mmu_lock);
    for (u32 i = 0; i < 8; i++) // a bad value leaves that register as it is
        if (i < 4 || i > 5)
            (void)!pv_set_debugreg(v, i, c->debugreg[i]);
    set_fpu(v, c);
    if (v->id.v == 0 && !pv->initialised) {
        v->dom->vm_assist = c->vm_assist & PV_VM_ASSISTS;
        pv_vm_assist_changed(v->dom, v->dom->vm_assist);
    }
    pv->initialised = true;
    return 0;
}

void pv_vm_assist_changed(struct domain *d, u64 assists)
{
    struct vcpu *v;
    for_each_vcpu (d, v)
        WRITE_ONCE(v->pv.architectural_iopl, (assists & PV_ASSIST(architectural_iopl)) != 0);
}

int pv_set_xsave(struct vcpu *v, u64 xcr0, const void *area)
{
    const u64 *header = (const void *)((const u8 *)area + XSAVE_HEADER);
    u64 mask = cpu_features.xcr0_mask;
    if (!(xcr0 & 1) || xcr0 & ~mask || header[0] & ~mask || header[1] != 0)
        return -EINVAL; // bits that the processor has not, or a compacted area
    for (u32 i = 2; i < 8; i++)
        if (header[i] != 0)
            return -EINVAL;
    memcpy(v->pv.fpu, area, cpu_features.xsave_size);
    *(u32 *)(void *)((u8 *)v->pv.fpu + MXCSR_OFFSET) &= 0xffff;
    v->pv.xcr0 = xcr0;
    return 0;
}

static void get_regs(const struct pv_vcpu *pv, struct cpu_user_regs *u)
{
    const struct cpu_regs *r = &pv->regs;
    u->r15 = r->r15, u->r14 = r->r14, u->r13 = r->r13, u->r12 = r->r12;
    u->rbp = r->rbp, u->rbx = r->rbx, u->r11 = r->r11, u->r10 = r->r10;
    u->r9 = r->r9, u->r8 = r->r8, u->rax = r->rax, u->rcx = r->rcx;
    u->rdx = r->rdx, u->rsi = r->rsi, u->rdi = r->rdi;
    u->rip = r->rip, u->rsp = r->rsp;
    u->cs = (u16)r->cs, u->ss = (u16)r->ss;
    u->rflags = (r->rflags & ~(u64)RFLAGS_IOPL) | (u64)pv->iopl << 12;
    u->ds = pv->ds, u->es = pv->es, u->fs = pv->fs, u->gs = pv->gs;
}

static void get_traps(const struct pv_vcpu *pv, struct vcpu_guest_context *c)
{
    for (u32 i = 0; i < 256; i++) {
        const struct pv_trap *t = pv_trap_of(pv, (u8)i);
        c->trap_ctxt[i] = (struct trap_info){
            .vector = (u8)i,
            .flags = (u8)(t->dpl | (t->mask_events ? 4 : 0)),
            .cs = t->cs,
            .address = t->address,
        };
    }
    c->event_callback_eip = pv->event.address;
    c->failsafe_callback_eip = pv->failsafe.address;
    c->syscall_callback_eip = pv->syscall.address;
    c->flags |= pv->failsafe.mask_events ? VGCF_failsafe_disables_events : 0;
    c->flags |= pv->syscall.mask_events ? VGCF_syscall_disables_events : 0;
}

static u64 root_cr3(mfn_t root)
{
    return mfn_eq(root, MFN_NONE) ? 0 : xen_pfn_to_cr3(root.v);
}

u64 pv_cr4(const struct vcpu *v)
{
    return v->pv.cr4 |
           (read_cr4() & (CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_DE | CR4_OSXSAVE));
}

void pv_get_context(const struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct pv_vcpu *pv = &v->pv;
    memcpy(&c->fpu_ctxt, pv->fpu, FXSAVE_BYTES);
    c->flags = VGCF_i387_valid | (pv->kernel_mode ? VGCF_in_kernel : 0);
    c->flags |= v->flags & VCPU_DOWN ? 0 : VGCF_online;
    get_regs(pv, &c->user_regs);
    get_traps(pv, c);
    c->ldt_base = pv->ldt_base;
    c->ldt_ents = pv->ldt_entries;
    c->gdt_ents = pv->gdt_entries;
    for (u32 i = 0; i < PV_GDT_FRAMES && !mfn_eq(pv->gdt_frame[i], MFN_NONE); i++)
        c->gdt_frames[i] = pv->gdt_frame[i].v;
    c->kernel_ss = pv->kernel_ss;
    c->kernel_sp = pv->kernel_sp;
    c->ctrlreg[0] = (read_cr0() & ~(u64)CR0_TS) | pv->cr0;
    c->ctrlreg[1] = root_cr3(pv->l4_user);
    c->ctrlreg[2] = READ_ONCE(v->info->arch.cr2);
    c->ctrlreg[3] = root_cr3(pv->l4_kernel);
    c->ctrlreg[4] = pv_cr4(v);
    for (u32 i = 0; i < 8; i++)
        c->debugreg[i] = i < 4 ? pv->dr[i] : i == 6 ? pv->dr6 : i == 7 ? pv->dr7 : 0;
    c->vm_assist = v->dom->vm_assist;
    c->fs_base = pv->fs_base;
    c->gs_base_kernel = pv->gs_base_kernel;
    c->gs_base_user = pv->gs_base_user;
}
