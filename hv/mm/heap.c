// SPDX-License-Identifier: MIT
// The heap for the hypervisor's own objects: size classes of powers of two from 32 bytes to half a
// page; larger objects are whole blocks of frames.
//
// 1. A frame of small objects belongs to one class while it is ours. Its free objects are chained;
//    `stamp` of the frame says which is the first and how many are in use. The class (or the order
//    of a large object) stands in `progress`.
// 2. Frames with free objects are on their class's list, through `next` and `prev`. A frame without
//    objects in use goes back to the allocator at once: what was freed can be seen to be free.
// 3. An object lies at a multiple of its class's size.
#include "mm/heap.h"
#include "cpu/spinlock.h"
#include "lib/string.h"
#include "mm/frame.h"

enum { CLASS_MIN_SHIFT = 5, CLASSES = 7, LARGE = 0x100 };
enum { NO_OBJECT = 0xffff }; // an offset in a page

static spinlock_t lock = SPINLOCK_INIT(LOCK_HEAP);
static u32 partial[CLASSES]; // [lock] first frame with free objects, + 1 (0: none)

static u32 class_of(size_t size)
{
    u32 c = 0;
    while (((size_t)1 << (c + CLASS_MIN_SHIFT)) < size)
        c++;
    return c;
}

static u32 first_free(const struct frame *f)
{
    return f->stamp & 0xffff;
}

static u32 in_use(const struct frame *f)
{
    return f->stamp >> 16;
}

static void set_objects(struct frame *f, u32 free, u32 used)
{
    f->stamp = used << 16 | free;
}

static void list_frame(struct frame *f, u32 class)
{
    f->prev = FRAME_NIL;
    f->next = partial[class] ? partial[class] - 1 : FRAME_NIL;
    if (f->next != FRAME_NIL)
        frame_table[f->next].prev = (u32)frame_mfn(f).v;
    partial[class] = (u32)frame_mfn(f).v + 1;
}

static void unlist_frame(struct frame *f, u32 class)
{
    if (f->prev != FRAME_NIL)
        frame_table[f->prev].next = f->next;
    else
        partial[class] = f->next == FRAME_NIL ? 0 : f->next + 1;
    if (f->next != FRAME_NIL)
        frame_table[f->next].prev = f->prev;
}

static bool refill(u32 class)
{
    mfn_t m = frames_alloc(0, MFN_NONE);
    if (mfn_eq(m, MFN_NONE))
        return false;
    u8 *base = mfn_virt(m);
    u32 size = 1u << (class + CLASS_MIN_SHIFT), free = NO_OBJECT;
    for (u32 off = PAGE_SIZE; off > 0; free = off) {
        off -= size;
        *(u32 *)(void *)(base + off) = free;
    }
    frame_of(m)->progress = (u16) class;
    set_objects(frame_of(m), free, 0);
    list_frame(frame_of(m), class);
    return true;
}

// From the first frame of the list, which is not empty.
static void *take(u32 class)
{
    struct frame *f = &frame_table[partial[class] - 1];
    u8 *base = mfn_virt(frame_mfn(f));
    u32 off = first_free(f), next = *(u32 *)(void *)(base + off);
    if (next == NO_OBJECT)
        unlist_frame(f, class);
    set_objects(f, next, in_use(f) + 1);
    return base + off;
}

static void *alloc_small(size_t size)
{
    u32 class = class_of(size);
    if (alloc_refused())
        return NULL;
    spin_lock(&lock);
    void *p = partial[class] || refill(class) ? take(class) : NULL;
    spin_unlock(&lock);
    return p ? memset(p, 0, size) : NULL;
}

static void *alloc_large(size_t size)
{
    u32 order = 0;
    while ((PAGE_SIZE << order) < size)
        order++;
    mfn_t m = frames_alloc_zeroed(order, MFN_NONE);
    if (mfn_eq(m, MFN_NONE))
        return NULL;
    frame_of(m)->progress = (u16)(LARGE | order);
    return mfn_virt(m);
}

void *heap_alloc(size_t size)
{
    return size <= PAGE_SIZE / 2 ? alloc_small(size) : alloc_large(size);
}

static void free_small(void *p, struct frame *f)
{
    u32 class = f->progress;
    spin_lock(&lock);
    if (first_free(f) == NO_OBJECT)
        list_frame(f, class);
    *(u32 *)p = first_free(f);
    set_objects(f, (u32)((u64)p % PAGE_SIZE), in_use(f) - 1);
    bool empty = in_use(f) == 0;
    if (empty)
        unlist_frame(f, class);
    spin_unlock(&lock);
    if (empty)
        frames_free(frame_mfn(f), 0);
}

void heap_free(void *p)
{
    if (!p)
        return;
    struct frame *f = frame_of(virt_mfn(p));
    if (f->progress & LARGE)
        frames_free(frame_mfn(f), f->progress & ~(u32)LARGE);
    else
        free_small(p, f);
}

size_t heap_size(const void *p)
{
    if (!p)
        return 0;
    u32 class = frame_of(virt_mfn(p))->progress;
    return class & LARGE ? PAGE_SIZE << (class & ~(u32)LARGE)
                         : (size_t)1 << (class + CLASS_MIN_SHIFT);
}
