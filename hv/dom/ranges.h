// SPDX-License-Identifier: MIT
// Sets of numbers as sorted ranges: which I/O frames, ports and interrupts a domain may use beyond
// what it is. Changed by the toolstack, read at each use. The caller's lock protects a set.
#ifndef WIRT_DOM_RANGES_H
#define WIRT_DOM_RANGES_H

#include "lib/compiler.h"

struct range {
    u64 first, end; // end exclusive
};

// Zero is the empty set.
struct ranges {
    struct range *range; // sorted, disjoint, not touching
    u32 count, room;
};

enum { RANGES_MAX = 4096 / sizeof(struct range) };

// Is all of [first, first + n) in the set?
bool ranges_has(const struct ranges *s, u64 first, u64 n);
// Adds or takes out [first, first + n), n > 0. -EINVAL: it wraps; -ENOMEM: no memory, or more than
// RANGES_MAX parts; then nothing has changed.
NODISCARD int ranges_add(struct ranges *s, u64 first, u64 n);
NODISCARD int ranges_remove(struct ranges *s, u64 first, u64 n);
void ranges_free(struct ranges *s);

#endif
