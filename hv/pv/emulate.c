// SPDX-License-Identifier: MIT
// Instructions of PV guests that we carry out: privileged ones of the guest kernel (#GP), the
// forced-emulation CPUID (#UD) and writes to L1 tables (#PF). The decoder is hv/emul; here is what
// the guest may do through it.
#include "pv/pv.h"
#include "abi/errno.h"
#include "cpu/policy.h"
#include "cpu/cpu.h"
#include "cpu/io.h"
#include "cpu/x86.h"
#include "dom/domain.h"
#include "emul/emul.h"
#include "hc/guest_access.h"
#include "io/pci.h"
#include "io/ports.h"
#include "lib/string.h"
#include "pv/cpuid.h"
#include "pv/mmu.h"

static enum emul_rc raise_gp(struct emul_ctxt *c)
{
    return emul_raise(c, VEC_GP, 0, 0);
}

// --- guest memory ---

static enum emul_rc mem_read(struct emul_ctxt *c, gva_t va, void *buf, unsigned bytes)
{
    if (guest_copy_in(buf, GUEST_PTR(va.v), bytes) == 0)
        return EMUL_OK;
    return emul_raise(c, VEC_PF, 0, va.v);
}

static enum emul_rc mem_write(struct emul_ctxt *c, gva_t va, const void *buf, unsigned bytes)
{
    if (guest_copy_out(GUEST_PTR(va.v), buf, bytes) == 0)
        return EMUL_OK;
    return emul_raise(c, VEC_PF, 2, va.v);
}

// --- ports ---

// A guest reaches a port if its virtual IOPL allows it or its own bitmap does.
static bool port_allowed(struct vcpu *v, u16 port, unsigned bytes)
{
    if (v->pv.iopl >= (v->pv.kernel_mode ? 1 : 3))
        return true;
    if ((u32)port + bytes > v->pv.iobmp_ports)
        return false;
    u8 bits[2] = {0xff, 0xff};
    bool two = port / 8u + 1 < (v->pv.iobmp_ports + 7) / 8, user = !v->pv.kernel_mode;
    if (user) // the bitmap lies in the guest kernel's memory
        pv_toggle_mode(v);
    int rc = guest_copy_in(bits, GUEST_PTR(v->pv.iobmp + port / 8), two ? 2 : 1);
    if (user)
        pv_toggle_mode(v);
    if (rc != 0)
        return false;
    u32 map = bits[0] | (u32)bits[1] << 8;
    return !(map >> (port & 7) & ((1u << bytes) - 1));
}

