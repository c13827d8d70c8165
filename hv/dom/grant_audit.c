// SPDX-License-Identifier: MIT
// Recounts the handles that a domain holds and compares them with the uses that the granting
// domains' tables have noted for it.
#include "dom/domain.h"
#include "dom/grant.h"
#include "lib/printk.h"

enum {
    GRANTERS_MAX = 64,
    LINES_MAX = 20
}; // more of the one are not compared, of the other not told

struct audit {
    struct domain *d;
    struct domain *granter[GRANTERS_MAX];
    u32 granters;
    u32 handles, free, bad;
    u64 uses; // of d's in the granters' tables
};

static void complain(struct audit *a, const char *what, u64 has, u64 wanted)
{
    if (a->bad++ < LINES_MAX)
        printk(LOG_ERR, "audit: domain %u's grants: %s: %lx, not %lx", a->d->id.v, what, has,
               wanted);
}

static bool is_new(struct audit *a, const struct domain *granter)
{
    for (u32 i = 0; i < a->granters; i++)
        if (a->granter[i] == granter)
            return false;
    return true;
}

static void see_handle(struct audit *a, const struct grant_map *m)
{
    const struct grant_use *page = m->dom->grant->use[m->ref / GRANT_USES];
    const struct grant_use *u = page ? &page[m->ref % GRANT_USES] : NULL;
    a->handles++;
    if (!(m->flags & (GRANT_MAP_HOST | GRANT_MAP_DEVICE)))
        complain(a, "a handle maps nothing", m->flags, GRANT_MAP_HOST);
    if (!u || u->user != a->d->id.v || !(m->flags & GRANT_MAP_READONLY ? u->readers : u->writers))
        complain(a, "an entry is not in use as a handle says", m->ref, 0);
    if (is_new(a, m->dom) && a->granters < GRANTERS_MAX)
        a->granter[a->granters++] = m->dom;
}

static void see_use(void *ctx, const struct grant_use *u)
{
    struct audit *a = ctx;
    if (u->user == a->d->id.v)
        a->uses += (u64)u->readers + u->writers;
}

static void see_handles(struct audit *a)
{
    const struct grant_table *t = a->d->grant;
    u32 all = t->map_pages * GRANT_MAPS;
    for (u32 i = 0; i < all; i++)
        if (t->map[i / GRANT_MAPS][i % GRANT_MAPS].dom)
            see_handle(a, &t->map[i / GRANT_MAPS][i % GRANT_MAPS]);
    for (u32 at = t->map_free; at && a->free <= all; a->free++)
        at = t->map[(at - 1) / GRANT_MAPS][(at - 1) % GRANT_MAPS].ref;
    if (a->free + a->handles != all)
        complain(a, "free handles", a->free, all - a->handles);
}

u32 grant_audit(struct domain *d)
{
    struct audit a = {.d = d};
    if (!d->grant)
        return 0;
    see_handles(&a);
    for (u32 i = 0; i < a.granters; i++)
        grant_visit_uses(a.granter[i], see_use, &a);
    if (a.granters < GRANTERS_MAX && a.uses != a.handles)
        complain(&a, "uses in the granters' tables", a.uses, a.handles);
    printk(a.bad ? LOG_ERR : LOG_INFO, "audit: %u grant handles, %u contradictions", a.handles,
           a.bad);
    return a.bad;
}
