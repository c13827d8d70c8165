// SPDX-License-Identifier: MIT
// A small x86 decoder and executor over an interface of reads and writes, for code that runs in
// ring 3: a PV guest's writes to its page tables (#PF) and its privileged instructions (#GP).
//
// 1. The caller fetches the instruction bytes once into `insn`; they are never read again.
// 2. Decoding touches nothing. Executing reaches the world through `ops` only; what an op does not
//    allow it refuses, since no privilege, I/O permission or segment limit is checked here.
// 3. Each read-modify-write of memory is one successful `cmpxchg`, locked or not.
// 4. Registers change only when EMUL_OK is returned, except that the finished iterations of a REP
//    string instruction count in any case. An op therefore sees the registers before the
//    instruction (before the iteration).
// 5. All work is bounded: EMUL_REP_MAX iterations and EMUL_CMPXCHG_MAX attempts per call.
//
// Left to the caller: the #DB that RFLAGS.TF asks for after EMUL_OK, and a RIP that has become
// non-canonical by running over the end of the lower half. 16-bit code and 16-bit addressing of
// memory are unhandled.
#ifndef WIRT_EMUL_EMUL_H
#define WIRT_EMUL_EMUL_H

#include "cpu/regs.h"

enum {
    EMUL_INSN_MAX = 15, // SDM 2A "Instruction Format": no instruction is longer
    EMUL_REP_MAX = 128,
    EMUL_CMPXCHG_MAX = 16,
};

enum emul_rc {
    EMUL_OK,        // done, RIP is behind the instruction
    EMUL_FAULT,     // the guest deserves fault_vector, fault_error and (#PF) fault_addr
    EMUL_UNHANDLED, // not an instruction, or not an operation, that we carry out
    EMUL_RETRY,     // let the guest execute the instruction again (what is left of it, with REP)
};

// In the order of the instruction encoding.
enum emul_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

enum insn_op { // the tables of emul.c use ranges of these
    INSN_NONE,
    // Write memory.
    INSN_MOV,
    INSN_CMPXCHG,
    INSN_CMPXCHG_PAIR, // CMPXCHG8B, CMPXCHG16B
    INSN_ADD,
    INSN_OR,
    INSN_ADC,
    INSN_SBB,
    INSN_AND,
    INSN_SUB,
    INSN_XOR,
    INSN_INC,
    INSN_DEC,
    INSN_NOT,
    INSN_NEG,
    INSN_BTS,
    INSN_BTR,
    INSN_BTC,
    INSN_XCHG,
    INSN_XADD,
    INSN_STOS,
    INSN_MOVS,
    // Touch ports.
    INSN_INS,
    INSN_OUTS,
    INSN_IN,
    INSN_OUT,
    // Touch the machine.
    INSN_CLI,
    INSN_STI,
    INSN_CLTS,
    INSN_LMSW,
    INSN_SMSW,
    INSN_READ_CR,
    INSN_WRITE_CR,
    INSN_READ_DR,
    INSN_WRITE_DR,
    INSN_RDMSR,
    INSN_WRMSR,
    INSN_RDTSC,
    INSN_RDTSCP,
    INSN_RDPMC,
    INSN_CPUID,
    INSN_INVLPG,
    INSN_WBINVD,
    INSN_XGETBV,
    INSN_XSETBV,
    // Decoded, but executing is the caller's.
    INSN_HLT,
    INSN_INT, // INT n, INT3, INTO: imm is the vector
    INSN_COUNT
};

enum { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI };
enum { REG_RIP = 16, REG_NONE = 17 }; // only as the base or index of an address

struct insn {
    enum insn_op op;
    u8 length;
    u8 bytes;      // operand size; 16 for CMPXCHG16B
    u8 addr_bytes; // address size: 8 or 4 (2 only where no memory is addressed)
    bool lock, rep, rex;
    bool has_imm;
    bool mem;       // there is a memory operand (the destination, with MOVS)
    u8 seg;         // of the memory operand
    u8 src_seg;     // of the source of MOVS
    u8 reg, rm;     // the two ModRM registers
    u8 base, index; // address = base + (index << shift) + disp
    u8 shift;
    u64 disp;
    u64 imm; // sign-extended
};

struct emul_ops;

