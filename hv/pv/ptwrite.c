// SPDX-License-Identifier: MIT
// The short way for the writes that kernels make to L1 tables over and over: a plain 8-byte store,
// an exchange, a bit cleared by AND. What is not one of these goes through the emulator
// (pv/emulate.c), which does the same more slowly.
//
// The address is the one the processor reported (CR2), so only the length and the operand are
// decoded. Should the guest have changed the instruction since it faulted, it gets the write that
// the new one describes, to that entry: a validated write like any other.
// Source: SDM 2 "MOV", "XCHG", "AND", "Instruction Format".
#include "dom/domain.h"
#include "lib/string.h"
#include "pv/mmu.h"
#include "pv/pv.h"

enum op { OP_STORE, OP_XCHG, OP_AND8 };

struct quick {
    enum op op;
    u8 length;
    u8 reg; // STORE and XCHG from a register
    bool imm_used;
    u64 imm; // STORE of an immediate, AND8
};

static u64 *gpr(struct cpu_regs *r, u8 n)
{
    return (u64 *)(void *)((u8 *)r + cpu_regs_offset[n & 15]);
}

// Bytes of ModRM, SIB and displacement; 0 for a register operand.
static u32 modrm_bytes(const u8 *p)
{
    u8 mod = p[0] >> 6, rm = p[0] & 7;
    bool sib = rm == 4, base5 = sib ? (p[1] & 7) == 5 : rm == 5;
    if (mod == 3)
        return 0;
    return 1 + sib + (mod == 1 ? 1 : mod == 2 || base5 ? 4 : 0);
}

static bool decode(const u8 *insn, struct quick *q)
{
    const u8 *p = insn;
    bool lock = *p == 0xf0;
    p += lock;
    u8 rex = (*p & 0xf0) == 0x40 ? *p++ : 0;
    u8 opcode = *p++;
    u32 n = modrm_bytes(p);
    u8 field = *p >> 3 & 7;
    bool wide = rex & 8;
    if (n == 0)
        return false;
    q->reg = (u8)((rex & 4) << 1 | field);
    p += n;
    if (opcode == 0x89 && wide && !lock) {
        q->op = OP_STORE;
    } else if (opcode == 0x87 && wide) {
        q->op = OP_XCHG;
    } else if (opcode == 0xc7 && wide && !lock && field == 0) {
        s32 imm;
        memcpy(&imm, p, sizeof(imm));
        q->op = OP_STORE;
        q->imm_used = true;
        q->imm = (u64)(s64)imm;
        p += sizeof(imm);
    } else if (opcode == 0x80 && field == 4) {
        q->op = OP_AND8;
        q->imm = *p++;
    } else {
        return false;
    }
    q->length = (u8)(p - insn);
    return true;
}

// CF and OF clear, ZF, SF and PF by the result.
static void and_flags(struct cpu_regs *r, u8 result)
{
    r->rflags &= ~(u64)(RFLAGS_CF | RFLAGS_OF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_PF | RFLAGS_AF);
    r->rflags |= (result ? 0 : RFLAGS_ZF) | (result & 0x80 ? RFLAGS_SF : 0) |
                 (__builtin_parity(result) ? 0 : RFLAGS_PF);
}

static u64 wanted(const struct quick *q, struct cpu_regs *r, u64 old, u32 shift)
{
    if (q->op == OP_AND8)
        return old & ~((~q->imm & 0xff) << shift);
    return q->imm_used ? q->imm : *gpr(r, q->reg);
}

bool pv_quick_ptwrite(struct vcpu *v, struct cpu_regs *r, const u8 *insn, maddr_t entry, u32 byte)
{
    struct quick q = {0};
    if (!decode(insn, &q) || (byte != 0 && q.op != OP_AND8))
        return false;
    u64 old = READ_ONCE(*(u64 *)maddr_virt(entry));
    bool swapped;
    u64 seen = old;
    if (mmu_cmpxchg_l1(v->dom, entry, &seen, wanted(&q, r, old, byte * 8), &swapped) != 0)
        return false;
    if (!swapped)
        return true; // the processor set A or D meanwhile: the guest executes it again
    if (q.op == OP_XCHG)
        *gpr(r, q.reg) = old;
    else if (q.op == OP_AND8)
        and_flags(r, (u8)(old >> byte * 8) & (u8)q.imm);
    r->rip += q.length;
    r->rflags &= ~(u64)RFLAGS_RF;
    return true;
}
