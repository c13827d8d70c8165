// SPDX-License-Identifier: MIT
// The domctls about a domain's memory. Source: <xen/domctl.h>.
#include "abi/errno.h"
#include "hc/continue.h"
#include "hc/domctl.h"
#include "mm/frame.h"
#include "pv/mmu.h"

enum { KIB_SHIFT = PAGE_SHIFT - 10, FRAMES_PER_STEP = 256 };

long domctl_max_mem(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    (void)cur;
    spin_lock(&d->lock);
    d->frames_max = MIN(op->u.max_mem.max_memkb >> KIB_SHIFT, (u64)UINT32_MAX);
    spin_unlock(&d->lock);
    return 0;
}

long domctl_hypercall_init(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    mfn_t m;
    (void)cur;
    void *page = domain_map_guest_frame(d, GFN(op->u.hypercall_init.gmfn), &m);
    if (!page)
        return -EACCES;
    pv_write_hypercall_page(page);
    domain_unmap_guest_frame(d, page);
    return 0;
}

static u64 frame_kind(struct domain *d, mfn_t m)
{
    static const u32 kind[] = {
        [FT_L1] = XEN_DOMCTL_PFINFO_L1TAB,
        [FT_L2] = XEN_DOMCTL_PFINFO_L2TAB,
        [FT_L3] = XEN_DOMCTL_PFINFO_L3TAB,
        [FT_L4] = XEN_DOMCTL_PFINFO_L4TAB,
    };
    if (!frame_get(m, d))
        return XEN_DOMCTL_PFINFO_XTAB;
    u64 word = READ_ONCE(frame_of(m)->type);
    enum frame_type type = frame_type_of(word);
    u64 info = type < ARRAY_SIZE(kind) && word & FT_COUNT ? kind[type] : XEN_DOMCTL_PFINFO_NOTAB;
    if (word & FT_PINNED)
        info |= XEN_DOMCTL_PFINFO_LPINTAB;
    frame_put(m);
    return info;
}

// Each frame number is replaced by what the frame is.
long domctl_getpageframeinfo3(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getpageframeinfo3 *a = &op->u.getpageframeinfo3;
    guest_ptr list = GUEST_HANDLE(a->array);
    (void)cur;
    if (a->num > 1024)
        return -E2BIG;
    for (u64 i = 0; i < a->num; i++) {
        u64 n;
        if (guest_copy_in_index(&n, list, i, sizeof(n)))
            return -EFAULT;
        n = frame_kind(d, MFN(n));
        if (guest_copy_out_index(list, i, &n, sizeof(n)))
            return -EFAULT;
    }
    return 0;
}
