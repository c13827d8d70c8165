// SPDX-License-Identifier: MIT
// The physical device hypercalls: from the ABI's structs to PIRQs, IO-APICs and PCI. What touches
// hardware is for the control domain only. Source: <xen/physdev.h>.
#include "abi/xen.h"
#include <xen/physdev.h>
#include "dom/domain.h"
#include "hc/op.h"
#include "hc/table.h"
#include "io/ioapic.h"
#include "io/pirq.h"
#include "lib/printk.h"

enum { IOPL_MAX = 3, PORTS = 65536 };

// ---- PIRQs ----

static long eoi(struct vcpu *cur, void *arg)
{
    const struct physdev_eoi *a = arg;
    return pirq_eoi(cur->dom, a->irq);
}

static long pirq_eoi_gmfn_v1(struct vcpu *cur, void *arg)
{
    const struct physdev_pirq_eoi_gmfn *a = arg;
    return pirq_set_eoi_map(cur->dom, GFN(a->gmfn), true);
}

static long pirq_eoi_gmfn_v2(struct vcpu *cur, void *arg)
{
    const struct physdev_pirq_eoi_gmfn *a = arg;
    return pirq_set_eoi_map(cur->dom, GFN(a->gmfn), false);
}

// A guest that asks has not registered an EOI map: it is told to report every EOI, which costs it
// little. No interrupt is shared between domains.
static long irq_status_query(struct vcpu *cur, void *arg)
{
    struct physdev_irq_status_query *a = arg;
    if (a->irq >= EVTCHN_PIRQ_END)
        return -EINVAL;
    a->flags = XENIRQSTAT_needs_eoi;
    return 0;
}

// The vector is a hypervisor matter; guests only want to hear that there is one, for whatever
// number they use.
static long alloc_irq_vector(struct vcpu *cur, void *arg)
{
    struct physdev_irq *a = arg;
    a->vector = a->irq;
    return 0;
}

static long map_msi(struct domain *d, struct physdev_map_pirq *a)
{
    bool multi = a->type == MAP_PIRQ_TYPE_MULTI_MSI;
    bool segmented = multi || a->type == MAP_PIRQ_TYPE_MSI_SEG;
    struct msi_wanted want = {
        .dev = {segmented ? (u16)((u32)a->bus >> 16) : 0, (u8)a->bus, (u8)a->devfn},
        .msix = a->table_base != 0,
        .entry = (u32)a->entry_nr,
        .count = multi ? (u32)a->entry_nr : 1,
        .bar = a->table_base,
    };
    if (multi && want.msix)
        return -EINVAL;
    if (want.count == 0 || want.count > MSI_VECTORS_MAX)
        return -EDOM;
    return pirq_map_msi(d, &want, &a->pirq);
}

static long map_for(struct domain *d, struct physdev_map_pirq *a)
{
    switch (a->type) {
    case MAP_PIRQ_TYPE_GSI:
        return pirq_map_gsi(d, (u32)a->index, &a->pirq);
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
    case MAP_PIRQ_TYPE_MULTI_MSI:
        return map_msi(d, a);
    default:
        return -EINVAL;
    }
}

static long map_pirq(struct vcpu *cur, void *arg)
{
    struct physdev_map_pirq *a = arg;
    struct domain *d = domain_get(DOM_ID(a->domid), cur->dom);
    if (!d)
        return -ESRCH;
    long ret = map_for(d, a);
    if (ret && d != cur->dom)
        printk(LOG_WARN, "domain %u gets no interrupt %d (error %ld)", d->id.v, a->index, ret);
    domain_put(d);
    return ret;
}

static long unmap_pirq(struct vcpu *cur, void *arg)
{
    const struct physdev_unmap_pirq *a = arg;
    struct domain *d = domain_get(DOM_ID(a->domid), cur->dom);
    if (!d)
        return -ESRCH;
    long ret = pirq_unmap(d, (u32)a->pirq);
    domain_put(d);
    return ret;
}

