// SPDX-License-Identifier: MIT
// The executor: one handler per operation, working on a copy of the registers that is kept only if
// everything went well. Semantics are those of SDM 2 "Instruction Set Reference"; where the SDM
// leaves a flag undefined we do what is simplest.
#include "emul/emul.h"
#include "lib/string.h"

#define SIGN(bytes)      ((u64)1 << (8 * (bytes)-1))
#define CALL(op, ...)    (ctx->ops->op ? ctx->ops->op(ctx, __VA_ARGS__) : EMUL_UNHANDLED)
#define ARITHMETIC_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

enum { CR0_TS = 1 << 3, CR0_MSW = 0xf, CR0_MSW_CLEARABLE = 0xe };
enum { MSR_TSC_AUX = 0xc0000103 };

static u64 truncate(u64 v, unsigned bytes)
{
    return bytes >= 8 ? v : v & (((u64)1 << bytes * 8) - 1);
}

static u64 reg_get(const struct cpu_regs *regs, u8 n)
{
    return *(const u64 *)(const void *)((const char *)regs + cpu_regs_offset[n & 15]);
}

// Writes the low bytes of a register. 32-bit writes clear the upper half, smaller ones keep the
// rest: SDM 1 "General-Purpose Registers in 64-Bit Mode".
static void reg_put(struct cpu_regs *regs, u8 n, u64 v, unsigned bytes)
{
    u64 *reg = (u64 *)(void *)((char *)regs + cpu_regs_offset[n & 15]);
    u64 low = truncate(v, bytes);

    *reg = bytes >= 4 ? low : (*reg - truncate(*reg, bytes)) | low;
}

// Without a REX prefix the byte registers 4 to 7 are AH, CH, DH and BH.
static bool is_high_byte(const struct insn *in, u8 n)
{
    return in->bytes == 1 && !in->rex && n >= 4 && n < 8;
}

static u64 operand_get(const struct cpu_regs *regs, const struct insn *in, u8 n)
{
    if (is_high_byte(in, n))
        return truncate(reg_get(regs, n - 4) >> 8, 1);
    return truncate(reg_get(regs, n), in->bytes);
}

static void operand_put(struct cpu_regs *regs, const struct insn *in, u8 n, u64 v)
{
    if (is_high_byte(in, n))
        reg_put(regs, n - 4, truncate(v, 1) << 8 | truncate(reg_get(regs, n - 4), 1), 2);
    else
        reg_put(regs, n, v, in->bytes);
}

// The immediate or the ModRM register.
static u64 source(const struct cpu_regs *regs, const struct insn *in)
{
    return in->has_imm ? truncate(in->imm, in->bytes) : operand_get(regs, in, in->reg);
}

// EDX:EAX, as so many instructions have it.
static u64 edx_eax(const struct cpu_regs *regs)
{
    return regs->rdx << 32 | (u32)regs->rax;
}

static void put_edx_eax(struct cpu_regs *regs, u64 v)
{
    regs->rax = (u32)v;
    regs->rdx = v >> 32;
}

static void put_flags(struct cpu_regs *regs, u64 mask, u64 flags)
{
    regs->rflags = (regs->rflags & ~mask) | (flags & mask);
}

// Addresses.

static gva_t linear(const struct emul_ctxt *ctx, const struct insn *in, u8 seg, u64 offset)
{
    u64 addr = truncate(offset, in->addr_bytes);

    if (!ctx->long_mode)
        return GVA((u32)(addr + ctx->seg_base[seg]));
    return GVA(seg == SEG_FS || seg == SEG_GS ? addr + ctx->seg_base[seg] : addr);
}

// A bit offset in a register is signed and reaches beyond the operand: SDM 2A "BTS".
static u64 bit_displacement(const struct cpu_regs *regs, const struct insn *in)
{
    unsigned unused = 64 - 8 * in->bytes;
    s64 bit = (s64)(operand_get(regs, in, in->reg) << unused) >> unused;

    return (u64)(bit >> 3) & ~(u64)(in->bytes - 1);
}

gva_t emul_mem_addr(const struct emul_ctxt *ctx, const struct insn *in)
{
    const struct cpu_regs *regs = ctx->regs;
    u64 offset = in->disp;

    if (in->base == REG_RIP)
        offset += regs->rip + in->length;
    else if (in->base != REG_NONE)
        offset += reg_get(regs, in->base);
    if (in->index != REG_NONE)
        offset += reg_get(regs, in->index) << in->shift;
    if (in->op >= INSN_BTS && in->op <= INSN_BTC && !in->has_imm)
        offset += bit_displacement(regs, in);
    return linear(ctx, in, in->seg, offset);
}

