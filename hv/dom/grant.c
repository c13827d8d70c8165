// SPDX-License-Identifier: MIT
// Grant tables: set-up, growth and the change between versions.
#include "dom/grant.h"
#include "boot/globals.h"
#include "dom/domain.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/shared.h"

STATIC_ASSERT(GRANT_V1_ENTRIES * sizeof(struct grant_entry_v1) == PAGE_SIZE);
STATIC_ASSERT(GRANT_V2_ENTRIES * sizeof(union grant_entry_v2) == PAGE_SIZE);
STATIC_ASSERT(GRANT_USES * sizeof(struct grant_use) == PAGE_SIZE);
STATIC_ASSERT(GRANT_V1_ENTRIES % GRANT_USES == 0);
STATIC_ASSERT(GRANT_MAPS * sizeof(struct grant_map) == PAGE_SIZE);
STATIC_ASSERT(GNTTAB_NR_RESERVED_ENTRIES <= GRANT_V2_ENTRIES);

// Status pages that a table of version 2 needs.
static u32 status_frames_for(u32 frames)
{
    return (frames * GRANT_V2_ENTRIES + GRANT_STATUS_ENTRIES - 1) / GRANT_STATUS_ENTRIES;
}

// Entries that the table ever holds, in pages of their uses.
static u32 use_pages(const struct grant_table *t)
{
    return t->frames_max * (GRANT_V1_ENTRIES / GRANT_USES);
}

int grant_init(struct domain *d, u32 frames_max, u32 maptrack_frames_max)
{
    u32 max = MIN(MAX(frames_max, (u32)GRANT_FRAMES_INITIAL), (u32)GRANT_FRAMES_MAX);
    struct grant_table *t = heap_new(struct grant_table);
    if (!t)
        return -ENOMEM;
    *t = (struct grant_table){
        .version = 1,
        .frames_max = max,
        .maptrack_frames_max = MIN(maptrack_frames_max, (u32)GRANT_MAPTRACK_FRAMES_MAX),
        .page = heap_alloc(max * sizeof(*t->page)),
        .status_page = heap_alloc(status_frames_for(max) * sizeof(*t->status_page))};
    t->use = heap_alloc(use_pages(t) * sizeof(void *));
    spin_lock_init(&t->lock, LOCK_GRANT);
    d->grant = t;
    int rc = t->page && t->status_page && t->use ? 1 : -ENOMEM;
    while (rc > 0)
        rc = grant_grow(d, GRANT_FRAMES_INITIAL);
    if (rc)
        grant_free(d);
    return rc;
}

void grant_shut(struct domain *d)
{
    struct grant_table *t = d->grant;
    spin_lock(&t->lock);
    t->shut = true;
    while (t->frames)
        shared_page_free(t->page[--t->frames]);
    while (t->status_frames)
        shared_page_free(t->status_page[--t->status_frames]);
    spin_unlock(&t->lock);
}

void grant_free(struct domain *d)
{
    struct grant_table *t = d->grant;
    if (!t)
        return;
    BUG_ON(t->in_use);
    grant_shut(d);
    for (u32 i = 0; t->use && i < use_pages(t); i++)
        heap_free(t->use[i]);
    for (u32 i = 0; i < t->map_pages; i++)
        heap_free(t->map[i]);
    heap_free(t->page);
    heap_free(t->status_page);
    heap_free(t->use);
    heap_free(t->map);
    heap_free(t);
    d->grant = NULL;
}

// Under the lock: as many status pages as a table of `frames` pages needs.
static int grow_status(struct domain *d, u32 frames)
{
    struct grant_table *t = d->grant;
    while (t->status_frames < status_frames_for(frames)) {
        void *page = shared_page_alloc(d);
        if (!page)
            return -ENOMEM;
        t->status_page[t->status_frames++] = page;
    }
    return 0;
}

// Under the lock.
static int grow_by_one(struct domain *d)
{
    struct grant_table *t = d->grant;
    int rc = t->version == 2 ? grow_status(d, t->frames + 1) : 0;
    if (rc)
        return rc;
    t->page[t->frames] = shared_page_alloc(d);
    if (!t->page[t->frames])
        return -ENOMEM;
    t->frames++;
    return 0;
}