static long get_free_pirq(struct vcpu *cur, void *arg)
{
    struct physdev_get_free_pirq *a = arg;
    enum pirq_kind kind = a->type == MAP_PIRQ_TYPE_GSI ? PIRQ_GSI : PIRQ_MSI;
    return pirq_reserve(cur->dom, kind, &a->pirq);
}

// ---- IO-APICs ----

static long apic_read(struct vcpu *cur, void *arg)
{
    struct physdev_apic *a = arg;
    return ioapic_read(MADDR(a->apic_physbase), a->reg, &a->value);
}

static long apic_write(struct vcpu *cur, void *arg)
{
    const struct physdev_apic *a = arg;
    return ioapic_write(MADDR(a->apic_physbase), a->reg, a->value);
}

static long setup_gsi(struct vcpu *cur, void *arg)
{
    const struct physdev_setup_gsi *a = arg;
    return ioapic_setup((u32)a->gsi, a->triggering, a->polarity);
}

// ---- Ports of a guest's processes ----

static long set_iopl(struct vcpu *cur, void *arg)
{
    const struct physdev_set_iopl *a = arg;
    if (a->iopl > IOPL_MAX)
        return -EINVAL;
    cur->pv.iopl = (u8)a->iopl;
    return 0;
}

// The bitmap is read when a port is accessed.
static long set_iobitmap(struct vcpu *cur, void *arg)
{
    const struct physdev_set_iobitmap *a = arg;
    u64 bitmap = GUEST_HANDLE(a->bitmap).v;
    if (a->nr_ports > PORTS || !guest_range_ok(bitmap, PORTS / 8))
        return -EINVAL;
    cur->pv.iobmp = bitmap;
    cur->pv.iobmp_ports = a->nr_ports;
    return 0;
}

// ---- PCI devices ----

static long with_device(int (*fn)(struct pci_addr), u16 segment, u8 bus, u8 devfn)
{
    spin_lock(&physdev_lock);
    int ret = fn((struct pci_addr){segment, bus, devfn});
    spin_unlock(&physdev_lock);
    return ret;
}

static int check_present(struct pci_addr a)
{
    return pci_get(a) ? 0 : -ENODEV;
}

static int check_idle(struct pci_addr a)
{
    if (!pci_get(a))
        return -ENODEV;
    return msi_in_use(a) ? -EBUSY : 0;
}

#define DEVICE_OP(op, arg, segment, fn)                    \
    static long op(struct vcpu *cur, void *p)              \
    {                                                      \
        const struct arg *a = p;                           \
        return with_device(fn, segment, a->bus, a->devfn); \
    }
DEVICE_OP(manage_pci_add, physdev_manage_pci, 0, pci_add)
DEVICE_OP(manage_pci_remove, physdev_manage_pci, 0, pci_remove)
DEVICE_OP(manage_pci_add_ext, physdev_manage_pci_ext, 0, pci_add)
DEVICE_OP(pci_device_add, physdev_pci_device_add, a->seg, pci_add)
DEVICE_OP(pci_device_remove, physdev_pci_device, a->seg, pci_remove)
DEVICE_OP(restore_msi, physdev_restore_msi, 0, msi_restore)
DEVICE_OP(restore_msi_ext, physdev_pci_device, a->seg, msi_restore)
DEVICE_OP(prepare_msix, physdev_pci_device, a->seg, check_present)
DEVICE_OP(release_msix, physdev_pci_device, a->seg, check_idle)

static long pci_mmcfg(struct vcpu *cur, void *arg)
{
    const struct physdev_pci_mmcfg_reserved *a = arg;
    spin_lock(&physdev_lock);
    int ret = pci_mmcfg_reserved(MADDR(a->address), a->segment, a->start_bus, a->end_bus,
                                 a->flags & XEN_PCI_MMCFG_RESERVED);
    spin_unlock(&physdev_lock);
    return ret;
}

