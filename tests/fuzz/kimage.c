// SOURCES: hv/dom0/kimage.c hv/dom0/unpack.c $(UNXZ_SOURCES)
// LIBS: -lzstd -lz
// SPDX-License-Identifier: MIT
// Feeds arbitrary bytes to the way a boot module takes: payload, unpacking, ELF, notes, loading.
//
// Seeds: tests/fuzz/seeds/kimage, made by its make.py.
#include <stdlib.h>

#include "dom0/kimage.h"
#include "tests/fuzz/replay.h"

// Enough for small kernels; larger claims are refused by the harness, not by the code.
enum { UNPACKED_MAX = 1 << 20, SCRATCH_BYTES = 8 << 20 };

static void check(bool ok)
{
    if (!ok)
        abort();
}

static const char *put(void *ctx, u64 virt, const void *src, u64 bytes)
{
    const struct kimage *k = ctx;

    check(virt >= k->virt_start && virt < k->virt_end && bytes <= k->virt_end - virt);
    for (u64 i = 0; src && i < bytes; i++)
        (void)((const volatile u8 *)src)[i];
    return NULL;
}

static void parse_and_load(const u8 *elf, u64 len)
{
    struct kimage k;

    if (kimage_parse(elf, len, &k))
        return;
    check(k.virt_start < k.virt_end && k.entry >= k.virt_start && k.entry < k.virt_end);
    check(!kimage_load(elf, &k, put, &k));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static u8 scratch[SCRATCH_BYTES];
    struct kimage_payload p;
    u8 *elf;

    parse_and_load(data, size);
    if (kimage_find_payload(data, size, &p) || p.unpacked_bytes > UNPACKED_MAX)
        return 0;
    check(p.data >= data && p.bytes <= size - (u64)(p.data - data));
    (void)unpack_scratch_bytes(p.kind);
    elf = malloc(p.unpacked_bytes);
    if (!kimage_unpack(&p, elf, scratch, sizeof(scratch)))
        parse_and_load(elf, p.unpacked_bytes);
    free(elf);
    return 0;
}
