// SPDX-License-Identifier: MIT
// Symbol lookup. The table is searched from its head: back traces are rare, and the names, lying
// one behind the other without an index, must be walked anyway.
#include "lib/symbols.h"

#include "lib/string.h"

// Stands in until the second link pass brings the real one.
extern const struct symbol_table symbol_table;
const struct symbol_table symbol_table __attribute__((weak)) = {0};

const char *symbol_lookup(u64 addr, u64 *offset)
{
    const struct symbol_table *t = &symbol_table;
    __asm__("" : "+r"(t)); // hides from the compiler that the stand-in is shorter
    if (addr < t->start || addr >= t->end || !t->count || addr - t->start < t->offset[0])
        return NULL;
    const char *name = (const char *)&t->offset[t->count];
    u32 i = 0;
    for (; i + 1 < t->count && t->offset[i + 1] <= addr - t->start; i++)
        name += strlen(name) + 1;
    *offset = addr - t->start - t->offset[i];
    return name;
}