struct emul_ctxt {
    struct cpu_regs *regs;
    u64 seg_base[SEG_COUNT];
    bool long_mode; // 64-bit code segment; else 32-bit
    u8 insn[EMUL_INSN_MAX];
    u8 insn_avail; // how many bytes could be fetched
    const struct emul_ops *ops;
    void *opaque; // the caller's

    // Set when EMUL_FAULT is returned, by the emulator or by an op through emul_raise().
    u8 fault_vector;
    u32 fault_error;
    u64 fault_addr;
};

// What the emulator may do to the world. Addresses are linear, canonical and do not wrap. An op
// that is NULL makes the instruction EMUL_UNHANDLED; what an op returns other than EMUL_OK ends the
// instruction with the same result.
struct emul_ops {
    enum emul_rc (*read)(struct emul_ctxt *, gva_t, void *buf, unsigned bytes);
    enum emul_rc (*write)(struct emul_ctxt *, gva_t, const void *buf, unsigned bytes);
    // Stores `new` if memory holds *old; either way EMUL_OK, with what memory held in *old.
    enum emul_rc (*cmpxchg)(struct emul_ctxt *, gva_t, void *old, const void *new, unsigned bytes);
    enum emul_rc (*io_in)(struct emul_ctxt *, u16 port, unsigned bytes, u32 *val);
    enum emul_rc (*io_out)(struct emul_ctxt *, u16 port, unsigned bytes, u32 val);
    enum emul_rc (*set_if)(struct emul_ctxt *, bool on);
    enum emul_rc (*read_cr)(struct emul_ctxt *, unsigned cr, u64 *val); // 0, 2, 3, 4
    enum emul_rc (*write_cr)(struct emul_ctxt *, unsigned cr, u64 val);
    enum emul_rc (*read_dr)(struct emul_ctxt *, unsigned dr, u64 *val); // 0 to 7
    enum emul_rc (*write_dr)(struct emul_ctxt *, unsigned dr, u64 val);
    enum emul_rc (*read_msr)(struct emul_ctxt *, u32 msr, u64 *val); // RDTSCP reads TSC_AUX
    enum emul_rc (*write_msr)(struct emul_ctxt *, u32 msr, u64 val);
    enum emul_rc (*read_tsc)(struct emul_ctxt *, u64 *val);
    enum emul_rc (*read_pmc)(struct emul_ctxt *, u32 counter, u64 *val);
    enum emul_rc (*read_xcr)(struct emul_ctxt *, u32 xcr, u64 *val);
    enum emul_rc (*write_xcr)(struct emul_ctxt *, u32 xcr, u64 val);
    enum emul_rc (*cpuid)(struct emul_ctxt *, u32 leaf, u32 subleaf, u32 abcd[4]);
    enum emul_rc (*invlpg)(struct emul_ctxt *, gva_t); // any address, even a non-canonical one
    enum emul_rc (*wbinvd)(struct emul_ctxt *);
};

// Notes the exception the guest gets; returns EMUL_FAULT.
static inline enum emul_rc emul_raise(struct emul_ctxt *ctx, u8 vector, u32 error, u64 addr)
{
    ctx->fault_vector = vector;
    ctx->fault_error = error;
    ctx->fault_addr = addr;
    return EMUL_FAULT;
}

// Decodes ctx->insn. EMUL_FAULT: #UD for a bad LOCK or an opcode undefined in this mode, #GP for
// more than 15 bytes, #PF at the first byte that could not be fetched.
NODISCARD enum emul_rc emul_decode(struct emul_ctxt *ctx, struct insn *in);

// Executes what emul_decode() made of the same context.
NODISCARD enum emul_rc emul_execute(struct emul_ctxt *ctx, const struct insn *in);

// The linear address of the memory operand (in->mem): with the current registers it covers `bytes`
// bytes. Lets the caller compare with CR2 before it executes.
gva_t emul_mem_addr(const struct emul_ctxt *ctx, const struct insn *in);

// xen ABI: arch-x86/xen.h, XEN_EMULATE_PREFIX. Do the n bytes begin with it?
enum { EMUL_FORCED_PREFIX_LEN = 5 };
bool emul_is_forced_prefix(const u8 *bytes, size_t n);

#endif
