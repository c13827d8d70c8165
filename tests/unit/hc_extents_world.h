// SPDX-License-Identifier: MIT
// Where the host keeps what the hypervisor has at fixed addresses: frame table, M2P, direct map.
// Included before everything else (// CFLAGS: -include), it takes the place of mm/layout.h's
// values.
#ifndef WIRT_TESTS_UNIT_HC_EXTENTS_WORLD_H
#define WIRT_TESTS_UNIT_HC_EXTENTS_WORLD_H

#include "mm/layout.h"

#undef FRAME_TABLE_BASE
#undef M2P_RW_BASE
#undef DIRECTMAP_BASE
#define FRAME_TABLE_BASE 0x200000000000
#define M2P_RW_BASE      0x210000000000
#define DIRECTMAP_BASE   0x220000000000

#endif
