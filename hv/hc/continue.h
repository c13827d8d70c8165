// SPDX-License-Identifier: MIT
// Long hypercalls give the CPU up and go on later: the handler notes what is left in its arguments
// (hc_set_arg) and returns -ERESTART_HC; the guest's instruction pointer goes back to the
// hypercall.
#ifndef WIRT_HC_CONTINUE_H
#define WIRT_HC_CONTINUE_H

#include "lib/types.h"

struct vcpu;

// Lets pending interrupts in and tells whether something else should run now. Never true while no
// guest runs (boot). No lock above LOCK_MMU may be held.
bool preempt_wanted(void);
// Changes argument `index` (0-4) of the hypercall the vCPU is in, for when it goes on.
void hc_set_arg(struct vcpu *v, u32 index, u64 value);

#endif
