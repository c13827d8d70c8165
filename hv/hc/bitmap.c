// SPDX-License-Identifier: MIT
#include "hc/bitmap.h"

enum { ABI_BYTES_MAX = 512 }; // no caller has more CPUs than that

int bitmap_copy_in(struct cpumask *mask, const struct xenctl_bitmap *b)
{
    u64 bytes = MIN((u64)b->nr_bits + 7, (u64)CPUS_MAX) / 8;
    *mask = (struct cpumask){0};
    if (guest_copy_in(mask, GUEST_HANDLE(b->bitmap), bytes))
        return -EFAULT;
    if (b->nr_bits < CPUS_MAX && b->nr_bits % 8)
        mask->w[b->nr_bits / 64] &= ((u64)1 << b->nr_bits % 64) - 1;
    return 0;
}

int bitmap_copy_out(const struct xenctl_bitmap *b, const struct cpumask *mask)
{
    u64 bytes = ((u64)b->nr_bits + 7) / 8, have = MIN(bytes, (u64)CPUS_MAX / 8);
    u8 zero = 0;
    struct cpumask m = *mask;
    if (b->nr_bits < CPUS_MAX && b->nr_bits % 64)
        m.w[b->nr_bits / 64] &= ((u64)1 << b->nr_bits % 64) - 1;
    if (guest_copy_out(GUEST_HANDLE(b->bitmap), &m, have))
        return -EFAULT;
    for (u64 i = have; i < bytes && i < ABI_BYTES_MAX; i++)
        if (guest_copy_out_index(GUEST_HANDLE(b->bitmap), i, &zero, 1))
            return -EFAULT;
    return 0;
}
