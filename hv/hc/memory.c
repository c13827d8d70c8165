// SPDX-License-Identifier: MIT
// HYPERVISOR_memory_op: dispatch, and the operations that tell about memory. Those that change what
// a domain owns are in extents.c. Source: <xen/memory.h>.
#include "hc/memory.h"
#include <xen/memory.h>
#include "boot/globals.h"
#include "dom/claim.h"
#include "dom/grant.h"
#include "hc/continue.h"
#include "hc/domctl.h"
#include "hc/table.h"
#include "lib/printk.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/map.h"
#include "pv/mmu.h"

enum { MAP_MAX = PAGE_SIZE / sizeof(struct e820_entry) };
STATIC_ASSERT(sizeof(struct e820_entry) == 20); // the layout of XENMEM_memory_map's buffer

enum { M2P_CHUNK_SHIFT = 21 }; // the table consists of 2 MiB pages

// --- how much there is ---

// Xen's own answer is the number of frames, not the last one as the header has it (tests/guest/
// memory_maps), and the tools size their copies of the M2P by it.
static long maximum_ram_page(struct vcpu *cur, void *arg)
{
    return (long)frame_count;
}

static long query(struct vcpu *cur, void *arg, u64 (*get)(const struct domain *d))
{
    const struct xen_memory_domain *a = arg;
    struct domain *d;
    int rc = hc_target(cur, a->domid, &d);
    if (rc)
        return rc;
    u64 pages = get(d);
    domain_put(d);
    return (long)pages;
}

static u64 limit(const struct domain *d)
{
    return MIN(READ_ONCE(d->frames_max), (u64)UINT32_MAX); // no limit is no negative number
}

// The guest's own word.
static u64 highest_pfn(const struct domain *d)
{
    const struct shared_info *s = __atomic_load_n(&d->shared, __ATOMIC_RELAXED);
    u64 end = s ? READ_ONCE(s->arch.max_pfn) : 0;
    return end ? MIN(end - 1, (u64)INT64_MAX) : 0;
}

static long current_reservation(struct vcpu *cur, void *arg)
{
    return query(cur, arg, memory_reserved);
}

static long maximum_reservation(struct vcpu *cur, void *arg)
{
    return query(cur, arg, limit);
}

static long maximum_gpfn(struct vcpu *cur, void *arg)
{
    return query(cur, arg, highest_pfn);
}

static long claim_pages(struct vcpu *cur, void *arg)
{
    const struct xen_memory_reservation *a = arg;
    struct domain *d;
    if (a->extent_order || a->mem_flags || !guest_ptr_null(GUEST_HANDLE(a->extent_start)))
        return -EINVAL;
    int rc = hc_target(cur, a->domid, &d);
    if (rc)
        return rc;
    rc = claim_set(d, a->nr_extents, memory_reserved(d));
    if (rc)
        printk(LOG_WARN,
               "domain %u: %lu KiB asked for, %lu KiB free, has %lu of at most %lu (error %d)",
               d->id.v, a->nr_extents * 4, frames_free_count() * 4, memory_reserved(d) * 4,
               d->frames_max * 4, rc);
    domain_put(d);
    return rc;
}

static long no_pages(struct vcpu *cur, void *arg)
{
    return 0;
}

// --- memory maps ---
// A PV guest has no map of its own, and is told that there is no such operation, unless the
// toolstack gave it one.

static long memory_map(struct vcpu *cur, void *arg)
{
    struct xen_memory_map *a = arg;
    struct domain *d = cur->dom;
    long rc = -ENOSYS;
    spin_lock(&d->lock);
    if (d->e820) {
        a->nr_entries = MIN(a->nr_entries, d->e820_count);
        rc = guest_copy_out(GUEST_HANDLE(a->buffer), d->e820,
                            a->nr_entries * sizeof(struct e820_entry));
    }
    spin_unlock(&d->lock);
    return rc;
}

static long set_memory_map(struct vcpu *cur, void *arg)
{
    const struct xen_foreign_memory_map *a = arg;
    u32 n = a->map.nr_entries;
    struct domain *d;
    if (n > MAP_MAX)
        return domctl_refuse(a->domid, "number of memory ranges", n, 0, MAP_MAX, -EINVAL);
    int rc = hc_target(cur, a->domid, &d);
    if (rc)
        return rc;
    void *map = heap_alloc(n * sizeof(struct e820_entry)), *unused = map;
    rc = map ? guest_copy_in(map, GUEST_HANDLE(a->map.buffer), n * sizeof(struct e820_entry))
             : -ENOMEM;
    if (rc == 0) {
        spin_lock(&d->lock);
        unused = d->e820;
        d->e820 = map;
        d->e820_count = n;
        spin_unlock(&d->lock);
    }
    heap_free(unused);
    domain_put(d);
    return rc;
}