int grant_grow(struct domain *d, u32 frames)
{
    struct grant_table *t = d->grant;
    if (frames > t->frames_max)
        return -EINVAL;
    spin_lock(&t->lock);
    int rc = t->shut ? -EINVAL : t->frames < frames ? grow_by_one(d) : 0;
    if (!rc && t->frames < frames)
        rc = 1;
    spin_unlock(&t->lock);
    return rc;
}

static mfn_t frame_at(struct grant_table *t, void **page, const u32 *count, u32 index)
{
    mfn_t m = MFN_NONE;
    spin_lock(&t->lock);
    if (index < *count)
        m = virt_mfn(page[index]);
    spin_unlock(&t->lock);
    return m;
}

mfn_t grant_frame(struct domain *d, u32 index)
{
    return frame_at(d->grant, d->grant->page, &d->grant->frames, index);
}

u32 grant_status_frames_max(const struct domain *d)
{
    return status_frames_for(d->grant->frames_max);
}

mfn_t grant_status_frame(struct domain *d, u32 index)
{
    struct grant_table *t = d->grant;
    return grant_version(d) == 2 ? frame_at(t, t->status_page, &t->status_frames, index) : MFN_NONE;
}

// The reserved entries as version 1 has them. -EINVAL: something that version 1 has no form for.
static int take_reserved(const struct grant_table *t, struct grant_entry_v1 *out)
{
    union grant_entry_v2 v2[GNTTAB_NR_RESERVED_ENTRIES];
    if (t->version == 1) {
        memcpy(out, t->page[0], GNTTAB_NR_RESERVED_ENTRIES * sizeof(*out));
        return 0;
    }
    memcpy(v2, t->page[0], sizeof(v2));
    barrier(); // the guest may write meanwhile: only the copy counts
    for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        u16 flags = v2[i].hdr.flags, type = flags & GTF_type_mask;
        if (type == GTF_transitive ||
            (type && (flags & GTF_sub_page || v2[i].full_page.frame > UINT32_MAX)))
            return -EINVAL;
        out[i] = (struct grant_entry_v1){flags, v2[i].hdr.domid, (u32)v2[i].full_page.frame};
    }
    return 0;
}

static void put_reserved(struct grant_table *t, const struct grant_entry_v1 *in)
{
    union grant_entry_v2 *v2 = t->page[0];
    if (t->version == 1) {
        memcpy(t->page[0], in, GNTTAB_NR_RESERVED_ENTRIES * sizeof(*in));
        return;
    }
    for (u32 i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++) {
        v2[i].full_page.hdr = (grant_entry_header_t){in[i].flags, in[i].domid};
        v2[i].full_page.frame = in[i].frame;
    }
}

// Under the lock.
static int change_version(struct domain *d, u32 version)
{
    struct grant_entry_v1 reserved[GNTTAB_NR_RESERVED_ENTRIES];
    struct grant_table *t = d->grant;
    if (t->in_use)
        return -EBUSY;
    int rc = version == 2 ? grow_status(d, t->frames) : 0;
    if (rc == 0)
        rc = take_reserved(t, reserved);
    if (rc)
        return rc;
    for (u32 i = 0; i < t->frames; i++)
        memset(t->page[i], 0, PAGE_SIZE);
    for (u32 i = 0; i < t->status_frames; i++)
        memset(t->status_page[i], 0, PAGE_SIZE);
    t->version = version;
    put_reserved(t, reserved);
    return 0;
}

int grant_set_version(struct domain *d, u32 version)
{
    struct grant_table *t = d->grant;
    if (version < 1 || version > 2 || version > options.gnttab_max_version)
        return -EINVAL;
    spin_lock(&t->lock);
    int rc = t->version == version ? 0 : change_version(d, version);
    spin_unlock(&t->lock);
    return rc;
}

u32 grant_version(struct domain *d)
{
    return READ_ONCE(d->grant->version);
}

u32 grant_table_frames(struct domain *d)
{
    return READ_ONCE(d->grant->frames);
}

u32 grant_shared_pages(const struct domain *d)
{
    const struct grant_table *t = d->grant;
    return t ? READ_ONCE(t->frames) + READ_ONCE(t->status_frames) : 0;
}
