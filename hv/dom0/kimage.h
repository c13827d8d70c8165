// SPDX-License-Identifier: MIT
// A kernel as the boot loader hands it over: from its bytes to a checked 64-bit ELF image and what
// its Xen notes say.
//
// 1. Every input is taken for hostile: no offset, size or address is used before it was checked.
// 2. A function that can fail returns NULL, or a sentence saying what is wrong and what to do.
// 3. Nothing here allocates, prints or touches the machine.
//
// The way: kimage_find_payload(); kimage_unpack() if it is compressed; kimage_parse();
// kimage_load(). Sources: Linux Documentation/x86/boot.rst; xen ABI: elfnote.h, features.h; System
// V ABI "Object Files".
#ifndef WIRT_DOM0_KIMAGE_H
#define WIRT_DOM0_KIMAGE_H

#include "dom0/unpack.h"

enum {
    KIMAGE_SEGMENTS_MAX = 16,
    KIMAGE_TEXT_BYTES = 32, // longer strings in notes are cut
};
#define KIMAGE_UNPACKED_MAX ((u64)512 << 20)
#define KIMAGE_NONE         (~(u64)0) // an address that the kernel does not name

// Where the ELF image is inside the module. It points into the module.
struct kimage_payload {
    enum compression kind; // NONE: `data` is the ELF image itself
    const u8 *data;
    u64 bytes;
    u64 unpacked_bytes;
};

struct kimage_segment {
    u64 virt;
    u64 file_offset;
    u64 file_bytes;
    u64 mem_bytes; // >= file_bytes; the rest is zero
};

struct kimage {
    // All segments, page-aligned: virt_start is inclusive, virt_end exclusive. Either in the lower
    // half of the address space or above the hypervisor's hole.
    u64 virt_start, virt_end;
    u64 virt_base;      // the virtual address of the guest's physical address 0
    u64 paddr_offset;   // what ELF physical addresses are too high by
    u64 entry;          // virtual, within a segment's range
    u64 hypercall_page; // virtual, page-aligned, within the range; NONE: the kernel needs none
    u64 init_p2m;       // virtual, page-aligned; NONE: behind the kernel as ever
    u64 hv_start_low;   // 0: not said
    u64 phys32_entry;   // the PVH entry point or NONE
    u64 mod_start_pfn;  // != 0: start_info.mod_start may be a frame number
    char guest_os[KIMAGE_TEXT_BYTES];
    char xen_version[KIMAGE_TEXT_BYTES];
    u32 segments_count;
    struct kimage_segment segments[KIMAGE_SEGMENTS_MAX];
};

// Takes a bzImage (boot protocol 2.08 or later), an ELF image, or one packed with gzip.
NODISCARD const char *kimage_find_payload(const void *img, u64 len, struct kimage_payload *out);

// Unpacks to exactly p->unpacked_bytes at dst. Scratch: see unpack_scratch_bytes().
NODISCARD const char *kimage_unpack(const struct kimage_payload *p, void *dst, void *scratch,
                                    u64 scratch_len);

NODISCARD const char *kimage_parse(const void *elf, u64 len, struct kimage *out);

// Puts `bytes` bytes at guest-virtual `virt`; src NULL means zeroes. A sentence refuses.
typedef const char *(*kimage_put_fn)(void *ctx, u64 virt, const void *src, u64 bytes);

// Hands out each segment of the image that kimage_parse() accepted, in the file's order. The gaps
// between segments are not mentioned.
NODISCARD const char *kimage_load(const void *elf, const struct kimage *k, kimage_put_fn put,
                                  void *ctx);

#endif
