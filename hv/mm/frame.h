// SPDX-License-Identifier: MIT
// Frames of machine memory: who owns each, how often it is referenced, what it is used as.
//
// Invariants (docs/memory.md explains them; mmu_audit checks them):
// 1. A frame with reference count 0 belongs to nobody: it is in the allocator.
// 2. A frame has at most one type at a time, with a count of its uses as that type. It changes type
//    only while that count is zero and it is not partially validated.
// 3. A writable mapping and a page-table or descriptor type exclude each other, since they are
//    types of the same count.
// 4. Each use as a type also holds a reference, so a frame cannot be freed under its type.
// 5. A frame with FRAME_ALLOCATED is on its domain's list, through next and prev; its first
//    reference is the owner's.
// 6. A table frame is `validated` when every entry holds the references that its kind demands;
//    `partial` when that is true of the entries below `progress` only.
#ifndef WIRT_MM_FRAME_H
#define WIRT_MM_FRAME_H

#include "abi/xen.h"
#include "lib/compiler.h"
#include "mm/layout.h"
#include "mm/tlb.h"

struct domain;

enum frame_type {
    FT_NONE,
    FT_L1,
    FT_L2,
    FT_L3,
    FT_L4,
    FT_DESC,     // GDT or LDT page
    FT_WRITABLE, // mapped writable somewhere
    FT_SHARED,   // the hypervisor and a guest share it (shared info, grant table)
};

// Owners that are not domains. A domain's frames carry its id + 1.
enum frame_owner {
    OWNER_FREE = 0,
    OWNER_IO = DOMID_IO + 1,     // not RAM, or low RAM: for whoever has the permission
    OWNER_SHOWN = DOMID_XEN + 1, // the hypervisor's, mapped read-only by who may (the M2P)
    OWNER_HV = 0xffff,           // the hypervisor's own
};

// The type word: one atomic unit.
#define FT_SHIFT     61
#define FT_PINNED    ((u64)1 << 60)
#define FT_VALIDATED ((u64)1 << 59)
#define FT_PARTIAL   ((u64)1 << 58)
#define FT_QUEUED    ((u64)1 << 57) // on the deferred list
#define FT_HELD      ((u64)1 << 56) // half validated, and a reference held for that
#define FT_FLUSHING  ((u64)1 << 55) // writable: the CPU that took the first use still flushes TLBs
#define FT_FOREIGN   ((u64)1 << 54) // writable: was so in tables of a domain other than the owner
#define FT_COUNT     ((u64)0xffffffff)

struct frame {
    u64 count;      // [a] references; FRAME_ALLOCATED is among the flags
    u64 type;       // [a] type << FT_SHIFT | flags | count; free: its contents (mm/alloc.c)
    u16 owner;      // [a] changes only at reference count zero or under the owner's domain lock
    u16 progress;   // [m] entries validated so far while partial
    u32 stamp;      // [a] TLB clock when the frame was last let go (mm/tlb.h); if FT_QUEUED, the
                    // next of the deferred list + 1; of the heap's: mm/heap.c
    u32 next, prev; // lists: allocator, domain; frame numbers
};
STATIC_ASSERT(sizeof(struct frame) == 32);

#define FRAME_ALLOCATED ((u64)1 << 63) // the owner's own reference is still held
#define FRAME_REFS      (((u64)1 << 48) - 1)
#define FRAME_NIL       0xffffffffu

#define frame_table ((struct frame *)FRAME_TABLE_BASE)
extern u64 frame_count; // frames in the table: highest RAM frame + 1
extern u64 ram_frames;  // how many of them are RAM

static inline bool mfn_valid(mfn_t m)
{
    return m.v < frame_count;
}

static inline struct frame *frame_of(mfn_t m)
{
    return &frame_table[m.v];
}

static inline mfn_t frame_mfn(const struct frame *f)
{
    return MFN((u64)(f - frame_table));
}

// The hypervisor's mapping of a RAM frame.
static inline void *mfn_virt(mfn_t m)
{
    return (void *)(DIRECTMAP_BASE + (m.v << PAGE_SHIFT));
}

static inline void *maddr_virt(maddr_t a)
{
    return (void *)(DIRECTMAP_BASE + a.v);
}

static inline mfn_t virt_mfn(const void *p)
{
    return MFN(((u64)p - DIRECTMAP_BASE) >> PAGE_SHIFT);
}

static inline enum frame_type frame_type_of(u64 word)
{
    return (enum frame_type)(word >> FT_SHIFT);
}

static inline u64 frame_refs(const struct frame *f)
{
    return READ_ONCE(f->count) & FRAME_REFS;
}

// --- allocator (mm/alloc.c) ---

