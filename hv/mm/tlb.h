// SPDX-License-Identifier: MIT
// TLB flushes across CPUs, and the clock that tells which are needed.
//
// A frame that is let go notes the clock; a CPU notes the clock when it flushes all of its TLB. A
// frame may be reused as something else once every CPU that may have cached it has a later note.
#ifndef WIRT_MM_TLB_H
#define WIRT_MM_TLB_H

#include "cpu/cpumask.h"

extern u32 tlb_clock_value; // [a]
static inline u32 tlb_clock(void)
{
    return __atomic_load_n(&tlb_clock_value, __ATOMIC_SEQ_CST);
}
// Loads an address space, which flushes this CPU's TLB (guest translations only; ours are global).
void tlb_load_cr3(u64 cr3);
// The same by a CPU that goes from no guest to one, and back.
void tlb_enter(u64 cr3);
void tlb_leave(void);
void tlb_flush_local(void);
// Flushes the TLBs of the CPUs in the mask and waits for them. May be called with locks held.
void tlb_flush_mask(const struct cpumask *mask);
// As tlb_flush_mask, but spares CPUs that have flushed since `stamp`, or run no guest.
void tlb_flush_since(const struct cpumask *mask, u32 stamp);
// Would it spare them all?
bool tlb_flushed_since(u32 stamp);
// Serves a flush request of another CPU, if there is one. Called from wait loops and the IPI.
void tlb_serve(void);

#endif
