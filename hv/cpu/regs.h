// SPDX-License-Identifier: MIT
// The registers of interrupted code as the entry path leaves them at the top of a CPU's stack.
// The order is that of the ABI's struct cpu_user_regs, whose head this is.
#ifndef WIRT_CPU_REGS_H
#define WIRT_CPU_REGS_H

#include "lib/compiler.h"

struct cpu_regs {
    u64 r15, r14, r13, r12, rbp, rbx;
    u64 r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u32 error_code, vector;
    // From here on what the processor pushes for an exception.
    u64 rip;
    u16 cs, cs_pad;
    u8 saved_upcall_mask, mask_pad[3]; // used in guest stack frames only
    u64 rflags, rsp;
    u16 ss, ss_pad[3];
};

STATIC_ASSERT(sizeof(struct cpu_regs) == 21 * 8);

// Places of the general registers, in the order of their encoding in instructions.
UNUSED static const u8 cpu_regs_offset[16] = {
    offsetof(struct cpu_regs, rax), offsetof(struct cpu_regs, rcx), offsetof(struct cpu_regs, rdx),
    offsetof(struct cpu_regs, rbx), offsetof(struct cpu_regs, rsp), offsetof(struct cpu_regs, rbp),
    offsetof(struct cpu_regs, rsi), offsetof(struct cpu_regs, rdi), offsetof(struct cpu_regs, r8),
    offsetof(struct cpu_regs, r9),  offsetof(struct cpu_regs, r10), offsetof(struct cpu_regs, r11),
    offsetof(struct cpu_regs, r12), offsetof(struct cpu_regs, r13), offsetof(struct cpu_regs, r14),
    offsetof(struct cpu_regs, r15),
};

enum rflags {
    RFLAGS_CF = 1u << 0,
    RFLAGS_ONE = 1u << 1, // always set
    RFLAGS_PF = 1u << 2,
    RFLAGS_AF = 1u << 4,
    RFLAGS_ZF = 1u << 6,
    RFLAGS_SF = 1u << 7,
    RFLAGS_TF = 1u << 8,
    RFLAGS_IF = 1u << 9,
    RFLAGS_DF = 1u << 10,
    RFLAGS_OF = 1u << 11,
    RFLAGS_IOPL = 3u << 12,
    RFLAGS_NT = 1u << 14,
    RFLAGS_RF = 1u << 16,
    RFLAGS_VM = 1u << 17,
    RFLAGS_AC = 1u << 18,
    RFLAGS_ID = 1u << 21,
};

enum vector {
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_OF = 4,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_AC = 17,
    VEC_MC = 18,
};

#endif