// 2^order frames, naturally aligned, below max (exclusive; MFN_NONE: anywhere); FRAME_NIL-like
// MFN_NONE when there is none. The frames belong to OWNER_HV, count 1, contents undefined.
NODISCARD mfn_t frames_alloc(u32 order, mfn_t max);
// The same, and they hold zeroes. What idle CPUs have cleared costs nothing.
NODISCARD mfn_t frames_alloc_zeroed(u32 order, mfn_t max);
void frames_free(mfn_t first, u32 order);
// One zeroed frame for the hypervisor, mapped; NULL when memory is out.
NODISCARD void *frame_alloc_zeroed(void);
// For tests, in debug builds: the n-th next allocation, of frames or from the heap, that a call of
// the current vCPU asks for is refused; 0: none. And how many are left until then.
void alloc_refuse(u32 n);
u32 alloc_refuse_left(void);
// Is this the one?
NODISCARD bool alloc_refused(void);
// Clears one frame that a domain has left, at most. False: there is none, a CPU may still reach it,
// or another CPU is at it. For one that has nothing else to do. Takes LOCK_FRAMES.
bool frames_scrub(void);
u64 frames_free_count(void);
// Those of them whose addresses have from `min` to `max` bits.
u64 frames_free_width(u32 min, u32 max);
// Gives a boot-time range of RAM to the allocator. Boot only.
void frames_add(mfn_t first, mfn_t end);

// --- a domain's frames ---

// Makes an allocated frame the domain's: one reference (FRAME_ALLOCATED), type none. The domain may
// not be dying. Takes LOCK_OWNED.
void frame_assign(mfn_t m, struct domain *d);
// Puts a frame on its domain's list, or takes it off: so it is with FRAME_ALLOCATED. LOCK_OWNED.
void frame_list(mfn_t m, struct domain *d);
void frame_unlist(mfn_t m, struct domain *d);
// A frame of the domain's list, or MFN_NONE.
mfn_t frame_first(struct domain *d);
// Enters the domain as the owner of a frame, which others may find from now on.
void frame_own(struct frame *f, struct domain *d);
// Frees a frame whose last reference has gone.
void frame_release(struct frame *f);
// Drops the owner's own reference (decrease_reservation): 0, -EINVAL when it is gone already.
NODISCARD int frame_drop_allocated(mfn_t m, struct domain *d);

// --- types without contents (writable, shared): no lock needed ---
// 0, -EBUSY when the frame is in use as another type, -EINVAL when it has too many uses. The caller
// holds a reference. frame_claim_writable is the long way, for frames that are not writable yet.
NODISCARD int frame_claim_writable(mfn_t m);
NODISCARD static inline int frame_get_writable(mfn_t m)
{
    struct frame *f = frame_of(m);
    u64 old = READ_ONCE(f->type);
    // A count from 1 to the last but one, and no flag but this one.
    if (likely((old & ~FT_FOREIGN) - ((u64)FT_WRITABLE << FT_SHIFT | 1) < FT_COUNT - 1) &&
        __atomic_compare_exchange_n(&f->type, &old, old + 1, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED))
        return 0;
    return frame_claim_writable(m);
}

// Ends such a use (tables: pv/mmu.h).
static inline void frame_put_type(mfn_t m)
{
    struct frame *f = frame_of(m);
    u64 old = READ_ONCE(f->type);
    do {
        if ((old & FT_COUNT) == 1 && !(old & FT_QUEUED))
            f->stamp = tlb_clock();
    } while (!__atomic_compare_exchange_n(&f->type, &old, old - 1, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
}

// --- references; hot, so in line ---

static inline void frame_put(mfn_t m)
{
    struct frame *f = frame_of(m);
    if (unlikely(!(__atomic_sub_fetch(&f->count, 1, __ATOMIC_ACQ_REL) & FRAME_REFS)))
        frame_release(f);
}

// One more reference on a frame that the caller has one on, or a use. 48 bits are enough for every
// entry of every page table there can be.
static inline void frame_hold(mfn_t m)
{
    __atomic_fetch_add(&frame_of(m)->count, 1, __ATOMIC_RELAXED);
}

// A reference on a frame of that owner; false when it isn't one. Any context.
NODISCARD static inline bool frame_get_owned(mfn_t m, u16 owner)
{
    if (!mfn_valid(m))
        return false;
    struct frame *f = frame_of(MFN(guest_index(m.v, frame_count))); // also when speculating
    u64 old = READ_ONCE(f->count);
    do {
        // Zero: free. A full count would wrap to free.
        if (((old + 1) & FRAME_REFS) <= 1 || READ_ONCE(f->owner) != owner)
            return false;
    } while (!__atomic_compare_exchange_n(&f->count, &old, old + 1, false, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    // The owner cannot change while we hold a reference; it may have before we took it.
    if (likely(READ_ONCE(f->owner) == owner))
        return true;
    frame_put(m);
    return false;
}
#endif
