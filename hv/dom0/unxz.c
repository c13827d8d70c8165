// SPDX-License-Identifier: MIT
// The containers around LZMA, and the x86 filter; see unxz.h.
#include "dom0/unxz.h"

#include "dom0/crc.h"
#include "dom0/lzma.h"
#include "dom0/x86_filter.h"
#include "lib/string.h"

enum { HEADER_BYTES = 12, CHECK_NONE = 0, CHECK_CRC32 = 1, CHECK_CRC64 = 4 };
enum { FILTER_X86 = 4, FILTER_LZMA2 = 0x21 };

struct unxz {
    const u8 *in, *end;
    u8 *out, *cap;
    enum unxz_result error; // the first one; reads return 0 after it
    u8 check;
    // Of the blocks so far, to be compared with the index: a count and a hash over their sizes.
    u64 blocks, sizes;
    const u8 *tail_of;
    u8 tail[2 * LZMA_SYMBOL_BYTES + 8];
    struct lzma lzma;
};

const u64 unxz_work_bytes = sizeof(struct unxz);

static void fail(struct unxz *x, enum unxz_result error)
{
    if (!x->error)
        x->error = error;
    x->in = x->end;
}

static u64 left(const struct unxz *x)
{
    return (u64)(x->end - x->in);
}

static u32 byte(struct unxz *x)
{
    if (x->in == x->end) {
        fail(x, UNXZ_CORRUPT);
        return 0;
    }
    return *x->in++;
}

static u32 be16(struct unxz *x)
{
    u32 high = byte(x);

    return high << 8 | byte(x);
}

static u64 le(struct unxz *x, int bytes)
{
    u64 v = 0;

    for (int i = 0; i < bytes; i++)
        v |= (u64)byte(x) << 8 * i;
    return v;
}

// A number of up to nine bytes with seven bits each; its last byte is 0 only if it is the first.
static u64 number(struct unxz *x)
{
    u64 v = 0;

    for (int shift = 0; shift < 63; shift += 7) {
        u32 b = byte(x);

        v |= (u64)(b & 0x7f) << shift;
        if (b & 0x80)
            continue;
        if (b == 0 && shift)
            break;
        return v;
    }
    fail(x, UNXZ_CORRUPT);
    return 0;
}

// Reads zero bytes up to a multiple of four from `start`.
static void padding(struct unxz *x, const u8 *start)
{
    while ((x->in - start) & 3 && !x->error)
        if (byte(x))
            fail(x, UNXZ_CORRUPT);
}

static void check_crc32(struct unxz *x, const u8 *start, u64 bytes)
{
    if (le(x, 4) != crc32_add(0, start, bytes))
        fail(x, UNXZ_CORRUPT);
}

// LZMA

// Runs up to `end`. The last symbols before the end of all input are decoded from a copy of it with
// room behind it, because the decoder looks at the end only between two symbols.
static enum lzma_result stretch(struct unxz *x, struct lzma_io *io, const u8 *end)
{
    const u8 *safe_end = left(x) > LZMA_SYMBOL_BYTES ? x->end - LZMA_SYMBOL_BYTES : x->in;
    enum lzma_result result = LZMA_FULL;

    x->tail_of = NULL;
    io->in_end = MIN(end, safe_end);
    if (io->in <= io->in_end)
        result = lzma_run(&x->lzma, io);
    if (result != LZMA_FULL || io->in_end == end || io->in <= io->in_end || io->in > end)
        return result;
    x->tail_of = io->in;
    memset(x->tail, 0, sizeof(x->tail));
    memcpy(x->tail, io->in, (u64)(end - io->in));
    io->in_end = x->tail + (end - io->in);
    io->in = x->tail;
    return io->out < io->out_end ? lzma_run(&x->lzma, io) : LZMA_FULL;
}

static const u8 *stretch_end(const struct unxz *x, const struct lzma_io *io)
{
    return x->tail_of ? x->tail_of + (io->in - x->tail) : io->in;
}

