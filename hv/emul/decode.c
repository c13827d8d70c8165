// SPDX-License-Identifier: MIT
// The decoder: from instruction bytes to struct insn. SDM 2A "Instruction Format", SDM 2D "Opcode
// Map". What the tables do not name is EMUL_UNHANDLED, and so are register forms of instructions
// whose memory form we carry out: they cannot have faulted on memory.
#include "emul/emul.h"
#include "lib/string.h"

enum row_flags {
    BYTE = 1 << 0,  // operand size is one byte
    RM = 1 << 1,    // has a ModRM byte
    MEM = 1 << 2,   // ... which must name memory
    REGS = 1 << 3,  // ... whose mod field is ignored: two registers (MOV CR, MOV DR)
    GROUP = 1 << 4, // ... whose reg field selects the operation: op is a group
    LOCK = 1 << 5,  // LOCK allowed on the memory form
    IMM8 = 1 << 6,
    IMMZ = 1 << 7,  // 16 or 32 bits
    MOFFS = 1 << 8, // memory at an absolute address of address size
    DST = 1 << 9,   // memory at ES:rDI
    SRC = 1 << 10,  // memory at DS:rSI; with DST a second operand
    IO = 1 << 11,   // operand size is 32 bits at most
    STRING = 1 << 12,
};

struct row {
    u8 op;
    u16 flags;
};

enum group { GROUP1, GROUP3, GROUP4, GROUP7, GROUP8, GROUP9, GROUP11 };

static const u8 groups[][8] = {
    [GROUP1] = {INSN_ADD, INSN_OR, INSN_ADC, INSN_SBB, INSN_AND, INSN_SUB, INSN_XOR},
    [GROUP3] = {[2] = INSN_NOT, [3] = INSN_NEG},
    [GROUP4] = {INSN_INC, INSN_DEC},
    [GROUP7] = {[4] = INSN_SMSW, [6] = INSN_LMSW, [7] = INSN_INVLPG},
    [GROUP8] = {[5] = INSN_BTS, [6] = INSN_BTR, [7] = INSN_BTC},
    [GROUP9] = {[1] = INSN_CMPXCHG_PAIR},
    [GROUP11] = {INSN_MOV},
};

// Opcode n on bytes, n + 1 on words of operand size.
#define PAIR(n, op, flags) [n] = {op, BYTE | (flags)}, [(n) + 1] = {op, flags}

static const struct row one_byte[256] = {
    PAIR(0x00, INSN_ADD, RM | MEM | LOCK),
    PAIR(0x08, INSN_OR, RM | MEM | LOCK),
    PAIR(0x10, INSN_ADC, RM | MEM | LOCK),
    PAIR(0x18, INSN_SBB, RM | MEM | LOCK),
    PAIR(0x20, INSN_AND, RM | MEM | LOCK),
    PAIR(0x28, INSN_SUB, RM | MEM | LOCK),
    PAIR(0x30, INSN_XOR, RM | MEM | LOCK),
    PAIR(0x6c, INSN_INS, DST | IO | STRING),
    PAIR(0x6e, INSN_OUTS, SRC | IO | STRING),
    [0x80] = {GROUP1, BYTE | RM | GROUP | MEM | LOCK | IMM8},
    [0x81] = {GROUP1, RM | GROUP | MEM | LOCK | IMMZ},
    [0x83] = {GROUP1, RM | GROUP | MEM | LOCK | IMM8},
    PAIR(0x86, INSN_XCHG, RM | MEM | LOCK),
    PAIR(0x88, INSN_MOV, RM | MEM),
    PAIR(0xa2, INSN_MOV, MOFFS),
    PAIR(0xa4, INSN_MOVS, DST | SRC | STRING),
    PAIR(0xaa, INSN_STOS, DST | STRING),
    [0xc6] = {GROUP11, BYTE | RM | GROUP | MEM | IMM8},
    [0xc7] = {GROUP11, RM | GROUP | MEM | IMMZ},
    [0xcc] = {INSN_INT, 0},
    [0xcd] = {INSN_INT, IMM8},
    [0xce] = {INSN_INT, 0},
    PAIR(0xe4, INSN_IN, IMM8 | IO),
    PAIR(0xe6, INSN_OUT, IMM8 | IO),
    PAIR(0xec, INSN_IN, IO),
    PAIR(0xee, INSN_OUT, IO),
    [0xf4] = {INSN_HLT, 0},
    PAIR(0xf6, GROUP3, RM | GROUP | MEM | LOCK),
    [0xfa] = {INSN_CLI, 0},
    [0xfb] = {INSN_STI, 0},
    PAIR(0xfe, GROUP4, RM | GROUP | MEM | LOCK),
};

