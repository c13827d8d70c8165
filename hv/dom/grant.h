// SPDX-License-Identifier: MIT
// Grant tables: the pages a domain publishes its grants in. Source: <xen/grant_table.h>.
//
// 1. The table has `frames` pages, and in version 2 at least as many status pages as they need; it
//    only grows while the domain lives.
// 2. The pages are shared pages (mm/shared.h): the domain's own, but outside of its reservation.
//
// Letters of protection: [i] immutable after create, [g] the table's lock.
#ifndef WIRT_DOM_GRANT_H
#define WIRT_DOM_GRANT_H

#include "abi/xen.h"
#include <xen/grant_table.h>
#include "cpu/spinlock.h"
#include "lib/types.h"

struct domain;

enum {
    GRANT_FRAMES_INITIAL = 1, // holds the entries that a toolstack fills in
    GRANT_FRAMES_MAX = 4096,  // whatever the command line says
    GRANT_V1_ENTRIES = 4096 / sizeof(struct grant_entry_v1), // in one page
    GRANT_V2_ENTRIES = 4096 / sizeof(union grant_entry_v2),
    GRANT_STATUS_ENTRIES = 4096 / sizeof(grant_status_t),
};

struct grant_table {
    spinlock_t lock;    // LOCK_GRANT
    u32 version;        // [g] 1 or 2
    u32 frames;         // [g] pages in use
    u32 status_frames;  // [g]
    u32 frames_max;     // [i]
    void **page;        // [g] frames_max entries
    void **status_page; // [g] as many as frames_max pages of version 2 need
};

// Before d can be found by others; d->id is set. -ENOMEM.
NODISCARD int grant_init(struct domain *d);
// Gives the pages back; d->grant may be NULL. Nobody uses the table any more.
void grant_free(struct domain *d);

// The operations take the table's lock.

// One more page if the table has fewer than `frames`: 0 when it is large enough, 1 when it is to be
// called again. -EINVAL: more than the domain may have; -ENOMEM.
NODISCARD int grant_grow(struct domain *d, u32 frames);
// The frame of a page of the table, or of a status page; MFN_NONE when there is no such page.
mfn_t grant_frame(struct domain *d, u32 index);
mfn_t grant_status_frame(struct domain *d, u32 index);
// Changes the layout; the reserved entries are kept, the others cleared.
// -EINVAL: no such version, or a reserved entry that version 1 has no form for; -ENOMEM.
NODISCARD int grant_set_version(struct domain *d, u32 version);
u32 grant_version(struct domain *d);
// Status pages that the largest table needs.
u32 grant_status_frames_max(const struct domain *d);
// Pages of the table, without and with the status pages.
u32 grant_table_frames(struct domain *d);
u32 grant_shared_pages(const struct domain *d);

#endif
