// SPDX-License-Identifier: MIT
// The decoder's loop; see lzma.h. It is nearly all of the time between the boot loader and domain
// 0, on an emulator most of all, and is shaped by what an emulator makes dear:
//
// 1. A jump to another page costs a search, an instruction across two pages a way out of all
//    translated code. So the loop lies in one page.
// 2. A load or store costs about ten instructions of the host. So the state is in registers, and
//    new probabilities are calculated, not looked up.
// 3. A 32-bit result costs an instruction more than a 64-bit one; flags that are alive where a block
//    ends or memory is touched cost two stores. So sums are of 64 bits or lea's.
//
// Nothing here looks at the end of input or output: the caller says for how many symbols there is
// enough of both. What the input says decides which way bits go and nothing else, so no index can
// leave its table.
#include "dom0/lzma.h"

#define SET(name, offset, type, member) .set AT_##name, offset;
LZMA_OFFSETS(SET)

#define LZMA   %rbp // struct lzma
#define IN     %rsi
#define OUT    %rdi
#define RANGE  %r8
#define OLD    %r9
#define CODE   %r10
#define STATE  %r11 // struct lzma_state
#define BACK   %r12 // minus the last distance
#define LEFT   %r13 // symbols yet to decode, above the 16 bits of `masks`
#define WINDOW %r14 // minus its address: OUT + WINDOW is the position
#define PROBS  %rbx
#define P      %rax // the probability at hand

// A bit, first half: loads its probability, leaves the range before it in OLD and that of a 0 in
// RANGE, and compares the code with it: jae goes for a 1. `now` is where the range is.
.macro FRONT prob, now=%r8
    movzwl \prob, %eax
    testq $-0x1000000, \now
    jnz 1f
    shlq $8, \now
    shlq $8, CODE
    movb (IN), %r10b
    leaq 1(IN), IN
1:
    .ifc \now, %r8
    movq RANGE, OLD
    .else
    movq OLD, RANGE
    .endif
    shrq $11, RANGE
    imulq P, RANGE
    cmpq RANGE, CODE
.endm

// Second half. After a 0, p - (p - 2048 + 31 >> 5) is p + (2048 - p >> 5).
.macro ZERO prob
    leaq -2017(P), OLD
    sarq $5, OLD
    subq OLD, P
    movw %ax, \prob
.endm

// After a 1, p - (p >> 5). Leaves the range in OLD.
.macro ONE prob
    subq RANGE, CODE
    subq RANGE, OLD
    movq P, RANGE
    shrq $5, RANGE
    subq RANGE, P
    movw %ax, \prob
.endm

// The same, with the range in RANGE.
.macro ONE_ALONE prob
    subq RANGE, CODE
    subq RANGE, OLD
    movq OLD, RANGE
    movq P, OLD
    shrq $5, OLD
    subq OLD, P
    movw %ax, \prob
.endm

// A bit on its own: a 1 goes to `one`, which begins with ONE_ALONE.
.macro BIT prob, one
    FRONT "\prob"
    jae \one
    ZERO "\prob"
.endm

// Several bits, as a walk from the root of a tree. rdx is twice the number of the node, to begin
// with 2; in the end it is the number of the leaf: a 1 with the bits behind it. In C the two ways
// out of a bit are joined before the next one begins. Here they are two chains, and step n of
// either goes on to step n + 1 of its own or of the other:
//
//   first bit: FRONT --1--> o1              Chain z has just decoded a 0: the range is in RANGE.
//   z1: ZERO   FRONT --1--> o2              Chain o has just decoded a 1: it is in OLD.
//   z2: ZERO   FRONT --1--> o3
//    :                                      A tree with fewer bits than steps is entered further
//   o1: ONE    FRONT --0--> z2              down.
//
// z1 below is where z2 of the picture begins, and so on.
#define NODE "(%rbx, %rdx)"
.macro TREE tree, steps:vararg
    FRONT NODE
    jae .L\tree\()_o0
    .irp n, \steps
    ZERO NODE
    leaq (%rdx, %rdx), %rdx
.L\tree\()_from\n:
    FRONT NODE
    jae .L\tree\()_o\n
