// SOURCES: $(UNXZ_SOURCES)
// LIBS: -llzma
// SPDX-License-Identifier: MIT
// Our decoder of .xz and .lzma against liblzma: what ours accepts, liblzma accepts with the same
// bytes; what liblzma accepts, ours accepts or calls foreign. Checksums are nearly always wrong in
// mutated input, hence a first byte: with bit 0 the rest is .lzma, which has none; with bit 1 it is
// the LZMA2 data of one block, around which a container without checks is made here; bit 2 puts the
// x86 filter into it.
//
// Seeds: tests/fuzz/seeds/unxz, made by its make.py.
#include <stdlib.h>
#include <string.h>

#include <lzma.h>

#include "dom0/unxz.h"
#include "fake/guarded.h"
#include "tests/fuzz/replay.h"

enum { OUT_MAX = 1 << 18, IN_MAX = 1 << 16, MEMORY_MAX = 256 << 20 };

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool reference(bool alone, const u8 *src, u64 len, u8 *dst, u64 *out_len, bool *no_room)
{
    lzma_stream s = LZMA_STREAM_INIT;
    lzma_ret rc;

    check((alone ? lzma_alone_decoder(&s, MEMORY_MAX) : lzma_stream_decoder(&s, MEMORY_MAX, 0)) ==
          LZMA_OK);
    s.next_in = src;
    s.avail_in = len;
    s.next_out = dst;
    s.avail_out = OUT_MAX;
    do
        rc = lzma_code(&s, LZMA_FINISH);
    while (rc == LZMA_OK);
    *out_len = s.total_out;
    *no_room = rc == LZMA_MEMLIMIT_ERROR || (rc == LZMA_BUF_ERROR && !s.avail_out);
    lzma_end(&s);
    return rc == LZMA_STREAM_END;
}

static void compare(bool alone, const u8 *src, u64 len)
{
    static u8 want[OUT_MAX];
    u8 *got = guarded_alloc(OUT_MAX), *copy = guarded_alloc(len),
       *work = guarded_alloc(unxz_work_bytes);
    u64 want_len, got_len;
    bool no_room, good = reference(alone, src, len, want, &want_len, &no_room);
    enum unxz_result result;

    memcpy(copy, src, len);
    result = (alone ? unlzma : unxz)(copy, len, got, OUT_MAX, &got_len, work);
    if (good && result != UNXZ_FOREIGN) {
        check(result == UNXZ_DONE && got_len == want_len);
        check(memcmp(got, want, want_len) == 0);
    }
    if (result == UNXZ_DONE)
        check(good || no_room);
    guarded_free(work, unxz_work_bytes);
    guarded_free(copy, len);
    guarded_free(got, OUT_MAX);
}

// A stream with one block and no check, whose index is right if the data is.
static u64 wrap(u8 *out, const u8 *data, u64 len, bool x86)
{
    static const u8 plain[8] = {2, 0, 0x21, 1, 12}, filtered[8] = {2, 1, 4, 0, 0x21, 1, 12};
    lzma_stream_flags flags = {.version = 0, .check = LZMA_CHECK_NONE};
    u8 *p = out + LZMA_STREAM_HEADER_SIZE;
    u64 unpacked, index_bytes;
    lzma_index *index = lzma_index_init(NULL);
    u32 crc;
    static u8 dst[OUT_MAX];
    bool no_room;

    check(lzma_stream_header_encode(&flags, out) == LZMA_OK);
    memcpy(p, x86 ? filtered : plain, 8);
    crc = lzma_crc32(p, 8, 0);
    memcpy(p + 8, &crc, 4);
    memcpy(p + 12, data, len);
    p += 12 + len;
    // Without an index behind it the block is unpacked all the same.
    reference(false, out, (u64)(p - out), dst, &unpacked, &no_room);
    check(lzma_index_append(index, NULL, 12 + len, unpacked) == LZMA_OK);
    for (; (len & 3); len++)
        *p++ = 0;
    index_bytes = lzma_index_size(index);
    size_t at = 0;
    check(lzma_index_buffer_encode(index, p, &at, index_bytes) == LZMA_OK);
    p += index_bytes;
    flags.backward_size = index_bytes;
    check(lzma_stream_footer_encode(&flags, p) == LZMA_OK);
    lzma_index_end(index, NULL);
    return (u64)(p - out) + LZMA_STREAM_HEADER_SIZE;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static u8 wrapped[IN_MAX + 1024];

    if (size < 2 || size > IN_MAX)
        return 0;
    if (*data & 2)
        compare(false, wrapped, wrap(wrapped, data + 1, size - 1, *data & 4));
    else
        compare(*data & 1, data + 1, size - 1);
    return 0;
}
