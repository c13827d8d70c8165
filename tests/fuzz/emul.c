// SPDX-License-Identifier: MIT
// SOURCES: hv/emul/decode.c hv/emul/emul.c
// The emulator on arbitrary instructions, registers and answers of the world. Whatever they are:
// no crash, bounded work, nothing done by decoding, registers kept unless the instruction (or an
// iteration of it) was done.
//
// Input: one byte of options, one of length, 15 of instruction; what follows feeds the registers
// and every answer, and repeats when it is used up.
#include <stdlib.h>
#include <string.h>
#include "emul/emul.h"
#include "tests/fuzz/replay.h"

enum { HEAD = 17, OPS_MAX = 4 * EMUL_REP_MAX };

struct world {
    const u8 *data;
    size_t size, pos;
    unsigned ops;
};

static void require(bool c)
{
    if (!c)
        abort();
}

static void answer(struct world *w, void *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((u8 *)to)[i] = w->size ? w->data[w->pos++ % w->size] : 0;
}

// One call of an op: counted, and ending badly now and then.
static enum emul_rc called(struct emul_ctxt *ctx)
{
    struct world *w = ctx->opaque;
    u8 how;

    require(++w->ops <= OPS_MAX);
    answer(w, &how, 1);
    return how < 0xf8 ? EMUL_OK : how & 3 ? how & 3 : emul_raise(ctx, VEC_PF, 0, 0);
}

static void good_range(const struct emul_ctxt *ctx, gva_t addr, unsigned bytes)
{
    u64 last = addr.v + bytes - 1;

    require(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16);
    require(last >= addr.v && addr.v >> 47 == last >> 47);
    require(addr.v >> 47 == 0 || addr.v >> 47 == 0x1ffff);
    require(ctx->long_mode || last >> 32 == 0);
}

static enum emul_rc f_read(struct emul_ctxt *ctx, gva_t addr, void *to, unsigned bytes)
{
    good_range(ctx, addr, bytes);
    answer(ctx->opaque, to, bytes);
    return called(ctx);
}

static enum emul_rc f_write(struct emul_ctxt *ctx, gva_t addr, const void *from, unsigned bytes)
{
    u8 copy[16];

    good_range(ctx, addr, bytes);
    memcpy(copy, from, bytes);
    return called(ctx);
}

static enum emul_rc f_cmpxchg(struct emul_ctxt *ctx, gva_t addr, void *old, const void *new,
                              unsigned bytes)
{
    u8 lost;

    answer(ctx->opaque, &lost, 1);
    if (lost & 1)
        answer(ctx->opaque, old, bytes);
    return f_write(ctx, addr, new, bytes);
}

static enum emul_rc f_io_in(struct emul_ctxt *ctx, u16 port, unsigned bytes, u32 *val)
{
    (void)port;
    require(bytes == 1 || bytes == 2 || bytes == 4);
    answer(ctx->opaque, val, 4);
    return called(ctx);
}

static enum emul_rc f_io_out(struct emul_ctxt *ctx, u16 port, unsigned bytes, u32 val)
{
    (void)port;
    require(bytes == 4 || val >> 8 * bytes == 0);
    return called(ctx);
}

static enum emul_rc f_get(struct emul_ctxt *ctx, u32 n, u64 *val)
{
    (void)n;
    answer(ctx->opaque, val, 8);
    return called(ctx);
}

static enum emul_rc f_put(struct emul_ctxt *ctx, u32 n, u64 val)
{
    (void)n;
    (void)val;
    return called(ctx);
}

static enum emul_rc f_set_if(struct emul_ctxt *ctx, bool on)
{
    (void)on;
    return called(ctx);
}

static enum emul_rc f_read_tsc(struct emul_ctxt *ctx, u64 *val)
{
    return f_get(ctx, 0, val);
}

static enum emul_rc f_cpuid(struct emul_ctxt *ctx, u32 leaf, u32 subleaf, u32 abcd[4])
{
    (void)leaf;
    (void)subleaf;
    answer(ctx->opaque, abcd, 16);
    return called(ctx);
}

static enum emul_rc f_invlpg(struct emul_ctxt *ctx, gva_t addr)
{
    (void)addr;
    return called(ctx);
}

static enum emul_rc f_wbinvd(struct emul_ctxt *ctx)
{
    return called(ctx);
}

static const struct emul_ops all_ops = {
    .read = f_read,
    .write = f_write,
    .cmpxchg = f_cmpxchg,
    .io_in = f_io_in,
    .io_out = f_io_out,
    .set_if = f_set_if,
    .read_cr = f_get,
    .write_cr = f_put,
    .read_dr = f_get,
    .write_dr = f_put,
    .read_msr = f_get,
    .write_msr = f_put,
    .read_tsc = f_read_tsc,
    .read_pmc = f_get,
    .read_xcr = f_get,
    .write_xcr = f_put,
    .cpuid = f_cpuid,
    .invlpg = f_invlpg,
    .wbinvd = f_wbinvd,
};
static const struct emul_ops no_ops;

static void execute(struct emul_ctxt *ctx, const struct insn *in)
{
    struct cpu_regs before = *ctx->regs, *after = ctx->regs;
    enum emul_rc rc = emul_execute(ctx, in);
    u64 rip = before.rip + in->length;

    if (rc == EMUL_OK) {
        require(after->rip == (ctx->long_mode ? rip : (u32)rip));
        require(!(after->rflags & RFLAGS_RF));
        require(((after->rflags ^ before.rflags) & ~(u64)0x108d5) == 0); // arithmetic, RF
    } else if (in->rep) {
        require(after->rip == before.rip && after->rflags == before.rflags);
    } else {
        require(memcmp(&before, after, sizeof(before)) == 0);
    }
    require(after->cs == before.cs && after->ss == before.ss);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    struct cpu_regs regs;
    struct world world = {0};
    struct emul_ctxt ctx = {.regs = &regs, .opaque = &world};
    struct insn in;
    enum emul_rc rc;

    if (size < HEAD)
        return 0;
    ctx.long_mode = data[0] & 1;
    ctx.ops = data[0] & 2 ? &no_ops : &all_ops;
    ctx.insn_avail = data[1];
    memcpy(ctx.insn, data + 2, sizeof(ctx.insn));
    world.data = data + HEAD;
    world.size = size - HEAD;
    answer(&world, &regs, sizeof(regs));
    answer(&world, ctx.seg_base, sizeof(ctx.seg_base));

    rc = emul_decode(&ctx, &in);
    require(world.ops == 0);
    require(rc != EMUL_RETRY);
    if (rc == EMUL_FAULT)
        require(ctx.fault_vector == VEC_UD || ctx.fault_vector == VEC_GP ||
                ctx.fault_vector == VEC_PF);
    if (rc != EMUL_OK)
        return 0;
    require(in.length >= 1 && in.length <= EMUL_INSN_MAX && in.length <= ctx.insn_avail);
    require(in.op > INSN_NONE && in.op < INSN_COUNT);
    (void)emul_mem_addr(&ctx, &in);
    execute(&ctx, &in);
    return 0;
}
