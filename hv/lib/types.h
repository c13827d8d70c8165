// SPDX-License-Identifier: MIT
// Basic integer names and the typed numbers: a frame of machine memory, a guest frame, an address
// of each kind are different types, so that mixing them does not compile.
//
// The conversions below are the only legal ones. There is none from a guest's numbers to machine
// numbers: that is a lookup with an owner check.
#ifndef WIRT_LIB_TYPES_H
#define WIRT_LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

enum { PAGE_SHIFT = 12 };
#define PAGE_SIZE ((u64)1 << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

typedef struct {
    u64 v;
} mfn_t; // machine frame number
typedef struct {
    u64 v;
} gfn_t; // guest frame number
typedef struct {
    u64 v;
} pfn_t; // a PV guest's own (pseudo-physical) frame number
typedef struct {
    u64 v;
} maddr_t; // machine address in bytes
typedef struct {
    u64 v;
} gva_t; // guest-virtual address
typedef struct {
    u16 v;
} dom_id_t;
typedef struct {
    u32 v;
} vcpu_id_t;
typedef struct {
    u32 v;
} port_t; // event-channel port
typedef struct {
    u32 v;
} gref_t; // grant reference

#define MFN(n)     ((mfn_t){n})
#define PFN(n)     ((pfn_t){n})
#define GFN(n)     ((gfn_t){n})
#define MADDR(n)   ((maddr_t){n})
#define GVA(n)     ((gva_t){n})
#define PORT(n)    ((port_t){n})
#define DOM_ID(n)  ((dom_id_t){n})
#define VCPU_ID(n) ((vcpu_id_t){n})
#define GREF(n)    ((gref_t){n})
#define MFN_NONE   MFN(~(u64)0)
#define PFN_NONE   PFN(~(u64)0)

static inline maddr_t mfn_to_maddr(mfn_t m)
{
    return MADDR(m.v << PAGE_SHIFT);
}

// The frame that holds byte `a`.
static inline mfn_t maddr_to_mfn(maddr_t a)
{
    return MFN(a.v >> PAGE_SHIFT);
}

static inline mfn_t mfn_add(mfn_t m, u64 frames)
{
    return MFN(m.v + frames);
}

static inline bool mfn_eq(mfn_t a, mfn_t b)
{
    return a.v == b.v;
}

static inline pfn_t pfn_add(pfn_t p, u64 frames)
{
    return PFN(p.v + frames);
}

static inline bool pfn_eq(pfn_t a, pfn_t b)
{
    return a.v == b.v;
}

#endif
