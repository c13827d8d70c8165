// SPDX-License-Identifier: MIT
// Access to device registers in memory: one access of exactly this width per call.
#ifndef WIRT_IO_REG_H
#define WIRT_IO_REG_H

#include "lib/types.h"

static inline u8 reg_read8(const volatile void *p)
{
    return *(const volatile u8 *)p;
}

static inline u16 reg_read16(const volatile void *p)
{
    return *(const volatile u16 *)p;
}

static inline u32 reg_read32(const volatile void *p)
{
    return *(const volatile u32 *)p;
}

static inline void reg_write8(volatile void *p, u8 v)
{
    *(volatile u8 *)p = v;
}

static inline void reg_write16(volatile void *p, u16 v)
{
    *(volatile u16 *)p = v;
}

static inline void reg_write32(volatile void *p, u32 v)
{
    *(volatile u32 *)p = v;
}

#endif