static void lzma_chunk(struct unxz *x, u64 unpacked, u64 packed)
{
    const u8 *end = x->in + packed;
    struct lzma_io io = {x->in, end, x->out, x->out + unpacked, x->cap};

    bool begun = packed <= left(x) && lzma_start(&x->lzma, &io);
    if (begun && unpacked > (u64)(x->cap - x->out)) {
        fail(x, UNXZ_TOO_LONG);
        return;
    }
    if (!begun || stretch(x, &io, end) != LZMA_FULL || io.out != io.out_end ||
        !lzma_finish(&x->lzma, &io) || stretch_end(x, &io) != end) {
        fail(x, UNXZ_CORRUPT);
        return;
    }
    x->in = end;
    x->out = io.out_end;
}

static void plain_chunk(struct unxz *x)
{
    u64 bytes = (u64)be16(x) + 1;

    if (bytes > left(x))
        fail(x, UNXZ_CORRUPT);
    else if (bytes > (u64)(x->cap - x->out))
        fail(x, UNXZ_TOO_LONG);
    if (x->error)
        return;
    memcpy(x->out, x->in, bytes);
    x->in += bytes;
    x->out += bytes;
}

// LZMA2 is a row of chunks, whose control bytes say what of the state begins anew.
enum {
    CHUNK_END = 0,
    CHUNK_PLAIN_NEW_WINDOW = 1,
    CHUNK_PLAIN = 2,
    CHUNK_LZMA = 0x80,
    CHUNK_NEW_STATE = 0xa0,
    CHUNK_NEW_PROPERTIES = 0xc0,
    CHUNK_NEW_WINDOW = 0xe0,
};

static void lzma2_chunk(struct unxz *x, u32 control, bool *properties)
{
    u64 unpacked = (u64)(control & 0x1f) << 16, packed;

    unpacked += (u64)be16(x) + 1;
    packed = (u64)be16(x) + 1;
    if (control >= CHUNK_NEW_PROPERTIES)
        *properties = lzma_set_properties(&x->lzma, (u8)byte(x));
    if (!*properties)
        fail(x, UNXZ_CORRUPT);
    else if (control >= CHUNK_NEW_STATE)
        lzma_reset(&x->lzma);
    if (!x->error)
        lzma_chunk(x, unpacked, packed);
}

static void lzma2(struct unxz *x, u32 dictionary_bytes)
{
    bool window = false, properties = false;

    while (!x->error) {
        u32 control = byte(x);

        if (control == CHUNK_END)
            return;
        if (control >= CHUNK_NEW_WINDOW || control == CHUNK_PLAIN_NEW_WINDOW) {
            lzma_window(&x->lzma, x->out, dictionary_bytes);
            window = true;
            properties = false;
        }
        if (!window || (control > CHUNK_PLAIN && control < CHUNK_LZMA))
            fail(x, UNXZ_CORRUPT);
        else if (control < CHUNK_LZMA)
            plain_chunk(x);
        else
            lzma2_chunk(x, control, &properties);
    }
}

// .xz

struct block {
    u64 packed, unpacked; // UNKNOWN if the header does not say
    u32 dictionary_bytes;
    u32 x86_start;
    bool x86;
};

static const u64 UNKNOWN = ~(u64)0;

// Dictionaries have 2^n or 3 * 2^n bytes.
static u32 dictionary_size(struct unxz *x, u32 code)
{
    if (code > 40)
        fail(x, UNXZ_CORRUPT);
    return code >= 40 ? UINT32_MAX : (2 | (code & 1)) << (code / 2 + 11);
}

static void filters(struct unxz *x, struct block *b, u32 count)
{
    u64 id = number(x), bytes = number(x);

    if (count == 2 && id == FILTER_X86 && (bytes == 0 || bytes == 4)) {
        b->x86 = true;
        b->x86_start = (u32)le(x, (int)bytes);
        id = number(x);
        bytes = number(x);
        count--;
    }
    if (count != 1 || id != FILTER_LZMA2 || bytes != 1)
        fail(x, UNXZ_FOREIGN);
    b->dictionary_bytes = dictionary_size(x, byte(x));
}

