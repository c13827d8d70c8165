// SPDX-License-Identifier: MIT
// SOURCES: hv/emul/decode.c hv/emul/emul.c
// CFLAGS: -Wno-missing-field-initializers
// The emulator against the real processor: random forms of every memory-writing instruction, with
// random prefixes, addressing modes and operands, run natively on a buffer and emulated on the same
// buffer; registers, memory and defined flags must agree. What cannot run natively (privileged
// instructions, 32-bit code, refusals) are rows with hand-written results.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "emul/emul.h"

// Native execution: a template that is copied to a page that may be written and executed. It loads
// all registers, runs the instruction in its slot, and stores them.
enum { SLOT = 15, CASES_PER_FORM = 1500, BUF_BYTES = 4096, MIDDLE = BUF_BYTES / 2 };

struct native_state {
    u64 rflags;
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u64 rsp;
};

extern const u8 stub_begin[], stub_slot[], stub_in[], stub_out[], stub_end[];
__asm__(".pushsection .rodata\n"
        "stub_begin:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, stub_host_rsp(%rip)\n"
        "lea stub_in(%rip), %rsp\n"
        "popf\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; pop %r11; pop %r10\n"
        "pop %r9; pop %r8; pop %rax; pop %rcx; pop %rdx; pop %rsi; pop %rdi\n"
        "pop %rsp\n"
        "stub_slot: .fill 15, 1, 0x90\n"
        "mov %rsp, stub_out_rsp(%rip)\n"
        "lea stub_out_rsp(%rip), %rsp\n"
        "push %rdi; push %rsi; push %rdx; push %rcx; push %rax; push %r8; push %r9; push %r10\n"
        "push %r11; push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "pushf\n"
        "mov stub_host_rsp(%rip), %rsp\n"
        "cld\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "ret\n"
        ".balign 64\n"
        "stub_host_rsp: .quad 0\n"
        "stub_in: .fill 17, 8, 0\n"
        "stub_out: .fill 16, 8, 0\n"
        "stub_out_rsp: .quad 0\n"
        "stub_end:\n"
        ".popsection\n");

static u8 *code, *buf;
static u64 seed;

static u64 rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static u64 below(u64 n)
{
    return (rnd() >> 11) % n;
}

// Values that carry, overflow and vanish more often than evenly spread ones.
static u64 interesting(void)
{
    static const u64 edges[] = {
        0,          1,          0x7f,       0x80,      0xff,         0x7fff,    0x8000,
        0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, (u64)1 << 63, UINT64_MAX};

    return below(3) ? rnd() : edges[below(ARRAY_SIZE(edges))];
}

static void native_run(const u8 *insn, unsigned length, struct native_state *state)
{
    u8 *slot = code + (stub_slot - stub_begin);

    memset(slot, 0x90, SLOT);
    memcpy(slot, insn, length);
    memcpy(code + (stub_in - stub_begin), state, sizeof(*state));
    ((void (*)(void))(uintptr_t)code)();
    memcpy(state, code + (stub_out - stub_begin), sizeof(*state));
}

static void to_native(const struct cpu_regs *r, struct native_state *n)
{
    *n = (struct native_state){.rflags = r->rflags, .rsp = r->rsp};
    memcpy(&n->r15, &r->r15, 15 * sizeof(u64));
}

// Plain memory behind the emulator. `lose` makes the next cmpxchgs find another value.
static unsigned lose, writes;

static enum emul_rc op_read(struct emul_ctxt *ctx, gva_t addr, void *to, unsigned bytes)
{
    (void)ctx;
    memcpy(to, (const void *)addr.v, bytes);
    return EMUL_OK;
}

static enum emul_rc op_write(struct emul_ctxt *ctx, gva_t addr, const void *from, unsigned bytes)
{
    (void)ctx;
    writes++;
    memcpy((void *)addr.v, from, bytes);
    return EMUL_OK;
}

static enum emul_rc op_cmpxchg(struct emul_ctxt *ctx, gva_t addr, void *old, const void *new,
                               unsigned bytes)
{
    u8 *mem = (u8 *)addr.v, seen[16];

    (void)ctx;
    if (lose) {
        lose--;
        mem[0]++;
    }
    memcpy(seen, mem, bytes);
    if (memcmp(old, mem, bytes) == 0)
        memcpy(mem, new, bytes);
    memcpy(old, seen, bytes);
    writes++;
    return EMUL_OK;
}

static const struct emul_ops memory_ops = {
    .read = op_read, .write = op_write, .cmpxchg = op_cmpxchg};

