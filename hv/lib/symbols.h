// SPDX-License-Identifier: MIT
// Names of the image's own functions, for back traces.
#ifndef WIRT_LIB_SYMBOLS_H
#define WIRT_LIB_SYMBOLS_H

#include "lib/compiler.h"

enum { SYMBOL_NAME_BYTES = 64 };

// The table as scripts/mksyms writes it from the linked image. It is then linked in by a second
// pass, behind the text, whose addresses therefore stay the same.
struct symbol_table {
    u64 start, end; // of the text
    u32 count;
    u8 pair[128][2]; // what the codes from 128 on stand for
    // For each symbol, in the order of their addresses: its distance from the one before (the first
    // one's from start), seven bits a byte, lowest first, bit 7 in all but the last; then its name
    // in codes, and 0.
    u8 symbols[];
};

// The function that holds `addr` and how far into it addr is: its name, put into `name` and cut to
// fit. NULL if it is no text of ours or the image was linked without a table. Any context.
const char *symbol_lookup(u64 addr, u64 *offset, char name[SYMBOL_NAME_BYTES]);

#endif
