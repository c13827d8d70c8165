// SPDX-License-Identifier: MIT
// Sets of numbers (dom/ranges.h).
#include "dom/ranges.h"
#include "abi/errno.h"
#include "lib/string.h"
#include "mm/heap.h"

enum { ROOM_FIRST = 4 };

// The first range that ends behind `at` (or at it, for `touching`).
static u32 find(const struct ranges *s, u64 at, bool touching)
{
    u32 low = 0, high = s->count;
    while (low < high) {
        u32 mid = (low + high) / 2;
        if (s->range[mid].end > at || (touching && s->range[mid].end == at))
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

bool ranges_has(const struct ranges *s, u64 first, u64 n)
{
    u32 i = find(s, first, false);
    return i < s->count && s->range[i].first <= first && s->range[i].end - first >= n;
}

// Replaces the ranges [from, to) by `n` new ones.
static int splice(struct ranges *s, u32 from, u32 to, const struct range *new, u32 n)
{
    u32 count = s->count - (to - from) + n;
    if (count > s->room) {
        u32 room = MAX(s->room * 2, (u32)ROOM_FIRST);
        struct range *r = room > RANGES_MAX ? NULL : heap_alloc(room * sizeof(*r));
        if (!r)
            return -ENOMEM;
        if (s->count)
            memcpy(r, s->range, s->count * sizeof(*r));
        heap_free(s->range);
        s->range = r;
        s->room = room;
    }
    memmove(&s->range[from + n], &s->range[to], (s->count - to) * sizeof(*s->range));
    for (u32 i = 0; i < n; i++)
        s->range[from + i] = new[i];
    s->count = count;
    return 0;
}

int ranges_add(struct ranges *s, u64 first, u64 n)
{
    struct range new = {first, first + n};
    if (n == 0 || new.end < first)
        return -EINVAL;
    u32 from = find(s, first, true), to = from;
    for (; to < s->count && s->range[to].first <= new.end; to++) {
        new.first = MIN(new.first, s->range[to].first);
        new.end = MAX(new.end, s->range[to].end);
    }
    return splice(s, from, to, &new, 1);
}

int ranges_remove(struct ranges *s, u64 first, u64 n)
{
    u64 end = first + n;
    struct range left[2];
    u32 parts = 0;
    if (n == 0 || end < first)
        return -EINVAL;
    u32 from = find(s, first, false), to = from;
    if (from < s->count && s->range[from].first < first)
        left[parts++] = (struct range){s->range[from].first, first};
    for (; to < s->count && s->range[to].first < end; to++)
        if (s->range[to].end > end)
            left[parts++] = (struct range){end, s->range[to].end};
    if (to == from)
        return 0;
    return splice(s, from, to, left, parts);
}

void ranges_free(struct ranges *s)
{
    heap_free(s->range);
    *s = (struct ranges){0};
}