enum imm { NO_IMM, IMM8, IMMZ };
enum kind { PLAIN, BIT_REG, STRING, MOFFS, CX8 };

struct form {
    const char *name;
    u8 opcode[2]; // 0f first, if two
    s8 ext;       // ModRM.reg, -1: a register
    u8 byte_form; // opcode - 1 is this on bytes
    enum imm imm;
    enum kind kind;
    bool lockable, no_operand16;
    u64 undefined_flags;
};

#define LOGIC .undefined_flags = RFLAGS_AF, .lockable = true
#define BITS  .undefined_flags = RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF, .lockable = true
#define ALU(n, name, ...)                                   \
    {name " r", {8 * (n) + 1}, -1, 1, NO_IMM, __VA_ARGS__}, \
        {name " imm8", {0x83}, n, 0, IMM8, __VA_ARGS__},    \
        {name " immz", {0x81}, n, 0, IMMZ, __VA_ARGS__},    \
    {                                                       \
        name " byte", {0x80}, n, 2, IMM8, __VA_ARGS__       \
    }

static const struct form forms[] = {
    ALU(0, "add", .lockable = true),
    ALU(1, "or", LOGIC),
    ALU(2, "adc", .lockable = true),
    ALU(3, "sbb", .lockable = true),
    ALU(4, "and", LOGIC),
    ALU(5, "sub", .lockable = true),
    ALU(6, "xor", LOGIC),
    {"mov r", {0x89}, -1, 1, NO_IMM, PLAIN},
    {"mov imm", {0xc7}, 0, 0, IMMZ, PLAIN},
    {"mov imm byte", {0xc6}, 0, 2, IMM8, PLAIN},
    {"mov moffs", {0xa3}, -1, 1, NO_IMM, MOFFS},
    {"movnti", {0x0f, 0xc3}, -1, 0, NO_IMM, PLAIN, .no_operand16 = true},
    {"xchg", {0x87}, -1, 1, NO_IMM, PLAIN, .lockable = true},
    {"cmpxchg", {0x0f, 0xb1}, -1, 1, NO_IMM, PLAIN, .lockable = true},
    {"cmpxchg8b/16b", {0x0f, 0xc7}, 1, 0, NO_IMM, CX8, .lockable = true},
    {"xadd", {0x0f, 0xc1}, -1, 1, NO_IMM, PLAIN, .lockable = true},
    {"inc", {0xff}, 0, 1, NO_IMM, PLAIN, .lockable = true},
    {"dec", {0xff}, 1, 1, NO_IMM, PLAIN, .lockable = true},
    {"not", {0xf7}, 2, 1, NO_IMM, PLAIN, .lockable = true},
    {"neg", {0xf7}, 3, 1, NO_IMM, PLAIN, .lockable = true},
    {"bts r", {0x0f, 0xab}, -1, 0, NO_IMM, BIT_REG, BITS},
    {"btr r", {0x0f, 0xb3}, -1, 0, NO_IMM, BIT_REG, BITS},
    {"btc r", {0x0f, 0xbb}, -1, 0, NO_IMM, BIT_REG, BITS},
    {"bts imm", {0x0f, 0xba}, 5, 0, IMM8, PLAIN, BITS},
    {"btr imm", {0x0f, 0xba}, 6, 0, IMM8, PLAIN, BITS},
    {"btc imm", {0x0f, 0xba}, 7, 0, IMM8, PLAIN, BITS},
    {"movs", {0xa5}, -1, 1, NO_IMM, STRING},
    {"stos", {0xab}, -1, 1, NO_IMM, STRING},
};

static u64 *reg(struct cpu_regs *r, unsigned n)
{
    u64 *const slots[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
                            &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15};

    return slots[n];
}

struct bytes {
    u8 at[32];
    unsigned n;
};

static void put(struct bytes *b, u64 v, unsigned n)
{
    memcpy(b->at + b->n, &v, n);
    b->n += n;
}