// Obsolete, or about a debug port that nobody drives here.
static long nothing(struct vcpu *cur, void *arg)
{
    return 0;
}

// By rising number: hc_physdev_op_compat counts on it. free_irq_vector is unknown to Xen, too.
// clang-format off
#define ROW(op, arg, dir, privileged, fn) \
    {DOC("PHYSDEVOP_" #op), PHYSDEVOP_##op, sizeof(struct arg), dir, privileged, fn, DOC("physdev")}
#define ANY(op, arg, dir)  ROW(op, arg, dir, false, op)
#define PRIV(op, arg, dir) ROW(op, arg, dir, true, op)

static const struct hc_op ops[] = {
    {DOC("PHYSDEVOP_IRQ_UNMASK_NOTIFY"), PHYSDEVOP_IRQ_UNMASK_NOTIFY, 0, HC_NONE, false, nothing, DOC("physdev")},
    ANY(irq_status_query,   physdev_irq_status_query, HC_INOUT),
    ANY(set_iopl,           physdev_set_iopl,         HC_IN),
    ANY(set_iobitmap,       physdev_set_iobitmap,     HC_IN),
    PRIV(apic_read,         physdev_apic,             HC_INOUT),
    PRIV(apic_write,        physdev_apic,             HC_IN),
    PRIV(alloc_irq_vector,  physdev_irq,              HC_INOUT),
    ANY(eoi,                physdev_eoi,              HC_IN),
    PRIV(map_pirq,          physdev_map_pirq,         HC_INOUT),
    PRIV(unmap_pirq,        physdev_unmap_pirq,       HC_IN),
    PRIV(manage_pci_add,    physdev_manage_pci,       HC_IN),
    PRIV(manage_pci_remove, physdev_manage_pci,       HC_IN),
    ANY(pirq_eoi_gmfn_v1,   physdev_pirq_eoi_gmfn,    HC_IN),
    PRIV(restore_msi,       physdev_restore_msi,      HC_IN),
    PRIV(manage_pci_add_ext, physdev_manage_pci_ext,  HC_IN),
    PRIV(setup_gsi,         physdev_setup_gsi,        HC_IN),
    PRIV(get_free_pirq,     physdev_get_free_pirq,    HC_INOUT),
    ROW(pci_mmcfg_reserved, physdev_pci_mmcfg_reserved, HC_IN, true, pci_mmcfg),
    PRIV(pci_device_add,    physdev_pci_device_add,   HC_IN),
    PRIV(pci_device_remove, physdev_pci_device,       HC_IN),
    PRIV(restore_msi_ext,   physdev_pci_device,       HC_IN),
    ANY(pirq_eoi_gmfn_v2,   physdev_pirq_eoi_gmfn,    HC_IN),
    ROW(dbgp_op,            physdev_dbgp_op,          HC_IN, true, nothing),
    PRIV(prepare_msix,      physdev_pci_device,       HC_IN),
    PRIV(release_msix,      physdev_pci_device,       HC_IN),
};
// clang-format on

long hc_physdev_op(struct vcpu *cur, u64 cmd, u64 arg, u64 a2, u64 a3, u64 a4)
{
    return hc_dispatch_op(ops, ARRAY_SIZE(ops), cur, (u32)cmd, GUEST_PTR(arg));
}

// struct physdev_op has members for the operations up to alloc_irq_vector, the first seven.
long hc_physdev_op_compat(struct vcpu *cur, u64 op, u64 a1, u64 a2, u64 a3, u64 a4)
{
    enum { COMPAT_OPS = 7 };
    u32 cmd;
    int ret = guest_copy_in(&cmd, GUEST_PTR(op), sizeof(cmd));
    if (ret)
        return ret;
    guest_ptr arg = GUEST_PTR(op + offsetof(struct physdev_op, u));
    return hc_dispatch_op(ops, COMPAT_OPS, cur, cmd, arg);
}
