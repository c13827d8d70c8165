// SPDX-License-Identifier: MIT
// Stands in for hv/cpu/io.h where a test plays the device: include it first, by
//   // CFLAGS: -include tests/fake/ports.h
// The test defines inb and outb.
#ifndef WIRT_CPU_IO_H
#define WIRT_CPU_IO_H

#include "lib/types.h"

u8 inb(u16 port);
void outb(u16 port, u8 v);

#endif
