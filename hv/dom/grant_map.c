// SPDX-License-Identifier: MIT
// Mappings of grants: the handles that a domain holds of others' grants, and the L1 entries made
// for them.
//
// 1. A handle is one use of an entry (dom/grant.h), ended when neither its L1 entry nor its bus
//    address is left.
// 2. A handle is free when its last part is out of the tables; the use ends after the flush. No
//    preemption point lies between.
// 3. A mapping is undone only where the L1 entry still shows the frame with the rights of the
//    handle. So there are never more writable entries for a frame than writable handles, which is
//    what GTF_writing tells the granting domain, although a handle does not know its entry.
#include "abi/errno.h"
#include "dom/domain.h"
#include "dom/grant.h"
#include "hc/continue.h"
#include "mm/heap.h"
#include "mm/tlb.h"
#include "pv/mmu.h"

enum {
    PARTS = GRANT_MAP_HOST | GRANT_MAP_DEVICE,
    KEPT = PARTS | GRANT_MAP_READONLY | GRANT_MAP_PTE, // of a mapping's flags, by its handle
    RELEASE_STEP = 32
};

// --- handles ---

static struct grant_map *map_at(const struct grant_table *t, u32 handle)
{
    return &t->map[handle / GRANT_MAPS][handle % GRANT_MAPS];
}

// Under mmu_lock: one more page of free handles.
static bool more_maps(struct grant_table *t)
{
    if (t->map_pages == t->maptrack_frames_max)
        return false;
    struct grant_map **map =
        t->map ? t->map : heap_alloc(t->maptrack_frames_max * sizeof(struct grant_map *));
    struct grant_map *page = map ? heap_alloc(PAGE_SIZE) : NULL;
    if (!page) {
        if (!t->map)
            heap_free(map);
        return false;
    }
    t->map = map;
    u32 first = t->map_pages * GRANT_MAPS;
    for (u32 i = 0; i < GRANT_MAPS; i++)
        page[i].ref = i + 1 < GRANT_MAPS ? first + i + 2 : 0;
    t->map[t->map_pages++] = page;
    t->map_free = first + 1;
    return true;
}

// Under mmu_lock: a handle of the guest's; NULL: it is none.
static struct grant_map *map_find(const struct grant_table *t, u32 handle)
{
    u32 end = t->map_pages * GRANT_MAPS;
    struct grant_map *m = handle < end ? map_at(t, (u32)guest_index(handle, end)) : NULL;
    return m && m->dom ? m : NULL;
}

// Under mmu_lock. Returns what the handle stood for, whose use is to be ended.
static inline struct grant_map map_free(struct grant_table *t, struct grant_map *m, u32 handle)
{
    struct grant_map was = *m;
    *m = (struct grant_map){.ref = t->map_free};
    t->map_free = handle + 1;
    return was;
}

// --- entries of page tables ---

// Under mmu_lock. The address is the guest's word: pv/mmu.c checks what is there.
static maddr_t entry_for(struct vcpu *cur, u64 host_addr, u32 flags)
{
    return flags & GRANT_MAP_PTE ? MADDR(host_addr) : mmu_l1_entry(cur, host_addr);
}

static u64 pte_for(mfn_t m, u32 flags)
{
    u64 pte = mfn_to_maddr(m).v | PTE_P | PTE_U | PTE_A | PTE_D | PTE_NX;
    u64 avail = (flags & GNTMAP_guest_avail_mask) >> _GNTMAP_guest_avail0 << 9 & 0xe00;
    return pte | avail | (flags & GNTMAP_readonly ? 0 : PTE_W);
}

// --- mapping ---

// Under the granter's lock and mmu_lock.
static inline s16 map_one(struct vcpu *cur, struct domain *granter, struct gnttab_map_grant_ref *op)
{
    struct grant_table *t = cur->dom->grant;
    u32 flags = op->flags;
    bool write = !(flags & GNTMAP_readonly);
    mfn_t frame;
    if (!(flags & PARTS))
        return GNTST_bad_gntref;
    if (!t->map_free && !more_maps(t))
        return GNTST_no_space;
    s16 status = grant_use_begin(granter, cur->dom->id, write, op->ref, &frame);
    if (unlikely(status != GNTST_okay))
        return status;
    if (flags & GRANT_MAP_HOST &&
        mmu_map_grant(cur->dom, entry_for(cur, op->host_addr, flags), pte_for(frame, flags)) != 0) {
        grant_use_end(granter, op->ref, write);
        return GNTST_general_error;
    }
    domain_hold(granter);
    op->dev_bus_addr = mfn_to_maddr(frame).v;
    op->handle = t->map_free - 1;
    struct grant_map *m = map_at(t, op->handle);
    t->map_free = m->ref;
    *m = (struct grant_map){granter, op->ref, flags & KEPT};
    return GNTST_okay;
}