static u32 port_in(u16 port, unsigned bytes)
{
    return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

static void port_out(u16 port, unsigned bytes, u32 val)
{
    if (bytes == 1)
        outb(port, (u8)val);
    else if (bytes == 2)
        outw(port, (u16)val);
    else
        outl(port, val);
}

static bool is_pci_port(u16 port)
{
    return port >= 0xcf8 && port <= 0xcff;
}

// The PCI ports are the control domain's alone.
static bool port_granted(struct domain *d, u16 port, unsigned bytes)
{
    return d->privileged || (!is_pci_port(port) && domain_may_use(d, &d->io_ports, port, bytes));
}

static enum emul_rc io_in(struct emul_ctxt *c, u16 port, unsigned bytes, u32 *val)
{
    struct vcpu *v = current_vcpu();
    if (!port_allowed(v, port, bytes))
        return raise_gp(c);
    *val = ~0u;
    if (!port_granted(v->dom, port, bytes))
        return EMUL_OK;
    if (is_pci_port(port))
        pci_guest_cfg_port_access(port, bytes, false, val);
    else if (ports_permitted(port, bytes))
        *val = port_in(port, bytes);
    return EMUL_OK;
}

static enum emul_rc io_out(struct emul_ctxt *c, u16 port, unsigned bytes, u32 val)
{
    struct vcpu *v = current_vcpu();
    if (!port_allowed(v, port, bytes))
        return raise_gp(c);
    if (!port_granted(v->dom, port, bytes))
        return EMUL_OK;
    if (is_pci_port(port))
        pci_guest_cfg_port_access(port, bytes, true, &val);
    else if (ports_permitted(port, bytes))
        port_out(port, bytes, val);
    return EMUL_OK;
}

// --- control and debug registers, MSRs ---

static enum emul_rc read_cr(struct emul_ctxt *c, unsigned cr, u64 *val)
{
    (void)c;
    struct vcpu *v = current_vcpu();
    switch (cr) {
    case 0:
        *val = (read_cr0() & ~(u64)CR0_TS) | v->pv.cr0;
        return EMUL_OK;
    case 2:
        *val = v->info->arch.cr2;
        return EMUL_OK;
    case 3:
        *val = mfn_to_maddr(v->pv.l4_kernel).v;
        return EMUL_OK;
    case 4:
        *val = pv_cr4(v);
        return EMUL_OK;
    default:
        return EMUL_UNHANDLED;
    }
}

static void set_ts(struct vcpu *v, bool on)
{
    v->pv.cr0 = on ? CR0_TS : 0;
    write_cr0(on ? read_cr0() | CR0_TS : read_cr0() & ~(u64)CR0_TS);
}

static enum emul_rc write_cr(struct emul_ctxt *c, unsigned cr, u64 val)
{
    struct vcpu *v = current_vcpu();
    switch (cr) {
    case 0:
        if ((val ^ read_cr0()) & ~(u64)CR0_TS)
            return raise_gp(c);
        set_ts(v, val & CR0_TS);
        return EMUL_OK;
    case 2:
        v->info->arch.cr2 = val;
        return EMUL_OK;
    case 3: {
        spin_lock(&v->dom->mmu_lock);
        int rc = val & ~PAGE_MASK ? -EINVAL : pv_set_root(v, MFN(val >> PAGE_SHIFT), false);
        spin_unlock(&v->dom->mmu_lock);
        return rc == 0 ? EMUL_OK : rc == -ERESTART_HC ? EMUL_RETRY : raise_gp(c);
    }
    case 4: // what the guest may choose makes no difference to it: TSD and DE
        v->pv.cr4 = val & (CR4_TSD | CR4_DE);
        return EMUL_OK;
    default:
        return EMUL_UNHANDLED;
    }
}

static enum emul_rc read_msr(struct emul_ctxt *c, u32 msr, u64 *val)
{
    struct vcpu *v = current_vcpu();
    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
    case MSR_PAT:
    case MSR_TSC:
    case MSR_EFER:
        *val = rdmsr(msr);
        return EMUL_OK;
    case MSR_APIC_BASE: // dom0 looks whether there is one; it is not its own
        *val = v->dom->privileged ? rdmsr(msr) : 0;
        return EMUL_OK;
    case MSR_TSC_AUX:
    case 0x179: // machine check: no banks, nothing wrong
    case 0x17a:
        *val = 0;
        return EMUL_OK;
    case 0x8b:       // microcode level
    case 0xce:       // platform info
    case 0x17:       // platform id
    case 0x1a0:      // misc enable
    case 0xc0010015: // HWCR
    case 0xc0010064: // P-state 0: TSC frequency
    case 0xc001001f: // NB_CFG
    case 0xc0011029: // DE_CFG
    case 0xc0010010: // SYSCFG
        return rdmsr_safe(msr, val) ? EMUL_OK : raise_gp(c);
    default:
        return raise_gp(c);
    }
}

static enum emul_rc write_base(struct emul_ctxt *c, u32 msr, u64 val)
{
    if (!is_canonical(val))
        return raise_gp(c);
    wrmsr(msr, val);
    return EMUL_OK;
}

static enum emul_rc write_msr(struct emul_ctxt *c, u32 msr, u64 val)
{
    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
        return write_base(c, msr, val);
    case MSR_EFER: // what it is already may be written
        return (val ^ rdmsr(MSR_EFER)) & ~(u64)EFER_LMA ? raise_gp(c) : EMUL_OK;
    case PV_MSR_HYPERCALL_PAGE:
        return pv_hypercall_msr(current_vcpu(), val) == 0 ? EMUL_OK : raise_gp(c);
    case MSR_PAT:
        return val == rdmsr(MSR_PAT) ? EMUL_OK : raise_gp(c);
    case MSR_STAR:
    case MSR_LSTAR:
    case MSR_CSTAR:
    case MSR_SYSCALL_MASK:
    case MSR_SYSENTER_CS:
    case MSR_SYSENTER_ESP:
    case MSR_SYSENTER_EIP: // callbacks are registered by hypercall; kernels write these as well
    case 0x8b:
    case 0x17a:
    case 0x1a0:
    case 0xc0011029:
    case 0xc0010015:
        return EMUL_OK;
    default:
        return raise_gp(c);
    }
}

