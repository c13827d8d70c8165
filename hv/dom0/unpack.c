// SPDX-License-Identifier: MIT
// Decompressors behind one call; see unpack.h.
//
// lz4 and lzo are our own: liblz4's decoder is one object with its 50 KiB of compressors, and
// liblzo2 is GPL. So are xz and lzma (unxz.c), because liblzma takes too long. Sources:
// lz4_Block_format.md and lz4_Frame_format.md ("Legacy frame") of the LZ4 project; Linux
// Documentation/staging/lzo.rst for LZO1X. Of the latter lzop emits version 0 only.
#include "dom0/unpack.h"

#include "dom0/unxz.h"
#include "lib/string.h"

#define ZSTD_STATIC_LINKING_ONLY // ZSTD_initStaticDCtx: we do link statically
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { ARENA_ALIGN = 64, SCRATCH_SLACK = 256 << 10 };

static const char corrupt[] = "compressed kernel is corrupt or truncated; copy it again";
static const char too_long[] = "kernel unpacks to more bytes than its header says; copy it again";
static const char no_scratch[] = "too little memory to unpack the kernel; give Wirt more memory or "
                                 "compress the kernel with zstd or gzip";

// The scratch memory: handed out upwards, never taken back.
struct arena {
    u8 *next;
    u64 left;
};

struct job {
    const u8 *src;
    u64 src_len;
    u8 *dst;
    u64 dst_cap;
    u64 out_len;
    struct arena arena;
};

static void *arena_alloc(struct arena *a, u64 bytes)
{
    u64 want;
    void *p = a->next;

    if (!p || __builtin_add_overflow(bytes, ARENA_ALIGN - 1, &want))
        return NULL;
    want = align_down(want, ARENA_ALIGN);
    if (want > a->left)
        return NULL;
    a->next += want;
    a->left -= want;
    return p;
}

static struct arena arena_over(void *mem, u64 bytes)
{
    u64 skip = -(uintptr_t)mem & (ARENA_ALIGN - 1);

    if (!mem || skip > bytes)
        return (struct arena){NULL, 0};
    return (struct arena){(u8 *)mem + skip, bytes - skip};
}

static u32 le16(const u8 *p)
{
    return p[0] | (u32)p[1] << 8;
}

static u32 le32(const u8 *p)
{
    return le16(p) | le16(p + 2) << 16;
}

// gzip

static void *zlib_alloc(void *arena, unsigned items, unsigned size)
{
    return arena_alloc(arena, (u64)items * size);
}

static void zlib_free(void *arena, void *p)
{
}

static const char *unpack_gzip(struct job *j)
{
    enum { GZIP_ONLY = 16 + MAX_WBITS };
    z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = &j->arena};
    int rc;

    // zlib never writes through next_in; without ZLIB_CONST its type merely says so.
    z.next_in = (u8 *)(uintptr_t)j->src;
    z.avail_in = (u32)j->src_len;
    z.next_out = j->dst;
    z.avail_out = (u32)j->dst_cap;
    if (inflateInit2(&z, GZIP_ONLY) != Z_OK)
        return no_scratch;
    rc = inflate(&z, Z_FINISH);
    j->out_len = z.total_out;
    if (rc == Z_STREAM_END)
        return NULL;
    if (rc == Z_MEM_ERROR)
        return no_scratch;
    return rc == Z_BUF_ERROR && !z.avail_out ? too_long : corrupt;
}

// xz and lzma

static const char *unpack_lzma_with(struct job *j, __typeof__(unxz) *decoder)
{
    void *work = arena_alloc(&j->arena, unxz_work_bytes);

    if (!work)
        return no_scratch;
    switch (decoder(j->src, j->src_len, j->dst, j->dst_cap, &j->out_len, work)) {
    case UNXZ_DONE:
        return NULL;
    case UNXZ_TOO_LONG:
        return too_long;
    case UNXZ_FOREIGN:
        return "kernel's xz or lzma file uses a filter or check that Wirt does not unpack; use "
               "x86 and LZMA2 with CRC32 or CRC64, or gzip, zstd, lz4 or lzo";
    default:
        return corrupt;
    }
}

static const char *unpack_xz(struct job *j)
{
    return unpack_lzma_with(j, unxz);
}

