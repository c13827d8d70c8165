// SPDX-License-Identifier: MIT
// Arithmetic wider than C's.
#ifndef WIRT_LIB_MATH_H
#define WIRT_LIB_MATH_H

#include "lib/types.h"

// a * b / c with a 128-bit product. The quotient must fit in 64 bits and c not be 0.
static inline u64 mul_div(u64 a, u64 b, u64 c)
{
    u64 lo, hi, q, r;
    __asm__("mulq %3" : "=a"(lo), "=d"(hi) : "0"(a), "rm"(b) : "cc");
    __asm__("divq %4" : "=a"(q), "=d"(r) : "0"(lo), "1"(hi), "rm"(c) : "cc");
    return q;
}

#endif
