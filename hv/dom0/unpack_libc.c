// SPDX-License-Identifier: MIT
// The part of a hosted C library that the decompression archives are linked against; only for the
// hypervisor image, host tests have the real one. mem* and str* are in lib/string.c.
//
// 1. Memory for the decoders comes through their allocator hooks (unpack.c), so malloc and its
//    family are named by the archives but never called.
// 2. Whatever else the archives name and our entry points cannot reach is answered here too, to
//    keep it out of the image: stdio (bzip2's file interface), bzip2's compressor, and the decoders
//    of zstd's pre-1.0 formats, which unpack_zstd() excludes by magic number.
// 3. The CRC functions replace those of zlib and liblzma: the same sums from small tables built at
//    run time instead of 29 KiB of constant ones.
#include "lib/compiler.h"

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN NORETURN void __stack_chk_fail(void);
HIDDEN void unpack_unreachable(void);
HIDDEN unsigned long crc32(unsigned long crc, const u8 *buf, unsigned bytes);
HIDDEN u32 lzma_crc32(const u8 *buf, size_t bytes, u32 crc);
HIDDEN u64 lzma_crc64(const u8 *buf, size_t bytes, u64 crc);

void __stack_chk_fail(void)
{
    panic("stack overrun inside a decompressor");
}

void unpack_unreachable(void)
{
    panic("a decompressor called a function that Wirt does not have");
}

#define UNREACHABLE(name) extern HIDDEN void name(void) __attribute__((alias("unpack_unreachable")))

UNREACHABLE(malloc);
UNREACHABLE(calloc);
UNREACHABLE(free);

UNREACHABLE(BZ2_compressBlock);
UNREACHABLE(exit);
UNREACHABLE(fopen64);
UNREACHABLE(fdopen);
UNREACHABLE(fclose);
UNREACHABLE(fread);
UNREACHABLE(fwrite);
UNREACHABLE(fgetc);
UNREACHABLE(fputc);
UNREACHABLE(ungetc);
UNREACHABLE(fflush);
UNREACHABLE(ferror);
UNREACHABLE(__fprintf_chk);
UNREACHABLE(__ctype_b_loc);
UNREACHABLE(stdin);
UNREACHABLE(stdout);
UNREACHABLE(stderr);

#define UNREACHABLE_ZSTD(v)                            \
    UNREACHABLE(ZSTDv##v##_createDCtx);                \
    UNREACHABLE(ZSTDv##v##_freeDCtx);                  \
    UNREACHABLE(ZSTDv##v##_getFrameParams);            \
    UNREACHABLE(ZSTDv##v##_decompress_usingDict);      \
    UNREACHABLE(ZSTDv##v##_findFrameSizeInfoLegacy);   \
    UNREACHABLE(ZBUFFv##v##_createDCtx);               \
    UNREACHABLE(ZBUFFv##v##_freeDCtx);                 \
    UNREACHABLE(ZBUFFv##v##_decompressInitDictionary); \
    UNREACHABLE(ZBUFFv##v##_decompressContinue)

UNREACHABLE_ZSTD(05);
UNREACHABLE_ZSTD(06);
UNREACHABLE_ZSTD(07);

// Reflected CRCs with all-ones preset and inversion, as gzip (RFC 1952) and xz define them. A
// 32-bit one is the 64-bit one whose upper half stays 0.
static u64 crc32_table[256], crc64_table[256];

static const u64 crc32_polynomial = 0xedb88320, crc64_polynomial = 0xc96c5795d7870f42;

static void crc_build(u64 table[256], u64 polynomial)
{
    for (u32 i = 0; i < 256; i++) {
        u64 v = i;

        for (int bit = 0; bit < 8; bit++)
            v = v >> 1 ^ (v & 1 ? polynomial : 0);
        table[i] = v;
    }
}

static u64 crc_add(u64 table[256], u64 polynomial, u64 crc, const u8 *buf, size_t bytes)
{
    if (!table[1])
        crc_build(table, polynomial);
    for (size_t i = 0; i < bytes; i++)
        crc = crc >> 8 ^ table[(crc ^ buf[i]) & 0xff];
    return crc;
}

u32 lzma_crc32(const u8 *buf, size_t bytes, u32 crc)
{
    return ~(u32)crc_add(crc32_table, crc32_polynomial, ~crc, buf, bytes);
}

u64 lzma_crc64(const u8 *buf, size_t bytes, u64 crc)
{
    return ~crc_add(crc64_table, crc64_polynomial, ~crc, buf, bytes);
}

unsigned long crc32(unsigned long crc, const u8 *buf, unsigned bytes)
{
    return buf ? lzma_crc32(buf, bytes, (u32)crc) : 0; // zlib: NULL asks for the start value
}

// Weak in libzstd, for tracing tools; a weak symbol that stays undefined is address 0, which code
// at our address cannot reach.
unsigned long long ZSTD_trace_decompress_begin(const void *ctx);
unsigned long long ZSTD_trace_decompress_begin(const void *ctx)
{
    (void)ctx;
    return 0; // not traced: no end call follows
}

void ZSTD_trace_decompress_end(unsigned long long id, const void *trace);
void ZSTD_trace_decompress_end(unsigned long long id, const void *trace)
{
    (void)id, (void)trace;
}