static const char *unpack_lzma(struct job *j)
{
    return unpack_lzma_with(j, unlzma);
}

// zstd

static const char *unpack_zstd(struct job *j)
{
    u64 room = j->arena.left & ~(u64)(ARENA_ALIGN - 1);
    ZSTD_DCtx *ctx = ZSTD_initStaticDCtx(arena_alloc(&j->arena, room), room);
    size_t rc;

    if (!ctx)
        return no_scratch;
    // One frame only: a second one behind it could be of zstd's pre-1.0 formats, whose decoders
    // are not linked in (unpack_libc.c).
    rc = ZSTD_findFrameCompressedSize(j->src, j->src_len);
    if (ZSTD_isError(rc))
        return corrupt;
    rc = ZSTD_decompressDCtx(ctx, j->dst, j->dst_cap, j->src, rc);
    j->out_len = rc;
    if (!ZSTD_isError(rc))
        return NULL;
    return ZSTD_getErrorCode(rc) == ZSTD_error_dstSize_tooSmall ? too_long : corrupt;
}

static const char *unpack_bzip2(struct job *j)
{
    return "kernel is packed with bzip2, which Wirt does not unpack; use gzip, xz, zstd, lz4, lzma "
           "or lzo";
}

// lz4 and lzo: a block is a row of literals and of copies from what was written before. Any read
// or write outside sets `error`, makes all further steps do nothing, and is looked at once per
// instruction.
struct window {
    const u8 *in, *in_end;
    u8 *out, *out_start, *out_end;
    const char *error;
};

static u32 win_byte(struct window *w)
{
    if (w->in == w->in_end) {
        w->error = corrupt;
        return 1; // not 0: ends the loop of win_length()
    }
    return *w->in++;
}

static u32 win_le16(struct window *w)
{
    u32 low = win_byte(w);

    return low | win_byte(w) << 8;
}

static void win_literals(struct window *w, u64 bytes)
{
    if (bytes > (u64)(w->in_end - w->in))
        w->error = corrupt;
    else if (bytes > (u64)(w->out_end - w->out))
        w->error = too_long;
    if (w->error)
        return;
    memcpy(w->out, w->in, bytes);
    w->in += bytes;
    w->out += bytes;
}

static void win_copy(struct window *w, u64 distance, u64 bytes)
{
    if (distance == 0 || distance > (u64)(w->out - w->out_start))
        w->error = corrupt;
    else if (bytes > (u64)(w->out_end - w->out))
        w->error = too_long;
    if (w->error)
        return;
    // May overlap on purpose: a distance of 1 repeats one byte.
    for (const u8 *from = w->out - distance; bytes; bytes--)
        *w->out++ = *from++;
}

static u64 lz4_length(struct window *w, u32 nibble)
{
    u64 length = nibble;
    u32 more = 255;

    if (nibble < 15)
        return nibble;
    while (more == 255 && !w->error) {
        more = win_byte(w);
        length += more;
    }
    return length;
}

static const char *lz4_block(struct window *w)
{
    while (!w->error) {
        u32 token = win_byte(w);

        win_literals(w, lz4_length(w, token >> 4));
        if (w->in == w->in_end) // the last sequence has no copy
            break;
        u32 distance = win_le16(w);
        win_copy(w, distance, 4 + lz4_length(w, token & 15));
    }
    return w->error;
}

enum { LZ4_MAGIC = 0x184c2102 };

static const char *unpack_lz4(struct job *j)
{
    const u8 *in = j->src, *end = j->src + j->src_len;
    u8 *out = j->dst;

    while (end - in >= 4) {
        u32 bytes = le32(in);

        in += 4;
        if (bytes == LZ4_MAGIC) // of the first or of an appended frame
            continue;
        if (bytes > (u64)(end - in))
            return corrupt;
        struct window w = {in, in + bytes, out, out, j->dst + j->dst_cap, NULL};
        const char *error = lz4_block(&w);
        if (error)
            return error;
        in += bytes;
        out = w.out;
    }
    j->out_len = (u64)(out - j->dst);
    return in == end ? NULL : corrupt;
}

// `low` are the length bits of the instruction, `max` what they can hold.
static u64 lzo_length(struct window *w, u32 low, u32 max)
{
    u64 length = max;
    u32 more = 0;

    if (low)
        return low;
    while (more == 0) {
        more = win_byte(w);
        length += more ? more : 255;
    }
    return length;
}

