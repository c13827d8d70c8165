// SPDX-License-Identifier: MIT
// Memory before the frame allocator exists: takes pages from the RAM map, from the top down.
#ifndef WIRT_MM_BOOT_ALLOC_H
#define WIRT_MM_BOOT_ALLOC_H

#include "lib/compiler.h"

struct boot_info;

// Builds the final address space, frame table and M2P, and hands free RAM to the allocator. Prints
// and stops when the machine has too little memory.
void memory_init(struct boot_info *bi);
// `bytes` of zeroed memory, page aligned, below 4 GiB while the boot tables are in use.
maddr_t boot_alloc(u64 bytes);
// One zeroed page, from here or from the frame allocator once that runs.
void *boot_or_frame_alloc(void);

#endif
