// SPDX-License-Identifier: MIT
// PIRQs (io/pirq.h).
#include "io/pirq.h"
#include "abi/errno.h"
#include "cpu/irq.h"
#include "hc/guest_access.h"
#include "io/ioapic.h"
#include "mm/heap.h"

spinlock_t physdev_lock = SPINLOCK_INIT(LOCK_PHYSDEV);

// ---- The table ----

// The PIRQ with that number if it was ever used, or NULL. Any context.
static struct pirq *find(struct domain *d, u32 number)
{
    struct pirq_table *t = __atomic_load_n(&d->pirqs, __ATOMIC_ACQUIRE); // pairs with get_table
    if (!t || number >= EVTCHN_PIRQ_END)
        return NULL;
    struct pirq **list = __atomic_load_n(&t->pirq, __ATOMIC_ACQUIRE); // pairs with get
    if (!list)
        return NULL;
    return __atomic_load_n(&list[guest_index(number, EVTCHN_PIRQ_END)], __ATOMIC_ACQUIRE);
}

// [P]
static struct pirq_table *get_table(struct domain *d)
{
    if (!d->pirqs) {
        struct pirq_table *t = heap_new(struct pirq_table);
        __atomic_store_n(&d->pirqs, t, __ATOMIC_RELEASE);
    }
    return d->pirqs;
}

static struct pirq *new_pirq(struct domain *d, u32 number)
{
    struct pirq *p = heap_new(struct pirq);
    if (p) {
        spin_lock_init(&p->lock, LOCK_PIRQ);
        p->dom = d;
        p->number = number;
    }
    return p;
}

// The PIRQ, made if needed; NULL: no memory. `number` is below EVTCHN_PIRQ_END. [P]
static struct pirq *get(struct domain *d, u32 number)
{
    struct pirq_table *t = get_table(d);
    if (!t)
        return NULL;
    if (!t->pirq)
        __atomic_store_n(&t->pirq, heap_alloc(EVTCHN_PIRQ_END * sizeof(struct pirq *)),
                         __ATOMIC_RELEASE);
    if (!t->pirq)
        return NULL;
    if (!t->pirq[number])
        __atomic_store_n(&t->pirq[number], new_pirq(d, number), __ATOMIC_RELEASE);
    return t->pirq[number];
}

static enum pirq_kind kind_of(struct domain *d, u32 number)
{
    const struct pirq *p = find(d, number);
    return p ? (enum pirq_kind)p->kind : PIRQ_FREE;
}

static bool block_free(struct domain *d, u32 first, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        if (kind_of(d, first + i) != PIRQ_FREE)
            return false;
    }
    return true;
}

// Numbers that can be GSIs are given away for other things only when all others are taken.
static int find_high(struct domain *d, u32 count)
{
    for (u32 first = EVTCHN_PIRQ_END - count; first > 0; first--) {
        if (block_free(d, first, count))
            return (int)first;
    }
    return -ENOSPC;
}

// ---- The interrupt ----

// The guest's page may be written by the guest at any time: only it depends on its contents.
static void eoi_map_set(struct pirq *p, bool needs_eoi)
{
    u64 *map = __atomic_load_n(&p->dom->pirqs->eoi_map, __ATOMIC_ACQUIRE); // pairs with set_eoi_map
    u64 bit = (u64)1 << p->number % 64;
    if (!map)
        return;
    if (needs_eoi)
        __atomic_fetch_or(&map[p->number / 64], bit, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&map[p->number / 64], ~bit, __ATOMIC_SEQ_CST);
}

// The interrupt's handler. Nothing is left masked for a port that is not bound any more.
static bool raise(void *arg)
{
    struct pirq *p = arg;
    spin_lock(&p->lock);
    bool wait = p->bound && p->irq && READ_ONCE(p->irq->level);
    p->eoi_pending |= wait;
    spin_unlock(&p->lock);
    evtchn_send_pirq(p->dom, p->number);
    return !wait;
}

int pirq_bind(struct vcpu *v, u32 pirq, bool share)
{
    struct pirq *p = find(v->dom, pirq);
    if (!p)
        return -EPERM;
    spin_lock(&p->lock);
    int ret = p->irq ? 0 : READ_ONCE(p->kind) == PIRQ_OWN ? -EBUSY : -EPERM;
    if (!ret) {
        p->bound = true;
        p->eoi_pending = false;
        irq_route(p->irq, READ_ONCE(v->cpu));
        irq_enable(p->irq);
        eoi_map_set(p, READ_ONCE(p->irq->level));
    }
    spin_unlock(&p->lock);
    return ret;
}

// Under p->lock.
static void quiesce(struct pirq *p)
{
    p->bound = false;
    p->eoi_pending = false;
    if (p->irq) {
        irq_disable(p->irq);
        eoi_map_set(p, false);
    }
}

