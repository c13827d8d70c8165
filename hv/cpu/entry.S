// SPDX-License-Identifier: MIT
// Every way into the hypervisor and out of it. Interrupts are off throughout; segment registers and
// GS bases are not touched, the CPU's data is found from the stack pointer (cpu/percpu.h).
#include "cpu/offsets.h"
#include "cpu/spec.h"
#include "mm/layout.h"

#define FUNC(name) .globl name; .type name, @function; .balign 16; name:
#define END(name) .size name, . - name

#define VECTOR_SYSCALL 256 /* cpu/traps.h */

// Below the hardware frame and the error word: the general registers in struct cpu_regs order.
.macro SAVE_REGS
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro RESTORE_REGS
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
.endm

// A call of a C dispatcher, which spec_patch may lead through guarded_\fn.
.macro CALL_C fn
9:  call \fn
    .pushsection .guard_sites, "a", @progbits
    .long 9b - ., guarded_\fn - .
    .popsection
.endm

// Fills the return stack with a place that catches speculation (32 entries). Clobbers ecx.
.macro RSB_OVERWRITE
    mov $16, %ecx
7:  call 8f
6:  pause
    lfence
    jmp 6b
8:  call 8f
    ud2
8:  dec %ecx
    jnz 7b
    add $(32 * 8), %rsp
.endm

    .section .text.entry, "ax", @progbits

// In: hardware frame, error word with the vector in its upper half. On the CPU's main stack.
FUNC(entry_common)
    SAVE_REGS
    cld
    mov %rsp, %rdi
    testb $3, REGS_CS(%rsp)
    jz 1f
guest_common:
    CALL_C trap_from_guest
    jmp exit_guest
1:  CALL_C trap_from_hv
    RESTORE_REGS
    add $8, %rsp
    iretq
END(entry_common)

// NMI, #DB, #DF, #MC arrive on stacks of their own. From a guest, the frame moves to the main
// stack and goes on as any other; from ourselves it is handled where it is.
FUNC(entry_ist)
    SAVE_REGS
    cld
    mov %rsp, %rsi
    mov %rsp, %rdi
    testb $3, REGS_CS(%rsp)
    jz 1b
    and $-PERCPU_SIZE, %rdi
    add $(PERCPU_STACK_END - INFO_SIZE), %rdi
    mov %rdi, %rdx
    mov $(REGS_SIZE / 8), %ecx
    rep movsq
    mov %rdx, %rsp
    mov %rdx, %rdi
    jmp guest_common
END(entry_ist)

// From a CPU's syscall stub (hv/cpu/setup.c), which saved the guest's rsp and took our stack.
FUNC(entry_syscall)
    pushq $0xe02b             // FLAT_RING3_SS64
    pushq (INFO_SYSCALL_RSP - INFO_REGS_END + 8)(%rsp)
    push %r11
    pushq $0xe033             // FLAT_RING3_CS64
    push %rcx
    pushq $0
    movl $VECTOR_SYSCALL, 4(%rsp)
    SAVE_REGS
    mov %rsp, %rdi
    CALL_C syscall_from_guest
    // fall through
END(entry_syscall)

// In: al = the guest can be resumed by sysret (see exit_to_guest).
FUNC(exit_guest)
    test %al, %al
    jz 1f
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    add $8, %rsp
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    add $8, %rsp
    pop %rdx
    pop %rsi
    pop %rdi
    mov 8(%rsp), %rcx
    mov (8 + REGS_RFLAGS - REGS_RIP)(%rsp), %r11
    mov (8 + REGS_RSP - REGS_RIP)(%rsp), %rsp
    sysretq
1:  RESTORE_REGS
    add $8, %rsp
guest_iretq:
    iretq
END(exit_guest)

// The iretq above faulted on the guest's selectors or address: all registers are live again.
iret_fixup:
    pushq $0
    SAVE_REGS
    mov %rsp, %rdi
    CALL_C guest_iret_failed
    jmp exit_guest

    .section .ex_table, "a", @progbits
    .long guest_iretq - ., iret_fixup - .
    .section .text.entry, "ax", @progbits

