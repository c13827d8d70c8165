// SPDX-License-Identifier: MIT
// Grant tables: the pages a domain publishes its grants in, and the mappings it holds of others'
// grants. Source: <xen/grant_table.h>; docs/grants.md explains.
//
// 1. The table has `frames` pages, and in version 2 at least as many status pages as they need; it
//    only grows while the domain lives. Its version does not change while an entry is in use.
// 2. The pages are shared pages (mm/shared.h): the domain's own, but outside of its reservation.
// 3. A use of an entry is a handle, or one side of a copy under way. While an entry is in use, the
//    table holds a reference on its frame; while in use for writing, also a use of the frame as
//    FT_WRITABLE. The frame and the user are those of the first use, whatever the guest writes
//    into the entry meanwhile. GTF_reading and GTF_writing show the same to the guest; they are
//    cleared last.
// 4. A handle holds a reference on the granting domain, which so outlives all its grants' uses.
// 5. The L1 entry of a mapping holds references of its own, as any entry does (pv/mmu.c). A guest
//    may overwrite it: then those go, and the handle's stay until the domain dies.
// 6. A use ends after the mapping is out of every TLB.
//
// Letters of protection: [i] immutable after create, [a] atomic, [g] the table's lock, [m] the mmu
// lock of the domain that maps.
#ifndef WIRT_DOM_GRANT_H
#define WIRT_DOM_GRANT_H

#include "abi/xen.h"
#include <xen/grant_table.h>
#include "cpu/spinlock.h"
#include "lib/types.h"

struct domain;
struct vcpu;

enum {
    GRANT_FRAMES_INITIAL = 1, // holds the entries that a toolstack fills in
    GRANT_FRAMES_MAX = 4096,  // whatever the command line says
    GRANT_MAPTRACK_FRAMES_MAX = 1 << 16,
    GRANT_V1_ENTRIES = 4096 / sizeof(struct grant_entry_v1), // in one page
    GRANT_V2_ENTRIES = 4096 / sizeof(union grant_entry_v2),
    GRANT_STATUS_ENTRIES = 4096 / sizeof(grant_status_t),
};

// The uses of one entry.
struct grant_use {
    u32 frame; // [g] while in use
    u16 user;  // [g] domain id, while in use
    union {
        struct {
            u32 readers, writers; // [g]
        };
        u64 count; // [g] both
    };
};
enum { GRANT_USES = 4096 / sizeof(struct grant_use) }; // in one page

enum grant_map_flags {
    GRANT_MAP_HOST = GNTMAP_host_map,     // an L1 entry
    GRANT_MAP_DEVICE = GNTMAP_device_map, // a bus address
    GRANT_MAP_READONLY = GNTMAP_readonly,
    GRANT_MAP_PTE = GNTMAP_contains_pte, // the L1 entry was named by its machine address
};

// What a handle stands for; free when dom is NULL.
struct grant_map {
    struct domain *dom; // [m] who granted
    u32 ref;            // [m] entry of its table; free: the next free handle + 1
    u32 flags;          // [m] enum grant_map_flags
};
enum { GRANT_MAPS = 4096 / sizeof(struct grant_map) }; // in one page

struct grant_table {
    spinlock_t lock;         // LOCK_GRANT
    u32 version;             // [g] 1 or 2
    u32 frames;              // [g] pages in use
    u32 status_frames;       // [g]
    u32 frames_max;          // [i]
    u32 in_use;              // [g] entries
    bool shut;               // [g] the domain has died: there are no pages any more
    void **page;             // [g] frames_max entries
    void **status_page;      // [g] as many as frames_max pages of version 2 need
    struct grant_use **use;  // [g] pages of them, each made when it is first needed
    struct grant_map **map;  // [m] pages of them; NULL until the first is needed
    u32 map_pages;           // [m]
    u32 map_free;            // [m] a free handle + 1, or 0
    u32 release_next;        // grant_release goes on here
    u32 maptrack_frames_max; // [i]
};

// Before d can be found by others; d->id is set. The limits are in pages; they are made to fit what
// we can do. -ENOMEM.
NODISCARD int grant_init(struct domain *d, u32 frames_max, u32 maptrack_frames_max);
// Undoes all mappings that d, which dies and does not run any more, holds of others' grants. Its L1
// entries stay: they have references of their own. -ERESTART_HC: again. Never fails. No lock held.
NODISCARD int grant_release(struct domain *d);
// Gives up the table's pages, so that no new use can begin; those that others still have go on.
void grant_shut(struct domain *d);
// Gives everything back; d->grant may be NULL. Nobody has a use of it any more, which the last
// reference on d says: each handle on d's grants holds one.
void grant_free(struct domain *d);

