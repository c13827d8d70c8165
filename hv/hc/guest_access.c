// SPDX-License-Identifier: MIT
// The one door to guest memory (hc/guest_access.h).
#include "hc/guest_access.h"
#include "abi/errno.h"
#include "cpu/cpu.h"
#include "mm/layout.h"

static int copy(void *dst, const void *src, u64 bytes)
{
    user_access_begin();
    u64 left = bytes % 8 == 0 ? copy8_fixup(dst, src, bytes / 8) : copy_fixup(dst, src, bytes);
    user_access_end();
    return left ? -EFAULT : 0;
}

int guest_copy_in(void *dst, guest_ptr src, u64 bytes)
{
    return guest_range_ok(src.v, bytes) ? copy(dst, (const void *)guest_clamp(src.v), bytes)
                                        : -EFAULT;
}

int guest_copy_out(guest_ptr dst, const void *src, u64 bytes)
{
    return guest_range_ok(dst.v, bytes) ? copy((void *)guest_clamp(dst.v), src, bytes) : -EFAULT;
}

static bool element(guest_ptr array, u64 index, u64 size, guest_ptr *p)
{
    u64 off;
    if (__builtin_mul_overflow(index, size, &off) || __builtin_add_overflow(array.v, off, &off))
        return false;
    *p = GUEST_PTR(off);
    return true;
}

int guest_copy_in_index(void *dst, guest_ptr array, u64 index, u64 size)
{
    guest_ptr p;
    return element(array, index, size, &p) ? guest_copy_in(dst, p, size) : -EFAULT;
}

int guest_copy_out_index(guest_ptr array, u64 index, const void *src, u64 size)
{
    guest_ptr p;
    return element(array, index, size, &p) ? guest_copy_out(p, src, size) : -EFAULT;
}
