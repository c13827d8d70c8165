// SPDX-License-Identifier: MIT
// The VGA text screen, 80 by 25.
#ifndef WIRT_IO_VGA_H
#define WIRT_IO_VGA_H

#include "io/console.h"

enum { VGA_COLUMNS = 80, VGA_ROWS = 25, VGA_MADDR = 0xb8000 };

struct vga_text {
    struct console_dev dev;
    volatile u16 *cells; // [i] character in the low byte, colours in the high one
    u32 row, column;     // [LOCK_CONSOLE] of the next character
};

// Clears the screen and registers it with the console. `memory` is VGA_MADDR as mapped.
void vga_init(struct vga_text *v, void *memory);

#endif
