// SPDX-License-Identifier: MIT
// Stands in for hv/cpu/io.h and hv/io/reg.h where a test plays devices with ports and registers in
// memory: include it first, by
//   // CFLAGS: -include tests/fake/devices.h
// The test defines the functions.
#ifndef WIRT_CPU_IO_H
#define WIRT_CPU_IO_H
#define WIRT_IO_REG_H

#include "lib/types.h"

u8 inb(u16 port);
u16 inw(u16 port);
u32 inl(u16 port);
void outb(u16 port, u8 v);
void outw(u16 port, u16 v);
void outl(u16 port, u32 v);

u8 reg_read8(const volatile void *p);
u16 reg_read16(const volatile void *p);
u32 reg_read32(const volatile void *p);
void reg_write8(volatile void *p, u8 v);
void reg_write16(volatile void *p, u16 v);
void reg_write32(volatile void *p, u32 v);

#endif
