// SPDX-License-Identifier: MIT
// Decompression of boot modules: whole buffer in, whole buffer out, no file and no heap.
//
// 1. All memory beyond `dst` comes from the caller's scratch buffer and is given back on return.
// 2. gzip and zstd are Debian's static archives (mk/unpack.mk); xz, lzma, lz4 and lzo are decoded
// by
//    our own code. bzip2 is known by name only.
// 3. Debian compiles those archives with SSE2 and with -fstack-protector-strong: the caller has
//    enabled SSE (CR0.EM=0, CR4.OSFXSR=1), owns the FPU state meanwhile, and FS base points at 48
//    or more readable bytes (the canary is read from %fs:0x28) that do not change during the call.
//    It takes less than 8 KiB of stack (measured). One call at a time.
#ifndef WIRT_DOM0_UNPACK_H
#define WIRT_DOM0_UNPACK_H

#include "lib/compiler.h"

enum compression {
    COMPRESSION_NONE,
    COMPRESSION_GZIP,
    COMPRESSION_XZ,
    COMPRESSION_ZSTD,
    COMPRESSION_LZ4, // the "legacy" frame, which is what Linux uses
    COMPRESSION_BZIP2,
    COMPRESSION_LZMA, // the .lzma ("alone") format
    COMPRESSION_LZO,  // lzop's format
};

// By its magic; false if the bytes start like none of the kinds above (NONE is never found).
NODISCARD bool unpack_identify(const void *src, u64 src_len, enum compression *kind);

// How much scratch memory unpack() will want.
u64 unpack_scratch_bytes(enum compression kind);

// Unpacks src into dst. Returns NULL and the number of bytes written, or a sentence for the
// operator; dst holds rubbish then. Bytes behind the end of the compressed stream are ignored,
// except for lz4, whose end is src_len.
NODISCARD const char *unpack(enum compression kind, const void *src, u64 src_len, void *dst,
                             u64 dst_cap, u64 *out_len, void *scratch, u64 scratch_len);

#endif
