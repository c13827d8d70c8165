// SPDX-License-Identifier: MIT
// From the boot loader to C. Three entries (multiboot 1 and 2 share one) arrive in 32-bit
// protected mode without paging; all meet in `start_common`, which builds the boot page tables and
// enters long mode at the linked address.
#include "mm/layout.h"

#define PHYS(sym) ((sym) - VIRT_BASE)

    .section .text.boot, "ax", @progbits
    .code32

// Multiboot 1 header, with load addresses: QEMU refuses a 64-bit ELF without them.
#define MB1_FLAGS 0x00010003
    .balign 4
mb1_header:
    .long 0x1badb002
    .long MB1_FLAGS
    .long -(0x1badb002 + MB1_FLAGS)
    .long PHYS(mb1_header)
    .long PHYS(image_start)
    .long PHYS(load_end)
    .long PHYS(image_end)
    .long PHYS(mb_start)

// Multiboot 2 header. The EFI boot-services tag is absent: GRUB exits boot services for us.
    .balign 8
mb2_header:
    .long 0xe85250d6, 0, mb2_header_end - mb2_header
    .long -(0xe85250d6 + (mb2_header_end - mb2_header))
    .balign 8
    .short 2, 0 // address
    .long 24
    .long PHYS(mb2_header), PHYS(image_start), PHYS(load_end), PHYS(image_end)
    .balign 8
    .short 3, 0 // entry
    .long 12, PHYS(mb_start)
    .balign 8
    .short 6, 1 // modules page-aligned
    .long 8
    .balign 8
    .short 0, 0 // end
    .long 8
mb2_header_end:

    .globl mb_start
mb_start:
    cld
    mov %eax, %esi            // loader's magic
    mov %ebx, %edi            // its information
    jmp start_common

    .globl pvh_start
pvh_start:
    cld
    mov $0x336ec578, %esi     // XEN_HVM_START_MAGIC_VALUE
    mov %ebx, %edi

start_common:
    cli
    mov $PHYS(boot_stack_end), %esp
    mov $PHYS(boot_gdtr), %eax
    lgdt (%eax)
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss

    // Clear .bss: not every loader does.
    mov %edi, %edx
    mov $PHYS(load_end), %edi
    mov $PHYS(image_end), %ecx
    sub %edi, %ecx
    xor %eax, %eax
    shr $2, %ecx
    rep stosl
    push %edx
    push %esi

    // Long mode, NX?
    mov $0x80000000, %eax
    cpuid
    mov $PHYS(no_long_mode), %esi
    cmp $0x80000001, %eax
    jb complain
    mov $0x80000001, %eax
    cpuid
    bt $29, %edx
    jnc complain
    mov $PHYS(no_nx), %esi
    bt $20, %edx
    jnc complain

    // Boot page tables: the first 4 GiB at 0, at VIRT_BASE and at DIRECTMAP_BASE.
    mov $PHYS(boot_l2), %edi
    mov $0x83, %eax           // present, writable, 2 MiB
    xor %edx, %edx
    mov $2048, %ecx
1:  mov %eax, (%edi)
    mov %edx, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b
    mov $PHYS(boot_l3), %edi
    mov $PHYS(boot_l2) + 3, %eax
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $0x1000, %eax
    add $8, %edi
    loop 1b
    mov $PHYS(boot_l3) + 3, %eax
    mov %eax, PHYS(boot_l4)
    mov %eax, PHYS(boot_l4) + 8 * 257
    mov %eax, PHYS(boot_l4) + 8 * 262
    mov $PHYS(boot_l4), %ebx
    pop %esi
    pop %edi
    call enter_long_mode
    .code64
    movabs $boot_stack_end, %rsp
    mov %esi, %esi
    mov %edi, %eax
    mov %esi, %edi            // wirt_main(magic, info)
    mov %eax, %esi
    xor %ebp, %ebp
    movabs $wirt_main, %rax
    call *%rax
    ud2

    .code32
// In: ebx = L4 (physical, below 4 GiB). Out: in 64-bit mode at the linked address, flat boot GDT.
// Returns to the caller's next instruction. Clobbers eax, ecx, edx. Used by APs too.
    .globl enter_long_mode
enter_long_mode:
    pop %ebp                  // return address, physical
    mov $0x000000a0, %eax     // PAE, PGE
    mov %eax, %cr4
    mov %ebx, %cr3
    mov $0xc0000080, %ecx     // EFER: LME, SCE, NXE
    rdmsr
    or $0x901, %eax
    wrmsr
    mov $0x80010033, %eax     // PG, WP, NE, ET, MP, PE
    mov %eax, %cr0
    ljmp $0x08, $PHYS(1f)
    .code64
1:  movabs $VIRT_BASE, %rax
    mov %ebp, %ebp
    add %rbp, %rax
    jmp *%rax
    .code32

// In: esi = message. Prints it on COM1 and stops.
complain:
    mov $0x3fb, %edx          // 115200 8n1
    mov $0x80, %al
    out %al, %dx
    mov $0x3f8, %edx
    mov $1, %al
    out %al, %dx
    inc %edx
    xor %eax, %eax
    out %al, %dx
    mov $0x3fb, %edx
    mov $3, %al
    out %al, %dx
1:  mov $0x3fd, %edx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    lodsb
    test %al, %al
    jz 3f
    mov $0x3f8, %edx
    out %al, %dx
    jmp 1b
3:  hlt
    jmp 3b
no_long_mode:
    .asciz "(WIRT) panic: this CPU has no 64-bit mode; Wirt needs an x86-64 processor (QEMU: -cpu qemu64)\r\n"
no_nx:
    .asciz "(WIRT) panic: this CPU has no NX (execute disable); enable it in the firmware (QEMU: drop -nx)\r\n"

    .code64
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18            // XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long PHYS(pvh_start)

// The application processors' real-mode start; copied below 1 MiB to the page in `ap_page`, which
// stands in CS when the SIPI arrives.
    .section .rodata
    .globl ap_trampoline, ap_trampoline_end, ap_trampoline_l4
    .balign 16
    .code16
ap_trampoline:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    lgdtl (ap_gdtr - ap_trampoline)
    mov (ap_trampoline_l4 - ap_trampoline), %ebx
    mov $0x33, %eax
    mov %eax, %cr0
    ljmpl $0x10, $PHYS(ap_start32)
    .balign 4
ap_gdtr:
    .short 31
    .long PHYS(boot_gdt)
    .balign 4
ap_trampoline_l4:
    .long 0
ap_trampoline_end:

    .section .text.boot, "ax", @progbits
    .code32
ap_start32:
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $PHYS(ap_boot_stack_end), %esp
    call enter_long_mode
    .code64
    mov idle_cr3(%rip), %rax
    mov %rax, %cr3
    mov ap_stack(%rip), %rsp
    xor %ebp, %ebp
    call ap_main
    ud2

    .section .data, "aw", @progbits
    .balign 16
    .globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff  // 64-bit code
    .quad 0x00cf9b000000ffff  // 32-bit code
    .quad 0x00cf93000000ffff  // data
boot_gdtr:
    .short 31
    .long PHYS(boot_gdt)
    .long 0

    .section .bss.page, "aw", @nobits
    .balign 4096
    .globl boot_l4
boot_l4:
    .skip 4096
boot_l3:
    .skip 4096
boot_l2:
    .skip 16384
boot_stack:
    .skip 32768
    .globl boot_stack_end
boot_stack_end:
    .skip 64
ap_boot_stack_end:
    .section .note.GNU-stack, "", @progbits
