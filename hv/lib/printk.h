// SPDX-License-Identifier: MIT
// Hypervisor log. Lines go to the console ring and, if their level passes `loglvl=`, to the
// console devices. Any context, interrupts on or off; lines from different CPUs do not mix.
#ifndef WIRT_LIB_PRINTK_H
#define WIRT_LIB_PRINTK_H

#include <stdarg.h>
#include "lib/compiler.h"

enum log_level {
    LOG_ERR,   // something asked for cannot be had; the operator must act
    LOG_WARN,  // a fallback was taken
    LOG_INFO,  // what the machine is; once per boot
    LOG_DEBUG, // for the developer
    LOG_GUEST, // written for a guest's sake; rate-limited (guest_loglvl=)
};

// Prints one whole line; the newline is added. Formats: %d %u %x %p %s %c %% with width, 0,
// precision for %s, and the lengths l and z.
void printk(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
void vprintk(enum log_level level, const char *fmt, va_list ap);

// Formats into buf (always terminated if size > 0); returns the length without truncation.
int snprintf(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);

#endif
