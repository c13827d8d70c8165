// SPDX-License-Identifier: MIT
// Sets of CPUs. Set and clear are atomic, and barriers; each word is read whole.
#ifndef WIRT_CPU_CPUMASK_H
#define WIRT_CPU_CPUMASK_H

#include "cpu/percpu.h"

enum { CPUMASK_WORDS = CPUS_MAX / 64 };

struct cpumask {
    u64 w[CPUMASK_WORDS];
};

static const struct cpumask cpumask_all UNUSED = {{[0 ... CPUMASK_WORDS - 1] = ~(u64)0}};

static inline void cpumask_set(struct cpumask *m, u32 cpu)
{
    __atomic_fetch_or(&m->w[cpu / 64], (u64)1 << (cpu % 64), __ATOMIC_SEQ_CST);
}

static inline void cpumask_clear(struct cpumask *m, u32 cpu)
{
    __atomic_fetch_and(&m->w[cpu / 64], ~((u64)1 << (cpu % 64)), __ATOMIC_SEQ_CST);
}

static inline bool cpumask_test(const struct cpumask *m, u32 cpu)
{
    return READ_ONCE(m->w[cpu / 64]) >> (cpu % 64) & 1;
}

static inline struct cpumask cpumask_and(const struct cpumask *a, const struct cpumask *b)
{
    struct cpumask m;
    for (u32 i = 0; i < CPUMASK_WORDS; i++)
        m.w[i] = READ_ONCE(a->w[i]) & READ_ONCE(b->w[i]);
    return m;
}

static inline bool cpumask_empty(const struct cpumask *m)
{
    u64 any = 0;
    for (u32 i = 0; i < CPUMASK_WORDS; i++)
        any |= READ_ONCE(m->w[i]);
    return !any;
}

// The lowest CPU in the set; CPUS_MAX: it is empty.
static inline u32 cpumask_first(const struct cpumask *m)
{
    for (u32 i = 0; i < CPUMASK_WORDS; i++) {
        u64 word = READ_ONCE(m->w[i]);
        if (word)
            return i * 64 + (u32)__builtin_ctzll(word);
    }
    return CPUS_MAX;
}

#define for_each_cpu_in(m, i)           \
    for (u32 i = 0; i < cpu_count; i++) \
        if (cpumask_test((m), i))

#endif
