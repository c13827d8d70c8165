// SOURCES: $(UNXZ_SOURCES)
// LIBS: -llzma
// SPDX-License-Identifier: MIT
// The .xz and .lzma decoder against liblzma: what liblzma packs, in many forms, comes out again;
// what is damaged or cut is refused, or comes out as liblzma unpacks it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <lzma.h>

#include "dom0/crc.h"
#include "dom0/unxz.h"
#include "fake/guarded.h"

enum { PLAIN_BYTES = 150000, PACKED_MAX = 200000 };

static u8 plain[PLAIN_BYTES], packed[PACKED_MAX], want[PLAIN_BYTES];

static u32 next_random(void)
{
    static u32 seed = 1;

    seed = seed * 1103515245 + 12345;
    return seed >> 8;
}

// Contents

static void fill_zeros(u8 *p, u64 n)
{
    memset(p, 0, n);
}

static void fill_random(u8 *p, u64 n)
{
    while (n--)
        *p++ = (u8)next_random();
}

// Runs with periods of 1 to 20 bytes: all the overlapping copies.
static void fill_periods(u8 *p, u64 n)
{
    for (u64 at = 0; at < n;) {
        u64 period = 1 + next_random() % 20, run = MIN(n - at, (u64)(next_random() % 700));

        for (u64 i = 0; i < run; i++, at++)
            p[at] = i < period ? (u8)next_random() : p[at - period];
    }
}

static void fill_words(u8 *p, u64 n)
{
    static const char *const words[] = {"page", " table",  " of", " the",
                                        "\n",   " guest ", "0x",  "7"};

    for (u64 at = 0; at < n;) {
        const char *w = words[next_random() % ARRAY_SIZE(words)];

        while (*w && at < n)
            p[at++] = (u8)*w++;
    }
}

// Mostly what the x86 filter looks at: opcodes and the bytes that end operands.
static void fill_code(u8 *p, u64 n)
{
    static const u8 bytes[] = {0xe8, 0xe9, 0, 0xff, 0xe8, 0, 0xff, 1};

    for (u64 i = 0; i < n; i++)
        p[i] = i / 1000 % 3 || next_random() % 4 == 0 ? (u8)next_random()
                                                      : bytes[next_random() % ARRAY_SIZE(bytes)];
}

static void (*const fills[])(u8 *, u64) = {fill_zeros, fill_random, fill_periods, fill_words,
                                           fill_code};

// Packing

struct form {
    const char *row;
    u32 preset, lc, lp, pb;
    u32 dictionary_bytes;
    u32 block_bytes; // 0: one block
    lzma_check check;
    bool x86;
};

static const struct form forms[] = {
    {"as Linux packs", 6, 3, 0, 2, 1 << 20, 0, LZMA_CHECK_CRC32, true},
    {"as xz packs", 6, 3, 0, 2, 1 << 20, 0, LZMA_CHECK_CRC64, false},
    {"quick", 0, 3, 0, 2, 1 << 18, 0, LZMA_CHECK_NONE, false},
    {"hard", 9, 3, 0, 2, 1 << 19, 0, LZMA_CHECK_CRC32, true},
    {"lc 4", 6, 4, 0, 0, 1 << 16, 0, LZMA_CHECK_CRC32, false},
    {"lp 4, pb 4", 4, 0, 4, 4, 4096, 0, LZMA_CHECK_CRC32, false},
    {"lc 1, lp 3", 2, 1, 3, 3, 3 << 15, 0, LZMA_CHECK_CRC64, true},
    {"lc 2, lp 2, pb 1", 6, 2, 2, 1, 1 << 20, 0, LZMA_CHECK_NONE, true},
    {"blocks", 1, 3, 0, 2, 1 << 20, 70001, LZMA_CHECK_CRC32, true},
    {"small blocks", 1, 3, 0, 2, 1 << 20, 1999, LZMA_CHECK_CRC64, false},
};

static u64 run_encoder(lzma_stream *s, const u8 *src, u64 len, u64 block, u8 *out)
{
    s->next_out = out;
    s->avail_out = PACKED_MAX;
    for (u64 at = 0, n; at < len; at += n) {
        n = block ? MIN(block, len - at) : len;
        s->next_in = src + at;
        s->avail_in = n;
        if (at + n < len)
            assert_int_equal(lzma_code(s, LZMA_FULL_FLUSH), LZMA_STREAM_END);
    }
    assert_int_equal(lzma_code(s, LZMA_FINISH), LZMA_STREAM_END);
    u64 total = s->total_out;
    lzma_end(s);
    return total;
}

static lzma_options_lzma options_of(const struct form *f)
{
    lzma_options_lzma o;

    assert_false(lzma_lzma_preset(&o, f->preset));
    o.lc = f->lc;
    o.lp = f->lp;
    o.pb = f->pb;
    o.dict_size = f->dictionary_bytes;
    return o;
}