.L\tree\()_z\n:
    .endr
    ZERO NODE
    jmp .L\tree\()_end
.L\tree\()_o0:
    .irp n, \steps
    ONE NODE
    leaq 2(%rdx, %rdx), %rdx
    FRONT NODE, OLD
    jb .L\tree\()_z\n
.L\tree\()_o\n:
    .endr
    ONE NODE
    leaq 1(%rdx), %rdx
    movq OLD, RANGE
.L\tree\()_end:
.endm

    .section .text.lzma_symbols, "ax", @progbits
    .globl lzma_symbols
    .type lzma_symbols, @function
    .balign 4096 // not of the function: it is entered below the loop
.Lnext_symbol:
    subq $0x10000, LEFT
    js .Lfinish
    leaq (OUT, WINDOW), %rcx
    movzbl %r13b, %r15d
    andl $15, %r15d
    andq %rcx, %r15 // the position's state
#define IS_MATCH "(%r11, %r15, 2)"
    BIT IS_MATCH, .Lmatch

    // A literal. Its tree depends on the byte before and the position.
    movzbl -1(OUT), %eax
    movq AT_LITERAL_STEP(LZMA), %rdx
    movq AT_NEXT_LITERAL(STATE), %r15
    shlq $8, %rcx
    leaq (%rcx, %rax), %rax
    andq LEFT, %rax
    andl $0xff0, %eax
    imulq %rdx, %rax
    movl $2, %edx
    leaq AT_LITERALS(LZMA, %rax), PROBS
    leaq AT_STATE_MATCHED(LZMA), %rax
    cmpq %rax, STATE
    movq %r15, STATE
    jae .Lmatched_literal
    TREE literal, 1, 2, 3, 4, 5, 6, 7
.Lstore_literal:
    movb %dl, (OUT)
    leaq 1(OUT), OUT
    jmp .Lnext_symbol

    // A literal behind a match differs from the byte that would have continued the match, and has
    // the bits of that byte as context up to the first difference.
.Lmatched_literal:
    movzbl (OUT, BACK), %r15d
    shll $2, %r15d
#define EXPECTED "(%rbx, %rcx)"
.Lmatched_bit:
    movl $0x200, %ecx
    andq %r15, %rcx
    leaq 0x200(%rdx, %rcx), %rcx
    BIT EXPECTED, 2f
    leaq (%rdx, %rdx), %rdx
    testl $0x200, %r15d
    jnz .Lplain_bits
3:  leaq (%r15, %r15), %r15
    cmpq $0x200, %rdx
    jb .Lmatched_bit
    jmp .Lplain_end
2:  ONE_ALONE EXPECTED
    leaq 2(%rdx, %rdx), %rdx
    testl $0x200, %r15d
    jnz 3b

    // Steps down a tree of 8 bits, from any depth.
.Lplain_bits:
    cmpq $0x200, %rdx
    jae .Lplain_end
    BIT NODE, 2f
    leaq (%rdx, %rdx), %rdx
    jmp .Lplain_bits
2:  ONE_ALONE NODE
    leaq 2(%rdx, %rdx), %rdx
    jmp .Lplain_bits
.Lplain_end:
    shrq $1, %rdx
    testq %r15, %r15
    js .Llength_end
    jmp .Lstore_literal

.Lmatch:
    ONE_ALONE IS_MATCH
    BIT AT_IS_REP(STATE), .Lrepeat
    leaq AT_LENGTHS(LZMA), PROBS
    xorl %ecx, %ecx // a new distance
.Llength:
    BIT (PROBS), .Llonger
    shlq $4, %r15
    leaq AT_LOW(PROBS, %r15), PROBS
    movl $2 - 8, %r15d
