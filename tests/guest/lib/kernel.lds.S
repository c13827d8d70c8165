/* SPDX-License-Identifier: MIT */
/* Test kernel layout: one image at GUEST_LOAD_ADDR whose ELF paddr is its pseudo-physical address. */
#include "lib/layout.h"

ENTRY(_start)
PHDRS {
    text PT_LOAD FLAGS(7);
    note PT_NOTE FLAGS(4);
}
SECTIONS {
    . = GUEST_LOAD_ADDR;
    .text : AT(ADDR(.text) - GUEST_VIRT_BASE) { *(.text.start) *(.text .text.*) } :text
    .rodata : AT(ADDR(.rodata) - GUEST_VIRT_BASE) { *(.rodata .rodata.*) } :text
    .ex_table : AT(ADDR(.ex_table) - GUEST_VIRT_BASE) {
        ex_table_start = .; *(.ex_table) ex_table_end = .;
    } :text
    .note.Xen : AT(ADDR(.note.Xen) - GUEST_VIRT_BASE) { *(.note.Xen) } :text :note
    . = ALIGN(4096);
    .data : AT(ADDR(.data) - GUEST_VIRT_BASE) { *(.data .data.*) } :text
    .bss : AT(ADDR(.bss) - GUEST_VIRT_BASE) {
        *(.bss) *(COMMON) . = ALIGN(4096); *(.bss.arena)
        image_end = .; /* what a domU may have */
        *(.bss.dom0)
    } :text
    . = ALIGN(4096);
    /DISCARD/ : { *(.comment) *(.eh_frame*) *(.note.gnu.*) *(.note.GNU-stack) }
}
