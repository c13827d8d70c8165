// SPDX-License-Identifier: MIT
// Which I/O ports the control domain may use: all but those of devices that the hypervisor drives.
#ifndef WIRT_IO_PORTS_H
#define WIRT_IO_PORTS_H

#include "lib/types.h"

// Keeps [first, first + count) for the hypervisor. Boot only.
void ports_reserve(u16 first, u32 count);
bool ports_permitted(u16 port, u32 bytes);

#endif
