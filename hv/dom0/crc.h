// SPDX-License-Identifier: MIT
// The checksums of packed kernels: reflected, preset to ones and inverted, as gzip (RFC 1952) and
// xz ("The .xz File Format", 6) define them. Start with 0; the sum of a longer text comes from
// passing the sum so far. One call at a time.
#ifndef WIRT_DOM0_CRC_H
#define WIRT_DOM0_CRC_H

#include "lib/compiler.h"

NODISCARD u32 crc32_add(u32 crc, const void *buf, u64 bytes);
NODISCARD u64 crc64_add(u64 crc, const void *buf, u64 bytes);

#endif