struct lzo_op {
    u64 distance; // 0: literals only
    u64 bytes;
    u32 literals; // 0..3 that follow the copy
    bool end;
};

// The instructions below 16 depend on how many literals came before: none, 1..3, or more (4).
static struct lzo_op lzo_decode_small(struct window *w, u32 op, u32 literals_before)
{
    if (literals_before == 0)
        return (struct lzo_op){.bytes = 3 + lzo_length(w, op, 15)};
    if (literals_before < 4)
        return (struct lzo_op){(win_byte(w) << 2) + (op >> 2) + 1, 2, op & 3, false};
    return (struct lzo_op){(win_byte(w) << 2) + (op >> 2) + 2049, 3, op & 3, false};
}

static struct lzo_op lzo_decode(struct window *w, u32 op, u32 literals_before)
{
    struct lzo_op o;
    u32 low;

    if (op < 16)
        return lzo_decode_small(w, op, literals_before);
    if (op >= 64) {
        o.bytes = op >= 128 ? 5 + (op >> 5 & 3) : 3 + (op >> 5 & 1);
        o.distance = (win_byte(w) << 3) + (op >> 2 & 7) + 1;
        o.literals = op & 3;
        o.end = false;
        return o;
    }
    o.bytes = 2 + (op >= 32 ? lzo_length(w, op & 31, 31) : lzo_length(w, op & 7, 7));
    low = win_le16(w);
    o.distance = op >= 32 ? (low >> 2) + 1 : 16384 + ((op & 8) << 11) + (low >> 2);
    o.literals = low & 3;
    o.end = op < 32 && o.distance == 16384;
    return o;
}

static const char *lzo_block(struct window *w)
{
    u32 before = 0;

    if (w->in != w->in_end && *w->in > 17) { // the first byte may be a count of literals
        u32 literals = win_byte(w) - 17;

        win_literals(w, literals);
        before = MIN(literals, 4u);
    }
    while (!w->error) {
        u32 op = win_byte(w);
        struct lzo_op o = lzo_decode(w, op, before);

        if (o.end)
            return w->error ? w->error : w->in == w->in_end ? NULL : corrupt;
        if (o.distance == 0) {
            win_literals(w, o.bytes);
            before = 4;
        } else {
            win_copy(w, o.distance, o.bytes);
            win_literals(w, o.literals);
            before = o.literals;
        }
    }
    return w->error;
}

static u32 win_be(struct window *w, int bytes)
{
    u32 v = 0;

    while (bytes--)
        v = v << 8 | win_byte(w);
    return v;
}

static void win_skip(struct window *w, u64 bytes)
{
    if (bytes > (u64)(w->in_end - w->in))
        w->error = corrupt;
    else
        w->in += bytes;
}

enum { LZOP_MAGIC_BYTES = 9 };

enum lzop_flags {
    LZOP_ADLER32_UNPACKED = 0x1,
    LZOP_ADLER32_PACKED = 0x2,
    LZOP_CRC32_UNPACKED = 0x100,
    LZOP_CRC32_PACKED = 0x200,
    LZOP_FILTER = 0x800,
};

// Steps over the file header and returns its flags. Versions from 0.940 have three fields more.
static u32 lzop_header(struct window *w)
{
    bool modern;
    u32 flags;

    win_skip(w, LZOP_MAGIC_BYTES);
    modern = win_be(w, 2) >= 0x940;
    win_skip(w, modern ? 4 : 2); // library version, version needed
    win_skip(w, modern ? 2 : 1); // method, level
    flags = win_be(w, 4);
    win_skip(w, modern ? 12 : 8); // mode, time
    if (flags & LZOP_FILTER)
        win_skip(w, 4);
    win_skip(w, win_byte(w)); // name
    win_skip(w, 4);           // checksum
    return flags;
}

static u64 lzop_checksum_bytes(u32 flags, u32 adler32, u32 crc32)
{
    return (flags & adler32 ? 4 : 0) + (flags & crc32 ? 4 : 0);
}

