// SPDX-License-Identifier: MIT
// The console devices at boot.
#ifndef WIRT_BOOT_CONSOLE_H
#define WIRT_BOOT_CONSOLE_H

struct options;

// Opens what console= names and sets the log levels. Before memory_init.
void console_open(const struct options *o);
// Leaves the screen to dom0, which drives it from now on.
void console_release_vga(void);
// Begins to take input, by interrupt and by polling. Once timers and interrupts work.
void console_start_input(void);

#endif
