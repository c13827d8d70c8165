// SPDX-License-Identifier: MIT
// Small helpers every file may use: attributes, array sizes, alignment, single reads, assertions.
#ifndef WIRT_LIB_COMPILER_H
#define WIRT_LIB_COMPILER_H

#include "lib/types.h"

#define NODISCARD    __attribute__((warn_unused_result))
#define NORETURN     __attribute__((noreturn))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ALIGNED(n)   __attribute__((aligned(n)))
#define PACKED       __attribute__((packed))
#define SECTION(s)   __attribute__((section(s)))
#define UNUSED       __attribute__((unused))
#define likely(x)    __builtin_expect(!!(x), 1)
#define unlikely(x)  __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))
#define STATIC_ASSERT(c)              _Static_assert(c, #c)

#define MIN(a, b)                          \
    ({                                     \
        __typeof__(a) min_a_ = (a);        \
        __typeof__(b) min_b_ = (b);        \
        min_a_ < min_b_ ? min_a_ : min_b_; \
    })
#define MAX(a, b)                          \
    ({                                     \
        __typeof__(a) max_a_ = (a);        \
        __typeof__(b) max_b_ = (b);        \
        max_a_ > max_b_ ? max_a_ : max_b_; \
    })

// One read, one write of memory that others change: never torn, never repeated by the compiler.
#define READ_ONCE(x)       (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, val) (*(volatile __typeof__(x) *)&(x) = (val))
#define barrier()          __asm__ volatile("" ::: "memory")

// An index the guest chose, already range-checked: clamped against speculation past the check.
static inline u64 guest_index(u64 index, u64 count)
{
    u64 mask;
    __asm__("cmp %1, %2; sbb %0, %0" : "=r"(mask) : "rm"(count), "r"(index) : "cc");
    return index & mask;
}

static inline u64 align_up(u64 v, u64 a)
{
    return (v + a - 1) & ~(a - 1);
}

static inline u64 align_down(u64 v, u64 a)
{
    return v & ~(a - 1);
}

// Stops the machine with registers, back trace and the current domain. For broken invariants of our
// own only, never for anything a guest or a tool asked. Any context.
NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

#define BUG_ON(c)                                              \
    do {                                                       \
        if (unlikely(c))                                       \
            panic("BUG at %s:%d: %s", __FILE__, __LINE__, #c); \
    } while (0)
#define BUG() panic("BUG at %s:%d", __FILE__, __LINE__)

// In release builds the condition is compiled but not evaluated.
#ifdef WIRT_DEBUG
#define DEBUG_BUILD true
#define ASSERT(c)   BUG_ON(!(c))
#else
#define DEBUG_BUILD false
#define ASSERT(c)   ((void)sizeof(!(c)))
#endif

#endif
