// SPDX-License-Identifier: MIT
// Port I/O: inb, outb, inl, outl.
#ifndef GUEST_PORT_H
#define GUEST_PORT_H

#include <stdint.h>

#define PORT_IO(suffix, type)                                        \
    static inline void out##suffix(uint16_t port, type v)            \
    {                                                                \
        asm volatile("out" #suffix " %0, %1" : : "a"(v), "d"(port)); \
    }                                                                \
    static inline type in##suffix(uint16_t port)                     \
    {                                                                \
        type v;                                                      \
                                                                     \
        asm volatile("in" #suffix " %1, %0" : "=a"(v) : "d"(port));  \
        return v;                                                    \
    }
PORT_IO(b, uint8_t)
PORT_IO(l, uint32_t)
#undef PORT_IO

#endif
