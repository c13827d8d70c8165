// SPDX-License-Identifier: MIT
// Mappings of grants: the handles that a domain holds of others' grants, and the L1 entries made
// for them.
//
// 1. A handle is one use of an entry (dom/grant.h), ended when neither its L1 entry nor its bus
//    address is left.
// 2. While it is BUSY a handle is made or undone by one vCPU, and to others it doesn't exist. No
//    preemption point lies between.
// 3. A mapping is undone only where the L1 entry still shows the frame with the rights of the
//    handle. So there are never more writable entries for a frame than writable handles, which is
//    what GTF_writing tells the granting domain, although a handle does not know its entry.
#include "abi/errno.h"
#include "dom/domain.h"
#include "dom/grant.h"
#include "hc/continue.h"
#include "lib/printk.h"
#include "mm/heap.h"
#include "mm/tlb.h"
#include "pv/mmu.h"

enum { PARTS = GRANT_MAP_HOST | GRANT_MAP_DEVICE, RELEASE_STEP = 32 };

// --- handles ---

static struct grant_map *map_at(const struct grant_table *t, u32 handle)
{
    return &t->map[handle / GRANT_MAPS][handle % GRANT_MAPS];
}

// Under the lock: one more page of free handles.
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

// A handle that is busy until map_publish; NULL: there is none left.
static struct grant_map *map_take(struct grant_table *t, struct domain *granter, u32 ref, u32 flags,
                                  u32 *handle)
{
    struct grant_map *m = NULL;
    spin_lock(&t->map_lock);
    if (t->map_free || more_maps(t)) {
        *handle = t->map_free - 1;
        m = map_at(t, *handle);
        t->map_free = m->ref;
        *m = (struct grant_map){granter, ref, flags | GRANT_MAP_BUSY};
    }
    spin_unlock(&t->map_lock);
    return m;
}

static void map_publish(struct grant_map *m, u32 flags)
{
    __atomic_store_n(&m->flags, flags, __ATOMIC_RELEASE); // pairs with map_claim
}

static void map_give_back(struct grant_table *t, struct grant_map *m, u32 handle)
{
    spin_lock(&t->map_lock);
    *m = (struct grant_map){.ref = t->map_free};
    t->map_free = handle + 1;
    spin_unlock(&t->map_lock);
}

// Makes a handle of the guest's busy; NULL: it is none, or busy.
static struct grant_map *map_claim(struct grant_table *t, u32 handle)
{
    struct grant_map *m = NULL;
    spin_lock(&t->map_lock);
    if (handle < t->map_pages * GRANT_MAPS) {
        m = map_at(t, (u32)guest_index(handle, t->map_pages * GRANT_MAPS));
        u32 flags = __atomic_load_n(&m->flags, __ATOMIC_ACQUIRE); // pairs with map_publish
        if (!m->dom || flags & GRANT_MAP_BUSY)
            m = NULL;
        else
            m->flags = flags | GRANT_MAP_BUSY;
    }
    spin_unlock(&t->map_lock);
    return m;
}

static bool writes(const struct grant_map *m)
{
    return !(m->flags & GRANT_MAP_READONLY);
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

static s16 enter(struct vcpu *cur, struct domain *granter, mfn_t m, u64 host_addr, u32 flags)
{
    struct domain *d = cur->dom;
    spin_lock(&d->mmu_lock);
    int rc = mmu_map_grant(d, granter, entry_for(cur, host_addr, flags), pte_for(m, flags));
    spin_unlock(&d->mmu_lock);
    return rc ? GNTST_general_error : GNTST_okay;
}

// `replace`: a linear address whose entry moves here, or 0.
static s16 leave(struct vcpu *cur, mfn_t m, u64 host_addr, u32 flags, u64 replace)
{
    struct domain *d = cur->dom;
    if (replace && flags & GRANT_MAP_PTE)
        return GNTST_general_error; // seen on the oracle (tests/guest/grant_replace)
    spin_lock(&d->mmu_lock);
    maddr_t with = replace ? mmu_l1_entry(cur, replace) : MADDR(0);
    int rc = replace && !with.v
                 ? -EINVAL
                 : mmu_unmap_grant(d, entry_for(cur, host_addr, flags), pte_for(m, flags), with);
    spin_unlock(&d->mmu_lock);
    return rc ? GNTST_general_error : GNTST_okay;
}

// --- mapping ---

s16 grant_map(struct vcpu *cur, struct domain *granter, struct gnttab_map_grant_ref *op)
{
    struct domain *d = cur->dom;
    u32 keep = op->flags & (PARTS | GRANT_MAP_READONLY | GRANT_MAP_PTE), handle = 0;
    bool write = !(op->flags & GNTMAP_readonly);
    mfn_t frame = MFN_NONE;
    if (!(keep & PARTS))
        return GNTST_bad_gntref;
    struct grant_map *m = map_take(d->grant, granter, op->ref, keep, &handle);
    if (!m)
        return GNTST_no_space;
    s16 status = grant_use_begin(granter, d->id, op->ref, write, &frame, NULL);
    if (status == GNTST_okay && keep & GRANT_MAP_HOST) {
        status = enter(cur, granter, frame, op->host_addr, op->flags);
        if (status != GNTST_okay)
            grant_use_end(granter, op->ref, write);
    }
    if (status != GNTST_okay) {
        map_give_back(d->grant, m, handle);
        return status;
    }
    domain_hold(granter);
    map_publish(m, keep);
    op->handle = handle;
    op->dev_bus_addr = mfn_to_maddr(frame).v;
    return GNTST_okay;
}

// The frame of an entry that our handle keeps in use.
static mfn_t frame_used(const struct grant_map *m)
{
    return MFN(m->dom->grant->use[m->ref / GRANT_USES][m->ref % GRANT_USES].frame);
}

s16 grant_unmap_begin(struct vcpu *cur, u64 host_addr, u64 bus_addr, u32 handle, u64 replace,
                      struct grant_unmap *u)
{
    struct grant_map *m = map_claim(cur->dom->grant, handle);
    *u = (struct grant_unmap){m, handle, 0};
    if (!m)
        return GNTST_bad_handle;
    u32 parts =
        (host_addr ? m->flags & GRANT_MAP_HOST : 0) | (bus_addr ? m->flags & GRANT_MAP_DEVICE : 0);
    mfn_t frame = frame_used(m);
    if (parts & GRANT_MAP_DEVICE && bus_addr != mfn_to_maddr(frame).v)
        return GNTST_bad_dev_addr;
    s16 status = GNTST_okay;
    if (parts & GRANT_MAP_HOST)
        status = leave(cur, frame, host_addr, m->flags, replace);
    if (status == GNTST_okay)
        u->parts = parts;
    return status;
}

void grant_unmap_end(struct domain *d, const struct grant_unmap *u)
{
    struct grant_map *m = u->map;
    if (!m)
        return;
    u32 left = m->flags & ~(u->parts | GRANT_MAP_BUSY);
    if (left & PARTS) {
        map_publish(m, left);
        return;
    }
    struct domain *granter = m->dom;
    grant_use_end(granter, m->ref, writes(m));
    map_give_back(d->grant, m, u->handle);
    domain_put(granter);
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
        struct grant_unmap u = {map_at(t, handle), handle, PARTS};
        if (u.map->dom)
            grant_unmap_end(d, &u);
        if (t->release_next % RELEASE_STEP == 0 && preempt_wanted())
            return -ERESTART_HC;
    }
    return 0;
}
