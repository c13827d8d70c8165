// SPDX-License-Identifier: MIT
// Uses of grant entries: what a granting domain's table says is checked, marked and counted. The
// entry lies in memory that the guest writes at any time: it is read once, and changed by
// compare-exchange. xen ABI: grant_table.h, "GRANT TABLE REPRESENTATION".
#include "dom/domain.h"
#include "dom/grant.h"
#include "mm/frame.h"
#include "mm/heap.h"

// The first word of an entry, which both versions have: flags, domid.
STATIC_ASSERT(offsetof(struct grant_entry_v1, domid) == 2);
STATIC_ASSERT(offsetof(union grant_entry_v2, hdr.domid) == 2);

STATIC_ASSERT(GRANT_V1_ENTRIES == 512 && GRANT_V2_ENTRIES == 256); // table_entries

#define ALWAYS_INLINE __attribute__((always_inline)) static inline

enum { SHOWN = GTF_reading | GTF_writing };

static inline u32 table_entries(const struct grant_table *t)
{
    return t->frames << (10 - t->version);
}

static inline void *entry_at(const struct grant_table *t, u32 ref)
{
    if (likely(t->version == 1))
        return (struct grant_entry_v1 *)t->page[ref / GRANT_V1_ENTRIES] + ref % GRANT_V1_ENTRIES;
    return (union grant_entry_v2 *)t->page[ref / GRANT_V2_ENTRIES] + ref % GRANT_V2_ENTRIES;
}

// Where GTF_reading and GTF_writing are shown: version 2 keeps them apart.
static inline u16 *shown_at(const struct grant_table *t, u32 ref)
{
    if (likely(t->version == 1))
        return entry_at(t, ref);
    return (grant_status_t *)t->status_page[ref / GRANT_STATUS_ENTRIES] +
           ref % GRANT_STATUS_ENTRIES;
}

// What is there stays until the table goes. NULL: no memory.
__attribute__((noinline)) static struct grant_use *more_uses(struct grant_table *t, u32 ref)
{
    return t->use[ref / GRANT_USES] = heap_alloc(PAGE_SIZE);
}

static inline struct grant_use *use_at(struct grant_table *t, u32 ref)
{
    struct grant_use *page = t->use[ref / GRANT_USES];
    if (unlikely(!page) && !(page = more_uses(t, ref)))
        return NULL;
    return page + ref % GRANT_USES;
}

// What the first word of an entry must read to grant something: the bits of the mask as in value.
struct wanted {
    u32 mask, value;
};

static inline bool grants(u32 word, struct wanted w)
{
    return (word & w.mask) == w.value;
}

// Takes away the marks that the uses left do not need.
static inline void hide(const struct grant_table *t, u32 ref, u64 count)
{
    u32 gone = count >> 32 ? 0 : GTF_writing | (count ? 0 : GTF_reading);
    if (likely(!t->shut))
        __atomic_fetch_and(shown_at(t, ref), (u16)~gone,
                           __ATOMIC_RELEASE); // pairs with the guest's
}

// What an entry grants.
struct shown {
    u64 frame;
    u32 word; // the first of the entry; 0: nothing
};

__attribute__((noinline)) static struct shown show_v2(const struct grant_table *t, u32 ref,
                                                      u64 count, struct wanted w, u16 bits)
{
    const union grant_entry_v2 *e = entry_at(t, ref);
    const u32 *first = (const void *)e;
    if (!grants(READ_ONCE(*first), w))
        return (struct shown){0};
    // First the mark, then the look at the entry; the guest clears the entry, then looks at the
    // mark.
    __atomic_fetch_or(shown_at(t, ref), bits, __ATOMIC_SEQ_CST);
    u32 word = __atomic_load_n(first, __ATOMIC_SEQ_CST);
    if (grants(word, w))
        return (struct shown){READ_ONCE(e->full_page.frame), word};
    hide(t, ref, count);
    return (struct shown){0};
}