static bool is_canonical(u64 addr)
{
    return (u64)((s64)(addr << 16) >> 16) == addr;
}

// Refuses what wraps or is not canonical: SDM 1 "Canonical Addressing".
static enum emul_rc check(struct emul_ctxt *ctx, u8 seg, gva_t addr, unsigned bytes)
{
    u64 last = addr.v + bytes - 1;
    bool good = ctx->long_mode ? is_canonical(addr.v) && is_canonical(last) : last == (u32)last;

    if (good && last >= addr.v)
        return EMUL_OK;
    return emul_raise(ctx, seg == SEG_SS ? VEC_SS : VEC_GP, 0, 0);
}

static enum emul_rc mem_read(struct emul_ctxt *ctx, u8 seg, gva_t addr, void *buf, unsigned bytes)
{
    enum emul_rc rc = check(ctx, seg, addr, bytes);

    return rc == EMUL_OK ? CALL(read, addr, buf, bytes) : rc;
}

static enum emul_rc mem_write(struct emul_ctxt *ctx, u8 seg, gva_t addr, u64 v, unsigned bytes)
{
    enum emul_rc rc = check(ctx, seg, addr, bytes);

    return rc == EMUL_OK ? CALL(write, addr, &v, bytes) : rc;
}

static enum emul_rc mem_cmpxchg(struct emul_ctxt *ctx, const struct insn *in, gva_t addr, void *old,
                                const void *new)
{
    enum emul_rc rc = check(ctx, in->seg, addr, in->bytes);

    return rc == EMUL_OK ? CALL(cmpxchg, addr, old, new, in->bytes) : rc;
}

// Arithmetic.

static u64 result_flags(u64 r, unsigned bytes)
{
    // Bit n: has the nibble n an even number of ones?
    bool even = (0x9669 >> ((r ^ r >> 4) & 15)) & 1;

    return (even ? RFLAGS_PF : 0) | (r ? 0 : RFLAGS_ZF) | (r & SIGN(bytes) ? RFLAGS_SF : 0);
}

// `carries` has the carry or borrow out of each bit position, `overflow` the sign of what OF is.
static u64 carry_flags(u64 carries, u64 overflow, unsigned bytes)
{
    return (carries & SIGN(bytes) ? RFLAGS_CF : 0) | (carries & 8 ? RFLAGS_AF : 0) |
           (overflow & SIGN(bytes) ? RFLAGS_OF : 0);
}

static u64 add(u64 a, u64 b, bool carry, unsigned bytes, u64 *flags)
{
    u64 r = truncate(a + b + carry, bytes);

    *flags =
        result_flags(r, bytes) | carry_flags((a & b) | ((a | b) & ~r), (a ^ r) & (b ^ r), bytes);
    return r;
}

static u64 sub(u64 a, u64 b, bool borrow, unsigned bytes, u64 *flags)
{
    u64 r = truncate(a - b - borrow, bytes);

    *flags =
        result_flags(r, bytes) | carry_flags((~a & b) | ((~a | b) & r), (a ^ b) & (a ^ r), bytes);
    return r;
}

static u64 logic(u64 r, unsigned bytes, u64 *flags)
{
    *flags = result_flags(r, bytes);
    return r;
}

// The new value of memory that holds a; *flags goes from the old flags to the new.
static u64 compute(const struct insn *in, u64 a, u64 b, u64 *flags)
{
    u64 old = *flags, bit = (u64)1 << (b & (in->bytes * 8u - 1)), r = a;
    u64 changes = ARITHMETIC_FLAGS;

    switch (in->op) {
    case INSN_ADD:
    case INSN_ADC:
    case INSN_XADD:
        r = add(a, b, in->op == INSN_ADC && (old & RFLAGS_CF), in->bytes, flags);
        break;
    case INSN_SUB:
    case INSN_SBB:
        r = sub(a, b, in->op == INSN_SBB && (old & RFLAGS_CF), in->bytes, flags);
        break;
    case INSN_AND:
        r = logic(a & b, in->bytes, flags);
        break;
    case INSN_OR:
        r = logic(a | b, in->bytes, flags);
        break;
    case INSN_XOR:
        r = logic(a ^ b, in->bytes, flags);
        break;
    case INSN_NEG:
        r = sub(0, a, false, in->bytes, flags);
        break;
    case INSN_INC:
        r = add(a, 1, false, in->bytes, flags);
        changes &= ~(u64)RFLAGS_CF;
        break;
    case INSN_DEC:
        r = sub(a, 1, false, in->bytes, flags);
        changes &= ~(u64)RFLAGS_CF;
        break;
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        r = in->op == INSN_BTS ? a | bit : in->op == INSN_BTR ? a & ~bit : a ^ bit;
        *flags = a & bit ? RFLAGS_CF : 0;
        changes = RFLAGS_CF;
        break;
    case INSN_NOT:
        r = truncate(~a, in->bytes);
        changes = 0;
        break;
    default: // INSN_XCHG
        r = b;
        changes = 0;
        break;
    }
    *flags = (old & ~changes) | (*flags & changes);
    return r;
}

