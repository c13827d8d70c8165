// SPDX-License-Identifier: MIT
// Recounts everything that uses a domain's frames and compares with what the frames' words say
// (docs/memory.md). It shares no counting code with pv/mmu.c: what that forgets, this must see.
//
// What uses a frame: the owner's own reference, entries of tables (of half-validated ones those
// below `progress`; other domains' L1 tables, too, which map what was granted), grants in use,
// pins, vCPU roots, GDT and LDT pages, pages that we share with the domain or work in for it,
// FT_HELD, the deferred list.
//
// Frames are counted in windows, of a size for which there is memory; all tables are read once for
// each window.
#include "dom/domain.h"
#include "dom/grant.h"
#include "io/pirq.h"
#include "lib/printk.h"
#include "mm/heap.h"
#include "pv/mmu.h"
#include "pv/pv.h"

enum { ENTRIES = 512, WINDOW_MAX = 65536, WINDOW_MIN = 4096, LINES_MAX = 40 };
struct tally {
    u32 refs, uses;
    u32 types; // bit n: used as enum frame_type n
};

struct audit {
    struct domain *d;
    struct tally *tally; // of the frames [first, first + window)
    u64 first, window;
    u64 owned;
    u32 bad;
};

static const char *const type_name[] = {"none", "L1",   "L2",       "L3",
                                        "L4",   "desc", "writable", "shared"};

static void complain(struct audit *a, mfn_t m, const char *what, u64 has, u64 wanted)
{
    if (a->bad++ >= LINES_MAX)
        return;
    u64 word = mfn_valid(m) ? frame_of(m)->type : 0;
    printk(LOG_ERR, "audit: frame %lx (%s, word %016lx): %s: %lx, not %lx", m.v,
           type_name[frame_type_of(word)], word, what, has, wanted);
}

static void expect(struct audit *a, mfn_t m, const char *what, u64 has, u64 wanted)
{
    if (has != wanted)
        complain(a, m, what, has, wanted);
}

// Contents are looked at in the first window's turn only.
static bool once(const struct audit *a)
{
    return a->first == 0;
}

static bool owned(const struct audit *a, mfn_t m)
{
    return mfn_valid(m) && frame_of(m)->owner == frame_owner_id(a->d);
}

static bool is_table(enum frame_type t)
{
    return t >= FT_L1 && t <= FT_L4;
}

// --- what is found ---

static void found_refs(struct audit *a, mfn_t m, u32 n)
{
    if (owned(a, m) && m.v - a->first < a->window)
        a->tally[m.v - a->first].refs += n;
}

static void found_use(struct audit *a, mfn_t m, enum frame_type type)
{
    if (!owned(a, m)) {
        if (once(a))
            complain(a, m, "used as a type, owned by", mfn_valid(m) ? frame_of(m)->owner : 0,
                     frame_owner_id(a->d));
        return;
    }
    found_refs(a, m, 1);
    if (m.v - a->first < a->window) {
        a->tally[m.v - a->first].uses++;
        a->tally[m.v - a->first].types |= 1u << type;
    }
}

static void found_page(void *ctx, const void *map)
{
    if (map)
        found_use(ctx, virt_mfn(map), FT_WRITABLE);
}

// --- tables ---

static void check_leaf(struct audit *a, mfn_t table, u64 pte)
{
    mfn_t m = pte_mfn(pte);
    if (pte & PTE_G)
        complain(a, table, "a global entry", pte, pte & ~(u64)PTE_G);
    if (!mfn_valid(m) || frame_of(m)->owner == OWNER_IO)
        return;
    u16 owner = frame_of(m)->owner;
    if (owner == OWNER_FREE || owner == OWNER_HV)
        complain(a, table, "an entry maps nobody's frame, or ours", pte, owner);
    if (pte & PTE_W && frame_type_of(frame_of(m)->type) != FT_WRITABLE)
        complain(a, m, "is mapped writable by", pte, 0);
}

static void check_link(struct audit *a, mfn_t table, enum frame_type type, u64 pte)
{
    mfn_t m = pte_mfn(pte);
    if (pte & PTE_PS)
        complain(a, table, "a superpage", pte, 0);
    if (mfn_eq(m, table)) {
        if (pte & PTE_W)
            complain(a, table, "maps itself writable", pte, 0);
        return;
    }
    if (!owned(a, m))
        return; // found_use tells
    u64 word = frame_of(m)->type;
    if (frame_type_of(word) != type - 1 || !(word & FT_VALIDATED))
        complain(a, m, "is no validated table of the level below entry", pte, 0);
}

