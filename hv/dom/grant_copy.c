// SPDX-License-Identifier: MIT
// GNTTABOP_copy: bytes from frame to frame, each either the caller's own or granted to it. xen ABI:
// grant_table.h, struct gnttab_copy. Both ends are held while the bytes move, without a lock.
#include "dom/domain.h"
#include "dom/grant.h"
#include "lib/string.h"
#include "mm/frame.h"

struct end {
    struct domain *granter; // NULL: a frame of the caller's
    u32 ref;
    mfn_t frame;
    bool write;
};

static s16 open_grant(struct domain *d, const struct gnttab_copy_ptr *p, u32 len, struct end *e)
{
    struct grant_span span;
    e->ref = p->u.ref;
    e->granter = domain_get(DOM_ID(p->domid), d);
    if (!e->granter)
        return GNTST_bad_domain;
    s16 status = grant_use_begin(e->granter, d->id, e->ref, e->write, &e->frame, &span);
    if (status == GNTST_okay && (p->offset < span.start || p->offset + len > span.end)) {
        grant_use_end(e->granter, e->ref, e->write);
        status = GNTST_general_error;
    }
    if (status != GNTST_okay)
        domain_put(e->granter);
    return status;
}

static s16 open_own(struct domain *d, const struct gnttab_copy_ptr *p, struct end *e)
{
    e->granter = NULL;
    e->frame = MFN(p->u.gmfn);
    if (p->domid != DOMID_SELF) {
        struct domain *other = domain_get(DOM_ID(p->domid), d);
        if (other)
            domain_put(other);
        return other ? GNTST_permission_denied : GNTST_bad_domain;
    }
    if (!frame_get(e->frame, d))
        return GNTST_bad_page;
    if (e->write && frame_get_writable(e->frame) != 0) {
        frame_put(e->frame);
        return GNTST_general_error;
    }
    return GNTST_okay;
}

static s16 open_end(struct domain *d, const struct gnttab_copy_ptr *p, bool granted, u32 len,
                    struct end *e)
{
    return granted ? open_grant(d, p, len, e) : open_own(d, p, e);
}

static void close_end(const struct end *e)
{
    if (e->granter) {
        grant_use_end(e->granter, e->ref, e->write);
        domain_put(e->granter);
        return;
    }
    if (e->write)
        frame_put_type(e->frame);
    frame_put(e->frame);
}

s16 grant_copy(struct domain *d, const struct gnttab_copy *op)
{
    struct end from = {.write = false}, to = {.write = true};
    u32 len = op->len;
    if (op->source.offset + len > PAGE_SIZE || op->dest.offset + len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    s16 status = open_end(d, &op->source, op->flags & GNTCOPY_source_gref, len, &from);
    if (status != GNTST_okay)
        return status;
    status = open_end(d, &op->dest, op->flags & GNTCOPY_dest_gref, len, &to);
    if (status == GNTST_okay) {
        memcpy((u8 *)mfn_virt(to.frame) + op->dest.offset,
               (const u8 *)mfn_virt(from.frame) + op->source.offset, len);
        close_end(&to);
    }
    close_end(&from);
    return status;
}