// Neighbours of one granting domain go together.
void grant_map(struct vcpu *cur, struct gnttab_map_grant_ref *op, u32 count)
{
    struct gnttab_map_grant_ref *all = op + count;
    while (op < all) {
        domid_t id = op->dom;
        struct domain *granter = id == DOMID_SELF ? NULL : domain_get(DOM_ID(id), cur->dom);
        if (unlikely(!granter)) {
            (op++)->status = GNTST_bad_domain;
            continue;
        }
        spin_lock(&granter->grant->lock);
        spin_lock(&cur->dom->mmu_lock);
        do
            op->status = map_one(cur, granter, op);
        while (++op < all && op->dom == id);
        spin_unlock(&cur->dom->mmu_lock);
        spin_unlock(&granter->grant->lock);
        domain_put(granter);
    }
}

// --- unmapping ---

// The frame of an entry that our handle keeps in use.
static mfn_t frame_used(const struct grant_map *m)
{
    return MFN(m->dom->grant->use[m->ref / GRANT_USES][m->ref % GRANT_USES].frame);
}

// Under mmu_lock: the L1 entry goes, or that of `with` comes in its place.
static inline int leave_entry(struct vcpu *cur, u64 host_addr, u64 with, u32 flags, mfn_t frame)
{
    maddr_t from = MADDR(0);
    if (unlikely(with)) {
        from = mmu_l1_entry(cur, with);
        if (flags & GRANT_MAP_PTE || !from.v) // the one: as on the oracle (guest/grant_replace)
            return -EINVAL;
    }
    return mmu_unmap_grant(cur->dom, entry_for(cur, host_addr, flags), pte_for(frame, flags), from);
}

// Under mmu_lock: out of the tables. Adds to `gone_parts` what went; `gone` is the handle, if no
// part of it is left.
static inline s16 leave(struct vcpu *cur, const struct gnttab_unmap_grant_ref *op, bool replace,
                        struct grant_map *gone, u32 *gone_parts)
{
    struct grant_table *t = cur->dom->grant;
    struct grant_map *m = map_find(t, op->handle);
    gone->dom = NULL;
    if (!m)
        return GNTST_bad_handle;
    u64 bus = replace ? 0 : op->dev_bus_addr, with = replace ? op->dev_bus_addr : 0;
    u32 flags = m->flags, parts = (op->host_addr ? flags & GRANT_MAP_HOST : 0) |
                                  (unlikely(bus) ? flags & GRANT_MAP_DEVICE : 0);
    mfn_t frame = frame_used(m);
    if (unlikely(parts & GRANT_MAP_DEVICE) && bus != mfn_to_maddr(frame).v)
        return GNTST_bad_dev_addr;
    if (parts & GRANT_MAP_HOST && leave_entry(cur, op->host_addr, with, flags, frame) != 0)
        return GNTST_general_error;
    *gone_parts |= parts;
    m->flags = flags & ~parts;
    if (!(m->flags & PARTS))
        *gone = map_free(t, m, op->handle);
    return GNTST_okay;
}

static void end(const struct grant_map *gone)
{
    spin_lock(&gone->dom->grant->lock);
    grant_use_end(gone->dom, gone->ref, !(gone->flags & GRANT_MAP_READONLY));
    spin_unlock(&gone->dom->grant->lock);
    domain_put(gone->dom);
}

// Flushes for a bus address, too: another vCPU may have taken the L1 entry and not flushed yet.
void grant_unmap(struct vcpu *cur, struct gnttab_unmap_grant_ref *ops, u32 count, bool replace)
{
    struct domain *d = cur->dom;
    struct grant_map gone[GRANT_BATCH];
    u32 parts = 0;
    spin_lock(&d->mmu_lock);
    for (u32 i = 0; i < count; i++)
        ops[i].status = leave(cur, &ops[i], replace, &gone[i], &parts);
    spin_unlock(&d->mmu_lock);
    if (parts)
        tlb_flush_mask(&d->dirty);
    for (u32 i = 0; i < count; i++)
        if (gone[i].dom)
            end(&gone[i]);
}

// --- the end of the mapping domain ---

int grant_release(struct domain *d)
{
    struct grant_table *t = d->grant;
    if (!t)
        return 0;
    if (t->release_next == 0)
        tlb_flush_mask(&d->dirty);
    while (t->release_next < t->map_pages * GRANT_MAPS) {
        u32 handle = t->release_next++;
        struct grant_map *m = map_at(t, handle);
        if (m->dom) {
            struct grant_map gone = map_free(t, m, handle);
            end(&gone);
        }
        if (t->release_next % RELEASE_STEP == 0 && preempt_wanted())
            return -ERESTART_HC;
    }
    return 0;
}