// One random case. Returns false if the dice gave an impossible combination.
static bool make_case(const struct form *f, struct cpu_regs *r, struct bytes *b, u64 *target)
{
    bool byte = f->byte_form == 2 || (f->byte_form == 1 && below(3) == 0);
    bool addr32 = below(4) == 0, two = f->opcode[0] == 0x0f, wide;
    u8 rex = below(4) ? 0x40 | below(16) : 0, opcode = f->opcode[two];
    u8 modrm, sib = (u8)rnd(), low;
    bool operand16 = !f->no_operand16 && below(3) == 0;
    unsigned bytes, addr_bytes = addr32 ? 4 : 8, imm_bytes;
    u64 addr;

    if (byte && f->byte_form == 1)
        opcode--;
    wide = f->kind == CX8 && (rex & 8);
    bytes = byte ? 1 : rex & 8 ? 8 : operand16 ? 2 : 4;
    imm_bytes = f->imm == IMM8 ? 1 : f->imm == IMMZ ? MIN(bytes, 4u) : 0;
    for (unsigned n = 0; n < 16; n++)
        *reg(r, n) = interesting();
    r->rflags = 0x202 | (rnd() & 0xcd5);
    for (unsigned n = 0; n < BUF_BYTES; n += 8) {
        u64 v = interesting();

        memcpy(buf + n, &v, 8);
    }
    addr = *target = (u64)buf + MIDDLE + (wide ? 16 * below(4) : below(64));

    if (operand16)
        put(b, 0x66, 1);
    if (addr32)
        put(b, 0x67, 1);
    if (below(8) == 0) // segments without a base, and GS, whose base is zero here
        put(b, below(2) ? 0x65 : 0x26 + 8 * below(4), 1);
    if (f->lockable && below(2))
        put(b, 0xf0, 1);
    if (f->kind == STRING && below(2)) {
        put(b, 0xf2 + below(2), 1);
        r->rcx = below(150) + 1;
        if (addr32)
            r->rcx |= rnd() << 32;
    }
    if (rex)
        put(b, rex, 1);
    if (two)
        put(b, 0x0f, 1);
    put(b, opcode, 1);

    if (f->kind == STRING) {
        r->rdi = addr | (addr32 ? rnd() << 32 : 0);
        r->rsi = ((u64)buf + MIDDLE + below(64)) | (addr32 ? rnd() << 32 : 0);
        return true;
    }
    if (f->kind == MOFFS) {
        put(b, addr, addr_bytes);
        return true;
    }

    modrm = (u8)(below(3) << 6 | below(64));
    if (f->ext >= 0)
        modrm = (modrm & 0xc7) | (u8)(f->ext << 3);
    put(b, modrm, 1);
    low = modrm & 7;
    if (low == 4) {
        put(b, sib, 1);
        low = sib & 7;
    }

    u8 mod = modrm >> 6, base = low | (rex & 1) << 3, source = ((modrm >> 3) & 7) | (rex & 4) << 1;
    u8 index = ((sib >> 3) & 7) | (rex & 2) << 2;
    bool has_base = !(mod == 0 && low == 5), has_index = (modrm & 7) == 4 && index != 4;
    u64 rest = 0;

    if (f->kind == BIT_REG) {
        if (source == base || (has_index && source == index))
            return false;
        s64 bit = (s64)below(8000) - 4000;
        u64 high = bytes == 8 ? 0 : rnd() << (8 * bytes);

        *reg(r, source) = high | (bytes == 8 ? (u64)bit : (u64)bit & (((u64)1 << 8 * bytes) - 1));
    }
    if (f->kind == PLAIN && f->opcode[1] == 0xb1 && below(2)) // cmpxchg that succeeds
        memcpy(&r->rax, buf + (addr - (u64)buf), 8);
    if (f->kind == CX8 && below(2)) {
        memcpy(&r->rax, (void *)addr, wide ? 8 : 4);
        memcpy(&r->rdx, (void *)(addr + (wide ? 8 : 4)), wide ? 8 : 4);
    }
    if (has_index) {
        if (has_base && index == base)
            return false;
        if (!has_base)
            *reg(r, index) = below(1000); // disp32 has to reach the buffer
        rest += *reg(r, index) << (sib >> 6);
    }
    if (mod || !has_base) {
        u64 disp = mod == 1 ? (u64)(s8)rnd() : (u64)(s32)rnd();

        if (!has_base && (modrm & 7) == 5) // from the end of the instruction
            disp = addr - ((u64)code + (stub_slot - stub_begin) + b->n + 4 + imm_bytes);
        else if (!has_base)
            disp = addr - rest;
        put(b, disp, mod == 1 ? 1 : 4);
        rest += disp;
    }
    if (has_base)
        *reg(r, base) = addr32 ? (u32)(addr - rest) | rnd() << 32 : addr - rest;
    if (f->kind == CX8 && has_base && (base == 0 || base == 2))
        memset(buf + (addr - (u64)buf), 0x5a, 16); // not equal; equality is covered by the others
    put(b, interesting(), imm_bytes);
    return true;
}

