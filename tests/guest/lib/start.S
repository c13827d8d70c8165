/* SPDX-License-Identifier: MIT */
/*
 * Entry point, ELF notes, trap and callback entries, and the few things C cannot say: going to user
 * mode and back, and watching what the iret hypercall loads.
 *
 * Frames the hypervisor pushes (xen ABI, x86-64): every entry has rcx and r11 on top, then the error
 * code where the vector has one, then rip, cs (with the saved upcall mask in its bits 32..39),
 * rflags, rsp, ss. The failsafe callback has ds, es, fs, gs between r11 and rip.
 */
#include "lib/layout.h"

#define HC_IRET (hypercall_page + 23 * 32)

.macro FUNC name
    .globl \name
    .type \name, @function
\name:
.endm
.macro END name
    .size \name, . - \name
.endm

/* ---- notes ---- */
.macro NOTE type, value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  \value
2:  .balign 4
    .popsection
.endm

NOTE 6,  .asciz "wirt-test"
NOTE 7,  .asciz "1"
NOTE 5,  .asciz "xen-3.0"
NOTE 8,  .asciz "generic"
NOTE 3,  .quad GUEST_VIRT_BASE
NOTE 4,  .quad 0
NOTE 1,  .quad _start
NOTE 2,  .quad hypercall_page
NOTE 10, .asciz GUEST_FEATURES
NOTE 14, .long 0
#ifdef GUEST_INIT_P2M
NOTE 15, .quad GUEST_INIT_P2M
#endif
#ifdef GUEST_MOD_START_PFN
NOTE 16, .quad 1
#endif
#ifdef GUEST_HV_START_LOW
NOTE 12, .quad GUEST_HV_START_LOW
#endif

    .bss
    .balign 4096
    .globl hypercall_page
hypercall_page:
    .skip 4096

    .section .text.start, "ax"
/* In: rsi = start_info. Records every register before anything changes. */
FUNC _start
    movq %rax, boot_state + 0
    movq %rbx, boot_state + 8
    movq %rcx, boot_state + 16
    movq %rdx, boot_state + 24
    movq %rsi, boot_state + 32
    movq %rdi, boot_state + 40
    movq %rbp, boot_state + 48
    movq %rsp, boot_state + 56
    movq %r8, boot_state + 64
    movq %r9, boot_state + 72
    movq %r10, boot_state + 80
    movq %r11, boot_state + 88
    movq %r12, boot_state + 96
    movq %r13, boot_state + 104
    movq %r14, boot_state + 112
    movq %r15, boot_state + 120
    leaq _start(%rip), %rax
    movq %rax, boot_state + 128
    pushfq
    popq boot_state + 136
    movl %cs, %eax
    movq %rax, boot_state + 144
    movl %ss, %eax
    movq %rax, boot_state + 152
    movl %ds, %eax
    movq %rax, boot_state + 160
    movl %es, %eax
    movq %rax, boot_state + 168
    movl %fs, %eax
    movq %rax, boot_state + 176
    movl %gs, %eax
    movq %rax, boot_state + 184
    cld
    leaq cpu_blocks + CPU_BLOCK_SIZE(%rip), %rsp
    xorl %ebp, %ebp
    movq %rsi, %rdi
    call kit_start
    ud2
END _start

    .text
/* ---- traps: struct frame is built here ---- */
.macro SAVE_REGS
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm
.macro RESTORE_REGS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
.endm

/* In: vector and error code pushed above the hardware-like frame; rcx and r11 restored. */
trap_common:
    SAVE_REGS
    cld
    movq %rsp, %rdi
    call trap_dispatch
    RESTORE_REGS
    addq $16, %rsp
    pushq $0 /* iret_context.flags */
    jmp HC_IRET

.altmacro
.macro STUB vec
    .balign 16
