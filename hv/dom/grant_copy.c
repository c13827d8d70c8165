// SPDX-License-Identifier: MIT
// GNTTABOP_copy: bytes from frame to frame, each either the caller's own or granted to it. xen ABI:
// grant_table.h, struct gnttab_copy. Neighbours whose ends are of the same domains are done
// together: their ends are held, without a lock, while the bytes move.
#include "dom/domain.h"
#include "dom/grant.h"
#include "lib/string.h"
#include "mm/frame.h"

// The sources, or the destinations, of such neighbours.
struct side {
    struct domain *granter; // with a reference; NULL: none, or it is d
    bool granted;           // the ends are entries of a grant table
    struct grant_access a[GRANT_BATCH];
};

static inline const struct gnttab_copy_ptr *ptr_of(const struct gnttab_copy *op, bool write)
{
    return write ? &op->dest : &op->source;
}

static inline s16 open_frame(struct domain *d, mfn_t m, bool write)
{
    if (!frame_get(m, d))
        return GNTST_bad_page;
    if (!write || frame_get_writable(m) == 0)
        return GNTST_okay;
    frame_put(m);
    return GNTST_general_error;
}

static inline void open_own(struct domain *d, const struct gnttab_copy *ops, u32 count, bool write,
                            struct side *s)
{
    for (u32 i = 0; i < count; i++) {
        struct grant_access *a = &s->a[i];
        a->frame = MFN(ptr_of(&ops[i], write)->u.gmfn);
        a->start = 0;
        a->end = PAGE_SIZE;
        a->status = open_frame(d, a->frame, write);
    }
}

static inline void open_side(struct domain *d, const struct gnttab_copy *ops, u32 count, bool write,
                             struct side *s)
{
    u16 dom = ptr_of(ops, write)->domid;
    s->granted = ops->flags & (write ? GNTCOPY_dest_gref : GNTCOPY_source_gref);
    s->granter = NULL;
    if (!s->granted && dom == DOMID_SELF) {
        open_own(d, ops, count, write, s);
        return;
    }
    s->granter = domain_get(DOM_ID(dom), d);
    if (unlikely(!s->granter || !s->granted)) {
        for (u32 i = 0; i < count; i++)
            s->a[i].status = s->granter ? GNTST_permission_denied : GNTST_bad_domain;
        return;
    }
    grant_uses_begin(s->granter, d->id, write, ptr_of(ops, write), s->a, count);
}

static inline void close_side(const struct side *s, u32 count, bool write)
{
    if (s->granter) {
        if (s->granted)
            grant_uses_end(s->granter, write, s->a, count);
        domain_put(s->granter);
        return;
    }
    for (u32 i = 0; i < count; i++) {
        if (s->a[i].status != GNTST_okay)
            continue;
        if (write)
            frame_put_type(s->a[i].frame);
        frame_put(s->a[i].frame);
    }
}

static inline bool inside(const struct grant_access *a, u32 offset, u32 len)
{
    return offset >= a->start && offset + len <= a->end;
}

// Why a copy is refused.
static s16 refusal(const struct gnttab_copy *op, const struct grant_access *from,
                   const struct grant_access *to)
{
    u32 len = op->len;
    if (op->source.offset + len > PAGE_SIZE || op->dest.offset + len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    if (from->status != GNTST_okay)
        return from->status;
    return to->status != GNTST_okay && inside(from, op->source.offset, len) ? to->status
                                                                            : GNTST_general_error;
}

static inline s16 move(const struct gnttab_copy *op, const struct grant_access *from,
                       const struct grant_access *to)
{
    u32 len = op->len, in = op->source.offset, out = op->dest.offset;
    if (unlikely((from->status | to->status) != GNTST_okay || !inside(from, in, len) ||
                 !inside(to, out, len)))
        return refusal(op, from, to);
    memcpy((u8 *)mfn_virt(to->frame) + out, (const u8 *)mfn_virt(from->frame) + in, len);
    return GNTST_okay;
}

static void copy(struct domain *d, struct gnttab_copy *ops, u32 count)
{
    struct side from, to;
    open_side(d, ops, count, false, &from);
    open_side(d, ops, count, true, &to);
    for (u32 i = 0; i < count; i++)
        ops[i].status = move(&ops[i], &from.a[i], &to.a[i]);
    close_side(&from, count, false);
    close_side(&to, count, true);
}

void grant_copy(struct domain *d, struct gnttab_copy *ops, u32 count)
{
    for (u32 i = 0, end; i < count; i = end) {
        const struct gnttab_copy *a = &ops[i];
        for (end = i + 1; end < count && ops[end].source.domid == a->source.domid &&
                          ops[end].dest.domid == a->dest.domid && ops[end].flags == a->flags;)
            end++;
        copy(d, &ops[i], end - i);
    }
}