// void enter_guest_first(void): the first dive into a guest on this CPU: loads cpu_info()->regs.
// Never returns; the stack is reset to its top.
FUNC(enter_guest_first)
    mov %rsp, %rdi
    and $-PERCPU_SIZE, %rdi
    lea (PERCPU_STACK_END - INFO_SIZE)(%rdi), %rsp
    mov %rsp, %rdi
    CALL_C idle_resume
    jmp exit_guest
END(enter_guest_first)

// void call_on_stack(u64 sp, void (*fn)(void)): fn must not return. Aligned for SSE, which the
// packing libraries use.
FUNC(call_on_stack)
    mov %rdi, %rsp
    and $-16, %rsp
    xor %ebp, %ebp
    call *%rsi
    ud2
END(call_on_stack)

// --- guarded calls: what spec_choose wants done between a guest and C ---
//
// Under XPTI a guest runs on tables that hold this section, the IST stacks and the page of struct
// cpu_info, little else (cpu/xpti.c). NMI, #DB and #MC may come between any two instructions here,
// and iretq may fault: so each entry, from ourselves too, looks at CR3 instead of assuming, and
// those from ourselves put it back. INFO_HV_CR3 is written before a switch and holds until the
// next one.

// Out: r12 = struct cpu_info, r13d = GUARD_* bits. Clobbers rax, rcx, rdx.
guard_enter:
    mov %rsp, %r12
    and $-PERCPU_SIZE, %r12
    add $(PERCPU_STACK_END - INFO_SIZE), %r12
    mov INFO_GUARD(%r12), %r13d
    test $GUARD_CLAC, %r13d
    jz 1f
    clac
1:  test $GUARD_XPTI, %r13d
    jz 1f
    mov %cr3, %rax
    cmp %rax, INFO_GUEST_CR3(%r12)
    jne 1f
    mov INFO_HV_CR3(%r12), %rax
    mov %rax, %cr3
1:  test $GUARD_IBRS, %r13d
    jz 1f
    mov $0x48, %ecx // MSR_SPEC_CTRL
    mov INFO_MSR_HV(%r12), %eax
    xor %edx, %edx
    wrmsr
1:  test $GUARD_IBPB, %r13d
    jz 1f
    mov $0x49, %ecx // MSR_PRED_CMD
    mov $1, %eax
    xor %edx, %edx
    wrmsr
1:  test $GUARD_RSB, %r13d
    jz 1f
    RSB_OVERWRITE
1:  test $GUARD_BHB, %r13d
    jz 2f
    mov $5, %ecx // Intel "Branch History Injection", "Software BHB-clearing sequence"
    call 1f
2:  lfence // no way round the above by a wrong guess
    ret
    .balign 64
1:  call 3f
    ret
    .balign 64
3:  mov $5, %eax
4:  jmp 5f
    nop
5:  sub $1, %eax
    jnz 4b
    sub $1, %ecx
    jnz 1b
    ret

.macro GUARDED fn
FUNC(guarded_\fn)
    mov %rsp, %rbx
    call guard_enter
    and $-4096, %rsp // the pages below are not in the guest's tables
    call \fn
    jmp guard_exit
END(guarded_\fn)
.endm
    GUARDED trap_from_guest
    GUARDED syscall_from_guest
    GUARDED guest_iret_failed
    GUARDED idle_resume

// In: al = what C returned, for exit_guest; rbx = rsp at the guarded call.
guard_exit:
    mov %eax, %ebp
    test $GUARD_XPTI, %r13d
    jz 1f
    call pv_guest_cr3
1:  mov %rbx, %rsp
    test $GUARD_XPTI, %r13d
    jz 1f
    test %rax, %rax
    jz 1f
    mov %cr3, %rcx
    mov %rcx, INFO_HV_CR3(%r12)
    mov %rax, %cr3
1:  test $GUARD_IBRS, %r13d
    jz 1f
    mov $0x48, %ecx
    mov INFO_MSR_GUEST(%r12), %eax
    xor %edx, %edx
    wrmsr