// Handlers: `regs` is the copy that emul_execute() keeps on success.

static enum emul_rc exec_rmw(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    gva_t addr = emul_mem_addr(ctx, in);
    u64 operand = source(regs, in), old = 0;
    enum emul_rc rc = mem_read(ctx, in->seg, addr, &old, in->bytes);

    for (unsigned n = 0; n < EMUL_CMPXCHG_MAX && rc == EMUL_OK; n++) {
        u64 flags = regs->rflags, seen = old;
        u64 new = compute(in, old, operand, &flags);

        rc = mem_cmpxchg(ctx, in, addr, &seen, &new);
        if (rc == EMUL_OK && seen == old) {
            regs->rflags = flags;
            if (in->op == INSN_XCHG || in->op == INSN_XADD)
                operand_put(regs, in, in->reg, old);
            return EMUL_OK;
        }
        old = seen;
    }
    return rc == EMUL_OK ? EMUL_RETRY : rc;
}

static enum emul_rc exec_mov(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    return mem_write(ctx, in->seg, emul_mem_addr(ctx, in), source(regs, in), in->bytes);
}

static enum emul_rc exec_cmpxchg(struct emul_ctxt *ctx, const struct insn *in,
                                 struct cpu_regs *regs)
{
    u64 expected = truncate(regs->rax, in->bytes), seen = expected, new = source(regs, in), flags;
    enum emul_rc rc = mem_cmpxchg(ctx, in, emul_mem_addr(ctx, in), &seen, &new);

    if (rc != EMUL_OK)
        return rc;
    sub(expected, seen, false, in->bytes, &flags);
    put_flags(regs, ARITHMETIC_FLAGS, flags);
    if (seen != expected)
        reg_put(regs, REG_RAX, seen, in->bytes);
    return EMUL_OK;
}

static enum emul_rc exec_cmpxchg_pair(struct emul_ctxt *ctx, const struct insn *in,
                                      struct cpu_regs *regs)
{
    bool wide = in->bytes == 16;
    u64 expected[2] = {wide ? regs->rax : edx_eax(regs), regs->rdx};
    u64 new[2] = {wide ? regs->rbx : regs->rcx << 32 | (u32)regs->rbx, regs->rcx};
    u64 seen[2] = {expected[0], expected[1]};
    gva_t addr = emul_mem_addr(ctx, in);
    enum emul_rc rc;
    bool equal;

    if (wide && addr.v % 16)
        return emul_raise(ctx, VEC_GP, 0, 0);
    rc = mem_cmpxchg(ctx, in, addr, seen, new);
    if (rc != EMUL_OK)
        return rc;
    equal = memcmp(seen, expected, in->bytes) == 0;
    put_flags(regs, RFLAGS_ZF, equal ? RFLAGS_ZF : 0);
    if (!equal && wide) {
        regs->rax = seen[0];
        regs->rdx = seen[1];
    } else if (!equal) {
        put_edx_eax(regs, seen[0]);
    }
    return EMUL_OK;
}

// Strings.

static enum emul_rc string_step(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    gva_t addr = emul_mem_addr(ctx, in);
    gva_t src = linear(ctx, in, in->src_seg, regs->rsi);
    u16 port = (u16)regs->rdx;
    u64 v = regs->rax;
    u32 in_val = 0;
    enum emul_rc rc = EMUL_OK;

    if (in->op == INSN_MOVS)
        rc = mem_read(ctx, in->src_seg, src, &v, in->bytes);
    else if (in->op == INSN_OUTS)
        rc = mem_read(ctx, in->seg, addr, &v, in->bytes);
    else if (in->op == INSN_INS)
        // Reading a port may change a device, so refuse a bad address before.
        rc = check(ctx, in->seg, addr, in->bytes);
    if (rc == EMUL_OK && in->op == INSN_INS) {
        rc = CALL(io_in, port, in->bytes, &in_val);
        v = in_val;
    }
    if (rc != EMUL_OK)
        return rc;
    if (in->op == INSN_OUTS)
        return CALL(io_out, port, in->bytes, (u32)truncate(v, in->bytes));
    return mem_write(ctx, in->seg, addr, v, in->bytes);
}