void pirq_unbind(struct domain *d, u32 pirq)
{
    struct pirq *p = find(d, pirq);
    if (!p)
        return;
    spin_lock(&p->lock);
    quiesce(p);
    spin_unlock(&p->lock);
}

void pirq_set_affinity(struct domain *d, u32 pirq, struct vcpu *v)
{
    struct pirq *p = find(d, pirq);
    if (!p)
        return;
    spin_lock(&p->lock);
    if (p->irq)
        irq_route(p->irq, READ_ONCE(v->cpu));
    spin_unlock(&p->lock);
}

int pirq_eoi(struct domain *d, u32 pirq)
{
    struct pirq *p = find(d, pirq);
    if (!p)
        return -EINVAL;
    spin_lock(&p->lock);
    bool mapped = p->irq || READ_ONCE(p->kind) == PIRQ_OWN;
    if (p->eoi_pending) {
        p->eoi_pending = false;
        irq_eoi(p->irq);
    }
    spin_unlock(&p->lock);
    port_t port = evtchn_pirq_port(d, pirq);
    if (port.v && d->pirqs->eoi_unmasks)
        return evtchn_unmask(d, port);
    return mapped || port.v ? 0 : -EINVAL;
}

static void eoi_map_fill(struct domain *d)
{
    for (u32 i = 0; i < EVTCHN_PIRQ_END; i++) {
        struct pirq *p = find(d, i);
        if (!p)
            continue;
        spin_lock(&p->lock);
        eoi_map_set(p, p->bound && READ_ONCE(p->irq->level));
        spin_unlock(&p->lock);
    }
}

int pirq_set_eoi_map(struct domain *d, gfn_t gfn, bool eoi_unmasks)
{
    mfn_t mfn;
    int ret = 0;
    void *map = domain_map_guest_frame(d, gfn, &mfn);
    if (!map)
        return -EINVAL;
    spin_lock(&physdev_lock);
    struct pirq_table *t = get_table(d);
    if (!t)
        ret = -ENOMEM;
    else if (t->eoi_map)
        ret = -EBUSY;
    if (!ret) {
        t->eoi_unmasks = eoi_unmasks;
        __atomic_store_n(&t->eoi_map, map, __ATOMIC_RELEASE); // pairs with eoi_map_set
        eoi_map_fill(d);
    }
    spin_unlock(&physdev_lock);
    if (ret)
        domain_unmap_guest_frame(d, map);
    return ret;
}

// ---- Mapping ----

// The number a caller wants, or one for `count` PIRQs, of which `preferred` would be the best. [P]
static int choose(struct domain *d, int wanted, u32 preferred, u32 count)
{
    if (wanted < 0 && preferred < EVTCHN_PIRQ_END && kind_of(d, preferred) == PIRQ_FREE)
        return (int)preferred;
    if (wanted < 0)
        return find_high(d, count);
    if ((u32)wanted >= EVTCHN_PIRQ_END || (u32)wanted + count > EVTCHN_PIRQ_END)
        return -EINVAL;
    for (u32 i = 0; i < count; i++) {
        if (kind_of(d, (u32)wanted + i) > PIRQ_RESERVED)
            return -EEXIST;
    }
    return wanted;
}

// Gives the PIRQ its interrupt, or NULL if that is the hypervisor's own; cannot fail.
static void attach(struct pirq *p, enum pirq_kind kind, struct irq *irq)
{
    spin_lock(&p->lock);
    p->kind = (u8)kind;
    p->irq = irq;
    if (irq)
        irq_set_handler(irq, raise, p);
    spin_unlock(&p->lock);
}

// The PIRQ this domain has for the GSI, or NULL. [P]
static struct pirq *find_gsi(struct domain *d, u32 gsi)
{
    for (u32 i = 0; i < EVTCHN_PIRQ_END; i++) {
        struct pirq *p = find(d, i);
        if (p && (p->kind == PIRQ_GSI || p->kind == PIRQ_OWN) && p->gsi == gsi)
            return p;
    }
    return NULL;
}

// [P]
static int map_gsi(struct domain *d, u32 gsi, int *pirq)
{
    struct irq *irq = NULL;
    struct pirq *p = find_gsi(d, gsi);
    if (p) {
        if (*pirq >= 0 && (u32)*pirq != p->number)
            return -EEXIST;
        *pirq = (int)p->number;
        return 0;
    }
    int number = choose(d, *pirq, gsi, 1);
    if (number < 0)
        return number;
    p = get(d, (u32)number);
    if (!p)
        return -ENOMEM;
    bool own = irq_gsi_is_own(gsi);
    int ret = own ? 0 : ioapic_attach(gsi, &irq);
    if (ret)
        return ret == -EBUSY ? -EPERM : ret;
    p->gsi = gsi;
    attach(p, own ? PIRQ_OWN : PIRQ_GSI, irq);
    *pirq = number;
    return 0;
}

