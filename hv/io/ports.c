// SPDX-License-Identifier: MIT
// Ports the hypervisor keeps (io/ports.h): interrupt controllers from the start, its console when
// it is opened. The interval timer is dom0's once the clocks are calibrated: its interrupt is not
// wired, its channel 2 is the speaker's and a clock to measure others by.
#include "io/ports.h"
#include "lib/compiler.h"

enum { KEPT_MAX = 16 };

static struct kept_range {
    u32 first, end;
} ranges[KEPT_MAX] = {{0x20, 0x22}, {0xa0, 0xa2}};
static u32 range_count = 2;

void ports_reserve(u16 first, u32 count)
{
    BUG_ON(range_count == KEPT_MAX);
    ranges[range_count++] = (struct kept_range){first, first + count};
}

bool ports_permitted(u16 port, u32 bytes)
{
    for (u32 i = 0; i < range_count; i++)
        if (port < ranges[i].end && port + bytes > ranges[i].first)
            return false;
    return true;
}