static void lzop_block(struct window *file, u32 flags, u32 unpacked)
{
    u32 packed = win_be(file, 4);
    struct window w;

    win_skip(file, lzop_checksum_bytes(flags, LZOP_ADLER32_UNPACKED, LZOP_CRC32_UNPACKED));
    if (packed >= unpacked) { // stored
        win_literals(file, packed);
        return;
    }
    win_skip(file, lzop_checksum_bytes(flags, LZOP_ADLER32_PACKED, LZOP_CRC32_PACKED));
    if (file->error || packed > (u64)(file->in_end - file->in)) {
        file->error = corrupt;
        return;
    }
    w = (struct window){file->in, file->in + packed, file->out, file->out, file->out_end, NULL};
    file->error = lzo_block(&w);
    if (!file->error && (u64)(w.out - w.out_start) != unpacked)
        file->error = corrupt;
    file->in = w.in;
    file->out = w.out;
}

static const char *unpack_lzo(struct job *j)
{
    struct window w = {j->src, j->src + j->src_len, j->dst, j->dst, j->dst + j->dst_cap, NULL};
    u32 flags = lzop_header(&w);

    while (!w.error) {
        u32 unpacked = win_be(&w, 4);

        if (unpacked == 0)
            break;
        lzop_block(&w, flags, unpacked);
    }
    j->out_len = (u64)(w.out - j->dst);
    return w.error;
}

static const char *unpack_none(struct job *j)
{
    if (j->src_len > j->dst_cap)
        return too_long;
    memcpy(j->dst, j->src, j->src_len);
    j->out_len = j->src_len;
    return NULL;
}

// The kinds

static const struct method {
    const char *(*unpack)(struct job *j);
    u8 magic_len;
    u8 magic[9];
} methods[] = {
    [COMPRESSION_NONE] = {unpack_none, 0, {0}},
    [COMPRESSION_GZIP] = {unpack_gzip, 3, {0x1f, 0x8b, 8}},
    [COMPRESSION_XZ] = {unpack_xz, 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
    [COMPRESSION_ZSTD] = {unpack_zstd, 4, {0x28, 0xb5, 0x2f, 0xfd}},
    [COMPRESSION_LZ4] = {unpack_lz4, 4, {0x02, 0x21, 0x4c, 0x18}},
    [COMPRESSION_BZIP2] = {unpack_bzip2, 3, {'B', 'Z', 'h'}},
    // Not a magic number, but lc/lp/pb as always used, and a dictionary of whole 64 KiB.
    [COMPRESSION_LZMA] = {unpack_lzma, 3, {0x5d, 0, 0}},
    [COMPRESSION_LZO] = {unpack_lzo, 9, {0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n'}},
};

static bool method_matches(const struct method *m, const void *src, u64 src_len)
{
    return m->magic_len && src_len >= m->magic_len && memcmp(src, m->magic, m->magic_len) == 0;
}

bool unpack_identify(const void *src, u64 src_len, enum compression *kind)
{
    for (u32 i = 0; i < ARRAY_SIZE(methods); i++) {
        if (method_matches(&methods[i], src, src_len)) {
            *kind = (enum compression)i;
            return true;
        }
    }
    return false;
}

u64 unpack_scratch_bytes(enum compression kind)
{
    switch (kind) {
    case COMPRESSION_GZIP:
        return SCRATCH_SLACK;
    case COMPRESSION_ZSTD:
        return ZSTD_estimateDCtxSize() + SCRATCH_SLACK;
    case COMPRESSION_XZ:
    case COMPRESSION_LZMA:
        return unxz_work_bytes + 2 * ARENA_ALIGN;
    default:
        return 0;
    }
}

const char *unpack(enum compression kind, const void *src, u64 src_len, void *dst, u64 dst_cap,
                   u64 *out_len, void *scratch, u64 scratch_len)
{
    struct job j = {src, src_len, dst, dst_cap, 0, arena_over(scratch, scratch_len)};
    const char *error;

    // zlib counts in 32 bits, and so do the positions of LZMA.
    if (src_len > UINT32_MAX || dst_cap > UINT32_MAX)
        return "kernel is larger than 4 GiB";
    if (kind != COMPRESSION_NONE && !method_matches(&methods[kind], src, src_len))
        return corrupt;
    error = methods[kind].unpack(&j);
    *out_len = error ? 0 : j.out_len;
    return error;
}
