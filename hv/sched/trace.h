// SPDX-License-Identifier: MIT
// Trace buffers: a ring of records for each CPU, in frames that the control domain maps
// (<xen/trace.h>, XEN_SYSCTL_tbuf_op). Costs one test while it is off.
#ifndef WIRT_SCHED_TRACE_H
#define WIRT_SCHED_TRACE_H

#include "abi/xen.h"
#include <xen/trace.h>
#include "lib/compiler.h"
#include "mm/tlb.h"

extern bool trace_on;

// TRACE(event, words...): at most 7 words. Interrupts off; any lock below LOCK_TIMER may be held.
#define TRACE(event, ...)                                         \
    do {                                                          \
        if (unlikely(READ_ONCE(trace_on))) {                      \
            const u32 words_[] = {__VA_ARGS__};                   \
            STATIC_ASSERT(ARRAY_SIZE(words_) <= TRACE_EXTRA_MAX); \
            trace_record((event), words_, ARRAY_SIZE(words_));    \
        }                                                         \
    } while (0)
void trace_record(u32 event, const u32 *words, u32 count);

// Allocates rings of that many pages, once. -EBUSY: they are that long already; -EINVAL: they have
// another length, or it is out of range; -ENOMEM; -ERESTART_HC: call again.
NODISCARD long trace_set_size(u32 pages);
// -EINVAL: there are no rings.
NODISCARD long trace_enable(bool on);
// Classes and subclasses of events that are kept (TRC_*), and the CPUs.
void trace_set_events(u32 mask);
void trace_set_cpus(const struct cpumask *mask);
// Where struct t_info lies (frame 0: there is none), its length in bytes, and the event mask.
void trace_info(mfn_t *frame, u32 *bytes, u32 *events);

#endif