// Marks the entry as read or written if it grants that.
static inline struct shown show(const struct grant_table *t, u32 ref, u64 count, struct wanted w,
                                u16 bits)
{
    if (unlikely(t->version != 1))
        return show_v2(t, ref, count, w, bits);
    struct grant_entry_v1 *e =
        (struct grant_entry_v1 *)t->page[ref / GRANT_V1_ENTRIES] + ref % GRANT_V1_ENTRIES;
    u32 *first = (u32 *)(void *)e, old = READ_ONCE(*first);
    do {
        if (!grants(old, w))
            return (struct shown){0};
    } while (!__atomic_compare_exchange_n(first, &old, old | bits, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    return (struct shown){READ_ONCE(e->frame), old & ~(u32)GTF_sub_page};
}

static void narrow(const struct grant_table *t, u32 ref, struct grant_access *a)
{
    const union grant_entry_v2 *e = entry_at(t, ref);
    a->start = READ_ONCE(e->sub_page.page_off);
    a->end = (u16)MIN((u32)a->start + READ_ONCE(e->sub_page.length), (u32)PAGE_SIZE);
}

static inline struct wanted wanted(dom_id_t user, bool write, bool whole)
{
    return (struct wanted){0xffff0000 | GTF_type_mask | (u32)write * GTF_readonly |
                               (whole ? GTF_sub_page : 0),
                           (u32)user.v << 16 | GTF_permit_access};
}

static inline u64 one_use(bool write)
{
    return (u64)1 << (write ? 32 : 0); // of the readers or the writers
}

ALWAYS_INLINE s16 begin(const struct domain *d, struct grant_table *t, u32 entries, dom_id_t user,
                        bool write, struct wanted w, struct grant_access *a)
{
    if (a->ref >= entries)
        return GNTST_bad_gntref;
    u32 ref = (u32)guest_index(a->ref, entries);
    struct grant_use *u = use_at(t, ref);
    if (unlikely(!u))
        return GNTST_no_space;
    u64 count = u->count;
    if (count && u->user != user.v)
        return GNTST_general_error;
    struct shown s = show(t, ref, count, w, (u16)(GTF_reading | (u32)write * GTF_writing));
    if (unlikely(!s.word))
        return GNTST_general_error;
    mfn_t m = MFN(count ? u->frame : s.frame);
    if (!count && !frame_get(m, d)) {
        hide(t, ref, 0);
        return GNTST_bad_page;
    }
    if (write && !(count >> 32) && frame_get_writable(m) != 0) {
        if (!count)
            frame_put(m);
        hide(t, ref, count);
        return GNTST_general_error;
    }
    u->frame = (u32)m.v;
    u->user = user.v;
    u->count = count + one_use(write);
    t->in_use += !count;
    a->frame = m;
    a->start = 0;
    a->end = PAGE_SIZE;
    if (unlikely(s.word & GTF_sub_page))
        narrow(t, ref, a);
    return GNTST_okay;
}

s16 grant_use_begin(struct domain *d, dom_id_t user, bool write, u32 ref, mfn_t *frame)
{
    struct grant_access a = {.ref = ref};
    s16 status =
        begin(d, d->grant, table_entries(d->grant), user, write, wanted(user, write, true), &a);
    *frame = a.frame;
    return status;
}

void grant_uses_begin(struct domain *d, dom_id_t user, bool write, const struct gnttab_copy_ptr *at,
                      struct grant_access *a, u32 count)
{
    struct wanted w = wanted(user, write, false);
    struct grant_table *t = d->grant;
    spin_lock(&t->lock);
    u32 entries = table_entries(t);
    for (const struct grant_access *all = a + count; a < all; a++) {
        a->ref = at->u.ref;
        a->status = begin(d, t, entries, user, write, w, a);
        at = (const void *)((const u8 *)at + sizeof(struct gnttab_copy));
    }
    spin_unlock(&t->lock);
}

ALWAYS_INLINE void end(struct grant_table *t, u32 ref, bool write)
{
    struct grant_use *u = &t->use[ref / GRANT_USES][ref % GRANT_USES];
    mfn_t m = MFN(u->frame);
    u64 count = u->count -= one_use(write);
    if (write && !(count >> 32))
        frame_put_type(m);
    if (!count) {
        frame_put(m);
        t->in_use--;
    }
    hide(t, ref, count);
}

void grant_use_end(struct domain *d, u32 ref, bool write)
{
    end(d->grant, ref, write);
}

void grant_uses_end(struct domain *d, bool write, const struct grant_access *a, u32 count)
{
    struct grant_table *t = d->grant;
    spin_lock(&t->lock);
    for (u32 i = 0; i < count; i++)
        if (a[i].status == GNTST_okay)
            end(t, a[i].ref, write);
    spin_unlock(&t->lock);
}

static bool ref_in_use(struct grant_table *t, u32 ref)
{
    const struct grant_use *page = t->use[ref / GRANT_USES];
    return page && page[ref % GRANT_USES].count;
}

static s16 swap(struct grant_table *t, u32 a, u32 b)
{
    if (a >= table_entries(t) || b >= table_entries(t))
        return GNTST_bad_gntref;
    if (a == b)
        return GNTST_okay;
    if (ref_in_use(t, a) || ref_in_use(t, b))
        return GNTST_eagain;
    u64 *x = entry_at(t, a), *y = entry_at(t, b);
    for (u32 i = 0; i < (t->version == 1 ? 1u : 2u); i++) {
        u64 was = READ_ONCE(x[i]);
        WRITE_ONCE(x[i], READ_ONCE(y[i]));
        WRITE_ONCE(y[i], was);
    }
    return GNTST_okay;
}

s16 grant_swap(struct domain *d, u32 ref_a, u32 ref_b)
{
    spin_lock(&d->grant->lock);
    s16 status = swap(d->grant, ref_a, ref_b);
    spin_unlock(&d->grant->lock);
    return status;
}

// xen ABI: grant_table.h, "Subflags for GTF_accept_transfer".
s16 grant_accept_begin(struct domain *d, dom_id_t giver, u32 ref)
{
    struct grant_table *t = d->grant;
    struct wanted w = {0xffff0000 | GTF_type_mask | GTF_transfer_committed | GTF_transfer_completed,
                       (u32)giver.v << 16 | GTF_accept_transfer};
    s16 status = GNTST_general_error;
    spin_lock(&t->lock);
    if (ref < table_entries(t) && !ref_in_use(t, ref = (u32)guest_index(ref, table_entries(t)))) {
        u32 *entry = entry_at(t, ref), old = READ_ONCE(*entry);
        if (grants(old, w) &&
            __atomic_compare_exchange_n(entry, &old, old | GTF_transfer_committed, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            status = GNTST_okay;
    }
    spin_unlock(&t->lock);
    return status;
}

void grant_accept_end(struct domain *d, u32 ref, mfn_t m)
{
    struct grant_table *t = d->grant;
    spin_lock(&t->lock);
    if (ref < table_entries(t)) { // the version may be another one by now, or the table gone
        u32 *entry = entry_at(t, ref);
        if (t->version == 1)
            WRITE_ONCE(((struct grant_entry_v1 *)(void *)entry)->frame, (u32)m.v);
        else
            WRITE_ONCE(((union grant_entry_v2 *)(void *)entry)->full_page.frame, m.v);
        // Last: pairs with the guest's look at it.
        __atomic_fetch_or(entry, GTF_transfer_completed, __ATOMIC_RELEASE);
    }
    spin_unlock(&t->lock);
}

void grant_visit_uses(struct domain *d, void (*fn)(void *ctx, const struct grant_use *use),
                      void *ctx)
{
    struct grant_table *t = d->grant;
    for (u32 i = 0; t && i < t->frames_max * (GRANT_V1_ENTRIES / GRANT_USES); i++)
        for (u32 k = 0; t->use[i] && k < GRANT_USES; k++)
            if (t->use[i][k].count)
                fn(ctx, &t->use[i][k]);
}
