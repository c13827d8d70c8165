// SPDX-License-Identifier: MIT
// The machine-to-physical table: for each frame of RAM, the number its owner knows it by. Guests
// read it at MACH2PHYS_VIRT_START and keep it up by MMU_MACHPHYS_UPDATE; the hypervisor writes what
// they say and believes none of it.
#ifndef WIRT_MM_M2P_H
#define WIRT_MM_M2P_H

#include "lib/compiler.h"
#include "mm/layout.h"

#ifndef m2p_table // the host tests bring their own
#define m2p_table ((u64 *)M2P_RW_BASE)
#endif

#define M2P_INVALID (~(u64)0) // nobody's, or not for a guest to know

// The frame must be in the frame table (mfn_valid). Any context.
static inline void m2p_set(mfn_t m, u64 pfn)
{
    WRITE_ONCE(m2p_table[m.v], pfn);
}

static inline u64 m2p_get(mfn_t m)
{
    return READ_ONCE(m2p_table[m.v]);
}

#endif
