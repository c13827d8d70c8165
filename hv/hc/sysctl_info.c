// SPDX-License-Identifier: MIT
// sysctl: what the machine has, and which domains there are. There is one NUMA node.
#include "boot/globals.h"
#include "cpu/policy.h"
#include "cpu/time.h"
#include "cpu/topology.h"
#include "hc/continue.h"
#include "hc/domctl.h"
#include "io/pirq.h"
#include "lib/string.h"
#include "hc/sysctl.h"
#include "io/pci.h"
#include "mm/frame.h"
#include "sched/pool.h"
#include "sched/sched.h"

enum { NODE_DISTANCE = 10 }; // of a node to itself (ACPI, "System Locality Information Table")

long sysctl_physinfo(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_physinfo *a = arg;
    u32 words[FEATURE_WORDS];
    cpu_topology_counts(&a->threads_per_core, &a->cores_per_socket);
    a->nr_cpus = 0;
    for_each_cpu (i)
        a->nr_cpus += !cpu_is_offline(i);
    a->max_cpu_id = cpu_count - 1;
    a->nr_nodes = 1;
    a->cpu_khz = (u32)time_tsc_khz();
    a->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 |
                      (options.gnttab_max_version > 1 ? XEN_SYSCTL_PHYSCAP_gnttab_v2 : 0);
    a->total_pages = ram_frames;
    a->free_pages = frames_free_count();
    a->max_mfn = frame_count - 1;
    cpu_policy_features(cpu_policy_system(POLICY_HOST), words);
    memcpy(a->hw_cap, words, sizeof(a->hw_cap));
    return 0;
}

// Writes `count` elements, made one by one, of which the guest has room for `room`.
static long list_out(guest_ptr to, u32 room, u32 count, u32 bytes, void (*make)(u32 i, void *out))
{
    u8 element[32] ALIGNED(8);
    ASSERT(bytes <= sizeof(element));
    for (u32 i = 0; i < MIN(room, count); i++) {
        make(i, element);
        if (guest_copy_out_index(to, i, element, bytes))
            return -EFAULT;
    }
    return 0;
}

static void topology_element(u32 cpu, void *out)
{
    struct cpu_topology t = cpu_topology(cpu);
    if (cpu_is_offline(cpu))
        t.core = t.socket = XEN_INVALID_CORE_ID;
    *(xen_sysctl_cputopo_t *)out = (xen_sysctl_cputopo_t){.core = t.core, .socket = t.socket};
}

// The header wants the full count when there is too little room; Xen gives what it wrote, and so do
// we (tests/guest/sysctl_info).
long sysctl_cputopoinfo(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_cputopoinfo *a = arg;
    guest_ptr to = GUEST_HANDLE(a->cputopo);
    a->num_cpus = guest_ptr_null(to) ? cpu_count : MIN(a->num_cpus, cpu_count);
    return guest_ptr_null(to) ? 0
                              : list_out(to, a->num_cpus, cpu_count, sizeof(xen_sysctl_cputopo_t),
                                         topology_element);
}

long sysctl_numainfo(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_numainfo *a = arg;
    guest_ptr info = GUEST_HANDLE(a->meminfo), distance = GUEST_HANDLE(a->distance);
    xen_sysctl_meminfo_t m = {ram_frames << PAGE_SHIFT, frames_free_count() << PAGE_SHIFT};
    u32 d = NODE_DISTANCE;
    if (guest_ptr_null(info) && guest_ptr_null(distance)) {
        a->num_nodes = 1;
        return 0;
    }
    a->num_nodes = MIN(a->num_nodes, 1u);
    if (a->num_nodes == 0)
        return 0;
    if ((!guest_ptr_null(info) && guest_copy_out(info, &m, sizeof(m))) ||
        (!guest_ptr_null(distance) && guest_copy_out(distance, &d, sizeof(d))))
        return -EFAULT;
    return 0;
}

// Stops where something else should run; the caller goes on behind the devices that are done.
long sysctl_pcitopoinfo(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_pcitopoinfo *a = arg;
    u32 i, node;
    if (guest_ptr_null(GUEST_HANDLE(a->devs)) || guest_ptr_null(GUEST_HANDLE(a->nodes)))
        return -EINVAL;
    for (i = 0; i < a->num_devs && (i == 0 || !preempt_wanted()); i++) {
        physdev_pci_device_t p;
        if (guest_copy_in_index(&p, GUEST_HANDLE(a->devs), i, sizeof(p)))
            return -EFAULT;
        spin_lock(&physdev_lock);
        node = pci_get((struct pci_addr){p.seg, p.bus, p.devfn}) ? 0 : XEN_INVALID_DEV;
        spin_unlock(&physdev_lock);
        if (guest_copy_out_index(GUEST_HANDLE(a->nodes), i, &node, sizeof(node)))
            return -EFAULT;
    }
    a->num_devs = i;
    return 0;
}

// Not preemptible, as the ABI has no place for what is left: 4095 domains take a few ms at most.
long sysctl_getdomaininfolist(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_getdomaininfolist *a = arg;
    struct domain *d = domain_get_from(a->first_domain);
    u32 n = 0;
    bool bad = false;
    for (; d && !bad && n < a->max_domains; d = domain_next(d)) {
        xen_domctl_getdomaininfo_t info;
        domain_info(d, &info);
        bad = guest_copy_out_index(GUEST_HANDLE(a->buffer), n++, &info, sizeof(info)) != 0;
    }
    if (d)
        domain_put(d);
    if (bad)
        return -EFAULT;
    a->num_domains = n;
    return 0;
}

static void idle_element(u32 cpu, void *out)
{
    u64 times;
    ((xen_sysctl_cpuinfo_t *)out)->idletime = sched_idle_ns(cpu, &times);
}

long sysctl_getcpuinfo(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_getcpuinfo *a = arg;
    a->nr_cpus = MIN(a->max_cpus, cpu_count);
    return list_out(GUEST_HANDLE(a->info), a->nr_cpus, cpu_count, sizeof(xen_sysctl_cpuinfo_t),
                    idle_element);
}

long sysctl_availheap(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_availheap *a = arg;
    u32 max = a->max_bitwidth ? MIN(a->max_bitwidth, 64u) : 64;
    a->avail_bytes = a->node > 0 ? 0 : frames_free_width(a->min_bitwidth, max) << PAGE_SHIFT;
    return 0;
}
