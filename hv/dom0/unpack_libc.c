// SPDX-License-Identifier: MIT
// The part of a hosted C library that the decompression archives are linked against; only for the
// hypervisor image, host tests have the real one. mem* and str* are in lib/string.c.
//
// 1. Memory for the decoders comes through their allocator hooks (unpack.c), so malloc and its
//    family are named by the archives but never called.
// 2. What else the archives name and our entry points cannot reach is answered here too, to keep it
//    out of the image: the decoders of zstd's pre-1.0 formats, which unpack_zstd() excludes by
//    magic number.
// 3. zlib's CRC becomes our own: quicker, and without the constant tables.
#include "dom0/crc.h"

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN NORETURN void __stack_chk_fail(void);
HIDDEN void unpack_unreachable(void);
HIDDEN unsigned long crc32(unsigned long crc, const u8 *buf, unsigned bytes);

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

unsigned long crc32(unsigned long crc, const u8 *buf, unsigned bytes)
{
    return buf ? crc32_add((u32)crc, buf, bytes) : 0; // zlib: NULL asks for the start value
}

// Weak in libzstd, for tracing tools; a weak symbol that stays undefined is address 0, which code
// at our address cannot reach.
unsigned long long ZSTD_trace_decompress_begin(const void *ctx);
unsigned long long ZSTD_trace_decompress_begin(const void *ctx)
{
    return 0; // not traced: no end call follows
}

void ZSTD_trace_decompress_end(unsigned long long id, const void *trace);
void ZSTD_trace_decompress_end(unsigned long long id, const void *trace)
{
}
