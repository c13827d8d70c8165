// SPDX-License-Identifier: MIT
// Undoes the x86 filter; see x86_filter.h.
#include "dom0/x86_filter.h"

enum { INSTRUCTION_BYTES = 5, NO_SHIFT = 32 };

#define EACH_BYTE(v) (0x0101010101010101 * (u64)(v))

static inline u64 load64(const u8 *p)
{
    u64 v;

    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

static inline u32 load32(const u8 *p)
{
    u32 v;

    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

// Bit 7 of each byte that is E8 or E9. With bit 0 masked out and all shifted down, the rest of a
// byte is 0 for these two; 0x80 less a number below 0x80 has bit 7 for 0 only, and never borrows.
static inline u64 opcodes(const u8 *p)
{
    return EACH_BYTE(0x80) - ((load64(p) ^ EACH_BYTE(0xe8)) >> 1 & EACH_BYTE(0x7f));
}

static inline u8 *first(u8 *p, u64 found)
{
    return p + __builtin_ctzll(found & EACH_BYTE(0x80)) / 8;
}

// The first opcode at or behind p and before limit; if there is none, a place not below limit.
static u8 *find_opcode(u8 *p, u8 *limit)
{
    enum { STEP = 32 };

    for (; p + STEP <= limit; p += STEP) {
        u64 a = opcodes(p), b = opcodes(p + 8), c = opcodes(p + 16), d = opcodes(p + 24);

        if (!((a | b | c | d) & EACH_BYTE(0x80)))
            continue;
        if (a & EACH_BYTE(0x80))
            return first(p, a);
        if (b & EACH_BYTE(0x80))
            return first(p + 8, b);
        return c & EACH_BYTE(0x80) ? first(p + 16, c) : first(p + 24, d);
    }
    while (p < limit && (*p & 0xfe) != 0xe8)
        p++;
    return p;
}

static inline bool looks_converted(u32 last_byte)
{
    return last_byte == 0 || last_byte == 0xff;
}

// The distance for an operand whose instruction ends at `behind`. `shift`, unless NO_SHIFT, is
// where in it the last operand byte of the E8 or E9 before lies.
static u32 undo(u32 target, u32 behind, u32 shift)
{
    u32 v = target - behind;

    while (shift != NO_SHIFT && looks_converted(v >> shift & 0xff))
        v = (v ^ (u32)(((u64)1 << (shift + 8)) - 1)) - behind;
    v &= 0x1ffffff;
    return v & 0x1000000 ? v | 0xff000000 : v;
}

// Whether the place is passed by because of the opcodes before: bit n of `before` is the byte n + 1
// places back. Sets the shift for undo().
static bool hidden(const u8 *p, u32 before, u32 *shift)
{
    u32 n;

    *shift = NO_SHIFT;
    if (before == 0)
        return false;
    if (before & (before - 1))
        return true;
    n = (u32)__builtin_ctz(before);
    *shift = 8 * (2 - n);
    return looks_converted(p[3 - n]);
}

void x86_filter_undo(u8 *data, u64 bytes, u32 start)
{
    u8 *p = data, *limit = data;
    u32 before = 0;

    if (bytes >= INSTRUCTION_BYTES)
        limit += bytes - (INSTRUCTION_BYTES - 1);
    for (;;) {
        u8 *next = find_opcode(p, limit);
        u32 shift;

        if (next >= limit) // a converted operand may end in the last four bytes
            return;
        before = next - p > 3 ? 0 : before << (next - p) & 7;
        p = next;
        if (looks_converted(p[4]) && !hidden(p, before, &shift)) {
            u32 behind = start + (u32)(p - data) + INSTRUCTION_BYTES;
            u32 v = undo(load32(p + 1), behind, shift);

            __builtin_memcpy(p + 1, &v, sizeof(v));
            p += INSTRUCTION_BYTES;
            before = 0;
        } else {
            p++;
            before = (before << 1 | 1) & 7;
        }
    }
}
