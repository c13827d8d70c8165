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

enum { SHOWN = GTF_reading | GTF_writing };

static u32 entries(const struct grant_table *t)
{
    return t->frames * (t->version == 1 ? (u32)GRANT_V1_ENTRIES : (u32)GRANT_V2_ENTRIES);
}

static void *entry_at(const struct grant_table *t, u32 ref)
{
    if (t->version == 1)
        return (struct grant_entry_v1 *)t->page[ref / GRANT_V1_ENTRIES] + ref % GRANT_V1_ENTRIES;
    return (union grant_entry_v2 *)t->page[ref / GRANT_V2_ENTRIES] + ref % GRANT_V2_ENTRIES;
}

// Where GTF_reading and GTF_writing are shown: version 2 keeps them apart.
static u16 *shown_at(const struct grant_table *t, u32 ref)
{
    if (t->version == 1)
        return entry_at(t, ref);
    return (grant_status_t *)t->status_page[ref / GRANT_STATUS_ENTRIES] +
           ref % GRANT_STATUS_ENTRIES;
}

// NULL: no memory. What is there stays until the table goes.
static struct grant_use *use_at(struct grant_table *t, u32 ref)
{
    struct grant_use **page = &t->use[ref / GRANT_USES];
    if (unlikely(!*page))
        *page = heap_alloc(PAGE_SIZE);
    return *page ? *page + ref % GRANT_USES : NULL;
}

static bool in_use(const struct grant_use *u)
{
    return u->readers || u->writers;
}

// What the first word of an entry must read to grant something: the bits of the mask as in value.
struct wanted {
    u32 mask, value;
};

static struct wanted wanted(dom_id_t user, bool write, bool whole)
{
    return (struct wanted){0xffff0000 | GTF_type_mask | (write ? GTF_readonly : 0) |
                               (whole ? GTF_sub_page : 0),
                           (u32)user.v << 16 | GTF_permit_access};
}

static bool grants(u32 word, struct wanted w)
{
    return (word & w.mask) == w.value;
}

static void hide(const struct grant_table *t, u32 ref, const struct grant_use *u)
{
    if (t->shut)
        return;
    u16 gone = (u16)((u->writers ? 0 : GTF_writing) | (in_use(u) ? 0 : GTF_reading));
    __atomic_fetch_and(shown_at(t, ref), (u16)~gone, __ATOMIC_RELEASE); // pairs with the guest's
}

// Marks the entry as read or written if it grants that. Out: its first word.
static bool show(const struct grant_table *t, u32 ref, const struct grant_use *u, struct wanted w,
                 bool write, u32 *word)
{
    u32 *entry = entry_at(t, ref), old = READ_ONCE(*entry);
    u16 bits = write ? SHOWN : GTF_reading;
    do {
        if (!grants(old, w))
            return false;
    } while (t->version == 1 && !__atomic_compare_exchange_n(entry, &old, old | bits, false,
                                                             __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    *word = old;
    if (t->version == 1)
        return true;
    // First the mark, then the look at the entry; the guest clears the entry, then looks at the
    // mark.
    __atomic_fetch_or(shown_at(t, ref), bits, __ATOMIC_SEQ_CST);
    *word = __atomic_load_n(entry, __ATOMIC_SEQ_CST);
    if (grants(*word, w))
        return true;
    hide(t, ref, u);
    return false;
}

static u64 frame_in(const struct grant_table *t, u32 ref)
{
    if (t->version == 1)
        return READ_ONCE(((struct grant_entry_v1 *)entry_at(t, ref))->frame);
    return READ_ONCE(((union grant_entry_v2 *)entry_at(t, ref))->full_page.frame);
}

// The end may lie outside of the frame: a copy does not.
static struct grant_span span_of(const struct grant_table *t, u32 ref, u32 word)
{
    struct grant_span s = {0, PAGE_SIZE};
    if (t->version == 2 && word & GTF_sub_page) {
        const union grant_entry_v2 *e = entry_at(t, ref);
        s.start = READ_ONCE(e->sub_page.page_off);
        s.end = s.start + READ_ONCE(e->sub_page.length);
    }
    return s;
}

// The references of a use that is to be counted in u.
static s16 take_frame(struct domain *d, u32 ref, struct grant_use *u, dom_id_t user, bool write)
{
    bool first = !in_use(u);
    if (first) {
        u64 n = frame_in(d->grant, ref);
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

// Under the lock.
static s16 begin(struct domain *d, dom_id_t user, u32 ref, bool write, mfn_t *frame,
                 struct grant_span *span)
{
    struct grant_table *t = d->grant;
    u32 word;
    if (ref >= entries(t))
        return GNTST_bad_gntref;
    ref = (u32)guest_index(ref, entries(t));
    struct grant_use *u = use_at(t, ref);
    if (!u)
        return GNTST_no_space;
    if ((in_use(u) && u->user != user.v) ||
        !show(t, ref, u, wanted(user, write, !span), write, &word))
        return GNTST_general_error;
    s16 status = take_frame(d, ref, u, user, write);
    if (status != GNTST_okay) {
        hide(t, ref, u);
        return status;
    }
    *(write ? &u->writers : &u->readers) += 1;
    *frame = MFN(u->frame);
    if (span)
        *span = span_of(t, ref, word);
    return GNTST_okay;
}

s16 grant_use_begin(struct domain *d, dom_id_t user, u32 ref, bool write, mfn_t *frame,
                    struct grant_span *span)
{
    spin_lock(&d->grant->lock);
    s16 status = begin(d, user, ref, write, frame, span);
    spin_unlock(&d->grant->lock);
    return status;
}

void grant_use_end(struct domain *d, u32 ref, bool write)
{
    struct grant_table *t = d->grant;
    spin_lock(&t->lock);
    struct grant_use *u = use_at(t, ref);
    mfn_t m = MFN(u->frame);
    *(write ? &u->writers : &u->readers) -= 1;
    if (write && !u->writers)
        frame_put_type(m);
    if (!in_use(u)) {
        frame_put(m);
        t->in_use--;
    }
    hide(t, ref, u);
    spin_unlock(&t->lock);
}

static bool ref_in_use(struct grant_table *t, u32 ref)
{
    const struct grant_use *page = t->use[ref / GRANT_USES];
    return page && in_use(&page[ref % GRANT_USES]);
}

static s16 swap(struct grant_table *t, u32 a, u32 b)
{
    if (a >= entries(t) || b >= entries(t))
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

void grant_visit_uses(struct domain *d, void (*fn)(void *ctx, const struct grant_use *use),
                      void *ctx)
{
    struct grant_table *t = d->grant;
    for (u32 i = 0; t && i < t->frames_max * (GRANT_V1_ENTRIES / GRANT_USES); i++)
        for (u32 k = 0; t->use[i] && k < GRANT_USES; k++)
            if (in_use(&t->use[i][k]))
                fn(ctx, &t->use[i][k]);
}