static const struct row two_byte[256] = {
    [0x01] = {GROUP7, RM | GROUP},
    [0x06] = {INSN_CLTS, 0},
    [0x09] = {INSN_WBINVD, 0},
    [0x20] = {INSN_READ_CR, RM | REGS},
    [0x21] = {INSN_READ_DR, RM | REGS},
    [0x22] = {INSN_WRITE_CR, RM | REGS},
    [0x23] = {INSN_WRITE_DR, RM | REGS},
    [0x30] = {INSN_WRMSR, 0},
    [0x31] = {INSN_RDTSC, 0},
    [0x32] = {INSN_RDMSR, 0},
    [0x33] = {INSN_RDPMC, 0},
    [0xa2] = {INSN_CPUID, 0},
    [0xab] = {INSN_BTS, RM | MEM | LOCK},
    PAIR(0xb0, INSN_CMPXCHG, RM | MEM | LOCK),
    [0xb3] = {INSN_BTR, RM | MEM | LOCK},
    [0xba] = {GROUP8, RM | GROUP | MEM | LOCK | IMM8},
    [0xbb] = {INSN_BTC, RM | MEM | LOCK},
    PAIR(0xc0, INSN_XADD, RM | MEM | LOCK),
    [0xc3] = {INSN_MOV, RM | MEM}, // MOVNTI
    [0xc7] = {GROUP9, RM | GROUP | MEM | LOCK},
};

// The bytes still to be decoded. Reading beyond them gives zeros and is remembered, so that only
// the end of decoding has to look.
struct cursor {
    struct emul_ctxt *ctx;
    u8 pos, avail;
    bool over;
};

struct prefixes {
    u8 rex;
    bool operand16, address, lock, rep;
    u8 seg; // SEG_COUNT: none
};

// The next n bytes, sign-extended.
static u64 next(struct cursor *c, unsigned n)
{
    u64 v = 0;

    if (n > (unsigned)(c->avail - c->pos)) {
        c->over = true;
        return 0;
    }
    memcpy(&v, c->ctx->insn + c->pos, n);
    c->pos = (u8)(c->pos + n);
    if (n == 0 || n == 8)
        return v;
    return (u64)((s64)(v << (64 - 8 * n)) >> (64 - 8 * n));
}

// In 64-bit code the prefixes of the segments without a base do nothing, not even undo another.
static void segment_prefix(struct prefixes *p, const struct emul_ctxt *ctx, enum emul_seg seg)
{
    if (!ctx->long_mode || seg == SEG_FS || seg == SEG_GS)
        p->seg = (u8)seg;
}

static bool legacy_prefix(struct prefixes *p, const struct emul_ctxt *ctx, u8 b)
{
    switch (b) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        segment_prefix(p, ctx, (b >> 3) & 3);
        return true;
    case 0x64:
    case 0x65:
        segment_prefix(p, ctx, b == 0x64 ? SEG_FS : SEG_GS);
        return true;
    case 0x66:
        return p->operand16 = true;
    case 0x67:
        return p->address = true;
    case 0xf0:
        return p->lock = true;
    case 0xf2:
    case 0xf3:
        return p->rep = true;
    default:
        return false;
    }
}