static u64 pack_xz(const struct form *f, const u8 *src, u64 len, u8 *out)
{
    lzma_options_lzma o = options_of(f);
    lzma_filter with[] = {
        {LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &o}, {LZMA_VLI_UNKNOWN, NULL}};
    lzma_stream s = LZMA_STREAM_INIT;

    assert_int_equal(lzma_stream_encoder(&s, f->x86 ? with : with + 1, f->check), LZMA_OK);
    return run_encoder(&s, src, len, f->block_bytes, out);
}

static u64 pack_lzma(const struct form *f, const u8 *src, u64 len, bool known, u8 *out)
{
    lzma_options_lzma o = options_of(f);
    lzma_stream s = LZMA_STREAM_INIT;
    u64 total;

    assert_int_equal(lzma_alone_encoder(&s, &o), LZMA_OK);
    total = run_encoder(&s, src, len, 0, out);
    if (known) // the marker stays, as it may
        memcpy(out + 5, &len, 8);
    return total;
}

// Unpacking, from and to buffers of exactly the size

static enum unxz_result unpack(bool alone, const u8 *src, u64 len, u64 cap, u8 **dst, u64 *out_len)
{
    u8 *copy = guarded_alloc(len), *work = guarded_alloc(unxz_work_bytes);
    enum unxz_result result;

    *dst = guarded_alloc(cap);
    memcpy(copy, src, len);
    result = (alone ? unlzma : unxz)(copy, len, *dst, cap, out_len, work);
    guarded_free(work, unxz_work_bytes);
    guarded_free(copy, len);
    return result;
}

static enum unxz_result outcome(bool alone, const u8 *src, u64 len, u64 cap)
{
    u64 out_len;
    u8 *dst;
    enum unxz_result result = unpack(alone, src, len, cap, &dst, &out_len);

    guarded_free(dst, cap);
    return result;
}

static void expect_plain(bool alone, u64 len, u64 bytes, const char *row)
{
    u64 out_len;
    u8 *dst;
    enum unxz_result result = unpack(alone, packed, len, bytes, &dst, &out_len);

    if (result != UNXZ_DONE || out_len != bytes || memcmp(dst, plain, bytes) != 0)
        fail_msg("%s: result %d, %llu of %llu bytes", row, result, (unsigned long long)out_len,
                 (unsigned long long)bytes);
    guarded_free(dst, bytes);
    if (bytes)
        assert_int_equal(outcome(alone, packed, len, bytes - 1), UNXZ_TOO_LONG);
}

static bool reference(bool alone, const u8 *src, u64 len, u64 *out_len)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_ret rc =
        alone ? lzma_alone_decoder(&s, UINT64_MAX) : lzma_stream_decoder(&s, UINT64_MAX, 0);

    assert_int_equal(rc, LZMA_OK);
    s.next_in = src;
    s.avail_in = len;
    s.next_out = want;
    s.avail_out = sizeof(want);
    do
        rc = lzma_code(&s, LZMA_FINISH);
    while (rc == LZMA_OK);
    *out_len = s.total_out;
    lzma_end(&s);
    return rc == LZMA_STREAM_END;
}

static void expect_like_reference(bool alone, const u8 *src, u64 len, const char *row)
{
    u64 want_len, got_len;
    u8 *dst;
    bool good = reference(alone, src, len, &want_len);
    enum unxz_result result = unpack(alone, src, len, PLAIN_BYTES, &dst, &got_len);

    if (result == UNXZ_FOREIGN)
        good = false;
    if (good != (result == UNXZ_DONE) ||
        (good && (got_len != want_len || memcmp(dst, want, got_len) != 0)))
        fail_msg("%s: result %d, the reference says %d", row, result, good);
    guarded_free(dst, PLAIN_BYTES);
}

// Tests

static void test_round_trips(void **state)
{
    static const u32 sizes[] = {PLAIN_BYTES, 5000, 290, 17, 5, 1, 0};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(forms); i++) {
        for (u32 k = 0; k < ARRAY_SIZE(fills); k++) {
            for (u32 n = 0; n < ARRAY_SIZE(sizes); n++) {
                fills[k](plain, sizes[n]);
                u64 len = pack_xz(&forms[i], plain, sizes[n], packed);
                expect_plain(false, len, sizes[n], forms[i].row);
            }
        }
    }
}

static void test_round_trips_alone(void **state)
{
    (void)state;
    for (u32 k = 0; k < ARRAY_SIZE(fills); k++) {
        for (u32 bytes = 0; bytes < 40000; bytes = bytes * 5 + 1) {
            for (int known = 0; known < 2; known++) {
                fills[k](plain, bytes);
                u64 len = pack_lzma(&forms[5], plain, bytes, known, packed);
                expect_plain(true, len, bytes, known ? "known size" : "marker");
            }
        }
    }
}

static void test_bytes_behind_are_ignored(void **state)
{
    (void)state;
    fill_words(plain, 1000);
    u64 len = pack_xz(&forms[0], plain, 1000, packed);
    memset(packed + len, 0xa5, 100);
    expect_plain(false, len + 100, 1000, "behind");
}

