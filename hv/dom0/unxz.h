// SPDX-License-Identifier: MIT
// Unpacks .xz and .lzma files in one go, as far as kernels use the formats: LZMA2 alone or behind
// the x86 filter, any number of blocks, no check, CRC-32 or CRC-64.
//
// 1. Input is hostile; nothing outside of src, dst and work is touched.
// 2. Every check and size that the container holds is verified. Bytes behind the first stream are
//    ignored.
// 3. A match may reach back over the whole output, so that there is no dictionary to copy.
// Source: "The .xz File Format" 1.1.0; "LZMA specification" for the header of .lzma.
#ifndef WIRT_DOM0_UNXZ_H
#define WIRT_DOM0_UNXZ_H

#include "lib/compiler.h"

enum unxz_result {
    UNXZ_DONE,
    UNXZ_CORRUPT, // or truncated
    UNXZ_TOO_LONG,
    UNXZ_FOREIGN, // another filter or check
};

extern const u64 unxz_work_bytes; // of memory aligned to 8

NODISCARD enum unxz_result unxz(const void *src, u64 src_len, void *dst, u64 dst_cap, u64 *out_len,
                                void *work);
NODISCARD enum unxz_result unlzma(const void *src, u64 src_len, void *dst, u64 dst_cap,
                                  u64 *out_len, void *work);

#endif
