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

// Under the lock. A handle that is busy until map_publish; NULL: there is none left.
static struct grant_map *map_take(struct grant_table *t, struct domain *granter, u32 ref, u32 flags,
                                  u32 *handle)
{
    if (!t->map_free && !more_maps(t))
        return NULL;
    *handle = t->map_free - 1;
    struct grant_map *m = map_at(t, *handle);
    t->map_free = m->ref;
    *m = (struct grant_map){granter, ref, flags | GRANT_MAP_BUSY};
    return m;
}

static void map_publish(struct grant_map *m, u32 flags)
{
    __atomic_store_n(&m->flags, flags, __ATOMIC_RELEASE); // pairs with map_claim
}

// Under the lock.
static void map_give_back(struct grant_table *t, struct grant_map *m, u32 handle)
{
    *m = (struct grant_map){.ref = t->map_free};
    t->map_free = handle + 1;
}

// Under the lock: makes a handle of the guest's busy; NULL: it is none, or busy.
static struct grant_map *map_claim(struct grant_table *t, u32 handle)
{
    if (handle >= t->map_pages * GRANT_MAPS)
        return NULL;
    struct grant_map *m = map_at(t, (u32)guest_index(handle, t->map_pages * GRANT_MAPS));
    u32 flags = __atomic_load_n(&m->flags, __ATOMIC_ACQUIRE); // pairs with map_publish
    if (!m->dom || flags & GRANT_MAP_BUSY)
        return NULL;
    m->flags = flags | GRANT_MAP_BUSY;
    return m;
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

// Mappings on their way.
struct making {
    struct grant_map *map[GRANT_BATCH];
    u32 handle[GRANT_BATCH];
    struct grant_access a[GRANT_BATCH];
};

// Returns how many handles there were.
static u32 take_handles(struct grant_table *t, struct domain *granter,
                        const struct gnttab_map_grant_ref *ops, struct making *x, u32 count)
{
    u32 n;
    spin_lock(&t->map_lock);
    for (n = 0; n < count; n++) {
        x->a[n].ref = ops[n].ref;
        x->map[n] = map_take(t, granter, ops[n].ref, ops->flags & KEPT, &x->handle[n]);
        if (unlikely(!x->map[n]))
            break;
    }
    spin_unlock(&t->map_lock);
    return n;
}

// Makes the L1 entries. Bit n of the result: the n-th could not be made.
static u32 enter(struct vcpu *cur, const struct gnttab_map_grant_ref *ops, const struct making *x,
                 u32 count)
{
    u32 refused = 0, flags = ops->flags;
    spin_lock(&cur->dom->mmu_lock);
    for (u32 i = 0; i < count; i++)
        if (x->a[i].status == GNTST_okay &&
            mmu_map_grant(cur->dom, entry_for(cur, ops[i].host_addr, flags),
                          pte_for(x->a[i].frame, flags)) != 0)
            refused |= 1u << i;
    spin_unlock(&cur->dom->mmu_lock);
    return refused;
}

static void end_refused(struct domain *granter, struct making *x, bool write, u32 refused)
{
    spin_lock(&granter->grant->lock);
    for (u32 i = 0; i < GRANT_BATCH; i++) {
        if (!(refused & 1u << i))
            continue;
        grant_use_end(granter, x->a[i].ref, write);
        x->a[i].status = GNTST_general_error;
    }
    spin_unlock(&granter->grant->lock);
}

static void give_back(struct grant_table *t, struct grant_map *m, u32 handle)
{
    spin_lock(&t->map_lock);
    map_give_back(t, m, handle);
    spin_unlock(&t->map_lock);
}

void grant_map(struct vcpu *cur, struct domain *granter, struct gnttab_map_grant_ref *ops,
               u32 count)
{
    struct domain *d = cur->dom;
    struct making x;
    u32 flags = ops->flags, i, n = 0, refused = 0;
    bool write = !(flags & GNTMAP_readonly);
    if (likely(flags & PARTS)) {
        n = take_handles(d->grant, granter, ops, &x, count);
        grant_uses_begin(granter, d->id, write, true, x.a, n);
    }
    if (flags & GRANT_MAP_HOST)
        refused = enter(cur, ops, &x, n);
    if (unlikely(refused))
        end_refused(granter, &x, write, refused);
    for (i = 0; i < n; i++) {
        ops[i].status = x.a[i].status;
        if (unlikely(ops[i].status != GNTST_okay)) {
            give_back(d->grant, x.map[i], x.handle[i]);
            continue;
        }
        domain_hold(granter);
        ops[i].handle = x.handle[i];
        ops[i].dev_bus_addr = mfn_to_maddr(x.a[i].frame).v;
        map_publish(x.map[i], flags & KEPT);
    }
    for (; i < count; i++)
        ops[i].status = flags & PARTS ? GNTST_no_space : GNTST_bad_gntref;
}

// --- unmapping ---

// The frame of an entry that our handle keeps in use.
static mfn_t frame_used(const struct grant_map *m)
{
    return MFN(m->dom->grant->use[m->ref / GRANT_USES][m->ref % GRANT_USES].frame);
}

static void claim(struct grant_table *t, struct grant_unmap *u, u32 count)
{
    spin_lock(&t->map_lock);
    for (u32 i = 0; i < count; i++)
        u[i].map = map_claim(t, u[i].handle);
    spin_unlock(&t->map_lock);
}

// Under mmu_lock: the L1 entry.
static int leave_entry(struct vcpu *cur, const struct grant_unmap *u, mfn_t frame)
{
    u32 flags = u->map->flags;
    maddr_t with = MADDR(0);
    if (u->replace && flags & GRANT_MAP_PTE)
        return -EINVAL; // seen on the oracle (tests/guest/grant_replace)
    if (u->replace && !(with = mmu_l1_entry(cur, u->replace)).v)
        return -EINVAL;
    return mmu_unmap_grant(cur->dom, entry_for(cur, u->host_addr, flags), pte_for(frame, flags),
                           with);
}

// Under mmu_lock: out of the tables. Sets parts.
static s16 leave(struct vcpu *cur, struct grant_unmap *u)
{
    u->parts = 0;
    if (!u->map)
        return GNTST_bad_handle;
    u32 flags = u->map->flags, parts = (u->host_addr ? flags & GRANT_MAP_HOST : 0) |
                                       (u->bus_addr ? flags & GRANT_MAP_DEVICE : 0);
    mfn_t frame = frame_used(u->map);
    if (parts & GRANT_MAP_DEVICE && u->bus_addr != mfn_to_maddr(frame).v)
        return GNTST_bad_dev_addr;
    if (parts & GRANT_MAP_HOST && leave_entry(cur, u, frame) != 0)
        return GNTST_general_error;
    u->parts = parts;
    return GNTST_okay;
}

// Ends the use of a mapping of which nothing is left; of others u->map is NULL afterwards.
// `locked` is the domain whose table is locked, or NULL; returns which is then.
static struct domain *end_use(struct grant_unmap *u, struct domain *locked)
{
    struct grant_map *m = u->map;
    if (!m)
        return locked;
    u32 left = m->flags & ~(u->parts | GRANT_MAP_BUSY);
    if (left & PARTS) {
        u->map = NULL;
        map_publish(m, left);
        return locked;
    }
    if (locked != m->dom) {
        if (locked)
            spin_unlock(&locked->grant->lock);
        spin_lock(&m->dom->grant->lock);
    }
    grant_use_end(m->dom, m->ref, !(m->flags & GRANT_MAP_READONLY));
    return m->dom;
}

// After the flush. The references on the granting domains go last, when no table is locked.
static void end_all(struct domain *d, struct grant_unmap *u, u32 count)
{
    struct domain *locked = NULL;
    for (u32 i = 0; i < count; i++)
        locked = end_use(&u[i], locked);
    if (!locked)
        return;
    spin_unlock(&locked->grant->lock);
    spin_lock(&d->grant->map_lock);
    for (u32 i = 0; i < count; i++) {
        if (!u[i].map)
            continue;
        struct domain *granter = u[i].map->dom;
        map_give_back(d->grant, u[i].map, u[i].handle);
        domain_put(granter);
    }
    spin_unlock(&d->grant->map_lock);
}

void grant_unmap(struct vcpu *cur, struct grant_unmap *u, u32 count)
{
    struct domain *d = cur->dom;
    u32 parts = 0;
    claim(d->grant, u, count);
    spin_lock(&d->mmu_lock);
    for (u32 i = 0; i < count; i++) {
        u[i].status = leave(cur, &u[i]);
        parts |= u[i].parts;
    }
    spin_unlock(&d->mmu_lock);
    if (parts & GRANT_MAP_HOST)
        tlb_flush_mask(&d->dirty);
    end_all(d, u, count);
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
        struct grant_unmap u = {.map = map_at(t, handle), .handle = handle, .parts = PARTS};
        if (u.map->dom)
            end_all(d, &u, 1);
        if (t->release_next % RELEASE_STEP == 0 && preempt_wanted())
            return -ERESTART_HC;
    }
    return 0;
}