// Reads prefixes up to the first opcode byte, which it returns. A REX counts only if it is last.
static u8 read_prefixes(struct cursor *c, struct prefixes *p)
{
    for (;;) {
        u8 b = (u8)next(c, 1);

        if (c->ctx->long_mode && (b & 0xf0) == 0x40)
            p->rex = b;
        else if (legacy_prefix(p, c->ctx, b))
            p->rex = 0;
        else
            return b;
    }
}

// The base and index of a SIB byte. Returns the low three bits of the base.
static u8 read_sib(struct cursor *c, const struct prefixes *p, struct insn *in)
{
    u8 sib = (u8)next(c, 1);
    u8 index = (u8)(((sib >> 3) & 7) | (p->rex & 2) << 2);

    in->shift = sib >> 6;
    if (index != REG_RSP)
        in->index = index;
    return sib & 7;
}

// SDM 2A "32-Bit Addressing Forms with the ModR/M Byte" and, for 64-bit code, "RIP-Relative
// Addressing".
static void read_address(struct cursor *c, const struct prefixes *p, u8 modrm, struct insn *in)
{
    u8 mod = modrm >> 6, low = modrm & 7;
    bool sib = low == REG_RSP;

    in->mem = true;
    if (sib)
        low = read_sib(c, p, in);
    if (mod == 0 && low == REG_RBP) {
        in->base = !sib && c->ctx->long_mode ? REG_RIP : REG_NONE;
        in->disp = next(c, 4);
        return;
    }
    in->base = (u8)(low | (p->rex & 1) << 3);
    if ((in->base == REG_RSP || in->base == REG_RBP) && p->seg == SEG_COUNT)
        in->seg = SEG_SS;
    if (mod)
        in->disp = next(c, mod == 1 ? 1 : 4);
}

// Group 7 with a register operand has whole instructions in the places of unused operands.
static enum insn_op group7_register(u8 modrm)
{
    switch (modrm) {
    case 0xd0:
        return INSN_XGETBV;
    case 0xd1:
        return INSN_XSETBV;
    case 0xf9:
        return INSN_RDTSCP;
    default:
        return modrm < 0xf8 ? groups[GROUP7][(modrm >> 3) & 7] : INSN_NONE;
    }
}

static enum emul_rc read_modrm(struct cursor *c, const struct prefixes *p, struct row row,
                               struct insn *in)
{
    u8 modrm = (u8)next(c, 1);
    u8 reg = (modrm >> 3) & 7;
    bool mem = modrm < 0xc0 && !(row.flags & REGS);

    in->reg = (u8)(reg | (p->rex & 4) << 1);
    in->rm = (u8)((modrm & 7) | (p->rex & 1) << 3);
    if (row.flags & GROUP)
        in->op = !mem && row.op == GROUP7 ? group7_register(modrm) : groups[row.op][reg];
    if (mem && in->addr_bytes == 2)
        return EMUL_UNHANDLED;
    if (mem)
        read_address(c, p, modrm, in);
    return EMUL_OK;
}

static u8 operand_bytes(const struct prefixes *p, struct row row)
{
    if (row.flags & BYTE)
        return 1;
    if ((p->rex & 8) && !(row.flags & IO))
        return 8;
    return p->operand16 && !(p->rex & 8) ? 2 : 4;
}

// The implicit memory operands, and the immediate.
static enum emul_rc read_rest(struct cursor *c, struct row row, struct insn *in)
{
    if (row.flags & (MOFFS | STRING)) {
        in->mem = true;
        if (in->addr_bytes == 2)
            return EMUL_UNHANDLED;
    }
    if (row.flags & MOFFS)
        in->disp = next(c, in->addr_bytes);
    if (row.flags & SRC)
        in->base = REG_RSI;
    if (row.flags & DST) {
        in->base = REG_RDI;
        in->src_seg = in->seg;
        in->seg = SEG_ES;
    }
    in->has_imm = row.flags & (IMM8 | IMMZ);
    if (in->has_imm)
        in->imm = next(c, row.flags & IMM8 ? 1 : MIN(in->bytes, 4));
    return EMUL_OK;
}