enum {
    BLOCK_FILTERS = 3,
    BLOCK_RESERVED = 0x3c,
    BLOCK_HAS_PACKED = 0x40,
    BLOCK_HAS_UNPACKED = 0x80
};

static struct block block_header(struct unxz *x, u32 size)
{
    struct block b = {.packed = UNKNOWN, .unpacked = UNKNOWN};
    const u8 *start = x->in - 1, *all = x->end;
    u64 bytes = 4 * ((u64)size + 1) - 4; // without the checksum

    if (bytes + 4 - 1 > left(x)) {
        fail(x, UNXZ_CORRUPT);
        return b;
    }
    x->in = start + bytes;
    check_crc32(x, start, bytes);
    if (x->error)
        return b;
    x->in = start + 1;
    x->end = start + bytes; // so that nothing is read beyond
    u32 flags = byte(x);
    if (flags & BLOCK_RESERVED)
        fail(x, UNXZ_FOREIGN);
    if (flags & BLOCK_HAS_PACKED)
        b.packed = number(x);
    if (flags & BLOCK_HAS_UNPACKED)
        b.unpacked = number(x);
    filters(x, &b, (flags & BLOCK_FILTERS) + 1);
    while (x->in != x->end)
        if (byte(x))
            fail(x, UNXZ_FOREIGN);
    x->end = all;
    x->in = x->error ? all : start + bytes + 4;
    return b;
}

static u32 check_bytes(const struct unxz *x)
{
    return x->check == CHECK_CRC64 ? 8 : x->check == CHECK_CRC32 ? 4 : 0;
}

static void check_data(struct unxz *x, const u8 *data)
{
    u64 bytes = (u64)(x->out - data), sum = le(x, (int)check_bytes(x));

    if (x->error)
        return;
    if (x->check == CHECK_CRC32 && sum != crc32_add(0, data, bytes))
        fail(x, UNXZ_CORRUPT);
    if (x->check == CHECK_CRC64 && sum != crc64_add(0, data, bytes))
        fail(x, UNXZ_CORRUPT);
}

// A hash as good as any: it sees damage, not malice, and the index has a checksum of its own.
static u64 add_sizes(u64 sizes, u64 unpadded, u64 unpacked)
{
    const u64 odd = 0x9e3779b97f4a7c15;

    sizes = (sizes ^ unpadded) * odd;
    return ((sizes ^ sizes >> 32) ^ unpacked) * odd;
}

static void block(struct unxz *x, u32 header_size)
{
    const u8 *start = x->in - 1;
    struct block b = block_header(x, header_size);
    const u8 *packed = x->in;
    u8 *data = x->out;

    lzma2(x, b.dictionary_bytes);
    if (x->error)
        return;
    u64 unpadded = (u64)(x->in - start) + check_bytes(x);
    if ((b.packed != UNKNOWN && b.packed != (u64)(x->in - packed)) ||
        (b.unpacked != UNKNOWN && b.unpacked != (u64)(x->out - data)))
        fail(x, UNXZ_CORRUPT);
    padding(x, packed);
    if (b.x86)
        x86_filter_undo(data, (u64)(x->out - data), b.x86_start);
    check_data(x, data);
    x->blocks++;
    x->sizes = add_sizes(x->sizes, unpadded, (u64)(x->out - data));
}

// The index repeats the sizes of the blocks; the footer repeats the flags and says how long the
// index is.
static void stream_end(struct unxz *x, const u8 *flags)
{
    const u8 *index = x->in - 1;
    u64 count = number(x), sizes = 0;

    for (u64 i = 0; i < count && !x->error; i++) {
        u64 unpadded = number(x);

        sizes = add_sizes(sizes, unpadded, number(x));
    }
    if (count != x->blocks || sizes != x->sizes)
        fail(x, UNXZ_CORRUPT);
    padding(x, index);
    if (x->error)
        return;
    check_crc32(x, index, (u64)(x->in - index));
    u64 index_bytes = (u64)(x->in - index);
    u64 footer_crc = le(x, 4);
    const u8 *footer = x->in;
    u64 backward = (le(x, 4) + 1) * 4;
    u64 end = le(x, 4);
    if (x->error)
        return;
    if (footer_crc != crc32_add(0, footer, 6) || backward != index_bytes ||
        memcmp(footer + 4, flags, 2) != 0 || end >> 16 != ('Y' | 'Z' << 8))
        fail(x, UNXZ_CORRUPT);
}

