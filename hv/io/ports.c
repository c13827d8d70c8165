// SPDX-License-Identifier: MIT
// Ports the hypervisor keeps (io/ports.h): interrupt controllers and the interval timer from the
// start, its console when it is opened.
#include "io/ports.h"
#include "lib/compiler.h"

enum { RANGES_MAX = 16 };

static struct range {
    u32 first, end;
} ranges[RANGES_MAX] = {{0x20, 0x22}, {0x40, 0x44}, {0xa0, 0xa2}};
static u32 range_count = 3;

void ports_reserve(u16 first, u32 count)
{
    BUG_ON(range_count == RANGES_MAX);
    ranges[range_count++] = (struct range){first, first + count};
}

bool ports_permitted(u16 port, u32 bytes)
{
    for (u32 i = 0; i < range_count; i++)
        if (port < ranges[i].end && port + bytes > ranges[i].first)
            return false;
    return true;
}
