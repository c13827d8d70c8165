// SPDX-License-Identifier: MIT
// The domctls about a domain's memory and I/O. Source: <xen/domctl.h>.
#include "abi/errno.h"
#include "hc/continue.h"
#include "hc/domctl.h"
#include "io/mmio.h"
#include "io/pirq.h"
#include "io/ports.h"
#include "lib/printk.h"
#include "mm/frame.h"
#include "pv/mmu.h"

enum { KIB_SHIFT = PAGE_SHIFT - 10, FRAMES_PER_STEP = 256 };

long domctl_max_mem(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    spin_lock(&d->lock);
    d->frames_max = MIN(op->u.max_mem.max_memkb >> KIB_SHIFT, (u64)UINT32_MAX);
    spin_unlock(&d->lock);
    return 0;
}

long domctl_hypercall_init(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    mfn_t m;
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

// --- I/O ---

static long grant_range(struct domain *d, struct ranges *set, u64 first, u64 n, bool allow)
{
    spin_lock(&d->io_lock);
    long rc = allow ? ranges_add(set, first, n) : ranges_remove(set, first, n);
    spin_unlock(&d->io_lock);
    return rc;
}

static long not_ours(const struct domain *d, const char *what, u64 first, u64 last)
{
    printk(LOG_WARN, "domain %u: %s %lx to %lx are not to be given away (error %d)", d->id.v, what,
           first, last, -EPERM);
    return -EPERM;
}

// Frames that are RAM are nobody's to give.
long domctl_iomem_permission(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_iomem_permission *a = &op->u.iomem_permission;
    u64 last = a->first_mfn + a->nr_mfns - 1;
    if (a->nr_mfns == 0 || last < a->first_mfn)
        return -EINVAL;
    if (!mmio_permitted(cur->dom, MFN(a->first_mfn), true) ||
        !mmio_permitted(cur->dom, MFN(last), true))
        return not_ours(d, "frames", a->first_mfn, last);
    return grant_range(d, &d->io_frames, a->first_mfn, a->nr_mfns, a->allow_access);
}

long domctl_ioport_permission(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_ioport_permission *a = &op->u.ioport_permission;
    enum { PORTS = 65536 };
    if (a->nr_ports == 0 || a->first_port >= PORTS || a->nr_ports > PORTS - a->first_port)
        return -EINVAL;
    if (!ports_permitted((u16)a->first_port, a->nr_ports))
        return not_ours(d, "ports", a->first_port, a->first_port + a->nr_ports - 1);
    return grant_range(d, &d->io_ports, a->first_port, a->nr_ports, a->allow_access);
}

long domctl_irq_permission(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_irq_permission *a = &op->u.irq_permission;
    if (a->pirq >= EVTCHN_PIRQ_END)
        return -EINVAL;
    if (!pirq_is_mapped(cur->dom, a->pirq))
        return not_ours(d, "interrupts", a->pirq, a->pirq);
    return grant_range(d, &d->io_irqs, a->pirq, 1, a->allow_access);
}

// --- nodes: there is one ---

long domctl_setnodeaffinity(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xenctl_bitmap *b = &op->u.nodeaffinity.nodemap;
    u8 nodes = 0;
    if (b->nr_bits && guest_copy_in(&nodes, GUEST_HANDLE(b->bitmap), 1))
        return -EFAULT;
    return nodes & 1 ? 0 : -EINVAL;
}

long domctl_getnodeaffinity(struct vcpu *cur, struct domain *d, struct xen_domctl *op)
{
    const struct xenctl_bitmap *b = &op->u.nodeaffinity.nodemap;
    for (u64 i = 0; i < ((u64)b->nr_bits + 7) / 8 && i < PAGE_SIZE; i++) {
        u8 byte = i == 0;
        if (guest_copy_out_index(GUEST_HANDLE(b->bitmap), i, &byte, 1))
            return -EFAULT;
    }
    return 0;
}