static void dump(const struct form *f, const struct bytes *b, unsigned n)
{
    print_error("%s, case %u:", f->name, n);
    for (unsigned i = 0; i < b->n; i++)
        print_error(" %02x", b->at[i]);
    print_error("\n");
}

// Executes until RIP moves on: REP comes back for more.
static enum emul_rc emulate(struct emul_ctxt *ctx, struct insn *in)
{
    enum emul_rc rc = emul_decode(ctx, in);

    if (rc == EMUL_OK)
        rc = emul_execute(ctx, in);
    if (rc == EMUL_RETRY && in->rep) {
        assert_int_equal(ctx->regs->rip, (u64)code + (stub_slot - stub_begin));
        rc = emul_execute(ctx, in);
    }
    return rc;
}

static bool same(struct cpu_regs *emulated, const struct native_state *native, u64 undefined)
{
    struct native_state mine;

    to_native(emulated, &mine);
    return memcmp(&mine.r15, &native->r15, sizeof(mine) - 8) == 0 &&
           ((mine.rflags ^ native->rflags) & 0xcd5 & ~undefined) == 0;
}

static void run_case(const struct form *f, unsigned n)
{
    static u8 before[BUF_BYTES], after[BUF_BYTES];
    struct cpu_regs r = {.rip = (u64)code + (stub_slot - stub_begin)};
    struct emul_ctxt ctx = {.regs = &r, .long_mode = true, .ops = &memory_ops};
    struct native_state native;
    struct bytes b = {.n = 0};
    struct insn in;
    u64 target, rip = r.rip;
    bool good;

    if (!make_case(f, &r, &b, &target) || b.n > SLOT)
        return;
    memcpy(before, buf, BUF_BYTES);
    to_native(&r, &native);
    native_run(b.at, b.n, &native);
    memcpy(after, buf, BUF_BYTES);
    memcpy(buf, before, BUF_BYTES);

    memset(ctx.insn, 0xcc, sizeof(ctx.insn));
    memcpy(ctx.insn, b.at, b.n);
    ctx.insn_avail = below(2) ? (u8)b.n : 15;
    good = emul_decode(&ctx, &in) == EMUL_OK;
    if (good && f->kind != BIT_REG)
        good = emul_mem_addr(&ctx, &in).v == target;
    good = good && emulate(&ctx, &in) == EMUL_OK && r.rip == rip + b.n &&
           same(&r, &native, f->undefined_flags) && memcmp(buf, after, BUF_BYTES) == 0;
    if (!good) {
        dump(f, &b, n);
        fail();
    }
}

static void matches_processor(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++)
        for (unsigned n = 0; n < CASES_PER_FORM; n++)
            run_case(&forms[i], n);
}

// Rows with hand-written results. The machine behind them: every register reads as a constant that
// names it, every write goes into `log`.
static char log_text[256];

#define LOG(...) snprintf(log_text, sizeof(log_text), __VA_ARGS__)

static enum emul_rc m_io_in(struct emul_ctxt *c, u16 port, unsigned bytes, u32 *val)
{
    (void)c;
    LOG("in %x/%u", port, bytes);
    *val = 0x89abcdef;
    return EMUL_OK;
}

static enum emul_rc m_io_out(struct emul_ctxt *c, u16 port, unsigned bytes, u32 val)
{
    (void)c;
    LOG("out %x/%u %x", port, bytes, val);
    return port == 0xbad ? emul_raise(c, VEC_GP, 0, 0) : EMUL_OK;
}

static enum emul_rc m_set_if(struct emul_ctxt *c, bool on)
{
    (void)c;
    LOG("if %d", on);
    return EMUL_OK;
}

#define M_READ(name, type, base)                                             \
    static enum emul_rc m_read_##name(struct emul_ctxt *c, type n, u64 *val) \
    {                                                                        \
        (void)c;                                                             \
        *val = (base) + n;                                                   \
        return EMUL_OK;                                                      \
    }