static void advance(struct cpu_regs *regs, const struct insn *in, u8 n)
{
    u64 step = regs->rflags & RFLAGS_DF ? -(u64)in->bytes : in->bytes;

    reg_put(regs, n, reg_get(regs, n) + step, in->addr_bytes);
}

static enum emul_rc string_once(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    enum emul_rc rc = string_step(ctx, in, regs);

    if (rc != EMUL_OK)
        return rc;
    if (in->op == INSN_MOVS || in->op == INSN_OUTS)
        advance(regs, in, REG_RSI);
    if (in->op != INSN_OUTS)
        advance(regs, in, REG_RDI);
    return EMUL_OK;
}

static enum emul_rc exec_string(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    if (!in->rep)
        return string_once(ctx, in, regs);

    for (unsigned n = 0; truncate(regs->rcx, in->addr_bytes); n++) {
        enum emul_rc rc = n < EMUL_REP_MAX ? string_once(ctx, in, regs) : EMUL_RETRY;

        if (rc != EMUL_OK)
            return rc;
        reg_put(regs, REG_RCX, regs->rcx - 1, in->addr_bytes);
        *ctx->regs = *regs;
    }
    return EMUL_OK;
}

// Ports.

static u16 port_of(const struct cpu_regs *regs, const struct insn *in)
{
    return in->has_imm ? (u8)in->imm : (u16)regs->rdx;
}

static enum emul_rc exec_in(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    u32 v = 0;
    enum emul_rc rc = CALL(io_in, port_of(regs, in), in->bytes, &v);

    reg_put(regs, REG_RAX, v, in->bytes);
    return rc;
}

static enum emul_rc exec_out(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    return CALL(io_out, port_of(regs, in), in->bytes, (u32)truncate(regs->rax, in->bytes));
}

// The machine.

static enum emul_rc exec_set_if(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    return CALL(set_if, in->op == INSN_STI);
}

static enum emul_rc exec_clts(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    u64 cr0 = 0;
    enum emul_rc rc = CALL(read_cr, 0, &cr0);

    return rc == EMUL_OK ? CALL(write_cr, 0, cr0 & ~(u64)CR0_TS) : rc;
}

// Loads PE, MP, EM and TS, but cannot clear PE.
static enum emul_rc exec_lmsw(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    u64 cr0 = 0, msw = reg_get(regs, in->rm);
    enum emul_rc rc = EMUL_OK;

    if (in->mem)
        rc = mem_read(ctx, in->seg, emul_mem_addr(ctx, in), &msw, 2);
    if (rc == EMUL_OK)
        rc = CALL(read_cr, 0, &cr0);
    if (rc != EMUL_OK)
        return rc;
    return CALL(write_cr, 0, (cr0 & ~(u64)CR0_MSW_CLEARABLE) | (msw & CR0_MSW));
}

static enum emul_rc exec_smsw(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    u64 cr0 = 0;
    enum emul_rc rc = CALL(read_cr, 0, &cr0);

    if (rc != EMUL_OK)
        return rc;
    if (in->mem)
        return mem_write(ctx, in->seg, emul_mem_addr(ctx, in), cr0, 2);
    reg_put(regs, in->rm, cr0, in->bytes);
    return EMUL_OK;
}

// Of the control registers only these are a PV guest's business (CR8 is our own); of the debug
// registers all eight. Operands have the full width whatever the prefixes say.
static bool is_ours(const struct insn *in)
{
    bool cr = in->op == INSN_READ_CR || in->op == INSN_WRITE_CR;

    return cr ? in->reg < 5 && in->reg != 1 : in->reg < 8;
}

static enum emul_rc exec_read_special(struct emul_ctxt *ctx, const struct insn *in,
                                      struct cpu_regs *regs)
{
    u64 v = 0;
    enum emul_rc rc;

    if (!is_ours(in))
        return EMUL_UNHANDLED;
    rc = in->op == INSN_READ_CR ? CALL(read_cr, in->reg, &v) : CALL(read_dr, in->reg, &v);
    reg_put(regs, in->rm, v, ctx->long_mode ? 8 : 4);
    return rc;
}

