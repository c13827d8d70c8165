// SPDX-License-Identifier: MIT
// Whether the TSCs of two CPUs show the same time, from rounds of question and answer: the asker
// reads its TSC, the other CPU reads its own, the asker reads again. Pure.
#ifndef WIRT_CPU_TSC_SYNC_H
#define WIRT_CPU_TSC_SYNC_H

#include "lib/compiler.h"

// What is known of how far the other TSC is ahead: a range that each round narrows.
struct tsc_skew {
    s64 low, high;
};

#define TSC_SKEW_UNKNOWN ((struct tsc_skew){INT64_MIN, INT64_MAX})

// One round. The answer was read between `before` and `after`, at an unknown moment.
void tsc_skew_add(struct tsc_skew *s, u64 before, u64 answer, u64 after);
// By how much the other TSC is ahead: 0 as long as no round says otherwise, else the middle of the
// range, or of the gap where rounds contradict each other (rates differ).
s64 tsc_skew_value(const struct tsc_skew *s);

#endif