// The operations take the table's lock.

// One more page if the table has fewer than `frames`: 0 when it is large enough, 1 when it is to be
// called again. -EINVAL: more than the domain may have; -ENOMEM.
NODISCARD int grant_grow(struct domain *d, u32 frames);
// The frame of a page of the table, or of a status page; MFN_NONE when there is no such page.
mfn_t grant_frame(struct domain *d, u32 index);
mfn_t grant_status_frame(struct domain *d, u32 index);
// Changes the layout; the reserved entries are kept, the others cleared.
// -EINVAL: no such version, or a reserved entry that version 1 has no form for; -EBUSY: an entry is
// in use; -ENOMEM.
NODISCARD int grant_set_version(struct domain *d, u32 version);
u32 grant_version(struct domain *d);
// Status pages that the largest table needs.
u32 grant_status_frames_max(const struct domain *d);
// Pages of the table, without and with the status pages.
u32 grant_table_frames(struct domain *d);
u32 grant_shared_pages(const struct domain *d);

// --- uses of entries (dom/grant_use.c); the results are GNTST_* ---

enum { GRANT_BATCH = 16 }; // elements that are worked on together, at most

struct grant_access {
    u32 ref;        // out
    u16 start, end; // out: the bytes of the frame that may be copied; end is exclusive
    mfn_t frame;    // out
    s16 status;     // out
};

// Begins a use of the whole frame of an entry of d's by `user`, as for a mapping. The caller holds
// the table's lock. GNTST_bad_gntref: no such entry; GNTST_general_error: the entry does not grant
// that, or the frame cannot be written; GNTST_bad_page: it isn't a frame of d's; GNTST_no_space:
// memory is out.
NODISCARD s16 grant_use_begin(struct domain *d, dom_id_t user, bool write, u32 ref, mfn_t *frame);
// The same for copies, of parts of frames too: the entries are named by what `at` points to in one
// after the other of an array of struct gnttab_copy. Takes the lock.
void grant_uses_begin(struct domain *d, dom_id_t user, bool write, const struct gnttab_copy_ptr *at,
                      struct grant_access *a, u32 count);
// Ends those whose status is GNTST_okay. Takes the lock.
void grant_uses_end(struct domain *d, bool write, const struct grant_access *a, u32 count);
// Ends one; the caller holds the lock.
void grant_use_end(struct domain *d, u32 ref, bool write);
// An entry of d's that takes a frame from `giver`: committed, so that d leaves it alone until it is
// complete. GNTST_general_error: it does not accept that.
NODISCARD s16 grant_accept_begin(struct domain *d, dom_id_t giver, u32 ref);
// Shows the frame and that the transfer is complete.
void grant_accept_end(struct domain *d, u32 ref, mfn_t m);
// Exchanges the contents of two entries. GNTST_bad_gntref; GNTST_eagain: one is in use.
NODISCARD s16 grant_swap(struct domain *d, u32 ref_a, u32 ref_b);
// Calls fn for each entry in use.
void grant_visit_uses(struct domain *d, void (*fn)(void *ctx, const struct grant_use *use),
                      void *ctx);

// --- mappings (dom/grant_map.c); the results are GNTST_* ---

// Maps grants for the current vCPU's domain; fills handle, dev_bus_addr and status.
void grant_map(struct vcpu *cur, struct gnttab_map_grant_ref *op, u32 count);
// Undoes mappings of the current vCPU's domain, GRANT_BATCH at most, with one flush of its TLBs.
// `replace`: dev_bus_addr is the linear address whose entry is put in the place of what goes.
void grant_unmap(struct vcpu *cur, struct gnttab_unmap_grant_ref *ops, u32 count, bool replace);

// --- copies (dom/grant_copy.c) ---

// Copies for d, GRANT_BATCH at most, one after the other, and their statuses.
void grant_copy(struct domain *d, struct gnttab_copy *ops, u32 count);

// Compares d's handles with the uses of the tables they are for, and its table's uses with all
// handles for it; prints contradictions and returns their number. Nobody may run.
u32 grant_audit(struct domain *d);

#endif