1:  test $GUARD_VERW, %r13d
    jz 1f
    verw INFO_VERW(%r12) // what is loaded after this is the guest's own
1:  mov %ebp, %eax
    ret

// On whatever stack: no switch, and CR3 as it was afterwards.
FUNC(guarded_trap_from_hv)
    mov %cr3, %rbx
    call guard_enter
    call trap_from_hv
    test $GUARD_XPTI, %r13d
    jz 1f
    mov %cr3, %rax
    cmp %rax, %rbx
    je 1f
    mov %rbx, %cr3
1:  ret
END(guarded_trap_from_hv)

// 256 entry stubs of 16 bytes. Vectors with an error code: 8, 10-14, 17, 21, 29, 30.
    .balign 16
    .globl entry_stubs
entry_stubs:
    .set vec, 0
    .rept 256
    .balign 16
    .if !((vec == 8) || (vec >= 10 && vec <= 14) || (vec == 17) || (vec == 21) || (vec == 29) || (vec == 30))
    pushq $0
    .endif
    movl $vec, 4(%rsp)
    .if (vec == 1) || (vec == 2) || (vec == 8) || (vec == 18)
    jmp entry_ist
    .else
    jmp entry_common
    .endif
    .set vec, vec + 1
    .endr

// void rsb_overwrite(void)
    .text
FUNC(rsb_overwrite)
    RSB_OVERWRITE
    lfence
    ret
END(rsb_overwrite)

// What gcc calls for an indirect branch: retpolines, until spec_patch writes plain jumps over them
// (32 bytes each, in the order of register numbers).
    .balign 32
    .globl indirect_thunks
indirect_thunks:
    .irp reg, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    .balign 32
FUNC(__x86_indirect_thunk_\reg)
    call 2f
1:  pause
    lfence
    jmp 1b
2:  mov %\reg, (%rsp)
    ret
END(__x86_indirect_thunk_\reg)
    .endr

// u64 copy_fixup(void *dst, const void *src, u64 bytes): copies, returns the bytes not copied.
    .text
FUNC(copy_fixup)
    mov %rdx, %rcx
1:  rep movsb
2:  mov %rcx, %rax
    ret
END(copy_fixup)
    .section .ex_table, "a", @progbits
    .long 1b - ., 2b - .
    .text

// u64 copy8_fixup(void *dst, const void *src, u64 words): the same in 8-byte words.
FUNC(copy8_fixup)
    mov %rdx, %rcx
1:  rep movsq
2:  mov %rcx, %rax
    ret
END(copy8_fixup)
    .section .ex_table, "a", @progbits
    .long 1b - ., 2b - .
    .text

// bool rdmsr_safe(u32 msr, u64 *v)
FUNC(rdmsr_safe)
    mov %edi, %ecx
1:  rdmsr
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, (%rsi)
    mov $1, %eax
    ret
2:  xor %eax, %eax
    ret
END(rdmsr_safe)
    .section .ex_table, "a", @progbits
    .long 1b - ., 2b - .
    .text

// bool wrmsr_safe(u32 msr, u64 v)
FUNC(wrmsr_safe)
    mov %edi, %ecx
    mov %esi, %eax
    mov %rsi, %rdx
    shr $32, %rdx
1:  wrmsr
    mov $1, %eax
    ret
2:  xor %eax, %eax
    ret
END(wrmsr_safe)
    .section .ex_table, "a", @progbits
    .long 1b - ., 2b - .
    .text

// bool load_seg_*(u16 sel): loads a data segment register; false and the null selector on a fault.
// FS and GS change the active base with it; the caller writes it afterwards, or has swapped it away.
.macro LOAD_SEG reg
FUNC(load_seg_\reg)
1:  mov %di, %\reg
    mov $1, %eax
    ret
2:  xor %eax, %eax
    mov %ax, %\reg
    ret
END(load_seg_\reg)
    .section .ex_table, "a", @progbits
    .long 1b - ., 2b - .
    .text
.endm
    LOAD_SEG ds
    LOAD_SEG es
    LOAD_SEG fs
    LOAD_SEG gs
    .section .note.GNU-stack, "", @progbits