.Llength_of_3_bits:
    movl $2, %edx
    TREE length, 1, 2
    leal (%rdx, %r15), %r15d // the length
    testl %ecx, %ecx
    jnz .Lcopy

    // A distance: its number of bits and the highest two of them, then either all others from a
    // tree that grows upwards, or some of an even chance and the lowest four from such a tree.
    movq AT_REP + 4(LZMA), %rax
    notq BACK
    movl %r12d, AT_REP + 4(LZMA)
    movq %rax, AT_REP + 8(LZMA)
    movq AT_NEXT_MATCH(STATE), STATE
    movl $5, %eax
    cmpq %rax, %r15
    cmovbq %r15, %rax
    shlq $7, %rax
    leaq AT_SLOT - 2 * 128(LZMA, %rax), PROBS
    movl $2, %edx
    TREE distance, 1, 2, 3, 4, 5
    cmpq $64, %rdx
    jb .Laligned
    movl AT_BASE - 64 * 4(LZMA, %rdx, 4), %r12d
    cmpq $64 + 14, %rdx
    jb .Lnear_distance
    movq %rdx, %rcx
    shrq $1, %rcx
    xorl %edx, %edx
    subq $37, %rcx // of an even chance

    // As many of them as there are until the next byte is needed, then that byte. The sign of what
    // is left of the code is the opposite of the bit.
1:  testq $-0x1000000, RANGE
    jnz 2f
    shlq $8, RANGE
    shlq $8, CODE
    movb (IN), %r10b
    leaq 1(IN), IN
2:  bsrq RANGE, OLD
    subq $23, OLD
    cmpq %rcx, OLD
    cmovaq %rcx, OLD
    subq OLD, %rcx
3:  shrq $1, RANGE
    subq RANGE, CODE
    movq CODE, %rax
    sarq $63, %rax
    leaq 1(%rax, %rdx, 2), %rdx
    andq RANGE, %rax
    addq %rax, CODE
    subq $1, OLD
    jnz 3b
    testq %rcx, %rcx
    jnz 1b
    shlq $4, %rdx
    leaq AT_ALIGN(LZMA), PROBS
    addq %rdx, BACK
    movl $2, %edx
    jmp .Ldistance_from2
.Laligned:
    movzbl AT_REVERSED(LZMA, %rdx), %edx
    addq %rdx, BACK
.Lhave_distance:
    movq BACK, %rax
    notq BACK
    leaq (OUT, WINDOW), %rcx
    cmpq %rcx, %rax
    jae .Lfinish_match
    movl AT_DICTIONARY(LZMA), %ecx
    cmpq %rcx, %rax
    jae .Lfinish_match
.Lcopy:
    cmpq AT_COPY_END(LZMA), OUT
    jae .Lfinish_match
    leaq (OUT, %r15), %r15
    cmpq $-8, BACK
    jg .Lcopy_pattern
1:  movq (OUT, BACK), %rax
    movq %rax, (OUT)
    movq 8(OUT, BACK), %rax
    movq %rax, 8(OUT)
    leaq 16(OUT), OUT
    cmpq %r15, OUT
    jb 1b
    movq %r15, OUT
    jmp .Lnext_symbol

.Lnear_distance:
    cmpq $64 + 4, %rdx
    jb .Lhave_distance
    movq BACK, %rax
    movq %rdx, %rcx
    subq %rdx, %rax
    shrq $1, %rcx
    leaq AT_DISTANCE + 2 * 64(LZMA, %rax, 2), PROBS
    subq $33, %rcx // so many bits
    movl $2, %edx
4:  FRONT NODE
    jae 2f
    ZERO NODE
    leaq (%rdx, %rdx), %rdx
    jmp 3f
2:  ONE_ALONE NODE
    leaq 2(%rdx, %rdx), %rdx
3:  subq $1, %rcx
    jnz 4b
    shrq $1, %rdx
    jmp .Laligned

.Lrepeat:
    ONE_ALONE AT_IS_REP(STATE)
    BIT AT_IS_REP0(STATE), .Lrepeat_older
#define IS_REP0_LONG "32(%r11, %r15, 2)"
    BIT IS_REP0_LONG, 1f
    movzbl (OUT, BACK), %edx
    movq AT_NEXT_SINGLE(STATE), STATE
    jmp .Lstore_literal
1:  ONE_ALONE IS_REP0_LONG
.Lrepeat_length:
    movq AT_NEXT_REP(STATE), STATE
    leaq AT_REP_LENGTHS(LZMA), PROBS
    movl $1, %ecx
    jmp .Llength

    // From here on, what is seldom: outside of the page, maybe.
