// SPDX-License-Identifier: MIT
// Comparing the TSCs of two CPUs; see tsc_sync.h.
#include "cpu/tsc_sync.h"

void tsc_skew_add(struct tsc_skew *s, u64 before, u64 answer, u64 after)
{
    s->low = MAX(s->low, (s64)(answer - after));
    s->high = MIN(s->high, (s64)(answer - before));
}

s64 tsc_skew_value(const struct tsc_skew *s)
{
    if (s->low <= 0 && s->high >= 0)
        return 0;
    return s->low + (s64)((u64)s->high - (u64)s->low) / 2;
}
