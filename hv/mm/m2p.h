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

// The frame must be in the frame table (mfn_valid). PFN_NONE: nobody's, or not for a guest to know.
// Any context.
static inline void m2p_set(mfn_t m, pfn_t pfn)
{
    WRITE_ONCE(m2p_table[m.v], pfn.v);
}

static inline pfn_t m2p_get(mfn_t m)
{
    return PFN(READ_ONCE(m2p_table[m.v]));
}

#endif