static enum emul_rc read_dr(struct emul_ctxt *c, unsigned dr, u64 *val)
{
    (void)c;
    *val = pv_get_debugreg(current_vcpu(), dr);
    return EMUL_OK;
}

static enum emul_rc write_dr(struct emul_ctxt *c, unsigned dr, u64 val)
{
    return pv_set_debugreg(current_vcpu(), dr, val) == 0 ? EMUL_OK : raise_gp(c);
}

static enum emul_rc read_tsc(struct emul_ctxt *c, u64 *val)
{
    (void)c;
    *val = rdtsc();
    return EMUL_OK;
}

static enum emul_rc write_xcr(struct emul_ctxt *c, u32 xcr, u64 val)
{
    const struct cpu_features *f = &cpu_features;
    bool avx512_part = (val & 0xe0) && (val & 0xe0) != 0xe0;
    if (xcr != 0 || !f->xsave || !(val & 1) ||
        val & ~cpu_policy_xcr0(current_vcpu()->dom->policy) || ((val & 4) && !(val & 2)) ||
        avx512_part || ((val & 0xe0) && !(val & 4)))
        return raise_gp(c);
    current_vcpu()->pv.xcr0 = val;
    cpu_xsetbv(0, val);
    return EMUL_OK;
}

static enum emul_rc do_cpuid(struct emul_ctxt *c, u32 leaf, u32 sub, u32 abcd[4])
{
    (void)c;
    pv_cpuid(current_vcpu(), leaf, sub, abcd);
    return EMUL_OK;
}

static enum emul_rc do_wbinvd(struct emul_ctxt *c)
{
    (void)c;
    if (current_vcpu()->dom->privileged)
        cpu_wbinvd();
    return EMUL_OK;
}

// cli and sti do not touch the event mask (that is not theirs): a kernel that executes them means
// real interrupts, which stay on.
static enum emul_rc set_if(struct emul_ctxt *c, bool on)
{
    (void)on;
    return current_vcpu()->pv.iopl >= 1 ? EMUL_OK : raise_gp(c);
}

static const struct emul_ops privileged_ops = {
    .read = mem_read,
    .write = mem_write,
    .io_in = io_in,
    .io_out = io_out,
    .set_if = set_if,
    .read_cr = read_cr,
    .write_cr = write_cr,
    .read_dr = read_dr,
    .write_dr = write_dr,
    .read_msr = read_msr,
    .write_msr = write_msr,
    .read_tsc = read_tsc,
    .write_xcr = write_xcr,
    .cpuid = do_cpuid,
    .wbinvd = do_wbinvd,
};

// --- decoding at the guest's RIP ---

static void fetch(struct cpu_regs *regs, struct emul_ctxt *c)
{
    memset(c, 0, sizeof(*c));
    c->regs = regs;
    c->seg_base[SEG_FS] = rdmsr(MSR_FS_BASE);
    c->seg_base[SEG_GS] = rdmsr(MSR_GS_BASE);
    c->long_mode = true;
    u64 first = PAGE_SIZE - (regs->rip & ~PAGE_MASK); // bytes up to the page's end
    u32 n = (u32)MIN(first, (u64)EMUL_INSN_MAX);
    if (guest_copy_in(c->insn, GUEST_PTR(regs->rip), n) != 0)
        return;
    c->insn_avail = (u8)n;
    if (n < EMUL_INSN_MAX &&
        guest_copy_in(c->insn + n, GUEST_PTR(regs->rip + n), EMUL_INSN_MAX - n) == 0)
        c->insn_avail = EMUL_INSN_MAX;
}

// User mode may only use ports, by its own permissions, and ask for CPUID where that faults.
static bool user_may(enum insn_op op)
{
    return (op >= INSN_INS && op <= INSN_OUT) || op == INSN_CPUID;
}

