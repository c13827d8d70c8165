// SPDX-License-Identifier: MIT
// Random numbers that can be drawn again, and numbers from the command line ("calls=1000").
#ifndef GUEST_RANDOM_H
#define GUEST_RANDOM_H

#include "lib/guest.h"

static uint64_t rng; // xorshift64*; never 0

static inline uint64_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng * 0x2545f4914f6cdd1d;
}

static inline uint64_t pick(uint64_t n) // below n
{
    return (rnd() >> 33) % n;
}

// What stands behind name in the command line.
static inline uint64_t number(const char *name, uint64_t otherwise)
{
    uint64_t n = 0;

    for (const char *arg = (const char *)start_info->cmd_line; *arg; arg++) {
        if (!str_starts(arg, name))
            continue;
        for (arg += strlen(name); *arg >= '0' && *arg <= '9'; arg++)
            n = n * 10 + (uint64_t)(*arg - '0');
        return n;
    }
    return otherwise;
}

// "seed=N" repeats a run.
static inline void random_seed(void)
{
    rng = number("seed=", rdtsc()) | 1;
    printk("seed=%lu\n", rng);
}

#endif