// An entry that is present and the guest's.
static void see_entry(struct audit *a, mfn_t table, enum frame_type type, u64 pte)
{
    mfn_t m = pte_mfn(pte);
    if (once(a)) {
        if (!(pte & PTE_U))
            complain(a, table, "an entry without U", pte, pte | PTE_U);
        if (type == FT_L1)
            check_leaf(a, table, pte);
        else
            check_link(a, table, type, pte);
    }
    if (type == FT_L1) {
        if (pte & PTE_W && owned(a, m))
            found_use(a, m, FT_WRITABLE);
        else
            found_refs(a, m, 1);
    } else if (!mfn_eq(m, table)) {
        found_use(a, m, (enum frame_type)(type - 1));
    }
}

// The processor may have set A; the M2P's slot may be hidden (VMASST_TYPE_m2p_strict).
static void check_our_slots(struct audit *a, mfn_t l4)
{
    const u64 *table = mfn_virt(l4);
    for (u32 i = 0; i < HV_L4_END - HV_L4_FIRST; i++) {
        u64 pte = READ_ONCE(table[HV_L4_FIRST + i]);
        if (i != 0 || pte != 0)
            expect(a, l4, "a slot of ours", pte & ~(u64)PTE_A, hv_l4_slots[i] & ~(u64)PTE_A);
    }
}

static void see_table(struct audit *a, mfn_t m)
{
    u64 word = frame_of(m)->type;
    enum frame_type type = frame_type_of(word);
    u32 end = word & FT_VALIDATED ? (u32)ENTRIES : frame_of(m)->progress;
    const u64 *table = mfn_virt(m);
    if (type == FT_L4 && once(a))
        check_our_slots(a, m);
    for (u32 i = 0; i < MIN(end, (u32)ENTRIES); i++) {
        u64 pte = READ_ONCE(table[i]);
        bool ours = type == FT_L4 && i >= HV_L4_FIRST && i < HV_L4_END;
        if (pte & PTE_P && !ours)
            see_entry(a, m, type, pte);
    }
}

// What a frame says of itself.
static void see_frame(struct audit *a, mfn_t m)
{
    const struct frame *f = frame_of(m);
    u64 word = f->type;
    found_refs(a, m, ((f->count & FRAME_ALLOCATED) != 0) + ((word & FT_HELD) != 0));
    if (word & FT_PINNED)
        found_use(a, m, frame_type_of(word));
    if (is_table(frame_type_of(word)) && word & (FT_VALIDATED | FT_PARTIAL))
        see_table(a, m);
}

// --- what else uses frames ---

static void see_frames_of(struct audit *a, const mfn_t *frames, u32 count, enum frame_type type)
{
    for (u32 i = 0; i < count; i++)
        if (!mfn_eq(frames[i], MFN_NONE))
            found_use(a, frames[i], type);
}

static void see_vcpus(struct audit *a)
{
    struct vcpu *v;
    for_each_vcpu (a->d, v) {
        see_frames_of(a, &v->pv.l4_kernel, 1, FT_L4);
        see_frames_of(a, &v->pv.l4_user, 1, FT_L4);
        see_frames_of(a, v->pv.gdt_frame, PV_GDT_FRAMES, FT_DESC);
        see_frames_of(a, v->pv.ldt_frame, PV_LDT_FRAMES, FT_DESC);
        if (v->info_registered)
            found_page(a, v->info);
    }
}

static void see_shared_pages(struct audit *a)
{
    struct domain *d = a->d;
    const struct grant_table *g = d->grant;
    found_page(a, d->shared);
    for (u32 i = 0; g && i < g->frames; i++)
        found_page(a, g->page[i]);
    for (u32 i = 0; g && i < g->status_frames; i++)
        found_page(a, g->status_page[i]);
    evtchn_fifo_visit_frames(d, found_page, a);
    if (d->pirqs)
        found_page(a, d->pirqs->eoi_map);
}

static void see_grant(void *ctx, const struct grant_use *u)
{
    if (u->writers)
        found_use(ctx, MFN(u->frame), FT_WRITABLE);
    else
        found_refs(ctx, MFN(u->frame), 1);
}