static enum emul_rc exec_write_special(struct emul_ctxt *ctx, const struct insn *in,
                                       struct cpu_regs *regs)
{
    u64 v = truncate(reg_get(regs, in->rm), ctx->long_mode ? 8 : 4);

    if (!is_ours(in))
        return EMUL_UNHANDLED;
    return in->op == INSN_WRITE_CR ? CALL(write_cr, in->reg, v) : CALL(write_dr, in->reg, v);
}

// RDMSR, RDPMC, XGETBV, RDTSC and RDTSCP: something selected by ECX goes to EDX:EAX.
static enum emul_rc exec_read_counter(struct emul_ctxt *ctx, const struct insn *in,
                                      struct cpu_regs *regs)
{
    u32 select = (u32)regs->rcx;
    u64 v = 0, aux = 0;
    enum emul_rc rc;

    if (in->op == INSN_RDMSR)
        rc = CALL(read_msr, select, &v);
    else if (in->op == INSN_RDPMC)
        rc = CALL(read_pmc, select, &v);
    else if (in->op == INSN_XGETBV)
        rc = CALL(read_xcr, select, &v);
    else
        rc = CALL(read_tsc, &v);
    if (in->op == INSN_RDTSCP && rc == EMUL_OK) {
        rc = CALL(read_msr, MSR_TSC_AUX, &aux);
        regs->rcx = (u32)aux;
    }
    put_edx_eax(regs, v);
    return rc;
}

// WRMSR and XSETBV.
static enum emul_rc exec_write_register(struct emul_ctxt *ctx, const struct insn *in,
                                        struct cpu_regs *regs)
{
    u32 select = (u32)regs->rcx;
    u64 v = edx_eax(regs);

    return in->op == INSN_WRMSR ? CALL(write_msr, select, v) : CALL(write_xcr, select, v);
}

static enum emul_rc exec_cpuid(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    u32 abcd[4] = {0};
    enum emul_rc rc = CALL(cpuid, (u32)regs->rax, (u32)regs->rcx, abcd);

    regs->rax = abcd[0];
    regs->rbx = abcd[1];
    regs->rcx = abcd[2];
    regs->rdx = abcd[3];
    return rc;
}

static enum emul_rc exec_invlpg(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    return CALL(invlpg, emul_mem_addr(ctx, in));
}

static enum emul_rc exec_wbinvd(struct emul_ctxt *ctx, const struct insn *in, struct cpu_regs *regs)
{
    return ctx->ops->wbinvd ? ctx->ops->wbinvd(ctx) : EMUL_UNHANDLED;
}

typedef enum emul_rc handler(struct emul_ctxt *, const struct insn *, struct cpu_regs *);

static handler *const handlers[INSN_COUNT] = {
    [INSN_MOV] = exec_mov,
    [INSN_CMPXCHG] = exec_cmpxchg,
    [INSN_CMPXCHG_PAIR] = exec_cmpxchg_pair,
    [INSN_ADD... INSN_XADD] = exec_rmw,
    [INSN_STOS... INSN_OUTS] = exec_string,
    [INSN_IN] = exec_in,
    [INSN_OUT] = exec_out,
    [INSN_CLI... INSN_STI] = exec_set_if,
    [INSN_CLTS] = exec_clts,
    [INSN_LMSW] = exec_lmsw,
    [INSN_SMSW] = exec_smsw,
    [INSN_READ_CR] = exec_read_special,
    [INSN_WRITE_CR] = exec_write_special,
    [INSN_READ_DR] = exec_read_special,
    [INSN_WRITE_DR] = exec_write_special,
    [INSN_RDMSR] = exec_read_counter,
    [INSN_WRMSR] = exec_write_register,
    [INSN_RDTSC... INSN_RDPMC] = exec_read_counter,
    [INSN_CPUID] = exec_cpuid,
    [INSN_INVLPG] = exec_invlpg,
    [INSN_WBINVD] = exec_wbinvd,
    [INSN_XGETBV] = exec_read_counter,
    [INSN_XSETBV] = exec_write_register,
};

enum emul_rc emul_execute(struct emul_ctxt *ctx, const struct insn *in)
{
    struct cpu_regs next = *ctx->regs;
    enum emul_rc rc;

    if (!handlers[in->op])
        return EMUL_UNHANDLED;
    rc = handlers[in->op](ctx, in, &next);
    if (rc != EMUL_OK)
        return rc;
    next.rip += in->length;
    if (!ctx->long_mode)
        next.rip = (u32)next.rip;
    next.rflags &= ~(u64)RFLAGS_RF;
    *ctx->regs = next;
    return EMUL_OK;
}
