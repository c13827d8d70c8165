// SPDX-License-Identifier: MIT
// Memory between pages that nobody may touch, for code that the sanitizers cannot see into: it ends
// where the page behind begins, and whole pages also begin where the one before ends.
#ifndef WIRT_TESTS_FAKE_GUARDED_H
#define WIRT_TESTS_FAKE_GUARDED_H

#include <stdlib.h>
#include <sys/mman.h>

#include "lib/compiler.h"

enum { GUARD_BYTES = 4096 };

static inline u64 guarded_room(u64 bytes)
{
    return (bytes + GUARD_BYTES - 1) & ~(u64)(GUARD_BYTES - 1);
}

static inline u8 *guarded_alloc(u64 bytes)
{
    u64 room = guarded_room(bytes);
    u8 *p = mmap(NULL, room + 2 * GUARD_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || (room && mprotect(p + GUARD_BYTES, room, PROT_READ | PROT_WRITE) != 0))
        abort();
    return p + GUARD_BYTES + room - bytes;
}

static inline void guarded_free(u8 *p, u64 bytes)
{
    u64 room = guarded_room(bytes);

    if (munmap(p + bytes - room - GUARD_BYTES, room + 2 * GUARD_BYTES) != 0)
        abort();
}

#endif
