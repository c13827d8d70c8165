// SPDX-License-Identifier: MIT
// The frame allocator: a binary buddy system over the frame table, and what references to a
// domain's frames do. Free blocks are linked through `next`/`prev`; the head of a free block of
// order n carries n + 1 in `progress`, every other frame 0. The type word of a free frame says what
// is known of its contents: idle CPUs clear what a domain has left, as long as nobody wants it.
#include "mm/frame.h"
#include "abi/xen.h"
#include "cpu/spinlock.h"
#include "dom/domain.h"
#include "lib/string.h"
#include "mm/tlb.h"

enum {
    ORDERS = 19, // largest block: 2^18 frames, 1 GiB
    FRAME_BITS = 32,
    SCRUB_LOOK = 64, // frames that an idle CPU looks at under the lock
};
enum contents { ANYTHING, A_DOMAINS, ZEROES };

u64 frame_count, ram_frames;
static spinlock_t lock = SPINLOCK_INIT(LOCK_FRAMES);
static u32 heads[ORDERS];               // first free block of each order, + 1 (0: none)
static u64 free_frames[FRAME_BITS + 1]; // by the bits of the frame number
static u64 scrub_next = ~(u64)0;        // [lock] frames of a domain's contents are from here
static u64 scrub_end;                   // [lock] up to here
static bool scrubbing;                  // [a] one CPU at a time, or they would wait for each other

static void block_insert(mfn_t m, u32 order)
{
    struct frame *f = frame_of(m);
    f->progress = (u16)(order + 1);
    f->prev = FRAME_NIL;
    f->next = heads[order] ? heads[order] - 1 : FRAME_NIL;
    if (heads[order])
        frame_table[heads[order] - 1].prev = (u32)m.v;
    heads[order] = (u32)m.v + 1;
}

static void block_remove(mfn_t m, u32 order)
{
    struct frame *f = frame_of(m);
    if (f->prev != FRAME_NIL)
        frame_table[f->prev].next = f->next;
    else
        heads[order] = f->next == FRAME_NIL ? 0 : f->next + 1;
    if (f->next != FRAME_NIL)
        frame_table[f->next].prev = f->prev;
    f->progress = 0;
}

// The frames of a block have numbers of the same length: block 0 is never ours (low memory).
static void count_free(mfn_t first, s64 frames)
{
    free_frames[FRAME_BITS - __builtin_clz((u32)first.v | 1)] += (u64)frames;
}

static void release_block(mfn_t m, u32 order)
{
    for (; order + 1 < ORDERS; order++) {
        mfn_t buddy = MFN(m.v ^ ((u64)1 << order));
        if (!mfn_valid(buddy) || frame_of(buddy)->owner != OWNER_FREE ||
            frame_of(buddy)->progress != order + 1)
            break;
        block_remove(buddy, order);
        m = MFN(m.v & buddy.v);
    }
    block_insert(m, order);
}

static void give_back(mfn_t first, u32 order, enum contents contents)
{
    u32 now = tlb_clock();
    spin_lock(&lock);
    for (u64 i = 0; i < (u64)1 << order; i++) {
        struct frame *f = frame_of(mfn_add(first, i));
        f->count = 0;
        f->type = contents;
        f->owner = OWNER_FREE;
        f->progress = 0;
        f->stamp = now;
    }
    release_block(first, order);
    count_free(first, (s64)1 << order);
    if (contents == A_DOMAINS) {
        scrub_next = MIN(scrub_next, first.v);
        WRITE_ONCE(scrub_end, MAX(scrub_end, first.v + ((u64)1 << order)));
    }
    spin_unlock(&lock);
}

void frames_free(mfn_t first, u32 order)
{
    give_back(first, order, ANYTHING);
}

static bool needs_scrub(const struct frame *f)
{
    return f->owner == OWNER_FREE && f->type == A_DOMAINS;
}

bool frames_scrub(void)
{
    if (likely(!READ_ONCE(scrub_end)) || __atomic_exchange_n(&scrubbing, true, __ATOMIC_ACQUIRE))
        return false;
    bool early = false;
    spin_lock(&lock);
    u64 end = MIN(scrub_end, scrub_next + SCRUB_LOOK);
    while (scrub_next < end && !needs_scrub(&frame_table[scrub_next]))
        scrub_next++;
    if (scrub_next < end) {
        struct frame *f = &frame_table[scrub_next];
        early = !tlb_flushed_since(f->stamp); // somebody may yet write there
        if (!early) {
            memset(mfn_virt(MFN(scrub_next++)), 0, PAGE_SIZE);
            f->type = ZEROES;
        }
    }
    if (scrub_next >= scrub_end) {
        scrub_next = ~(u64)0;
        WRITE_ONCE(scrub_end, 0);
    }
    spin_unlock(&lock);
    __atomic_store_n(&scrubbing, false, __ATOMIC_RELEASE);
    return !early;
}

// A free block of at least this order that begins low enough, or FRAME_NIL; takes it off its list.
static u32 take_block(u32 order, mfn_t max, u32 *found)
{
    for (u32 o = order; o < ORDERS; o++)
        for (u32 i = heads[o] ? heads[o] - 1 : FRAME_NIL; i != FRAME_NIL; i = frame_table[i].next)
            if (i + ((u64)1 << order) <= max.v) {
                block_remove(MFN(i), o);
                *found = o;
                return i;
            }
    return FRAME_NIL;
}

// --- memory that is out on purpose ---

static struct vcpu *refused_to; // [a] whose calls it concerns; not looked into
static u32 refuse_in;           // [a] 0: nothing is refused

void alloc_refuse(u32 n)
{
    refused_to = current_vcpu();
    refuse_in = n;
}

u32 alloc_refuse_left(void)
{
    return refuse_in;
}