int pirq_map_gsi(struct domain *d, u32 gsi, int *pirq)
{
    if (!ioapic_has_gsi(gsi))
        return -EINVAL;
    spin_lock(&physdev_lock);
    int ret = d->state == DOMAIN_DYING ? -EINVAL : map_gsi(d, gsi, pirq);
    spin_unlock(&physdev_lock);
    return ret;
}

// All PIRQs of a block exist; -ENOMEM. [P]
static int get_block(struct domain *d, u32 first, u32 count)
{
    for (u32 i = 0; i < count; i++) {
        if (!get(d, first + i))
            return -ENOMEM;
    }
    return 0;
}

// [P]
static int map_msi(struct domain *d, const struct msi_wanted *want, int *pirq)
{
    struct msi *m;
    struct irq *irq;
    int number = choose(d, *pirq, EVTCHN_PIRQ_END, want->count);
    if (number < 0)
        return number;
    int ret = get_block(d, (u32)number, want->count);
    if (!ret)
        ret = msi_create(want, &m, &irq);
    if (ret)
        return ret;
    for (u32 i = 0; i < want->count; i++) {
        struct pirq *p = get(d, (u32)number + i);
        p->msi = m;
        attach(p, PIRQ_MSI, &irq[i]);
    }
    *pirq = number;
    return 0;
}

int pirq_map_msi(struct domain *d, const struct msi_wanted *want, int *pirq)
{
    ASSERT(want->count > 0 && want->count <= MSI_VECTORS_MAX);
    spin_lock(&physdev_lock);
    int ret = d->state == DOMAIN_DYING ? -EINVAL : map_msi(d, want, pirq);
    spin_unlock(&physdev_lock);
    return ret;
}

// Takes the interrupt from the PIRQ; it runs no more when its owner frees it.
static void detach(struct pirq *p)
{
    spin_lock(&p->lock);
    quiesce(p);
    p->irq = NULL;
    p->kind = PIRQ_FREE;
    spin_unlock(&p->lock);
}

// The messages of a block go together. [P]
static void unmap_msi(struct domain *d, struct msi *m)
{
    for (u32 i = 0; i < EVTCHN_PIRQ_END; i++) {
        struct pirq *p = find(d, i);
        if (p && p->kind == PIRQ_MSI && p->msi == m)
            detach(p);
    }
    msi_destroy(m);
}

// [P]
static int unmap(struct domain *d, struct pirq *p)
{
    switch ((enum pirq_kind)p->kind) {
    case PIRQ_FREE:
        return -EINVAL;
    case PIRQ_RESERVED:
        p->kind = PIRQ_FREE;
        return 0;
    case PIRQ_GSI:
        detach(p);
        ioapic_detach(p->gsi);
        return 0;
    case PIRQ_OWN:
        detach(p);
        return 0;
    case PIRQ_MSI:
        unmap_msi(d, p->msi);
        return 0;
    }
    return -EINVAL;
}

bool pirq_is_mapped(struct domain *d, u32 pirq)
{
    const struct pirq *p = find(d, pirq);
    return p && READ_ONCE(p->kind) > PIRQ_RESERVED;
}

int pirq_unmap(struct domain *d, u32 pirq)
{
    spin_lock(&physdev_lock);
    struct pirq *p = find(d, pirq);
    int ret = p ? unmap(d, p) : -EINVAL;
    spin_unlock(&physdev_lock);
    return ret;
}

// The lowest free number that is not an ISA interrupt's. [P]
static int find_low(struct domain *d)
{
    for (u32 i = 16; i < ioapic_gsi_end() && i < EVTCHN_PIRQ_END; i++) {
        if (kind_of(d, i) == PIRQ_FREE)
            return (int)i;
    }
    return -ENOSPC;
}

int pirq_reserve(struct domain *d, enum pirq_kind kind, u32 *pirq)
{
    spin_lock(&physdev_lock);
    int ret = kind == PIRQ_GSI ? find_low(d) : find_high(d, 1);
    struct pirq *p = ret >= 0 ? get(d, (u32)ret) : NULL;
    if (p) {
        p->kind = PIRQ_RESERVED;
        *pirq = p->number;
    }
    spin_unlock(&physdev_lock);
    if (ret < 0)
        return ret;
    return p ? 0 : -ENOMEM;
}

void pirq_domain_free(struct domain *d)
{
    struct pirq_table *t = d->pirqs;
    if (!t)
        return;
    for (u32 i = 0; t->pirq && i < EVTCHN_PIRQ_END; i++)
        (void)!pirq_unmap(d, i); // not mapped: nothing to do
    spin_lock(&physdev_lock);    // the toolstack may be looking
    d->pirqs = NULL;
    spin_unlock(&physdev_lock);
    for (u32 i = 0; t->pirq && i < EVTCHN_PIRQ_END; i++)
        heap_free(t->pirq[i]);
    if (t->eoi_map)
        domain_unmap_guest_frame(d, t->eoi_map);
    heap_free(t->pirq);
    heap_free(t);
}
