// SPDX-License-Identifier: MIT
// The typed frames of direct paging. A frame has an owner, a reference count and a type with a type
// count and a validated bit. It changes type only at type count zero; a writable mapping and a
// table type exclude each other. These sentences are the security of PV guests (mm/frame.h lists
// them).
//
// 1. Whoever changes a table or descriptor type, or an entry of a table, holds the domain's
//    mmu_lock. FT_WRITABLE may come and go without it, so the type word is changed by cmpxchg.
// 2. Before a frame takes a new type, every CPU that may hold translations made under the old one
//    has flushed (TLB clock).
// 3. Validation and invalidation walk a table in one direction and may stop after every entry: the
//    entries below `progress` hold references, those above do not, the frame is `partial`.
// 4. A frame that is partial keeps its type even at count zero, and somebody holds a reference: the
//    domain's deferred list if it was being invalidated, FT_HELD if it was being validated.
#include "pv/mmu.h"
#include "cpu/cpu.h"
#include "cpu/spec.h"
#include "cpu/x86.h"
#include "hc/continue.h"
#include "io/mmio.h"
#include "lib/string.h"

enum { ENTRIES = 512 };

// What a guest may set in entries; the rest is refused.
#define SOFT_BITS   (((u64)0x3ff << 52) | 0xe00)
#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_PWT | PTE_PCD | PTE_A | PTE_D | SOFT_BITS | PTE_NX)
#define LEAF_FLAGS  (TABLE_FLAGS | PTE_PS | PTE_G)

u64 hv_l4_slots[HV_L4_END - HV_L4_FIRST];

static int invalidate(struct domain *d, struct frame *f, enum frame_type type);
static bool is_table(enum frame_type t)
{
    return t >= FT_L1 && t <= FT_L4;
}

static bool hv_slot(enum frame_type type, u32 slot)
{
    return type == FT_L4 && slot >= HV_L4_FIRST && slot < HV_L4_END;
}