static long machine_memory_map(struct vcpu *cur, void *arg)
{
    struct xen_memory_map *a = arg;
    if (guest_ptr_null(GUEST_HANDLE(a->buffer))) {
        a->nr_entries = boot_info.e820_count;
        return 0;
    }
    if (a->nr_entries < boot_info.e820_count)
        return -EINVAL;
    a->nr_entries = boot_info.e820_count;
    return guest_copy_out(GUEST_HANDLE(a->buffer), boot_info.e820,
                          a->nr_entries * sizeof(boot_info.e820[0]));
}

// There is no table of devices' own memory yet, so no such region.
static long reserved_device_memory_map(struct vcpu *cur, void *arg)
{
    struct xen_reserved_device_memory_map *a = arg;
    if (a->flags & ~XENMEM_RDM_ALL)
        return -EINVAL;
    a->nr_entries = 0;
    return 0;
}

// --- the machine-to-physical table ---

static long machphys_mapping(struct vcpu *cur, void *arg)
{
    struct xen_machphys_mapping *a = arg;
    a->v_start = MACH2PHYS_VIRT_START;
    a->v_end = MACH2PHYS_VIRT_END;
    a->max_mfn = frame_count - 1;
    return 0;
}

// The frame that one 2 MiB page of the table begins with.
static u64 m2p_chunk(u64 va)
{
    u64 l4 = hv_l4_slots[(va >> 39 & 511) - HV_L4_FIRST];
    const u64 *l3 = mfn_virt(pte_mfn(l4)), *l2 = mfn_virt(pte_mfn(l3[va >> 30 & 511]));
    return pte_mfn(l2[va >> M2P_CHUNK_SHIFT & 511]).v;
}

static long machphys_mfn_list(struct vcpu *cur, void *arg)
{
    struct xen_machphys_mfn_list *a = arg;
    u64 bytes = frame_count * 8,
        chunks = align_up(bytes, (u64)1 << M2P_CHUNK_SHIFT) >> M2P_CHUNK_SHIFT;
    u32 n = (u32)MIN((u64)a->max_extents, chunks), i;
    for (i = 0; i < n; i++) {
        u64 mfn = m2p_chunk(M2P_RO_BASE + ((u64)i << M2P_CHUNK_SHIFT));
        if (guest_copy_out_index(GUEST_HANDLE(a->extent_start), i, &mfn, sizeof(mfn)))
            return -EFAULT;
    }
    a->nr_extents = n;
    return 0;
}

// No 32-bit guests, so no table for them.
static long machphys_compat_mfn_list(struct vcpu *cur, void *arg)
{
    struct xen_machphys_mfn_list *a = arg;
    a->nr_extents = 0;
    return 0;
}

// --- for translated guests only ---

static long not_translated(struct vcpu *cur, domid_t id, long refusal)
{
    struct domain *d;
    int rc = hc_target(cur, id, &d);
    if (rc)
        return rc;
    domain_put(d);
    return refusal;
}

static long add_to_physmap(struct vcpu *cur, void *arg)
{
    return not_translated(cur, ((const struct xen_add_to_physmap *)arg)->domid, -EACCES);
}

static long add_to_physmap_batch(struct vcpu *cur, void *arg)
{
    return not_translated(cur, ((const struct xen_add_to_physmap_batch *)arg)->domid, -EACCES);
}

static long remove_from_physmap(struct vcpu *cur, void *arg)
{
    return not_translated(cur, ((const struct xen_remove_from_physmap *)arg)->domid, -EACCES);
}

static long get_vnumainfo(struct vcpu *cur, void *arg)
{
    return not_translated(cur, ((const struct xen_vnuma_topology_info *)arg)->domid, -EOPNOTSUPP);
}

// --- resources: frames of a domain's that are in no map of its own ---

static u32 resource_frames(struct domain *d, u32 id)
{
    return id == XENMEM_resource_grant_table_id_shared ? d->grant->frames_max
                                                       : grant_status_frames_max(d);
}

