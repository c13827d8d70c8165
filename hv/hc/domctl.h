// SPDX-License-Identifier: MIT
// HYPERVISOR_domctl: its table and the handlers in it.
#ifndef WIRT_HC_DOMCTL_H
#define WIRT_HC_DOMCTL_H

#include "abi/xen.h"
#include <xen/domctl.h>
#include "dom/domain.h"

enum hc_domctl_flags {
    DOMCTL_IN = 0,
    DOMCTL_OUT = 1u << 0,       // the struct is copied out after success
    DOMCTL_REPORT = 1u << 1,    // also after a failure, which it explains
    DOMCTL_NO_DOMAIN = 1u << 2, // `domain` does not name one that exists
    DOMCTL_OTHER = 1u << 3,     // -EINVAL if it is the caller's own
    DOMCTL_ALIVE = 1u << 4,     // -EINVAL if it is dying
};

// Handlers get a copy of the caller's struct and the domain it names (NULL: DOMCTL_NO_DOMAIN),
// referenced, with d->busy set: no other control operation on that domain is under way. They return
// 0, an errno of the ABI, or -ERESTART_HC to be called again with the same arguments. No lock is
// held.
typedef long hc_domctl_handler(struct vcpu *cur, struct domain *d, struct xen_domctl *op);

struct hc_domctl_op {
    const char *name;
    u32 cmd;
    u32 flags; // enum hc_domctl_flags
    hc_domctl_handler *handler;
    const char *test; // the guest test, a directory in tests/guest
};

// domctl_sched.c
hc_domctl_handler domctl_scheduler_op;
// domctl_vcpu.c
hc_domctl_handler domctl_setvcpucontext, domctl_getvcpucontext, domctl_getvcpuinfo,
    domctl_max_vcpus, domctl_scheduler_op, domctl_setvcpuaffinity, domctl_getvcpuaffinity,
    domctl_sendtrigger, domctl_setvcpuextstate, domctl_getvcpuextstate, domctl_set_vcpu_msrs,
    domctl_get_vcpu_msrs, domctl_set_ext_vcpucontext, domctl_get_ext_vcpucontext;
// policy.c
hc_domctl_handler domctl_get_cpu_policy, domctl_set_cpu_policy;
// domctl_memory.c
hc_domctl_handler domctl_max_mem, domctl_getpageframeinfo3, domctl_hypercall_init,
    domctl_iomem_permission, domctl_ioport_permission, domctl_irq_permission,
    domctl_setnodeaffinity, domctl_getnodeaffinity;

// What XEN_DOMCTL_getdomaininfo tells; also for sysctl's list.
void domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);
// Tells the console why dom0 is refused, and returns the errno.
long domctl_refuse(u32 domain, const char *what, u64 value, u64 from, u64 to, long rc);
// Keeps a domain other than the caller's off all CPUs until domain_unpause.
void domctl_hold_still(struct domain *d);

#endif
