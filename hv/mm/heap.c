// SPDX-License-Identifier: MIT
// The heap for the hypervisor's own objects: size classes of powers of two from 32 bytes to half a
// page, each with a free list threaded through the free objects; larger objects are whole blocks of
// frames. Each frame of small objects belongs to one class for good. The class (or order) of an
// object stands in `progress` of its frame.
#include "mm/heap.h"
#include "cpu/spinlock.h"
#include "lib/string.h"
#include "mm/frame.h"

enum { CLASS_MIN_SHIFT = 5, CLASSES = 7, LARGE = 0x100 };

static spinlock_t lock = SPINLOCK_INIT(LOCK_HEAP);
static void *free_list[CLASSES];

static u32 class_of(size_t size)
{
    u32 c = 0;
    while (((size_t)1 << (c + CLASS_MIN_SHIFT)) < size)
        c++;
    return c;
}

static bool refill(u32 class)
{
    mfn_t m = frames_alloc(0, MFN_NONE);
    if (mfn_eq(m, MFN_NONE))
        return false;
    frame_of(m)->progress = (u16) class;
    u8 *base = mfn_virt(m);
    size_t size = (size_t)1 << (class + CLASS_MIN_SHIFT);
    for (size_t off = 0; off < PAGE_SIZE; off += size) {
        *(void **)(void *)(base + off) = free_list[class];
        free_list[class] = base + off;
    }
    return true;
}

static void *alloc_small(size_t size)
{
    u32 class = class_of(size);
    spin_lock(&lock);
    void *p = NULL;
    if (free_list[class] || refill(class)) {
        p = free_list[class];
        free_list[class] = *(void **)p;
    }
    spin_unlock(&lock);
    return p ? memset(p, 0, size) : NULL;
}

static void *alloc_large(size_t size)
{
    u32 order = 0;
    while ((PAGE_SIZE << order) < size)
        order++;
    mfn_t m = frames_alloc(order, MFN_NONE);
    if (mfn_eq(m, MFN_NONE))
        return NULL;
    frame_of(m)->progress = (u16)(LARGE | order);
    return memset(mfn_virt(m), 0, PAGE_SIZE << order);
}

void *heap_alloc(size_t size)
{
    return size <= PAGE_SIZE / 2 ? alloc_small(size) : alloc_large(size);
}

void heap_free(void *p)
{
    if (!p)
        return;
    mfn_t m = virt_mfn(p);
    u32 class = frame_of(m)->progress;
    if (class & LARGE) {
        frames_free(m, class & ~(u32)LARGE);
        return;
    }
    spin_lock(&lock);
    *(void **)p = free_list[class];
    free_list[class] = p;
    spin_unlock(&lock);
}
