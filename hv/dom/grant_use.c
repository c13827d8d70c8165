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

// NULL: no memory. What is there stays until the table goes.
static inline struct grant_use *use_at(struct grant_table *t, u32 ref)
{
    struct grant_use **page = &t->use[ref / GRANT_USES];
    if (unlikely(!*page))
        *page = heap_alloc(PAGE_SIZE);
    return likely(*page) ? *page + ref % GRANT_USES : NULL;
}

static inline bool in_use(const struct grant_use *u)
{
    return (u->readers | u->writers) != 0;
}

// What the first word of an entry must read to grant something: the bits of the mask as in value.
struct wanted {
    u32 mask, value;
};

static inline bool grants(u32 word, struct wanted w)
{
    return (word & w.mask) == w.value;
}

static inline void hide(const struct grant_table *t, u32 ref, const struct grant_use *u)
{
    u32 gone = u->writers ? 0 : GTF_writing | (u->readers ? 0 : GTF_reading);
    if (likely(!t->shut))
        __atomic_fetch_and(shown_at(t, ref), (u16)~gone,
                           __ATOMIC_RELEASE); // pairs with the guest's
}

static bool show_v2(const struct grant_table *t, u32 ref, const struct grant_use *u,
                    struct wanted w, u16 bits, u32 *word)
{
    u32 *entry = entry_at(t, ref);
    if (!grants(READ_ONCE(*entry), w))
        return false;
    // First the mark, then the look at the entry; the guest clears the entry, then looks at the
    // mark.
    __atomic_fetch_or(shown_at(t, ref), bits, __ATOMIC_SEQ_CST);
    *word = __atomic_load_n(entry, __ATOMIC_SEQ_CST);
    if (grants(*word, w))
        return true;
    hide(t, ref, u);
    return false;
}

// Marks the entry as read or written if it grants that. Out: its first word, and its frame.
static inline bool show(const struct grant_table *t, u32 ref, const struct grant_use *u,
                        struct wanted w, u16 bits, u32 *word, u64 *frame)
{
    if (unlikely(t->version != 1)) {
        bool ok = show_v2(t, ref, u, w, bits, word);
        *frame = READ_ONCE(((union grant_entry_v2 *)entry_at(t, ref))->full_page.frame);
        return ok;
    }
    struct grant_entry_v1 *e = entry_at(t, ref);
    u32 *entry = (u32 *)(void *)e, old = READ_ONCE(*entry);
    do {
        if (!grants(old, w))
            return false;
    } while (!__atomic_compare_exchange_n(entry, &old, old | bits, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    *word = old;
    *frame = READ_ONCE(e->frame);
    return true;
}

// The references of a use of frame n that is to be counted in u.
static inline s16 take_frame(struct domain *d, struct grant_use *u, dom_id_t user, bool write,
                             bool first, u64 n)
{
    if (first) {
        if (!frame_get(MFN(n), d))
            return GNTST_bad_page;
        u->frame = (u32)n;
        u->user = user.v;
    }
    if (write && !u->writers && frame_get_writable(MFN(u->frame)) != 0) {
        if (first)
            frame_put(MFN(u->frame));
        return GNTST_general_error;
    }
    d->grant->in_use += first;
    return GNTST_okay;
}

static void narrow(const struct grant_table *t, u32 ref, struct grant_access *a)
{
    const union grant_entry_v2 *e = entry_at(t, ref);
    a->start = READ_ONCE(e->sub_page.page_off);
    a->end = MIN(a->start + READ_ONCE(e->sub_page.length), (u32)PAGE_SIZE);
}

static inline s16 begin(struct domain *d, u32 entries, dom_id_t user, bool write, struct wanted w,
                        struct grant_access *a)
{
    struct grant_table *t = d->grant;
    u32 word;
    u64 n;
    if (a->ref >= entries)
        return GNTST_bad_gntref;
    u32 ref = (u32)guest_index(a->ref, entries);
    struct grant_use *u = use_at(t, ref);
    if (unlikely(!u))
        return GNTST_no_space;
    bool first = !in_use(u);
    if ((!first && u->user != user.v) ||
        !show(t, ref, u, w, write ? SHOWN : GTF_reading, &word, &n))
        return GNTST_general_error;
    s16 status = take_frame(d, u, user, write, first, n);
    if (unlikely(status != GNTST_okay)) {
        hide(t, ref, u);
        return status;
    }
    *(write ? &u->writers : &u->readers) += 1;
    a->frame = MFN(u->frame);
    a->start = 0;
    a->end = PAGE_SIZE;
    if (unlikely(t->version == 2 && word & GTF_sub_page))
        narrow(t, ref, a);
    return GNTST_okay;
}

void grant_uses_begin(struct domain *d, dom_id_t user, bool write, bool whole,
                      struct grant_access *a, u32 count)
{
    struct wanted w = {0xffff0000 | GTF_type_mask | (write ? GTF_readonly : 0) |
                           (whole ? GTF_sub_page : 0),
                       (u32)user.v << 16 | GTF_permit_access};
    spin_lock(&d->grant->lock);
    u32 entries = table_entries(d->grant);
    for (u32 i = 0; i < count; i++)
        a[i].status = begin(d, entries, user, write, w, &a[i]);
    spin_unlock(&d->grant->lock);
}

__attribute__((always_inline)) static inline void end(struct grant_table *t, u32 ref, bool write)
{
    struct grant_use *u = &t->use[ref / GRANT_USES][ref % GRANT_USES];
    mfn_t m = MFN(u->frame);
    *(write ? &u->writers : &u->readers) -= 1;
    if (write && !u->writers)
        frame_put_type(m);
    if (!in_use(u)) {
        frame_put(m);
        t->in_use--;
    }
    hide(t, ref, u);
}

void grant_use_end(struct domain *d, u32 ref, bool write)
{
    end(d->grant, ref, write);
}

void grant_uses_end(struct domain *d, bool write, const struct grant_access *a, u32 count)
{
    spin_lock(&d->grant->lock);
    for (u32 i = 0; i < count; i++)
        if (a[i].status == GNTST_okay)
            end(d->grant, a[i].ref, write);
    spin_unlock(&d->grant->lock);
}

static bool ref_in_use(struct grant_table *t, u32 ref)
{
    const struct grant_use *page = t->use[ref / GRANT_USES];
    return page && in_use(&page[ref % GRANT_USES]);
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
            if (in_use(&t->use[i][k]))
                fn(ctx, &t->use[i][k]);
}