.Llonger:
    ONE_ALONE (PROBS)
    BIT AT_CHOICE2(PROBS), .Llongest
    shlq $4, %r15
    leaq AT_MID(PROBS, %r15), PROBS
    movl $2 + 8 - 8, %r15d
    jmp .Llength_of_3_bits
.Llongest:
    ONE_ALONE AT_CHOICE2(PROBS)
    leaq AT_HIGH(PROBS), PROBS
    movq $2 + 16 - 256, %r15
    movl $2, %edx
    jmp .Lplain_bits

.Lrepeat_older:
    ONE_ALONE AT_IS_REP0(STATE)
    movl AT_REP + 4(LZMA), %edx
    BIT AT_IS_REP1(STATE), 1f
    jmp 4f
1:  ONE_ALONE AT_IS_REP1(STATE)
    movl %edx, %ecx // the last but one
    movl AT_REP + 8(LZMA), %edx
    BIT AT_IS_REP2(STATE), 2f
    jmp 3f
2:  ONE_ALONE AT_IS_REP2(STATE)
    movl %edx, %eax
    movl AT_REP + 12(LZMA), %edx
    movl %eax, AT_REP + 12(LZMA)
3:  movl %ecx, AT_REP + 8(LZMA)
4:  notq BACK
    movl %r12d, AT_REP + 4(LZMA)
    movq %rdx, BACK
    notq BACK
    jmp .Lrepeat_length

    // A distance below 8: eight bytes of the pattern come from multiplying it; from there on it
    // also repeats at a multiple of its distance.
.Lcopy_pattern:
    leaq .Lpatterns(%rip), %rcx
    movq BACK, %rdx
    negq %rdx
    leaq (%rdx, %rdx, 2), %rdx
    movq (OUT, BACK), %rax
    andq -24(%rcx, %rdx, 8), %rax
    imulq -16(%rcx, %rdx, 8), %rax
    movq %rax, (OUT)
    leaq 8(OUT), OUT
    movq -8(%rcx, %rdx, 8), %rdx
1:  movq (OUT, %rdx), %rax
    movq %rax, (OUT)
    leaq 8(OUT), OUT
    cmpq %r15, OUT
    jb 1b
    movq %r15, OUT
    jmp .Lnext_symbol

lzma_symbols:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rdi, LZMA
    movq %rsi, LEFT
    shlq $16, LEFT
    orq AT_MASKS(LZMA), LEFT
    xorl %r14d, %r14d
    subq AT_WINDOW(LZMA), WINDOW
    movl AT_REP(LZMA), %r12d
    notq BACK
    movq AT_IN(LZMA), IN
    movq AT_OUT(LZMA), OUT
    movq AT_RANGE(LZMA), RANGE
    movq AT_CODE(LZMA), CODE
    movq AT_STATE(LZMA), STATE
    jmp .Lnext_symbol

.Lfinish:
    xorl %r15d, %r15d
.Lfinish_match:
    notq BACK
    movl %r12d, AT_REP(LZMA)
    movq IN, AT_IN(LZMA)
    movq OUT, AT_OUT(LZMA)
    movq RANGE, AT_RANGE(LZMA)
    movq CODE, AT_CODE(LZMA)
    movq STATE, AT_STATE(LZMA)
    movl %r15d, %eax
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size lzma_symbols, . - lzma_symbols

    .section .rodata.lzma_symbols, "a", @progbits
    .balign 8
.Lpatterns: // by distance: its bytes, what spreads them over 8 bytes, minus the distance from there on
    .quad 0x00000000000000ff, 0x0101010101010101, -8
    .quad 0x000000000000ffff, 0x0001000100010001, -8
    .quad 0x0000000000ffffff, 0x0001000001000001, -9
    .quad 0x00000000ffffffff, 0x0000000100000001, -8
    .quad 0x000000ffffffffff, 0x0000010000000001, -10
    .quad 0x0000ffffffffffff, 0x0001000000000001, -12
    .quad 0x00ffffffffffffff, 0x0100000000000001, -14

    .section .note.GNU-stack, "", @progbits
