// SPDX-License-Identifier: MIT
// Domains and vCPUs: what they consist of and how the parts hang together.
//
// Letters of protection: [i] immutable after create, [a] atomic, [d] domain lock, [m] mmu lock,
// [c] only the CPU the vCPU runs on (or nobody, while it is descheduled), [s] run-queue lock.
#ifndef WIRT_DOM_DOMAIN_H
#define WIRT_DOM_DOMAIN_H

#include "abi/xen.h"
#include "cpu/regs.h"
#include "cpu/spinlock.h"
#include "lib/types.h"
#include "dom/evtchn.h"

enum { VCPUS_MAX = 128 }; // per domain

struct vcpu {
    struct domain *dom; // [i]
    vcpu_id_t id;       // [i]
    struct evtchn_vcpu ev;
    // The guest-visible vcpu_info: in the shared-info page, or where the guest registered it.
    struct vcpu_info *info; // [c] hypervisor mapping; valid for the vCPU's whole life
};

struct domain {
    dom_id_t id;      // [i]
    bool privileged;  // [i] the control domain
    u32 vcpu_count;   // [i] length of vcpu[]; entries may be NULL until created
    struct vcpu *vcpu[VCPUS_MAX];
    struct shared_info *shared; // [i] hypervisor mapping of the shared-info page
    struct evtchn_domain ev;
};

// The domain with that number (DOMID_SELF: the caller's), or NULL. The reference is dropped with
// domain_put. Any context.
struct domain *domain_get(dom_id_t id, struct domain *self);
void domain_put(struct domain *d);

#endif