stub_\vec:
    popq %rcx
    popq %r11
    .if (\vec != 8) && (\vec != 10) && (\vec != 11) && (\vec != 12) && (\vec != 13) && (\vec != 14) && (\vec != 17)
    pushq $0
    .endif
    pushq $\vec
    jmp trap_common
    .pushsection .rodata
    .quad stub_\vec
    .popsection
.endm

    .section .rodata
    .balign 8
    .globl trap_stubs
trap_stubs:
    .text
    .set i, 0
    .rept 256
    STUB %i
    .set i, i + 1
    .endr
.noaltmacro

.macro CALLBACK name, vec
    .balign 16
FUNC \name
    popq %rcx
    popq %r11
    pushq $0
    pushq $\vec
    jmp trap_common
END \name
.endm
CALLBACK event_entry, VEC_EVENT
CALLBACK syscall_entry, VEC_SYSCALL
CALLBACK syscall32_entry, VEC_SYSCALL32
CALLBACK nmi_entry, VEC_NMI_CB

FUNC failsafe_entry
    popq %rcx
    popq %r11
    .irp r, rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
    pushq %\r
    .endr
    leaq 9 * 8(%rsp), %rdi
    cld
    call failsafe_record
    .irp r, r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax
    popq %\r
    .endr
    leaq 32(%rsp), %rsp /* ds es fs gs */
    pushq $0
    pushq $VEC_FAILSAFE
    jmp trap_common
END failsafe_entry

.macro PUSH_CALLEE
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm
.macro POP_CALLEE
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
.endm
/* rax = this CPU's block; needs the main or entry stack */
.macro THIS_CPU
    movq %rsp, %rax
    andq $-CPU_BLOCK_SIZE, %rax
.endm

/* user_enter(rdi = struct frame *): load all registers, iret; returns through user_leave. */
FUNC user_enter
    PUSH_CALLEE
    THIS_CPU
    movq %rsp, CPU_RESUME_SP(%rax)
    subq $22 * 8, %rsp
    movq %rdi, %rsi
    movq %rsp, %rdi
    movl $22, %ecx
    rep movsq
    RESTORE_REGS
    addq $16, %rsp
    pushq $0
    jmp HC_IRET
END user_enter

/* user_enter_ctx(rdi = struct iret_context *): the same with a raw context. */
FUNC user_enter_ctx
    PUSH_CALLEE
    THIS_CPU
    movq %rsp, CPU_RESUME_SP(%rax)
    subq $9 * 8, %rsp
    movq %rdi, %rsi
    movq %rsp, %rdi
    movl $9, %ecx
    rep movsq
    popq %rax
    popq %r11
    popq %rcx
    jmp HC_IRET
END user_enter_ctx

/* user_leave(): from a handler back behind user_enter. */
FUNC user_leave
    THIS_CPU
    movq CPU_RESUME_SP(%rax), %rsp
    POP_CALLEE
    ret
END user_leave

/*
 * iret_probe(rdi = struct iret_context *, rsi = struct iret_probe *): the recorder must not trust rsp,
 * so its pointers are in r12 and r13, which the hypercall leaves alone.
 */
FUNC iret_probe
    PUSH_CALLEE
    movq %rsp, %r12
    movq %rsi, %r13
    leaq 1f(%rip), %rax
    movq %rax, 4 * 8(%rdi)
    movq %rdi, %rsp
    popq %rax
    popq %r11
    popq %rcx
    jmp HC_IRET
1:  movq %rax, 0(%r13)
    movq %rcx, 8(%r13)
    movq %r11, 16(%r13)
    movq %rsp, 32(%r13)
    movq %r12, %rsp
    pushfq
    popq 24(%r13)
    movl %cs, %eax
    movq %rax, 40(%r13)
    movl %ss, %eax
    movq %rax, 48(%r13)
    pushq $2
    popfq
    cld
    POP_CALLEE
    ret
END iret_probe

/* Secondary vCPU: rdi = function, on its own main stack. */
FUNC secondary_start
    xorl %ebp, %ebp
    call secondary_main
    ud2
END secondary_start

    .section .note.GNU-stack, "", @progbits