static bool run(struct emul_ctxt *c, const struct insn *in)
{
    switch (emul_execute(c, in)) {
    case EMUL_OK:
    case EMUL_RETRY:
        return true;
    case EMUL_FAULT:
        if (c->fault_vector == VEC_PF)
            pv_inject_pf(c->regs, c->fault_addr, c->fault_error);
        else
            pv_inject(c->regs, c->fault_vector, c->fault_error);
        return true;
    default:
        return false;
    }
}

bool pv_emulate_privileged(struct vcpu *v, struct cpu_regs *regs)
{
    struct emul_ctxt c;
    struct insn in;
    if (regs->error_code != 0)
        return false;
    fetch(regs, &c);
    c.ops = &privileged_ops;
    if (emul_decode(&c, &in) != EMUL_OK || (!v->pv.kernel_mode && !user_may(in.op)))
        return false;
    if (in.op < INSN_INS) // ordinary instructions fault for reasons of their own
        return false;
    perfc(PERFC_EMULATED);
    return run(&c, &in);
}

bool pv_emulate_forced_cpuid(struct vcpu *v, struct cpu_regs *regs)
{
    u8 insn[EMUL_FORCED_PREFIX_LEN + 2];
    u32 r[4];
    if (guest_copy_in(insn, GUEST_PTR(regs->rip), sizeof(insn)) != 0 ||
        !emul_is_forced_prefix(insn, sizeof(insn)) || insn[EMUL_FORCED_PREFIX_LEN] != 0x0f ||
        insn[EMUL_FORCED_PREFIX_LEN + 1] != 0xa2)
        return false;
    pv_cpuid(v, (u32)regs->rax, (u32)regs->rcx, r);
    regs->rax = r[0], regs->rbx = r[1], regs->rcx = r[2], regs->rdx = r[3];
    regs->rip += sizeof(insn);
    regs->rflags &= ~(u64)RFLAGS_RF;
    return true;
}

// QEMU's TCG reads the stack of an iretq or lretq in ring 3 as if ring 0 did, and so trips over
// SMAP. Selectors and address are checked by our own iretq on the way out.
bool pv_emulate_far_return(struct cpu_regs *regs)
{
    u8 insn[2];
    u64 frame[5]; // rip, cs, then for iretq: rflags, rsp, ss
    if (!cpu_features.smap || guest_copy_in(insn, GUEST_PTR(regs->rip), sizeof(insn)) != 0 ||
        insn[0] != 0x48 || (insn[1] != 0xcf && insn[1] != 0xcb))
        return false;
    bool iret = insn[1] == 0xcf;
    u64 bytes = iret ? sizeof(frame) : 2 * sizeof(frame[0]);
    if (guest_copy_in(frame, GUEST_PTR(regs->rsp), bytes) != 0 || (frame[1] & 3) != 3)
        return false;
    regs->rip = frame[0];
    regs->cs = (u16)frame[1];
    regs->rsp += bytes;
    if (iret) {
        // Ring 3 cannot change IOPL and IF.
        regs->rflags = pv_rflags(frame[2]);
        regs->rsp = frame[3];
        regs->ss = (u16)frame[4];
    }
    return true;
}

// --- L1 tables ---

struct ptwrite {
    struct vcpu *v;
    u64 page;     // guest-virtual page of the table
    maddr_t base; // its machine address
};

// The table's own page is read where the entry is, not through the guest's address: a translation
// of before (the guest need not have flushed) would show another frame, and no exchange would fit.
static enum emul_rc pt_read(struct emul_ctxt *c, gva_t va, void *buf, unsigned bytes)
{
    const struct ptwrite *p = c->opaque;
    u64 at = va.v & ~PAGE_MASK;
    if ((va.v & PAGE_MASK) != p->page || at + bytes > PAGE_SIZE)
        return mem_read(c, va, buf, bytes);
    memcpy(buf, (u8 *)maddr_virt(p->base) + at, bytes);
    return EMUL_OK;
}