static void test_foreign(void **state)
{
    const struct form sha = {"", 6, 3, 0, 2, 1 << 16, 0, LZMA_CHECK_SHA256, false};
    lzma_options_lzma o = options_of(&sha);
    lzma_options_delta delta = {.type = LZMA_DELTA_TYPE_BYTE, .dist = 4};
    lzma_filter filters[] = {
        {LZMA_FILTER_DELTA, &delta}, {LZMA_FILTER_LZMA2, &o}, {LZMA_VLI_UNKNOWN, NULL}};
    size_t bytes = 0;

    (void)state;
    fill_words(plain, 1000);
    u64 len = pack_xz(&sha, plain, 1000, packed);
    assert_int_equal(outcome(false, packed, len, 1000), UNXZ_FOREIGN);
    assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, plain, 1000, packed,
                                               &bytes, PACKED_MAX),
                     LZMA_OK);
    assert_int_equal(outcome(false, packed, bytes, 1000), UNXZ_FOREIGN);
}

static void test_every_cut(void **state)
{
    (void)state;
    for (u32 k = 0; k < ARRAY_SIZE(fills); k++) {
        fills[k](plain, 600);
        u64 len = pack_xz(&forms[0], plain, 600, packed);
        for (u64 cut = 0; cut < len; cut++)
            assert_int_equal(outcome(false, packed, cut, 600), UNXZ_CORRUPT);
        len = pack_lzma(&forms[5], plain, 600, false, packed);
        for (u64 cut = 0; cut < len; cut++)
            assert_int_not_equal(outcome(true, packed, cut, 600), UNXZ_DONE);
    }
}

// The longest matches fill the room to the last byte, and another symbol follows.
static void test_room_ends_behind_a_match(void **state)
{
    enum { MATCH_MAX = 273 };

    (void)state;
    for (u32 n = 1; n < 6; n++) {
        for (u64 more = 0; more < 3; more++) {
            u64 bytes = more + n * MATCH_MAX;

            fill_zeros(plain, bytes);
            fill_random(plain + bytes, 50);
            u64 len = pack_lzma(&forms[5], plain, bytes + 50, false, packed);
            assert_int_equal(outcome(true, packed, len, bytes), UNXZ_TOO_LONG);
            memcpy(packed + 5, &bytes, 8);
            assert_int_equal(outcome(true, packed, len, bytes), UNXZ_CORRUPT);
        }
    }
}

// With a check almost all damage is found by it; without, the decoder itself has to bear it.
static void test_damage(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(forms); i++) {
        for (u32 k = 0; k < ARRAY_SIZE(fills); k++) {
            fills[k](plain, 3000);
            u64 len = pack_xz(&forms[i], plain, 3000, packed);
            for (u32 n = 0; n < 150; n++) {
                u64 at = n < 60 ? n % len : next_random() % len;
                u8 old = packed[at];

                packed[at] ^= (u8)(1 << next_random() % 8);
                expect_like_reference(false, packed, len, forms[i].row);
                packed[at] = old;
            }
        }
    }
}

static void test_damage_alone(void **state)
{
    (void)state;
    for (u32 k = 0; k < ARRAY_SIZE(fills); k++) {
        fills[k](plain, 2000);
        u64 len = pack_lzma(&forms[7], plain, 2000, k & 1, packed);
        for (u32 n = 0; n < 1500; n++) {
            u64 at = n < 40 ? n % len : 13 + next_random() % (len - 13);
            u8 old = packed[at];

            packed[at] ^= (u8)(1 << next_random() % 8);
            expect_like_reference(true, packed, len, "alone");
            packed[at] = old;
        }
    }
}

static void expect_crc(u64 start, u64 bytes)
{
    u32 half = (u32)(bytes / 3);

    assert_int_equal(crc32_add(0, plain + start, bytes), lzma_crc32(plain + start, bytes, 0));
    assert_int_equal(
        crc32_add(crc32_add(0, plain + start, half), plain + start + half, bytes - half),
        lzma_crc32(plain + start, bytes, 0));
    assert_int_equal(crc64_add(0, plain + start, bytes), lzma_crc64(plain + start, bytes, 0));
}

static void test_crc(void **state)
{
    (void)state;
    fill_random(plain, PLAIN_BYTES);
    for (u64 bytes = 0; bytes < 200; bytes++)
        expect_crc(bytes % 9, bytes);
    for (u64 bytes = 4780; bytes < 4830; bytes++) // where folding begins
        expect_crc(1, bytes);
    for (u64 bytes = 5000; bytes < PLAIN_BYTES - 10; bytes += 9973)
        expect_crc(bytes % 8, bytes);
    for (u64 words = 1; words < 4; words++) // whole stretches of folding
        for (u64 extra = 0; extra < 17; extra++)
            expect_crc(0, 8 * (1024 * words + 300) + extra);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_round_trips_alone),
        cmocka_unit_test(test_bytes_behind_are_ignored),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_room_ends_behind_a_match),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_damage_alone),
        cmocka_unit_test(test_crc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