static const u8 *stream_header(struct unxz *x)
{
    const u8 *start = x->in;

    if (left(x) < HEADER_BYTES || memcmp(start,
                                         "\xfd"
                                         "7zXZ",
                                         6) != 0) {
        fail(x, UNXZ_CORRUPT);
        return start;
    }
    x->in += 8;
    check_crc32(x, start + 6, 2);
    x->check = start[7];
    if (start[6] || (x->check != CHECK_NONE && x->check != CHECK_CRC32 && x->check != CHECK_CRC64))
        fail(x, UNXZ_FOREIGN);
    return start + 6;
}

static struct unxz *begin(void *work, const void *src, u64 src_len, void *dst, u64 dst_cap)
{
    struct unxz *x = work;

    x->in = src;
    x->end = x->in + src_len;
    x->out = dst;
    x->cap = x->out + dst_cap;
    x->error = UNXZ_DONE;
    x->blocks = x->sizes = 0;
    lzma_init(&x->lzma);
    return x;
}

enum unxz_result unxz(const void *src, u64 src_len, void *dst, u64 dst_cap, u64 *out_len,
                      void *work)
{
    struct unxz *x = begin(work, src, src_len, dst, dst_cap);
    const u8 *flags = stream_header(x);

    while (!x->error) {
        u32 size = byte(x);

        if (x->error)
            break;
        if (size == 0) { // no block: the index
            stream_end(x, flags);
            break;
        }
        block(x, size);
    }
    *out_len = (u64)(x->out - (u8 *)dst);
    return x->error;
}

// .lzma

// With a known size the marker may follow, but only if the stream does not look finished.
static void lzma_alone(struct unxz *x, u64 unpacked)
{
    struct lzma_io io = {x->in, x->end, x->out, x->cap, x->cap};
    enum lzma_result result;

    if (unpacked != UNKNOWN)
        io.out_end = io.out + unpacked;
    if (!lzma_start(&x->lzma, &io)) {
        fail(x, UNXZ_CORRUPT);
        return;
    }
    result = stretch(x, &io, x->end);
    x->out = io.out;
    if (result == LZMA_FULL && io.out == io.out_end) {
        if (unpacked != UNKNOWN && lzma_finish(&x->lzma, &io) && io.in <= io.in_end)
            return;
        result = lzma_marker(&x->lzma, &io);
    }
    if (result == LZMA_TOO_LONG && unpacked == UNKNOWN)
        fail(x, UNXZ_TOO_LONG);
    if (result != LZMA_MARKER || !lzma_finish(&x->lzma, &io) || io.in > io.in_end)
        fail(x, UNXZ_CORRUPT);
    if (unpacked != UNKNOWN && io.out != io.out_end)
        fail(x, UNXZ_CORRUPT);
}

enum unxz_result unlzma(const void *src, u64 src_len, void *dst, u64 dst_cap, u64 *out_len,
                        void *work)
{
    struct unxz *x = begin(work, src, src_len, dst, dst_cap);
    bool known = lzma_set_properties(&x->lzma, (u8)byte(x));
    u64 dictionary_bytes = align_up(MAX(le(x, 4), (u64)4096), 16); // as the reference rounds
    u64 unpacked = le(x, 8);

    lzma_reset(&x->lzma);
    lzma_window(&x->lzma, x->out, (u32)MIN(dictionary_bytes, (u64)UINT32_MAX));
    if (!known)
        fail(x, UNXZ_FOREIGN);
    if (unpacked != UNKNOWN && unpacked > dst_cap)
        fail(x, UNXZ_TOO_LONG);
    if (!x->error)
        lzma_alone(x, unpacked);
    *out_len = (u64)(x->out - (u8 *)dst);
    return x->error;
}
