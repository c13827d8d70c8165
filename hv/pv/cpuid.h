// SPDX-License-Identifier: MIT
// What a PV guest sees of the processor.
#ifndef WIRT_PV_CPUID_H
#define WIRT_PV_CPUID_H

#include "lib/types.h"

struct vcpu;

// Fills r with eax, ebx, ecx, edx. Any context.
void pv_cpuid(const struct vcpu *v, u32 leaf, u32 sub, u32 r[4]);

#endif
