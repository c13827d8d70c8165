// SPDX-License-Identifier: MIT
// CRC-32 and CRC-64; see crc.h. The first in 0.9 instructions per byte, because a kernel of 63 MiB
// passes through it at each boot (a table by bytes takes 5, sixteen tables take 3).
//
// The polynomial P of CRC-32 divides S = x^300 + x^155 + x^117 + x^89 + 1. So it divides S^64 too,
// which is S with x^64 in place of x (squaring in GF(2) squares each term). A 64-bit word of the
// text can therefore be taken out and added to the words 145, 183, 211 and 300 places further on,
// without changing what is left by division by P. After that the sum of the last 300 words, taken
// by table, is the sum of the whole. Reflection does not matter: words move as they are.
#include "dom0/crc.h"

#include "lib/string.h"

enum { TAP_1 = 145, TAP_2 = 183, TAP_3 = 211, TAP_4 = 300, WORDS = 1024 };

static const u64 polynomial32 = 0xedb88320, polynomial64 = 0xc96c5795d7870f42;

static void build(u64 table[256], u64 polynomial)
{
    for (u32 i = 0; i < 256; i++) {
        u64 v = i;

        for (int bit = 0; bit < 8; bit++)
            v = v >> 1 ^ (v & 1 ? polynomial : 0);
        table[i] = v;
    }
}

// Without the inversions. A 32-bit sum is a 64-bit one whose upper half stays 0.
static u64 add_bytes(u64 table[256], u64 polynomial, u64 crc, const u8 *buf, u64 bytes)
{
    if (!table[1])
        build(table, polynomial);
    for (u64 i = 0; i < bytes; i++)
        crc = crc >> 8 ^ table[(crc ^ buf[i]) & 0xff];
    return crc;
}

static u64 load(const u8 *p)
{
    u64 v;

    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

static inline u64 taps(const u64 *w)
{
    return w[-TAP_1] ^ w[-TAP_2] ^ w[-TAP_3] ^ w[-TAP_4];
}

// Takes `words` (above TAP_4) words out of buf and leaves the TAP_4 words they amount to in `last`,
// of which the caller takes the sum, starting from 0.
static void fold(u32 crc, const u8 *buf, u64 words, u64 last[TAP_4])
{
    static u64 w[TAP_4 + WORDS]; // what was taken out before, then a stretch of the text
    u64 out = words - TAP_4;

    memset(w, 0, sizeof(w));
    for (u64 n; out; out -= n, buf += 8 * n) {
        n = MIN(out, (u64)WORDS);
        u64 *to = w + TAP_4;
        to[0] = load(buf) ^ crc ^ taps(to);
        crc = 0;
#pragma GCC unroll 4
        for (u64 i = 1; i < n; i++)
            to[i] = load(buf + 8 * i) ^ taps(to + i);
        memmove(w, w + n, TAP_4 * sizeof(*w));
    }
    memset(w + TAP_4, 0, TAP_4 * sizeof(*w));
    for (u32 i = 0; i < TAP_4; i++)
        last[i] = load(buf + (u64)8 * i) ^ taps(w + TAP_4 + i);
}

u32 crc32_add(u32 crc, const void *buf, u64 bytes)
{
    static u64 table[256], last[TAP_4];
    const u8 *p = buf;
    u64 words = bytes / 8;

    crc = ~crc;
    if (words > 2 * TAP_4) {
        fold(crc, p, words, last);
        crc = (u32)add_bytes(table, polynomial32, 0, (const u8 *)last, sizeof(last));
        p += words * 8;
        bytes %= 8;
    }
    return ~(u32)add_bytes(table, polynomial32, crc, p, bytes);
}

u64 crc64_add(u64 crc, const void *buf, u64 bytes)
{
    static u64 table[256];

    return ~add_bytes(table, polynomial64, ~crc, buf, bytes);
}