// What single instructions do differently from their row.
static enum emul_rc adjust(struct emul_ctxt *ctx, const struct prefixes *p, u8 opcode,
                           struct insn *in)
{
    switch (in->op) {
    case INSN_CMPXCHG_PAIR:
        in->bytes = p->rex & 8 ? 16 : 8;
        break;
    case INSN_SMSW:
    case INSN_LMSW:
        if (in->mem)
            in->bytes = 2;
        break;
    case INSN_MOV:
        // MOVNTI has no 16-bit form, and the prefixes of SSE may not stand before it.
        if (opcode == 0xc3 && (p->operand16 || p->rep))
            return emul_raise(ctx, VEC_UD, 0, 0);
        break;
    case INSN_INT:
        if (opcode == 0xce && ctx->long_mode)
            return emul_raise(ctx, VEC_UD, 0, 0);
        if (!in->has_imm)
            in->imm = opcode == 0xcc ? VEC_BP : VEC_OF;
        in->imm = (u8)in->imm;
        break;
    default:
        break;
    }
    return EMUL_OK;
}

static enum emul_rc decode(struct cursor *c, struct insn *in)
{
    struct prefixes p = {.seg = SEG_COUNT};
    u8 opcode = read_prefixes(c, &p);
    bool two = opcode == 0x0f;
    struct row row;
    enum emul_rc rc = EMUL_OK;

    if (two)
        opcode = (u8)next(c, 1);
    row = two ? two_byte[opcode] : one_byte[opcode];
    if (!row.op && !row.flags)
        return EMUL_UNHANDLED;

    *in = (struct insn){
        .op = row.op,
        .bytes = operand_bytes(&p, row),
        .addr_bytes = (u8)((c->ctx->long_mode ? 8 : 4) >> p.address),
        .lock = p.lock,
        .rep = p.rep,
        .rex = p.rex,
        .seg = p.seg == SEG_COUNT ? SEG_DS : p.seg,
        .base = REG_NONE,
        .index = REG_NONE,
    };
    if (row.flags & RM)
        rc = read_modrm(c, &p, row, in);
    if (rc == EMUL_OK)
        rc = read_rest(c, row, in);
    if (rc != EMUL_OK || in->op == INSN_NONE)
        return EMUL_UNHANDLED;
    in->length = c->pos;
    if (in->lock && !(in->mem && (row.flags & LOCK)))
        return emul_raise(c->ctx, VEC_UD, 0, 0);
    if ((row.flags & MEM) && !in->mem)
        return EMUL_UNHANDLED;
    return adjust(c->ctx, &p, opcode, in);
}

enum emul_rc emul_decode(struct emul_ctxt *ctx, struct insn *in)
{
    enum { PF_USER_FETCH = 0x14 }; // SDM 3A "Page-Fault Exceptions"
    struct cursor c = {.ctx = ctx, .avail = MIN(ctx->insn_avail, (u8)EMUL_INSN_MAX)};
    enum emul_rc rc = decode(&c, in);

    if (!c.over)
        return rc;
    if (c.avail == EMUL_INSN_MAX)
        return emul_raise(ctx, VEC_GP, 0, 0);
    return emul_raise(ctx, VEC_PF, PF_USER_FETCH,
                      ctx->long_mode ? ctx->regs->rip + c.avail
                                     : (u32)(ctx->seg_base[SEG_CS] + ctx->regs->rip + c.avail));
}

bool emul_is_forced_prefix(const u8 *bytes, size_t n)
{
    static const u8 prefix[EMUL_FORCED_PREFIX_LEN] = {0x0f, 0x0b, 'x', 'e', 'n'};

    return n >= sizeof(prefix) && memcmp(bytes, prefix, sizeof(prefix)) == 0;
}