#define M_WRITE(name, type)                                                  \
    static enum emul_rc m_write_##name(struct emul_ctxt *c, type n, u64 val) \
    {                                                                        \
        (void)c;                                                             \
        LOG(#name "%x %lx", n, (unsigned long)val);                          \
        return EMUL_OK;                                                      \
    }
M_READ(cr, unsigned, 0x180050038)
M_READ(dr, unsigned, 0xd0)
M_READ(msr, u32, 0x100000000)
M_READ(pmc, u32, 0x500000000)
M_READ(xcr, u32, 0x600000000)
M_WRITE(cr, unsigned)
M_WRITE(dr, unsigned)
M_WRITE(msr, u32)
M_WRITE(xcr, u32)

static enum emul_rc m_read_tsc(struct emul_ctxt *c, u64 *val)
{
    (void)c;
    *val = 0x1234567890;
    return EMUL_OK;
}

static enum emul_rc m_cpuid(struct emul_ctxt *c, u32 leaf, u32 subleaf, u32 abcd[4])
{
    (void)c;
    LOG("cpuid %x %x", leaf, subleaf);
    for (u32 n = 0; n < 4; n++)
        abcd[n] = 0xa0 + n;
    return EMUL_OK;
}

static enum emul_rc m_invlpg(struct emul_ctxt *c, gva_t addr)
{
    (void)c;
    LOG("invlpg %lx", (unsigned long)addr.v);
    return EMUL_OK;
}

static enum emul_rc m_wbinvd(struct emul_ctxt *c)
{
    (void)c;
    LOG("wbinvd");
    return EMUL_OK;
}

static enum emul_rc m_write(struct emul_ctxt *c, gva_t addr, const void *from, unsigned bytes)
{
    u64 v = 0;

    (void)c;
    memcpy(&v, from, bytes);
    LOG("write %lx/%u %lx", (unsigned long)addr.v, bytes, (unsigned long)v);
    return EMUL_OK;
}

static enum emul_rc m_read(struct emul_ctxt *c, gva_t addr, void *to, unsigned bytes)
{
    (void)c;
    (void)addr;
    memset(to, 0x55, bytes);
    return EMUL_OK;
}

static const struct emul_ops machine_ops = {
    .read = m_read,
    .write = m_write,
    .io_in = m_io_in,
    .io_out = m_io_out,
    .set_if = m_set_if,
    .read_cr = m_read_cr,
    .write_cr = m_write_cr,
    .read_dr = m_read_dr,
    .write_dr = m_write_dr,
    .read_msr = m_read_msr,
    .write_msr = m_write_msr,
    .read_tsc = m_read_tsc,
    .read_pmc = m_read_pmc,
    .read_xcr = m_read_xcr,
    .write_xcr = m_write_xcr,
    .cpuid = m_cpuid,
    .invlpg = m_invlpg,
    .wbinvd = m_wbinvd,
};

#define RAX0 0x1111111111111111
#define RBX0 0x4444
#define RCX0 2
#define RDX0 0x3f8

struct row {
    u8 n; // bytes available
    u8 insn[15];
    const char *log;
    u64 rax, rcx, rdx;
    bool compat;
    enum emul_rc rc;
    u8 vector;
};

#define SAME RAX0, RCX0, RDX0

static const struct row rows[] = {
    {2, {0xe4, 0x80}, "in 80/1", 0x11111111111111ef, RCX0, RDX0},
    {3, {0x66, 0xe5, 0x80}, "in 80/2", 0x111111111111cdef, RCX0, RDX0},
    {1, {0xed}, "in 3f8/4", 0x89abcdef, RCX0, RDX0},
    {2, {0x48, 0xed}, "in 3f8/4", 0x89abcdef, RCX0, RDX0},
    {3, {0x66, 0x48, 0xed}, "in 3f8/4", 0x89abcdef, RCX0, RDX0},
    {1, {0xee}, "out 3f8/1 11", SAME},
    {2, {0x66, 0xef}, "out 3f8/2 1111", SAME},
    {2, {0xe7, 0xff}, "out ff/4 11111111", SAME},
    {1, {0x6c}, "write 6000/1 ef", SAME},
    {1, {0x6f}, "out 3f8/4 55555555", SAME},
    {2, {0xf3, 0x6d}, "write 6004/4 89abcdef", RAX0, 0, RDX0},
    {1, {0xfa}, "if 0", SAME},
    {1, {0xfb}, "if 1", SAME},
    {2, {0x0f, 0x06}, "cr0 180050030", SAME},
    {3, {0x0f, 0x20, 0xd9}, "", RAX0, 0x18005003b, RDX0}, // mov %cr3, %rcx
    {3, {0x0f, 0x22, 0xe0}, "cr4 1111111111111111", SAME},
    {3, {0x0f, 0x22, 0x18}, "cr3 1111111111111111", SAME}, // mod is ignored
    {3, {0x0f, 0x22, 0xd8}, "cr3 11111111", SAME, .compat = true},
    {4, {0x44, 0x0f, 0x22, 0xc0}, "", SAME, .rc = EMUL_UNHANDLED}, // CR8
    {3, {0x0f, 0x20, 0xc8}, "", SAME, .rc = EMUL_UNHANDLED},       // CR1
    {4, {0xf0, 0x0f, 0x22, 0xc0}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_UD},
    {3, {0x0f, 0x21, 0xf8}, "", 0xd7, RCX0, RDX0},
    {3, {0x0f, 0x23, 0xf8}, "dr7 1111111111111111", SAME},
    {3, {0x0f, 0x01, 0xf2}, "cr0 180050038", SAME}, // lmsw %dx
    {3, {0x0f, 0x01, 0x33}, "cr0 180050035", SAME}, // lmsw (%rbx)
    {4, {0x48, 0x0f, 0x01, 0xe0}, "", 0x180050038, RCX0, RDX0},
    {3, {0x0f, 0x01, 0xe0}, "", 0x80050038, RCX0, RDX0},
    {3, {0x0f, 0x01, 0x23}, "write 4444/2 38", SAME},
    {2, {0x0f, 0x32}, "", 2, RCX0, 1},
    {2, {0x0f, 0x30}, "msr2 3f811111111", SAME},
    {2, {0x0f, 0x31}, "", 0x34567890, RCX0, 0x12},
    {3, {0x0f, 0x01, 0xf9}, "", 0x34567890, 0xc0000103, 0x12},
    {2, {0x0f, 0x33}, "", 2, RCX0, 5},
    {3, {0x0f, 0x01, 0xd0}, "", 2, RCX0, 6},
    {3, {0x0f, 0x01, 0xd1}, "xcr2 3f811111111", SAME},
    {2, {0x0f, 0xa2}, "cpuid 11111111 2", 0xa0, 0xa2, 0xa3},
    {3, {0x0f, 0x01, 0x3b}, "invlpg 4444", SAME},
    {4, {0x64, 0x0f, 0x01, 0x3b}, "invlpg f0004444", SAME},
    {2, {0x0f, 0x09}, "wbinvd", SAME},
    // Left to the caller.
    {1, {0xf4}, "", SAME, .rc = EMUL_UNHANDLED},
    {2, {0xcd, 0x80}, "", SAME, .rc = EMUL_UNHANDLED},
    {2, {0x0f, 0x05}, "", SAME, .rc = EMUL_UNHANDLED},       // syscall
    {2, {0x48, 0xcf}, "", SAME, .rc = EMUL_UNHANDLED},       // iretq
    {3, {0x0f, 0x01, 0xf8}, "", SAME, .rc = EMUL_UNHANDLED}, // swapgs
    {3, {0x0f, 0x01, 0x13}, "", SAME, .rc = EMUL_UNHANDLED}, // lgdt
    {2, {0x89, 0xc0}, "", SAME, .rc = EMUL_UNHANDLED},       // no memory
    {2, {0x39, 0x03}, "", SAME, .rc = EMUL_UNHANDLED},       // cmp
    {2, {0x01, 0x03}, "", SAME, .rc = EMUL_UNHANDLED},       // no cmpxchg op
    // Invalid.
    {1, {0xce}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_UD},
    {1, {0xce}, "", SAME, .compat = true, .rc = EMUL_UNHANDLED},
    {3, {0xf0, 0x89, 0x03}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_UD},
    {3, {0xf0, 0x01, 0xc0}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_UD},
    {4, {0x66, 0x0f, 0xc3, 0x03}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_UD},
    {0, {0}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_PF},
    {5, {0xc7, 0x03, 1, 2, 3}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_PF},
    {15,
     {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0xc7, 0x03},
     "",
     SAME,
     .rc = EMUL_FAULT,
     .vector = VEC_GP},
    // Addresses.
    {6, {0x89, 0x83, 0xbc, 0xbb, 0xff, 0xff}, "write 0/4 11111111", SAME},
    {6, {0x89, 0x83, 0xbb, 0xbb, 0xff, 0xff}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_GP}, // wrap
    {2, {0x89, 0x00}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_GP}, // not canonical
    {3, {0x89, 0x45, 0x00}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_SS},
    {3, {0x64, 0x89, 0x03}, "write f0004444/4 11111111", SAME},
    {3, {0x2e, 0x89, 0x03}, "write 4444/4 11111111", SAME}, // CS has no base
    {4, {0x64, 0x2e, 0x89, 0x03}, "write f0004444/4 11111111", SAME},
    {3, {0x48, 0x66, 0x89}, "", SAME, .rc = EMUL_FAULT, .vector = VEC_PF},
    {4, {0x48, 0x66, 0x89, 0x03}, "write 4444/2 1111", SAME}, // REX not last
    // 32-bit code.
    {2, {0x89, 0x03}, "write 14444/4 11111111", SAME, .compat = true},
    {3, {0x66, 0x89, 0x03}, "write 14444/2 1111", SAME, .compat = true},
    {3, {0x64, 0x89, 0x03}, "write f0004444/4 11111111", SAME, .compat = true},
    {3, {0x67, 0x89, 0x03}, "", SAME, .compat = true, .rc = EMUL_UNHANDLED},
    {6, {0x89, 0x05, 8, 0, 0, 0}, "write 10008/4 11111111", SAME, .compat = true}, // not from EIP
    {5, {0xa3, 8, 0, 0, 0x80}, "write 80010008/4 11111111", SAME, .compat = true},
    {1, {0xab}, "write 6000/4 11111111", SAME, .compat = true}, // ES
    {1, {0xed}, "in 3f8/4", 0x89abcdef, RCX0, RDX0, .compat = true},
    {1, {0x48}, "", SAME, .compat = true, .rc = EMUL_UNHANDLED}, // dec %eax
    {2, {0x67, 0xab}, "", SAME, .compat = true, .rc = EMUL_UNHANDLED},
    {1, {0x89}, "", SAME, .compat = true, .rc = EMUL_FAULT, .vector = VEC_PF},
};

static void run_row(const struct row *row, unsigned n)
{
    struct cpu_regs r = {.rax = RAX0,
                         .rbx = RBX0,
                         .rcx = RCX0,
                         .rdx = RDX0,
                         .rbp = RAX0,
                         .rsi = 0x5000,
                         .rdi = 0x6000,
                         .rip = row->compat ? 0xffffffff : 0x7000,
                         .rflags = 0x10202};
    struct cpu_regs old = r;
    struct emul_ctxt ctx = {
        .regs = &r,
        .long_mode = !row->compat,
        .insn_avail = row->n,
        .ops = &machine_ops,
        .seg_base = {[SEG_CS] = 0x20000, [SEG_DS] = 0x10000, [SEG_FS] = 0xf0000000}};
    struct insn in;
    enum emul_rc rc;
    bool good;

    memcpy(ctx.insn, row->insn, 15);
    log_text[0] = 0;
    rc = emul_decode(&ctx, &in);
    if (rc == EMUL_OK)
        rc = emul_execute(&ctx, &in);
    good = rc == row->rc && strcmp(log_text, row->log) == 0;
    if (rc == EMUL_OK)
        good = good && r.rax == row->rax && r.rcx == row->rcx && r.rdx == row->rdx &&
               r.rflags == 0x202 && r.rip == (row->compat ? row->n - 1u : 0x7000u + row->n);
    else
        good = good && memcmp(&r, &old, sizeof(r)) == 0;
    if (rc == EMUL_FAULT)
        good = good && ctx.fault_vector == row->vector;
    if (!good) {
        print_error("row %u: rc %d log '%s' vec %u rax %lx rcx %lx rdx %lx\n", n, rc, log_text,
                    ctx.fault_vector, (long)r.rax, (long)r.rcx, (long)r.rdx);
        fail();
    }
}

static void rows_hold(void **state)
{
    (void)state;
    for (unsigned n = 0; n < ARRAY_SIZE(rows); n++)
        run_row(&rows[n], n);
}

static void set_insn(struct emul_ctxt *ctx, const u8 *bytes, u8 n)
{
    memcpy(ctx->insn, bytes, n);
    ctx->insn_avail = n;
}

// A value that others keep changing: the loop follows, and ends.
static void cmpxchg_is_retried(void **state)
{
    static const u8 orb[] = {0x80, 0x0b, 0x80}; // orb $0x80, (%rbx)
    struct cpu_regs r = {.rbx = (u64)buf, .rip = 0x1000};
    struct emul_ctxt ctx = {.regs = &r, .long_mode = true, .ops = &memory_ops};
    struct insn in;

    (void)state;
    set_insn(&ctx, orb, sizeof(orb));
    buf[0] = 0;
    lose = 3;
    assert_int_equal(emulate(&ctx, &in), EMUL_OK);
    assert_int_equal(buf[0], 0x83);
    assert_int_equal(r.rip, 0x1003);
    buf[0] = 0;
    lose = 1000;
    assert_int_equal(emulate(&ctx, &in), EMUL_RETRY);
    assert_int_equal(buf[0], EMUL_CMPXCHG_MAX);
    assert_int_equal(r.rip, 0x1003);
    lose = 0;
}

static enum emul_rc limited_write(struct emul_ctxt *ctx, gva_t addr, const void *from, unsigned n)
{
    return addr.v >= (u64)buf + 64 ? emul_raise(ctx, VEC_PF, 6, addr.v)
                                   : op_write(ctx, addr, from, n);
}

// The iterations before a fault count, RIP stays.
static void rep_stops_at_a_fault(void **state)
{
    static const struct emul_ops ops = {.read = op_read, .write = limited_write};
    static const u8 rep_stosq[] = {0xf3, 0x48, 0xab};
    struct cpu_regs r = {.rdi = (u64)buf, .rcx = 100, .rip = 0x1000};
    struct emul_ctxt ctx = {.regs = &r, .long_mode = true, .ops = &ops};
    struct insn in;

    (void)state;
    set_insn(&ctx, rep_stosq, sizeof(rep_stosq));
    assert_int_equal(emul_decode(&ctx, &in), EMUL_OK);
    assert_int_equal(emul_execute(&ctx, &in), EMUL_FAULT);
    assert_int_equal(ctx.fault_vector, VEC_PF);
    assert_int_equal(ctx.fault_addr, (u64)buf + 64);
    assert_int_equal(r.rcx, 92);
    assert_int_equal(r.rdi, (u64)buf + 64);
    assert_int_equal(r.rip, 0x1000);
    r.rdi = (u64)buf;
    r.rcx = 0;
    writes = 0;
    assert_int_equal(emul_execute(&ctx, &in), EMUL_OK);
    assert_int_equal(writes, 0);
    assert_int_equal(r.rip, 0x1003);
}

static void cmpxchg16b_wants_alignment(void **state)
{
    static const u8 insn[] = {0x48, 0x0f, 0xc7, 0x0b};
    struct cpu_regs r = {.rbx = (u64)buf + 8};
    struct emul_ctxt ctx = {.regs = &r, .long_mode = true, .ops = &memory_ops};
    struct insn in;

    (void)state;
    set_insn(&ctx, insn, sizeof(insn));
    assert_int_equal(emulate(&ctx, &in), EMUL_FAULT);
    assert_int_equal(ctx.fault_vector, VEC_GP);
}

static void interrupts_are_reported(void **state)
{
    static const struct {
        u8 n, insn[2], vector;
    } ints[] = {{2, {0xcd, 0x80}, 0x80}, {1, {0xcc}, 3}, {1, {0xce}, 4}};

    (void)state;
    for (unsigned n = 0; n < ARRAY_SIZE(ints); n++) {
        struct cpu_regs r = {0};
        struct emul_ctxt ctx = {.regs = &r, .ops = &memory_ops};
        struct insn in;

        set_insn(&ctx, ints[n].insn, ints[n].n);
        assert_int_equal(emul_decode(&ctx, &in), EMUL_OK);
        assert_int_equal(in.op, INSN_INT);
        assert_int_equal(in.imm, ints[n].vector);
        assert_int_equal(in.length, ints[n].n);
    }
}

static void forced_prefix_is_known(void **state)
{
    static const u8 bytes[] = {0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2};

    (void)state;
    assert_true(emul_is_forced_prefix(bytes, sizeof(bytes)));
    assert_true(emul_is_forced_prefix(bytes, 5));
    assert_false(emul_is_forced_prefix(bytes, 4));
    assert_false(emul_is_forced_prefix(bytes + 1, 6));
}

static int setup(void **state)
{
    (void)state;
    seed = 0x9e3779b97f4a7c15;
    // Below 4 GiB, so that 32-bit address sizes and absolute displacements reach it.
    code = mmap(NULL, PAGE_SIZE + BUF_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (code == MAP_FAILED)
        return -1;
    buf = code + PAGE_SIZE;
    memcpy(code, stub_begin, (size_t)(stub_end - stub_begin));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_processor),          cmocka_unit_test(rows_hold),
        cmocka_unit_test(cmpxchg_is_retried),         cmocka_unit_test(rep_stops_at_a_fault),
        cmocka_unit_test(cmpxchg16b_wants_alignment), cmocka_unit_test(interrupts_are_reported),
        cmocka_unit_test(forced_prefix_is_known),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