// The 8-byte entry that holds byte va, as a whole.
static enum emul_rc pt_exchange(struct emul_ctxt *c, gva_t va, void *old, const void *new,
                                unsigned bytes)
{
    struct ptwrite *p = c->opaque;
    u32 at = (u32)(va.v & 7);
    if ((va.v & PAGE_MASK) != p->page || bytes > 8 || va.v % bytes != 0)
        return EMUL_UNHANDLED;
    maddr_t where = MADDR(p->base.v + (va.v & ~PAGE_MASK & ~(u64)7));
    u64 entry = READ_ONCE(*(u64 *)maddr_virt(where)), changed = entry;
    if (memcmp((u8 *)&entry + at, old, bytes) != 0) {
        memcpy(old, (u8 *)&entry + at, bytes);
        return EMUL_OK;
    }
    memcpy((u8 *)&changed + at, new, bytes);
    bool swapped;
    if (mmu_cmpxchg_l1(p->v->dom, where, &entry, changed, &swapped) != 0)
        return EMUL_UNHANDLED;
    return swapped ? EMUL_OK : EMUL_RETRY; // not swapped: the processor set A or D meanwhile
}

static enum emul_rc pt_write(struct emul_ctxt *c, gva_t va, const void *buf, unsigned bytes)
{
    for (u32 tries = 0; tries < EMUL_CMPXCHG_MAX; tries++) {
        u64 seen = 0, want;
        if (bytes > sizeof(seen))
            return EMUL_UNHANDLED;
        if (pt_read(c, va, &seen, bytes) != EMUL_OK)
            return EMUL_UNHANDLED;
        want = seen;
        enum emul_rc rc = pt_exchange(c, va, &seen, buf, bytes);
        if (rc != EMUL_OK || seen == want)
            return rc;
    }
    return EMUL_RETRY;
}

static const struct emul_ops ptwrite_ops = {
    .read = pt_read,
    .write = pt_write,
    .cmpxchg = pt_exchange,
};

static bool is_own_l1(const struct domain *d, mfn_t m)
{
    if (!mfn_valid(m) || frame_of(m)->owner != frame_owner_id(d))
        return false;
    u64 word = READ_ONCE(frame_of(m)->type);
    return (enum frame_type)(word >> FT_SHIFT) == FT_L1 && (word & FT_VALIDATED);
}

static bool emulate_ptwrite(struct vcpu *v, struct emul_ctxt *c, u64 address, maddr_t table)
{
    struct ptwrite p = {v, address & PAGE_MASK, table};
    struct insn in;
    c->ops = &ptwrite_ops;
    c->opaque = &p;
    if (emul_decode(c, &in) != EMUL_OK || !in.mem || in.op >= INSN_INS ||
        ((emul_mem_addr(c, &in).v ^ address) & PAGE_MASK) != 0)
        return false;
    enum emul_rc rc = emul_execute(c, &in);
    c->opaque = NULL;
    return rc == EMUL_OK || rc == EMUL_RETRY;
}

// The whole instruction at once, if no page ends within the longest one.
static bool fetch_quick(const struct cpu_regs *regs, u8 *insn)
{
    u64 at = regs->rip, w[2];
    u32 failed = 0;
    if ((at & ~PAGE_MASK) > PAGE_SIZE - sizeof(w) || !guest_range_ok(at, sizeof(w)))
        return false;
    user_access_begin();
    at = guest_clamp(at);
    GUEST_GET(w[0], at, failed);
    GUEST_GET(w[1], at + 8, failed);
    user_access_end();
    memcpy(insn, w, sizeof(w));
    return !failed;
}

bool pv_emulate_ptwrite(struct vcpu *v, struct cpu_regs *regs, u64 address)
{
    bool done = false;
    u8 insn[16];
    spin_lock(&v->dom->mmu_lock);
    maddr_t slot = mmu_l1_entry(v, address);
    u64 pte = slot.v ? READ_ONCE(*(u64 *)maddr_virt(slot)) : 0;
    if (slot.v && (pte & (PTE_P | PTE_W)) == PTE_P && is_own_l1(v->dom, pte_mfn(pte))) {
        maddr_t table = mfn_to_maddr(pte_mfn(pte));
        maddr_t entry = MADDR(table.v + (address & ~PAGE_MASK & ~(u64)7));
        done = fetch_quick(regs, insn) && pv_quick_ptwrite(v, regs, insn, entry, address & 7);
        if (!done) {
            struct emul_ctxt c;
            fetch(regs, &c);
            done = emulate_ptwrite(v, &c, address, table);
        }
    }
    spin_unlock(&v->dom->mmu_lock);
    if (done)
        perfc(PERFC_PTWRITES);
    return done;
}
