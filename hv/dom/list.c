// SPDX-License-Identifier: MIT
// The list of domains, and how one is found and let go of.
//
// 1. Domains are linked in rising order of id. Writers hold the list's lock; readers hold none.
// 2. A reader takes its reference before it does anything else that could wait, with interrupts
//    off. A domain whose last reference has gone leaves the list, but is freed only after every
//    CPU has run its softirqs once more: none is in the middle of looking at it then.
// 3. A reference that is gone never comes back: the count does not leave zero.
#include "abi/errno.h"
#include "cpu/smp.h"
#include "dom/domain.h"

struct domain *dom0;
struct domain dom_io = {.id = {DOMID_IO}, .privileged = true, .refs = 1};
struct domain dom_xen = {.id = {DOMID_XEN}, .privileged = true, .refs = 1};

static spinlock_t lock = SPINLOCK_INIT(LOCK_DOMLIST);
static struct domain *first; // [a]
static struct domain *dead;  // [lock]
static u32 last_id;          // the number that was given out last; of the one who creates

enum { BUCKETS = 256 };
static struct domain *bucket[BUCKETS]; // [a] chained by hash_next

void domain_hold(struct domain *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

static bool hold_living(struct domain *d)
{
    u32 old = READ_ONCE(d->refs);
    do {
        if (old == 0)
            return false;
    } while (!__atomic_compare_exchange_n(&d->refs, &old, old + 1, true, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    return true;
}

static struct domain *next_of(struct domain *const *link)
{
    return __atomic_load_n(link, __ATOMIC_ACQUIRE); // pairs with insert()
}

static struct domain *find(u32 id)
{
    struct domain *d = next_of(&bucket[id % BUCKETS]);
    while (d && d->id.v != id)
        d = next_of(&d->hash_next);
    return d;
}

struct domain *domain_get(dom_id_t id, struct domain *self)
{
    if (self && (id.v == DOMID_SELF || id.v == self->id.v)) {
        domain_hold(self);
        return self;
    }
    struct domain *d = find(id.v);
    return d && hold_living(d) ? d : NULL;
}

struct domain *domain_get_from(u32 from)
{
    struct domain *d = find(from); // mostly somebody asks for one that is there
    d = d ?: next_of(&first);
    while (d && (d->id.v < from || !hold_living(d)))
        d = next_of(&d->next);
    return d;
}

struct domain *domain_next(struct domain *d)
{
    struct domain *next = next_of(&d->next);
    while (next && !hold_living(next))
        next = next_of(&next->next);
    domain_put(d);
    return next;
}

struct domain *domain_by_owner(u16 owner)
{
    return owner == OWNER_FREE || owner == OWNER_HV ? NULL : find(owner - 1u);
}

// --- entering and leaving ---

static void insert(struct domain **link, struct domain **next, struct domain *d)
{
    *next = *link;
    __atomic_store_n(link, d, __ATOMIC_RELEASE); // pairs with next_of
}

// A free number behind the last one given out, so that a number does not come back soon.
static u32 free_id(void)
{
    for (u32 n = 1; n < DOMID_FIRST_RESERVED; n++) {
        u32 id = (last_id + n) % DOMID_FIRST_RESERVED;
        if (id != 0 && !find(id))
            return id;
    }
    return DOMID_FIRST_RESERVED;
}

int domain_choose_id(struct domain *d, bool any)
{
    u32 id = any ? free_id() : d->id.v;
    if (id >= DOMID_FIRST_RESERVED || find(id))
        return -EEXIST;
    d->id = DOM_ID((u16)id);
    last_id = any ? id : last_id;
    return 0;
}

void domain_enter(struct domain *d)
{
    struct domain **p = &first;
    spin_lock(&lock);
    while (*p && (*p)->id.v < d->id.v)
        p = &(*p)->next;
    insert(p, &d->next, d);
    insert(&bucket[d->id.v % BUCKETS], &d->hash_next, d);
    spin_unlock(&lock);
}

// Readers that stand on d still find the rest of the list through it.
static void leave(struct domain *d)
{
    struct domain **p = &first, **h = &bucket[d->id.v % BUCKETS];
    while (*p != d)
        p = &(*p)->next;
    __atomic_store_n(p, d->next, __ATOMIC_RELEASE);
    while (*h != d)
        h = &(*h)->hash_next;
    __atomic_store_n(h, d->hash_next, __ATOMIC_RELEASE);
}

void domain_put(struct domain *d)
{
    if (likely(__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) != 0))
        return;
    spin_lock(&lock);
    leave(d);
    for_each_cpu (i)
        cpumask_set(&d->grace, i);
    d->dead_next = dead;
    dead = d;
    spin_unlock(&lock);
    for_each_cpu (i)
        smp_raise(i, SOFTIRQ_REAP);
}

void domain_reap(void)
{
    struct domain *mine = NULL, *d;
    spin_lock(&lock);
    for (struct domain **p = &dead; (d = *p) != NULL;) {
        bool last = true;
        cpumask_clear(&d->grace, this_cpu()->id);
        for (u32 i = 0; i < ARRAY_SIZE(d->grace.w); i++)
            last &= d->grace.w[i] == 0;
        if (last) {
            *p = d->dead_next;
            d->dead_next = mine;
            mine = d;
        } else {
            p = &d->dead_next;
        }
    }
    spin_unlock(&lock);
    while ((d = mine) != NULL) {
        mine = d->dead_next;
        domain_free(d);
    }
}
