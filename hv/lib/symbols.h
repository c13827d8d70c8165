// SPDX-License-Identifier: MIT
// Names of the image's own functions, for back traces.
#ifndef WIRT_LIB_SYMBOLS_H
#define WIRT_LIB_SYMBOLS_H

#include "lib/compiler.h"

// The table as scripts/mksyms writes it from the linked image. It is then linked in by a second
// pass, behind the text, whose addresses therefore stay the same.
struct symbol_table {
    u64 start, end; // of the text
    u32 count;
    // Where each symbol begins, from start, rising. The names follow in the same order, each with
    // its terminating zero.
    u32 offset[];
};

// The function that holds `addr` and how far into it addr is; NULL if it is no text of ours or the
// image was linked without a table. Any context.
const char *symbol_lookup(u64 addr, u64 *offset);

#endif