// An L1 table of another domain's may map our frames.
static void see_foreign(struct audit *a, mfn_t table)
{
    const struct frame *f = frame_of(table);
    u32 end = f->type & FT_VALIDATED ? (u32)ENTRIES : f->progress;
    if (f->owner == OWNER_HV || frame_type_of(f->type) != FT_L1 ||
        !(f->type & (FT_VALIDATED | FT_PARTIAL)))
        return;
    for (u32 i = 0; i < MIN(end, (u32)ENTRIES); i++) {
        u64 pte = READ_ONCE(((const u64 *)mfn_virt(table))[i]);
        mfn_t m = pte_mfn(pte);
        if (!(pte & PTE_P) || !owned(a, m))
            continue;
        if (pte & PTE_W)
            found_use(a, m, FT_WRITABLE);
        else
            found_refs(a, m, 1);
    }
}

static void see_deferred(struct audit *a)
{
    u64 queued = 0, length = 0;
    for (u64 i = 0; i < frame_count; i++)
        queued += owned(a, MFN(i)) && frame_of(MFN(i))->type & FT_QUEUED;
    for (u32 at = a->d->deferred; at && length <= queued; length++) {
        mfn_t m = MFN(at - 1);
        if (!owned(a, m) || !(frame_of(m)->type & FT_QUEUED)) {
            if (once(a))
                complain(a, m, "is on the deferred list", at, 0);
            return;
        }
        found_refs(a, m, 1);
        at = frame_of(m)->stamp;
    }
    if (once(a))
        expect(a, MFN_NONE, "length of the deferred list", length, queued);
}

// --- comparing ---

static void check_flags(struct audit *a, mfn_t m)
{
    u64 word = frame_of(m)->type;
    enum frame_type type = frame_type_of(word);
    bool contents = is_table(type) || type == FT_DESC, used = word & FT_COUNT;
    expect(a, m, "validated", (word & FT_VALIDATED) != 0, contents && used);
    if (word & FT_PINNED)
        expect(a, m, "pinned, and a table in use", is_table(type) && used, true);
    if (word & FT_PARTIAL) {
        expect(a, m, "partial, and an unused table", is_table(type) && !used, true);
        expect(a, m, "partial, and kept", (word & (FT_QUEUED | FT_HELD)) != 0, true);
    } else {
        expect(a, m, "held for a validation that is none", word & FT_HELD, 0);
    }
    expect(a, m, "flushing", word & FT_FLUSHING, 0);
    if (type == FT_DESC && used && !pv_desc_page_ok(m))
        complain(a, m, "descriptors that no guest may have", 0, 0);
}

static void compare(struct audit *a, mfn_t m)
{
    const struct frame *f = frame_of(m);
    const struct tally *t = &a->tally[m.v - a->first];
    u64 uses = f->type & FT_COUNT;
    a->owned++;
    expect(a, m, "references", frame_refs(f), t->refs);
    expect(a, m, "uses", uses, t->uses);
    if (t->uses)
        expect(a, m, "kinds of uses, as bits", t->types, 1u << frame_type_of(f->type));
    if (frame_refs(f) == 0)
        complain(a, m, "owned without a reference", 0, 1);
    check_flags(a, m);
}

static void audit_window(struct audit *a)
{
    u64 end = MIN(a->first + a->window, frame_count);
    for (u64 i = 0; i < end - a->first; i++)
        a->tally[i] = (struct tally){0};
    for (u64 i = 0; i < frame_count; i++)
        if (owned(a, MFN(i)))
            see_frame(a, MFN(i));
        else
            see_foreign(a, MFN(i));
    see_vcpus(a);
    grant_visit_uses(a->d, see_grant, a);
    see_shared_pages(a);
    see_deferred(a);
    for (u64 i = a->first; i < end; i++)
        if (owned(a, MFN(i)))
            compare(a, MFN(i));
}

// When the domain has taken nearly all memory, in more and smaller parts; but not in so many that
// it takes seconds.
static struct tally *alloc_tally(u64 *window)
{
    for (*window = MIN(frame_count, (u64)WINDOW_MAX);; *window /= 2) {
        struct tally *t = heap_alloc(*window * sizeof(*t));
        if (t || *window / 2 < WINDOW_MIN)
            return t;
    }
}

u32 mmu_audit(struct domain *d)
{
    struct audit a = {.d = d};
    a.tally = alloc_tally(&a.window);
    if (!a.tally) {
        printk(LOG_WARN, "audit: left out, there is no memory for it");
        return 0;
    }
    spin_lock(&d->mmu_lock);
    for (; a.first < frame_count; a.first += a.window)
        audit_window(&a);
    expect(&a, MFN_NONE, "the domain's frames", d->frames, a.owned);
    spin_unlock(&d->mmu_lock);
    heap_free(a.tally);
    printk(a.bad ? LOG_ERR : LOG_INFO, "audit: %lu frames, %u contradictions", a.owned, a.bad);
    return a.bad;
}