bool alloc_refused(void)
{
    return DEBUG_BUILD && unlikely(refuse_in) && current_vcpu() == refused_to && --refuse_in == 0;
}

// The frames are the caller's; `progress` of those that hold zeroes is 1.
static mfn_t take(u32 order, mfn_t max)
{
    u32 have = 0, youngest = tlb_clock();
    if (order >= ORDERS || alloc_refused())
        return MFN_NONE;
    spin_lock(&lock);
    u32 first = take_block(order, max, &have);
    if (first == FRAME_NIL) {
        spin_unlock(&lock);
        return MFN_NONE;
    }
    while (have > order) {
        have--;
        block_insert(MFN(first + ((u64)1 << have)), have);
    }
    count_free(MFN(first), -((s64)1 << order));
    for (u64 i = 0; i < (u64)1 << order; i++) {
        struct frame *f = &frame_table[first + i];
        f->count = 1 | FRAME_ALLOCATED;
        f->progress = f->type == ZEROES;
        f->type = 0;
        f->owner = OWNER_HV;
        if (i == 0 || (s32)(f->stamp - youngest) > 0)
            youngest = f->stamp;
    }
    spin_unlock(&lock);
    // Nobody may still reach the frames through a stale translation.
    tlb_flush_since(&cpumask_all, youngest);
    return MFN(first);
}

static mfn_t alloc(u32 order, mfn_t max, bool zeroed)
{
    mfn_t m = take(order, max);
    if (mfn_eq(m, MFN_NONE))
        return m;
    for (u64 i = 0; i < (u64)1 << order; i++) {
        struct frame *f = frame_of(mfn_add(m, i));
        if (zeroed && !f->progress)
            memset(mfn_virt(frame_mfn(f)), 0, PAGE_SIZE);
        f->progress = 0;
    }
    return m;
}

mfn_t frames_alloc(u32 order, mfn_t max)
{
    return alloc(order, max, false);
}

mfn_t frames_alloc_zeroed(u32 order, mfn_t max)
{
    return alloc(order, max, true);
}

void *frame_alloc_zeroed(void)
{
    mfn_t m = frames_alloc_zeroed(0, MFN_NONE);
    return mfn_eq(m, MFN_NONE) ? NULL : mfn_virt(m);
}

u64 frames_free_count(void)
{
    return frames_free_width(0, 64);
}

u64 frames_free_width(u32 min, u32 max)
{
    u64 sum = 0;
    for (u32 i = 0; i <= FRAME_BITS; i++)
        if (i + PAGE_SHIFT >= min && i + PAGE_SHIFT <= max)
            sum += READ_ONCE(free_frames[i]);
    return sum;
}

void frames_add(mfn_t first, mfn_t end)
{
    while (first.v < end.v) {
        u32 order = 0;
        while (order + 1 < ORDERS && !(first.v & ((u64)1 << order)) &&
               first.v + ((u64)2 << order) <= end.v)
            order++;
        for (u64 i = 0; i < (u64)1 << order; i++)
            frame_table[first.v + i] = (struct frame){.owner = OWNER_FREE};
        release_block(first, order);
        count_free(first, (s64)1 << order);
        first = mfn_add(first, (u64)1 << order);
    }
}

void frame_own(struct frame *f, struct domain *d)
{
    __atomic_fetch_add(&d->frames, 1, __ATOMIC_RELAXED);
    domain_hold(d);
    __atomic_store_n(&f->owner, frame_owner_id(d), __ATOMIC_RELEASE); // pairs with frame_get
}

void frame_list(mfn_t m, struct domain *d)
{
    struct frame *f = frame_of(m);
    spin_lock(&d->frames_lock);
    f->prev = FRAME_NIL;
    f->next = d->first_frame ? d->first_frame - 1 : FRAME_NIL;
    if (f->next != FRAME_NIL)
        frame_table[f->next].prev = (u32)m.v;
    d->first_frame = (u32)m.v + 1;
    spin_unlock(&d->frames_lock);
}

void frame_assign(mfn_t m, struct domain *d)
{
    frame_of(m)->count = 1 | FRAME_ALLOCATED;
    frame_list(m, d);
    frame_own(frame_of(m), d);
}

void frame_unlist(mfn_t m, struct domain *d)
{
    struct frame *f = frame_of(m);
    spin_lock(&d->frames_lock);
    if (f->prev != FRAME_NIL)
        frame_table[f->prev].next = f->next;
    else
        d->first_frame = f->next == FRAME_NIL ? 0 : f->next + 1;
    if (f->next != FRAME_NIL)
        frame_table[f->next].prev = f->prev;
    spin_unlock(&d->frames_lock);
}

mfn_t frame_first(struct domain *d)
{
    u32 first = READ_ONCE(d->first_frame);
    return first ? MFN(first - 1) : MFN_NONE;
}

void frame_release(struct frame *f)
{
    struct domain *d = domain_by_owner(f->owner);
    BUG_ON(f->type & FT_COUNT);
    give_back(frame_mfn(f), 0, A_DOMAINS);
    if (!d)
        return;
    __atomic_fetch_sub(&d->frames, 1, __ATOMIC_RELAXED);
    domain_put(d);
}

int frame_drop_allocated(mfn_t m, struct domain *d)
{
    if (!frame_get(m, d))
        return -EINVAL;
    struct frame *f = frame_of(m);
    u64 old = __atomic_fetch_and(&f->count, ~FRAME_ALLOCATED, __ATOMIC_ACQ_REL);
    if (old & FRAME_ALLOCATED) {
        frame_unlist(m, d);
        frame_put(m);
    }
    frame_put(m);
    return old & FRAME_ALLOCATED ? 0 : -EINVAL;
}
