// SPDX-License-Identifier: MIT
// The one door to guest memory. A guest pointer is a value that only these functions accept; each
// value is read once into our memory, then checked, then used. Accesses outside the guest's part
// of the address space, and faults, are refused; nothing here panics.
// Context: the vCPU whose memory it is runs on this CPU, its page tables are loaded.
#ifndef WIRT_HC_GUEST_ACCESS_H
#define WIRT_HC_GUEST_ACCESS_H

#include "lib/compiler.h"

typedef struct {
    u64 v;
} guest_ptr; // where a hypercall argument lies; untrusted

#define GUEST_PTR(n) ((guest_ptr){(u64)(n)})
// From an ABI handle field.
#define GUEST_HANDLE(h) GUEST_PTR((u64)(h).p)

static inline guest_ptr guest_ptr_add(guest_ptr p, u64 bytes)
{
    return GUEST_PTR(p.v + bytes);
}

static inline bool guest_ptr_null(guest_ptr p)
{
    return p.v == 0;
}

// Does the range lie in the guest's part of the address space? That is everything canonical but our
// part in the middle; a range that begins below and ends above it is not canonical.
static inline bool guest_range_ok(u64 start, u64 bytes)
{
    u64 end = start + bytes;
    return end >= start && (end <= (u64)1 << 47 || start >= 0xffff880000000000);
}

// 0, or -EFAULT when any byte lies outside the guest's range or is not mapped (writable for out).
// On -EFAULT a part may have been copied.
NODISCARD int guest_copy_in(void *dst, guest_ptr src, u64 bytes);
NODISCARD int guest_copy_out(guest_ptr dst, const void *src, u64 bytes);

// Single words, for the hot paths: the caller has checked the range (guest_range_ok) and stands
// between user_access_begin and user_access_end (cpu/cpu.h); a fault jumps to the label.
#define GUEST_EX_ENTRY(fault) \
    "\n.pushsection .ex_table, \"a\"\n.long 771b - ., " fault " - .\n.popsection\n"
#define GUEST_PUT(va, val, fault)                         \
    __asm__ goto("771: movq %0, %1" GUEST_EX_ENTRY("%l2") \
                 :                                        \
                 : "r"((u64)(val)), "m"(*(u64 *)(va))     \
                 : "memory"                               \
                 : fault)
// As asm goto with outputs upsets gcc 12, this one sets `failed` instead; var is undefined then.
#define GUEST_GET(var, va, failed)                                                    \
    __asm__ volatile("771: movq %2, %0\n772:\n"                                       \
                     ".pushsection .text.fixup, \"ax\"\n"                             \
                     "773: movl $1, %1\njmp 772b\n.popsection" GUEST_EX_ENTRY("773b") \
                     : "=r"(var), "+r"(failed)                                        \
                     : "m"(*(const u64 *)(va)))

// One element of an array of `size`-byte elements; the index arithmetic is overflow-checked.
NODISCARD int guest_copy_in_index(void *dst, guest_ptr array, u64 index, u64 size);
NODISCARD int guest_copy_out_index(guest_ptr array, u64 index, const void *src, u64 size);

// A guest address, already range-checked: one of ours that got past the check by speculation
// becomes the guest's last byte.
static inline u64 guest_clamp(u64 va)
{
    u64 mask;
    __asm__("cmp %1, %2; sbb %0, %0"
            : "=r"(mask)
            : "r"((u64)0x80000000000), "r"(va - 0xffff800000000000)
            : "cc");
    return va | mask;
}

#endif
