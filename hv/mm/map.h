// SPDX-License-Identifier: MIT
// The hypervisor's own mappings: one set of tables below L4 slots 256-271, shared by all address
// spaces. Boot, CPU bring-up and device mapping only.
#ifndef WIRT_MM_MAP_H
#define WIRT_MM_MAP_H

#include "lib/compiler.h"

#define MAP_RW   ((u64)1 << 63 | 0x103) // present, writable, global, NX
#define MAP_RX   ((u64)0x101)
#define MAP_RO   ((u64)1 << 63 | 0x101)
#define MAP_UC   ((u64)0x18) // PAT entry 3
#define MAP_USER ((u64)0x4)

// Maps one page or one 2 MiB page. -ENOMEM. Boot, or under the caller's own lock.
NODISCARD int map_page(u64 va, mfn_t m, u64 flags);
NODISCARD int map_page_2m(u64 va, mfn_t m, u64 flags);
NODISCARD int map_page_1g(u64 va, mfn_t m, u64 flags);
// The L1 slot of va, whose tables are made if needed.
NODISCARD int map_table(u64 va, u64 **slot);
// The frame a hypervisor address maps to (4 KiB mappings only); MFN_NONE.
mfn_t map_lookup(u64 va);
// The same for a 2 MiB mapping: its first frame.
mfn_t map_lookup_2m(u64 va);
// Maps device memory or firmware tables; NULL when memory is out. Never unmapped.
void *ioremap(maddr_t a, u64 bytes, bool cached);

extern u64 idle_cr3; // address space without a guest

#endif
