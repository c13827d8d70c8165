// SPDX-License-Identifier: MIT
// Symbol lookup. The table is searched from its head: back traces are rare, and the names, lying
// one behind the other without an index, must be walked anyway.
#include "lib/symbols.h"

#include "lib/string.h"

// Stands in until the second link pass brings the real one.
extern const struct symbol_table symbol_table;
const struct symbol_table symbol_table __attribute__((weak)) = {0};

// A pair is made of codes below its own.
static char *expand(const struct symbol_table *t, u8 code, char *to, const char *end)
{
    if (code >= 128) {
        to = expand(t, t->pair[code - 128][0], to, end);
        return expand(t, t->pair[code - 128][1], to, end);
    }
    if (to < end)
        *to++ = (char)code;
    return to;
}

static const u8 *read_distance(const u8 *p, u64 *v)
{
    *v = 0;
    for (u32 shift = 0;; shift += 7) {
        *v |= (u64)(*p & 0x7f) << shift;
        if (!(*p++ & 0x80))
            return p;
    }
}

const char *symbol_lookup(u64 addr, u64 *offset, char name[SYMBOL_NAME_BYTES])
{
    const struct symbol_table *t = &symbol_table;
    __asm__("" : "+r"(t)); // hides from the compiler that the stand-in is shorter
    const u8 *p = t->symbols, *found = NULL;
    u64 at = t->start, distance;
    if (addr < t->start || addr >= t->end)
        return NULL;
    for (u32 i = 0; i < t->count; i++) {
        p = read_distance(p, &distance);
        if (distance > addr - at)
            break;
        at += distance;
        found = p;
        p += strlen((const char *)p) + 1;
    }
    if (!found)
        return NULL;
    *offset = addr - at;
    char *to = name;
    while (*found)
        to = expand(t, *found++, to, name + SYMBOL_NAME_BYTES - 1);
    *to = '\0';
    return name;
}
