// SPDX-License-Identifier: MIT
// What a domain takes of the hypervisor's own memory (docs/footprint.md).
#include "dom/domain.h"
#include "dom/grant.h"
#include "mm/heap.h"

static u64 of_vcpus(struct domain *d)
{
    u64 bytes = 0;
    struct vcpu *v;
    for_each_vcpu (d, v) {
        bytes += heap_size(v) + heap_size(v->pv.fpu);
        for (u32 i = 0; i < ARRAY_SIZE(v->pv.more_traps); i++)
            bytes += heap_size(v->pv.more_traps[i]);
    }
    return bytes;
}

static u64 of_events(const struct domain *d)
{
    u32 end = READ_ONCE(d->ev.port_end);
    u64 bytes = heap_size(d->ev.fifo) + heap_size(d->ev.pirq_port);
    for (u32 port = 0; port < end; port += EVTCHN_BUCKET_PORTS) {
        const struct evtchn_group *g = d->ev.group[port / EVTCHN_GROUP_PORTS];
        bytes += heap_size(g->bucket[port / EVTCHN_BUCKET_PORTS % EVTCHN_GROUP_BUCKETS]);
        bytes += port % EVTCHN_GROUP_PORTS == 0 ? heap_size(g) : 0;
    }
    return bytes;
}

static u64 of_grants(const struct domain *d)
{
    const struct grant_table *t = d->grant;
    u64 bytes = heap_size(t) + heap_size(t->page) + heap_size(t->status_page) + heap_size(t->use) +
                heap_size(t->map) + grant_shared_pages(d) * PAGE_SIZE;
    for (u32 i = 0; i < t->frames_max * (GRANT_V1_ENTRIES / GRANT_USES); i++)
        bytes += heap_size(t->use[i]);
    return bytes + READ_ONCE(t->map_pages) * PAGE_SIZE;
}

u64 domain_footprint(struct domain *d)
{
    u64 bytes = heap_size(d) + heap_size(d->policy) + heap_size(d->e820) +
                heap_size(d->io_frames.range) + heap_size(d->io_ports.range) +
                heap_size(d->io_irqs.range) + (READ_ONCE(d->shared) ? PAGE_SIZE : 0);
    return bytes + of_vcpus(d) + of_events(d) + of_grants(d);
}