// Its table grows to hold them.
static long grant_frames(struct domain *d, const struct xen_mem_acquire_resource *a)
{
    bool status = a->id == XENMEM_resource_grant_table_id_status;
    u64 end = a->frame + a->nr_frames;
    int rc = 0;
    if (end < a->frame || end > resource_frames(d, a->id))
        return -EINVAL;
    if (status && grant_version(d) < 2)
        return -EINVAL;
    while (!status && (rc = grant_grow(d, (u32)end)) > 0)
        if (preempt_wanted())
            return -ERESTART_HC;
    for (u32 i = 0; rc == 0 && i < a->nr_frames; i++) {
        u32 index = (u32)a->frame + i;
        mfn_t m = status ? grant_status_frame(d, index) : grant_frame(d, index);
        if (mfn_eq(m, MFN_NONE))
            rc = -EINVAL;
        else
            rc = guest_copy_out_index(GUEST_HANDLE(a->frame_list), i, &m.v, sizeof(m.v));
    }
    return rc;
}

static long acquire_resource(struct vcpu *cur, void *arg)
{
    struct xen_mem_acquire_resource *a = arg;
    struct domain *d;
    if (a->pad)
        return -EINVAL;
    int err = hc_target(cur, a->domid, &d);
    if (err)
        return err;
    long rc = -EOPNOTSUPP;
    bool size = a->nr_frames == 0 && guest_ptr_null(GUEST_HANDLE(a->frame_list));
    if (a->type == XENMEM_resource_grant_table && a->id > XENMEM_resource_grant_table_id_status)
        rc = -EINVAL;
    else if (a->type == XENMEM_resource_grant_table && size)
        rc = 0, a->nr_frames = resource_frames(d, a->id);
    else if (a->type == XENMEM_resource_grant_table)
        rc = grant_frames(d, a);
    domain_put(d);
    return rc;
}

// clang-format off
#define OP(op, arg, dir, priv, test) \
    {DOC("XENMEM_" #op), XENMEM_##op, sizeof(struct arg), dir, priv, op, DOC(test)}
#define OP_NONE(op, fn, test) {DOC("XENMEM_" #op), XENMEM_##op, 0, HC_NONE, false, fn, DOC(test)}

static const struct hc_op ops[] = {
    OP_NONE(maximum_ram_page, maximum_ram_page, "memory_ops"),
    OP(current_reservation, xen_memory_domain, HC_IN, false, "memory_ops"),
    OP(maximum_reservation, xen_memory_domain, HC_IN, false, "memory_ops"),
    OP(machphys_mfn_list, xen_machphys_mfn_list, HC_INOUT, false, "memory_maps"),
    OP(add_to_physmap, xen_add_to_physmap, HC_IN, false, NULL),
    OP(memory_map, xen_memory_map, HC_INOUT, false, "domctl_memory"),
    OP(set_memory_map, xen_foreign_memory_map, HC_IN, false, "domctl_memory"),
    OP(machine_memory_map, xen_memory_map, HC_INOUT, true, "memory_maps"),
    OP(machphys_mapping, xen_machphys_mapping, HC_OUT, false, "memory_maps"),
    OP(maximum_gpfn, xen_memory_domain, HC_IN, false, "memory_ops"),
    OP(remove_from_physmap, xen_remove_from_physmap, HC_IN, false, NULL),
    OP_NONE(get_sharing_freed_pages, no_pages, NULL),
    OP_NONE(get_sharing_shared_pages, no_pages, NULL),
    OP(add_to_physmap_batch, xen_add_to_physmap_batch, HC_IN, false, NULL),
    OP(claim_pages, xen_memory_reservation, HC_IN, true, NULL),
    OP(machphys_compat_mfn_list, xen_machphys_mfn_list, HC_INOUT, false, NULL),
    OP(get_vnumainfo, xen_vnuma_topology_info, HC_IN, false, NULL),
    OP(reserved_device_memory_map, xen_reserved_device_memory_map, HC_INOUT, true, NULL),
    OP(acquire_resource, xen_mem_acquire_resource, HC_INOUT, true, NULL),
};
// clang-format on

long hc_memory_op(struct vcpu *cur, u64 cmd, u64 arg, u64 a2, u64 a3, u64 a4)
{
    u32 op = cmd & ((1u << MEMORY_CMD_BITS) - 1);
    u64 start = cmd >> MEMORY_CMD_BITS;
    for (u32 i = 0; i < hc_extent_op_count; i++)
        if (hc_extent_ops[i].cmd == op)
            return hc_extent_ops[i].handler(cur, GUEST_PTR(arg), start);
    if (start) // what is not continued has nothing above its number
        return -ENOSYS;
    return hc_dispatch_op(ops, ARRAY_SIZE(ops), cur, op, GUEST_PTR(arg));
}