static void type_set(struct frame *f, u64 set, u64 clear)
{
    u64 old = READ_ONCE(f->type);
    while (!__atomic_compare_exchange_n(&f->type, &old, (old & ~clear) | set, true,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        ;
}

// --- uses of single entries ---

// Frames that are not RAM: a domain with the permission maps them without being counted.
static inline bool is_io(mfn_t m)
{
    return !mfn_valid(m) || frame_of(m)->owner == OWNER_IO;
}

// Device pages that may only be read (a MSI-X table in use) are mapped so: W is taken away.
static int get_io_leaf(struct domain *fd, u64 *pte)
{
    mfn_t m = pte_mfn(*pte);
    if (mmio_permitted(fd, m, *pte & PTE_W))
        return 0;
    if (!mmio_permitted(fd, m, false))
        return fd->privileged ? -EPERM : -EINVAL;
    *pte &= ~(u64)PTE_W;
    return 0;
}

static int get_leaf(struct domain *fd, u64 *entry)
{
    u64 pte = *entry;
    mfn_t m = pte_mfn(pte);
    if (pte & ~(LEAF_FLAGS | PTE_ADDR))
        return -EINVAL;
    if (unlikely(is_io(m)))
        return get_io_leaf(fd, entry);
    if (!frame_get(m, fd))
        return -EINVAL;
    int rc = pte & PTE_W ? frame_get_writable(m) : 0;
    if (rc != 0)
        frame_put(m);
    return rc;
}

// The end of a writable mapping in a table of d's. Another domain's frame notes that d's CPUs, too,
// may have it in their TLBs as writable when it next changes its type.
static inline void put_writable(const struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);
    if (unlikely(f->owner != frame_owner_id(d)))
        type_set(f, FT_FOREIGN, 0);
    frame_put_type(m);
}

static void put_leaf(const struct domain *d, u64 pte)
{
    mfn_t m = pte_mfn(pte);
    if (unlikely(is_io(m)))
        return;
    if (pte & PTE_W)
        put_writable(d, m);
    frame_put(m);
}

// An entry of an L2, L3 or L4 table `self`: counts the table it points to.
static int get_table_entry(struct domain *d, enum frame_type type, mfn_t self, u64 pte)
{
    mfn_t m = pte_mfn(pte);
    if (pte & ~(TABLE_FLAGS | PTE_ADDR))
        return -EINVAL;
    // A table may map itself read-only at its own level (recursive mapping); that needs no count.
    if (mfn_eq(m, self))
        return pte & PTE_W ? -EINVAL : 0;
    return mmu_get(d, m, (enum frame_type)(type - 1));
}

// L1TF: of an entry that is not present too, the processor may take the address to look into its
// cache, without the bits beyond its width.
static bool names_ram(const struct domain *d, u64 pte)
{
    u64 mask = PTE_ADDR & (((u64)1 << cpu_features.phys_bits) - 1);
    return (d->privileged ? spec.l1tf_dom0 : spec.l1tf_domu) && (pte & PTE_ADDR) &&
           (pte & mask) >> PAGE_SHIFT < frame_count;
}

// Counts what the entry uses; may take rights out of *pte.
static int get_entry(struct domain *d, struct domain *fd, enum frame_type type, mfn_t self,
                     u64 *pte)
{
    if (!(*pte & PTE_P))
        return unlikely(names_ram(d, *pte)) ? -EINVAL : 0;
    return type == FT_L1 ? get_leaf(fd, pte) : get_table_entry(d, type, self, *pte);
}

static void put_entry(struct domain *d, enum frame_type type, mfn_t self, u64 pte)
{
    if (!(pte & PTE_P))
        return;
    if (type == FT_L1)
        put_leaf(d, pte);
    else if (!mfn_eq(pte_mfn(pte), self))
        mmu_put(d, pte_mfn(pte));
}

// What the hardware gets to see: both halves of a 64-bit PV guest run in ring 3, and nothing of a
// guest's may stay in the TLB as global.
static u64 adjust(u64 pte)
{
    return pte & PTE_P ? pte | PTE_U : pte;
}

static u64 adjust_for(enum frame_type type, u64 pte)
{
    pte = adjust(pte);
    return type == FT_L1 && (pte & PTE_P) ? pte & ~(u64)PTE_G : pte;
}

// --- whole frames ---

static int validate_table(struct domain *d, struct frame *f, enum frame_type type)
{
    mfn_t self = frame_mfn(f);
    u64 *table = mfn_virt(self);
    if (type == FT_L4)
        memcpy(&table[HV_L4_FIRST], hv_l4_slots, sizeof(hv_l4_slots));
    for (u32 i = f->progress; i < ENTRIES; i++) {
        u64 pte = READ_ONCE(table[i]);
        if (!pte || hv_slot(type, i))
            continue;
        u64 hw = pte;
        int rc = get_entry(d, d, type, self, &hw);
        if (rc != 0) {
            f->progress = (u16)i;
            return rc;
        }
        hw = adjust_for(type, hw);
        if (hw != pte)
            WRITE_ONCE(table[i], hw);
        if (type > FT_L1 && i + 1 < ENTRIES && preempt_wanted()) {
            f->progress = (u16)(i + 1);
            return -ERESTART_HC;
        }
    }
    f->progress = ENTRIES;
    return 0;
}

static int invalidate(struct domain *d, struct frame *f, enum frame_type type)
{
    mfn_t self = frame_mfn(f);
    u64 *table = mfn_virt(self);
    for (u32 i = f->progress; i-- > 0;) {
        u64 pte = READ_ONCE(table[i]);
        if (!(pte & PTE_P) || hv_slot(type, i))
            continue;
        put_entry(d, type, self, pte);
        if (type > FT_L1 && preempt_wanted()) {
            f->progress = (u16)i;
            return -ERESTART_HC;
        }
    }
    f->progress = 0;
    return 0;
}

// Takes one count of `type`. Out: the word before. -EBUSY: the frame is in use as something else.
static int type_claim(struct frame *f, enum frame_type type, u64 *before)
{
    u64 old = READ_ONCE(f->type), new;
    do {
        bool same = frame_type_of(old) == type;
        if ((old & FT_COUNT) == FT_COUNT)
            return -EINVAL;
        if (!same && ((old & FT_COUNT) || (old & FT_PARTIAL)))
            return -EBUSY;
        new = same ? old + 1 : ((u64)type << FT_SHIFT) | (old & (FT_QUEUED | FT_HELD)) | 1;
        if (!same && type == FT_WRITABLE && frame_type_of(old) != FT_NONE)
            new |= FT_FLUSHING;
    } while (!__atomic_compare_exchange_n(&f->type, &old, new, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    *before = old;
    return 0;
}

static void hold(struct domain *d, struct frame *f)
{
    if (READ_ONCE(f->type) & FT_HELD)
        return;
    BUG_ON(!frame_get(frame_mfn(f), d));
    type_set(f, FT_HELD, 0);
}

static void unhold(struct frame *f)
{
    if (!(READ_ONCE(f->type) & FT_HELD))
        return;
    type_set(f, 0, FT_HELD);
    frame_put(frame_mfn(f));
}

// The list's links are in `stamp`; while a frame is on it, "now" stands for the time.
static void defer(struct domain *d, struct frame *f)
{
    f->stamp = d->deferred;
    d->deferred = (u32)frame_mfn(f).v + 1;
}

static u32 let_go_at(const struct frame *f)
{
    return READ_ONCE(f->type) & FT_QUEUED ? tlb_clock() : f->stamp;
}

static void note_let_go(struct frame *f)
{
    if (!(READ_ONCE(f->type) & FT_QUEUED))
        f->stamp = tlb_clock();
}

// Undoes what a refused validation has taken; bounded by one table level per step, deferred.
static void abandon(struct domain *d, struct frame *f, enum frame_type type)
{
    if (f->progress == 0) {
        type_set(f, 0, FT_PARTIAL | FT_VALIDATED);
        return;
    }
    type_set(f, FT_PARTIAL, FT_VALIDATED);
    if (invalidate(d, f, type) == 0) {
        note_let_go(f);
        type_set(f, 0, FT_PARTIAL);
        return;
    }
    if (READ_ONCE(f->type) & FT_QUEUED)
        return;
    BUG_ON(!frame_get(frame_mfn(f), d));
    type_set(f, FT_QUEUED, 0);
    defer(d, f);
}

int mmu_get_type(struct domain *d, mfn_t m, enum frame_type type)
{
    struct frame *f = frame_of(m);
    u64 before;
    // What was given back becomes no table again: nobody would find it, half validated, at the end.
    if (is_table(type) && !(READ_ONCE(f->count) & FRAME_ALLOCATED))
        return -EINVAL;
    int rc = type_claim(f, type, &before);
    if (rc != 0)
        return -EINVAL; // -EBUSY is for writable uses only: seen on the oracle (tests/guest/pin)
    if (before & FT_COUNT && before & FT_VALIDATED)
        return 0;
    if (frame_type_of(before) != type && frame_type_of(before) != FT_NONE)
        tlb_flush_since(before & FT_FOREIGN ? &cpumask_all : &d->dirty, let_go_at(f));
    if (!is_table(type)) {
        rc = pv_desc_page_ok(m) ? 0 : -EINVAL;
    } else {
        if (!(before & FT_PARTIAL))
            f->progress = 0;
        rc = validate_table(d, f, type);
    }
    if (rc == 0) {
        type_set(f, FT_VALIDATED, FT_PARTIAL);
        unhold(f);
        return 0;
    }
    if (rc == -ERESTART_HC) {
        // Goes on when it is asked for again; the count is not held in between.
        hold(d, f);
        type_set(f, FT_PARTIAL, 0);
        __atomic_fetch_sub(&f->type, 1, __ATOMIC_ACQ_REL);
        return rc;
    }
    if (is_table(type))
        type_set(f, FT_PARTIAL, 0); // until abandon() is through: see mmu_put_type
    __atomic_fetch_sub(&f->type, 1, __ATOMIC_ACQ_REL);
    abandon(d, f, type);
    unhold(f);
    return rc;
}

void mmu_put_type(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);
    enum frame_type type = frame_type_of(READ_ONCE(f->type));
    note_let_go(f);
    // The last count goes in one step with the mark that keeps writable uses out until all entries
    // are let go: those do not take mmu_lock.
    u64 old = READ_ONCE(f->type), new;
    do {
        new = old - 1;
        if (!(new &FT_COUNT))
            new = (new & ~FT_VALIDATED) | (is_table(type) ? FT_PARTIAL : 0);
    } while (!__atomic_compare_exchange_n(&f->type, &old, new, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    if (!(new &FT_COUNT) && is_table(type)) {
        f->progress = ENTRIES;
        abandon(d, f, type);
    }
}

int mmu_drain(struct domain *d)
{
    while (d->deferred) {
        mfn_t m = MFN(d->deferred - 1);
        struct frame *f = frame_of(m);
        u64 word = READ_ONCE(f->type);
        d->deferred = f->stamp; // first of all: the tables it lets go of may join the list
        if (!(word & FT_COUNT) && (word & FT_PARTIAL)) {
            if (invalidate(d, f, frame_type_of(word)) != 0) {
                defer(d, f);
                return -ERESTART_HC;
            }
            type_set(f, 0, FT_PARTIAL);
            unhold(f);
        }
        f->stamp = tlb_clock();
        type_set(f, 0, FT_QUEUED);
        frame_put(m);
    }
    return 0;
}

// Adds `step` (1 or -1) to the count of a validated table that stays one. False: the long way.
static inline bool count_validated(struct frame *f, enum frame_type type, s64 step)
{
    u64 old = READ_ONCE(f->type), n = old & FT_COUNT;
    if ((old >> FT_SHIFT) != type || !(old & FT_VALIDATED) || n == 0 || n == FT_COUNT ||
        n + (u64)step == 0)
        return false;
    return __atomic_compare_exchange_n(&f->type, &old, old + (u64)step, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

int mmu_get(struct domain *d, mfn_t m, enum frame_type type)
{
    if (!frame_get(m, d))
        return -EINVAL;
    if (likely(count_validated(frame_of(m), type, 1)))
        return 0;
    int rc = mmu_get_type(d, m, type);
    if (rc != 0)
        frame_put(m);
    return rc;
}

void mmu_put(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);
    if (!count_validated(f, frame_type_of(READ_ONCE(f->type)), -1))
        mmu_put_type(d, m);
    frame_put(m);
}

int frame_claim_writable(mfn_t m)
{
    struct frame *f = frame_of(m);
    u64 before;
    int rc = type_claim(f, FT_WRITABLE, &before);
    if (rc != 0)
        return rc;
    if (frame_type_of(before) == FT_WRITABLE) {
        // Without mmu_lock, another CPU may be between its claim and the end of its flush.
        while (READ_ONCE(f->type) & FT_FLUSHING)
            spin_wait();
    } else if (frame_type_of(before) != FT_NONE) {
        // It was a table: no CPU may walk through it any more once it can be written.
        struct domain *d = domain_by_owner(f->owner);
        if (d)
            tlb_flush_since(&d->dirty, let_go_at(f));
        type_set(f, 0, FT_FLUSHING);
    }
    return 0;
}

// --- changing entries ---

// Exchanges an entry that the hardware may be setting A and D in. Returns what was there.
static u64 exchange_entry(u64 *p, u64 val, bool preserve_ad)
{
    u64 old = READ_ONCE(*p), new;
    do {
        new = preserve_ad ? val | (old & (PTE_A | PTE_D)) : val;
    } while (!__atomic_compare_exchange_n(p, &old, new, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    return old;
}

// True when going from old to new needs no counting: same frame, same rights to it.
static bool same_use(enum frame_type type, u64 old, u64 new)
{
    u64 counted = type == FT_L1 ? PTE_P | PTE_W : PTE_P;
    u64 allowed = (type == FT_L1 ? LEAF_FLAGS : TABLE_FLAGS) | PTE_ADDR;
    return !((old ^ new) & (PTE_ADDR | counted)) && !(new & ~allowed) && (new &PTE_P);
}

// True when old and new map the same RAM frame and differ in the right to write (mprotect): only
// the use as writable changes hands, the reference stays.
static inline bool only_write_differs(u64 old, u64 new)
{
    u64 mfn_bits = PTE_ADDR | PTE_P | PTE_W;
    return ((old ^ new) & mfn_bits) == PTE_W && (new &PTE_P) && !(new & ~(LEAF_FLAGS | PTE_ADDR)) &&
           !is_io(pte_mfn(new));
}

// Somebody else's frame, mapped read-only by a grant, does not become writable that way.
static inline bool may_change_write(const struct domain *fd, u64 val)
{
    return !(val & PTE_W) || frame_of(pte_mfn(val))->owner == frame_owner_id(fd);
}

static int change_write(const struct domain *d, u64 *p, u64 val, bool preserve_ad)
{
    int rc = val & PTE_W ? frame_get_writable(pte_mfn(val)) : 0;
    if (rc != 0)
        return rc;
    exchange_entry(p, adjust_for(FT_L1, val), preserve_ad);
    if (!(val & PTE_W))
        put_writable(d, pte_mfn(val));
    return 0;
}

static int write_entry(struct domain *d, struct domain *fd, struct frame *f, enum frame_type type,
                       u64 *p, u64 val, bool preserve_ad)
{
    mfn_t self = frame_mfn(f);
    u32 slot = (u32)(((u64)p & (PAGE_SIZE - 1)) / 8);
    if (hv_slot(type, slot))
        return -EINVAL;
    u64 old = READ_ONCE(*p);
    // A self-mapping may gain no rights: it goes through get_entry's checks every time.
    if (same_use(type, old, val) && !mfn_eq(pte_mfn(val), self)) {
        exchange_entry(p, adjust_for(type, val), preserve_ad);
        if (type == FT_L4)
            pv_roots_changed(d);
        return 0;
    }
    int rc = get_entry(d, fd, type, self, &val);
    if (rc != 0)
        return rc;
    old = exchange_entry(p, adjust_for(type, val), preserve_ad && (val & PTE_P));
    if (type == FT_L4)
        pv_roots_changed(d);
    put_entry(d, type, self, old);
    return 0;
}

// An entry of an L1 table that changes its frame. This and write_other are not inline, so that
// mmu_write does without registers that it would have to save.
static __attribute__((noinline)) int write_leaf(struct domain *d, struct domain *fd, u64 *p,
                                                u64 val, bool preserve_ad)
{
    int rc = 0;
    if (val & PTE_P)
        rc = get_leaf(fd, &val);
    else if (unlikely(names_ram(d, val)))
        rc = -EINVAL;
    if (rc != 0)
        return rc;
    u64 old = exchange_entry(p, adjust_for(FT_L1, val), preserve_ad && (val & PTE_P));
    if (old & PTE_P)
        put_leaf(d, old);
    return 0;
}

static int write_data(mfn_t m, u64 *p, u64 val)
{
    int rc = frame_get_writable(m);
    if (rc != 0)
        return rc;
    WRITE_ONCE(*p, val);
    frame_put_type(m);
    return 0;
}

// Is that an entry of a validated L1 table of d's?
static inline bool is_l1_entry(const struct domain *d, maddr_t where)
{
    mfn_t m = maddr_to_mfn(where);
    if (where.v % 8 || !mfn_valid(m))
        return false;
    const struct frame *f = frame_of(MFN(guest_index(m.v, frame_count)));
    u64 is = (u64)FT_L1 << FT_SHIFT | FT_VALIDATED, mask = (u64)7 << FT_SHIFT | FT_VALIDATED;
    return (READ_ONCE(f->type) & mask) == is && f->owner == frame_owner_id(d);
}

static __attribute__((noinline)) int write_other(struct domain *d, struct domain *fd, maddr_t where,
                                                 u64 val, bool preserve_ad)
{
    mfn_t m = maddr_to_mfn(where);
    if (!mfn_valid(m))
        return -EINVAL;
    struct frame *f = frame_of(MFN(guest_index(m.v, frame_count)));
    u64 word = READ_ONCE(f->type);
    enum frame_type type = frame_type_of(word);
    u64 *p = maddr_virt(where);
    // A validated table stays one while we hold the mmu lock: no reference is needed.
    if (is_table(type) && (word & FT_VALIDATED) && f->owner == frame_owner_id(d))
        return write_entry(d, fd, f, type, p, val, preserve_ad);
    if (!frame_get(m, d))
        return -EINVAL;
    int rc = write_data(m, p, val);
    frame_put(m);
    return rc;
}

// What mprotect and fork do by the thousand comes first: L1 entries that keep their frame.
int mmu_write(struct domain *d, struct domain *fd, maddr_t where, u64 val, bool preserve_ad)
{
    if (likely(is_l1_entry(d, where))) {
        u64 *p = maddr_virt(where), old = READ_ONCE(*p);
        if (only_write_differs(old, val) && may_change_write(fd, val))
            return change_write(d, p, val, preserve_ad);
        if (same_use(FT_L1, old, val)) {
            exchange_entry(p, adjust_for(FT_L1, val), preserve_ad);
            return 0;
        }
        return write_leaf(d, fd, p, val, preserve_ad);
    }
    return write_other(d, fd, where, val, preserve_ad);
}

int mmu_cmpxchg_l1(struct domain *d, maddr_t where, u64 *old, u64 val, bool *swapped)
{
    struct frame *f = frame_of(maddr_to_mfn(where));
    u64 *p = maddr_virt(where);
    u64 want = *old;
    bool same = same_use(FT_L1, want, val);
    *swapped = false;
    if ((f->type & FT_VALIDATED) == 0 || frame_type_of(f->type) != FT_L1 ||
        f->owner != frame_owner_id(d))
        return -EINVAL;
    int rc = same ? 0 : get_entry(d, d, FT_L1, frame_mfn(f), &val);
    if (rc != 0)
        return rc;
    *swapped = __atomic_compare_exchange_n(p, old, adjust_for(FT_L1, val), false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_RELAXED);
    if (!same)
        put_entry(d, FT_L1, frame_mfn(f), *swapped ? want : val);
    return 0;
}

// --- mappings of grants ---

int mmu_map_grant(struct domain *d, maddr_t where, u64 pte)
{
    if (!is_l1_entry(d, where) || (pte & PTE_W && frame_get_writable(pte_mfn(pte)) != 0))
        return -EINVAL;
    frame_hold(pte_mfn(pte));
    u64 old = __atomic_exchange_n((u64 *)maddr_virt(where), pte, __ATOMIC_ACQ_REL);
    if (unlikely(old & PTE_P))
        put_leaf(d, old);
    return 0;
}

int mmu_unmap_grant(struct domain *d, maddr_t where, u64 pte, maddr_t with)
{
    u64 use = PTE_ADDR | PTE_P | PTE_W, val = 0, *p = maddr_virt(where);
    if (!is_l1_entry(d, where) || (READ_ONCE(*p) ^ pte) & use)
        return -EINVAL;
    if (unlikely(with.v)) {
        if (with.v == where.v || !is_l1_entry(d, with))
            return -EINVAL;
        val = __atomic_exchange_n((u64 *)maddr_virt(with), 0, __ATOMIC_ACQ_REL); // and what it uses
    }
    __atomic_exchange_n(p, val, __ATOMIC_ACQ_REL);
    if (pte & PTE_W)
        frame_put_type(pte_mfn(pte)); // not the last one: the grant is in use still
    frame_put(pte_mfn(pte));
    return 0;
}

// The entry for va in the table that `table`, an entry above it, points to.
static inline u64 entry_in(u64 table, u64 va, u32 shift)
{
    const u64 *entries = maddr_virt(MADDR(table & PTE_ADDR));
    return READ_ONCE(entries[va >> shift & (ENTRIES - 1)]);
}

maddr_t mmu_l1_entry(struct vcpu *v, u64 va)
{
    mfn_t root = v->pv.kernel_mode ? v->pv.l4_kernel : v->pv.l4_user;
    u64 e = mfn_to_maddr(root).v;
    if (!guest_range_ok(align_down(va, PAGE_SIZE), 1) || mfn_eq(root, MFN_NONE))
        return MADDR(0);
    if (!((e = entry_in(e, va, 39)) & PTE_P) || !((e = entry_in(e, va, 30)) & PTE_P) ||
        !((e = entry_in(e, va, 21)) & PTE_P))
        return MADDR(0);
    return MADDR((e & PTE_ADDR) + (va >> PAGE_SHIFT & (ENTRIES - 1)) * 8);
}

// --- pinning ---

int mmu_pin(struct domain *d, mfn_t m, enum frame_type type)
{
    if (READ_ONCE(d->state) == DOMAIN_DYING)
        return -EINVAL; // nobody would unpin it
    int rc = mmu_get(d, m, type);
    if (rc != 0)
        return rc;
    const struct frame *f = frame_of(m);
    // Whoever takes it from the domain forgets its pin after that (mmu_forget).
    if (READ_ONCE(f->type) & FT_PINNED || !(READ_ONCE(f->count) & FRAME_ALLOCATED)) {
        mmu_put(d, m);
        return -EINVAL;
    }
    type_set(frame_of(m), FT_PINNED, 0);
    return 0;
}

void mmu_forget(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);
    spin_lock(&d->mmu_lock);
    u64 word = READ_ONCE(f->type);
    if (word & FT_PINNED) {
        type_set(f, 0, FT_PINNED);
        mmu_put(d, m);
    } else if (word & FT_HELD && !(word & FT_COUNT)) {
        abandon(d, f, frame_type_of(word));
        unhold(f);
    }
    (void)!mmu_drain(d); // what takes long is left for others
    spin_unlock(&d->mmu_lock);
}

int mmu_unpin(struct domain *d, mfn_t m)
{
    if (!frame_get(m, d))
        return -EINVAL;
    int rc = -EINVAL;
    if (READ_ONCE(frame_of(m)->type) & FT_PINNED) {
        type_set(frame_of(m), 0, FT_PINNED);
        mmu_put(d, m);
        rc = 0;
    }
    frame_put(m);
    return rc;
}
