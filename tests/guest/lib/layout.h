// SPDX-License-Identifier: MIT
// Addresses shared by the linker script, the assembly and C.
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define GUEST_VIRT_BASE 0xffffffff80000000
#define GUEST_LOAD_ADDR 0xffffffff80100000

// One block per vCPU, aligned to its size, so that %rsp alone finds it:
// | struct cpu ... | <- entry stack (from user mode) | <- main stack |
#define CPU_BLOCK_SIZE 0x8000
#define CPU_ENTRY_SP   0x4000
#define CPU_MAX        8

// struct cpu fields the assembly touches.
#define CPU_RESUME_SP 0

// Pseudo vectors: what enters through a callback instead of the trap table.
#define VEC_EVENT     256
#define VEC_SYSCALL   257
#define VEC_FAILSAFE  258
#define VEC_NMI_CB    259
#define VEC_SYSCALL32 260

#endif
