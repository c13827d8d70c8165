// SPDX-License-Identifier: MIT
// Entry and ELF notes of the hypercall benchmark, a PV kernel for x86-64.
// In:  rsi = start_info, rsp = the stack that the domain builder made, events masked.
#include <xen/elfnote.h>

#define VIRT_BASE 0xffffffff80000000

.macro NOTE type, directive, value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long   2f - 1f, 4f - 3f, \type
1:  .asciz  "Xen"
2:  .balign 4
3:  \directive \value
4:  .balign 4
    .popsection
.endm

    NOTE XEN_ELFNOTE_XEN_VERSION,    .asciz, "xen-3.0"
    NOTE XEN_ELFNOTE_GUEST_OS,       .asciz, "wirt-bench"
    NOTE XEN_ELFNOTE_LOADER,         .asciz, "generic"
    NOTE XEN_ELFNOTE_PAE_MODE,       .asciz, "yes"
    NOTE XEN_ELFNOTE_VIRT_BASE,      .quad,  VIRT_BASE
    NOTE XEN_ELFNOTE_PADDR_OFFSET,   .quad,  0
    NOTE XEN_ELFNOTE_ENTRY,          .quad,  _start
    NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad,  hypercall_page

    .text
    .globl _start
    .type _start, @function
_start:
    cld
    mov     %rsi, %rdi
    and     $-16, %rsp
    call    main
    ud2
    .size _start, . - _start

    .balign 4096
    .globl hypercall_page
    .type hypercall_page, @object
hypercall_page:
    .skip   4096
    .size hypercall_page, . - hypercall_page

    .section .note.GNU-stack, "", @progbits
