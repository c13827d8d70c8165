// SPDX-License-Identifier: MIT
// Domains and vCPUs: what they consist of and how the parts hang together.
//
// Letters of protection: [i] immutable after create, [a] atomic, [d] domain lock, [m] mmu lock,
// [c] only the CPU the vCPU runs on (or nobody, while it is descheduled), [s] run-queue lock.
#ifndef WIRT_DOM_DOMAIN_H
#define WIRT_DOM_DOMAIN_H

#include "abi/xen.h"
#include <xen/vcpu.h>
#include "cpu/regs.h"
#include "cpu/spinlock.h"
#include "hc/guest_access.h"
#include "lib/types.h"
#include "mm/frame.h"
#include "mm/tlb.h"
#include "dom/evtchn.h"
#include "pv/pv.h"
#include "sched/timer.h"

enum { VCPUS_MAX = 128 }; // per domain

enum vcpu_flags {
    VCPU_BLOCKED = 1u << 0, // waits for an event
    VCPU_DOWN = 1u << 1,    // never brought up, or VCPUOP_down
    VCPU_PAUSED = 1u << 2,  // the domain is paused or has shut down
};

struct vcpu {
    struct domain *dom; // [i]
    vcpu_id_t id;       // [i]
    struct evtchn_vcpu ev;
    // The guest-visible vcpu_info: in the shared-info page, or where the guest registered it.
    struct vcpu_info *info; // [c] hypervisor mapping; valid for the vCPU's whole life
    bool info_registered;   // [d]

    u64 hc_arg[5];     // [c] arguments of the call under way in a multicall (hc/continue.h)
    bool in_multicall; // [c]

    // Scheduling
    u32 flags;                          // [s] enum vcpu_flags; runnable when 0
    u32 cpu;                            // [s] whose run queue it belongs to
    bool queued, running;               // [s]
    bool pinned;                        // [i]
    struct vcpu *next;                  // [s] run queue
    u64 avt;                            // [s] actual virtual time, ns
    u64 started;                        // [s] when it was put on the CPU, ns
    struct vcpu_runstate_info runstate; // [s]
    u64 runstate_area;                  // [c] guest address, 0: none
    u64 time_area;                      // [c] guest address of a second time info, 0: none
    u32 time_version;                   // [c]

    struct timer singleshot, periodic, poll;
    u64 period; // [c] ns, 0: none

    struct pv_vcpu pv; // last: its end is a page that is seldom touched
};

enum { DOMAIN_WATCHDOGS = 2 };

enum domain_state { DOMAIN_RUNNING, DOMAIN_SHUTDOWN, DOMAIN_DYING };

struct domain {
    dom_id_t id;     // [i]
    bool privileged; // [i] the control domain
    u32 vcpu_count;  // [i] length of vcpu[]; entries may be NULL until created
    struct vcpu *vcpu[VCPUS_MAX];
    struct shared_info *shared; // [i] hypervisor mapping of the shared-info page
    struct evtchn_domain ev;

    spinlock_t lock;       // LOCK_DOMAIN
    spinlock_t mmu_lock;   // LOCK_MMU
    u32 refs;              // [a]
    u32 state;             // [d] enum domain_state
    u32 shutdown_reason;   // [d]
    bool shutdown_latched; // [d] SCHEDOP_shutdown_code has set the reason
    u32 watchdog_used;     // [d] bit n: watchdog[n] is running
    struct timer watchdog[DOMAIN_WATCHDOGS];
    u64 frames;                // [a] frames owned
    u64 frames_max;            // [d]
    u64 vm_assist;             // [a] VMASST bits
    u32 deferred;              // [m] frames whose invalidation is under way: list head + 1
    struct cpumask dirty;      // [a] CPUs that may cache its translations
    s64 time_offset;           // [d] seconds
    struct grant_table *grant; // [i]
    struct pirq_table *pirqs;  // [a] NULL until the first is used (io/pirq.h)
    struct domain *next;       // domain list
};

#define for_each_vcpu(d, v)                               \
    for (u32 v##_i = 0; v##_i < (d)->vcpu_count; v##_i++) \
        if (((v) = (d)->vcpu[v##_i]) != NULL)

// The domain with that number (DOMID_SELF: the caller's), or NULL. The reference is dropped with
// domain_put. Any context.
struct domain *domain_get(dom_id_t id, struct domain *self);
void domain_put(struct domain *d);
// What stands in the owner field of a domain's frames (mm/frame.h).
static inline u16 frame_owner_id(const struct domain *d)
{
    return (u16)(d->id.v + 1);
}

// A reference on a frame of d's; false when it isn't one. Any context.
NODISCARD static inline bool frame_get(mfn_t m, const struct domain *d)
{
    return frame_get_owned(m, frame_owner_id(d));
}

// The domain a frame's owner field names, or NULL.
struct domain *domain_by_owner(u16 owner);
extern struct domain *dom0;
// Owners that never run: device frames (DOMID_IO), the hypervisor's shown ones (DOMID_XEN).
extern struct domain dom_io, dom_xen;

// An empty domain with room for `vcpus` vCPUs and a shared-info page; NULL when memory is out.
NODISCARD struct domain *domain_create(dom_id_t id, bool privileged, u32 vcpus, u64 frames_max);
// Creates vCPU `id` (down); NULL when memory is out. Takes the domain lock.
NODISCARD struct vcpu *vcpu_create(struct domain *d, u32 id);
// Stops the domain for good; for dom0 it means the machine. Never fails.
void domain_shutdown(struct domain *d, u32 reason);
// Recounts the uses of d's frames (pv/mmu.h, mmu_audit) while its vCPUs, except the current one,
// are stopped. No lock may be held.
void domain_audit(struct domain *d);
// Brings the wall clock in the shared-info page up to date.
void domain_update_wallclock(struct domain *d);
// Writes vcpu_time_info (and its registered copy) of the current vCPU, or of one that does not run.
void vcpu_update_time(struct vcpu *v);
// Writes the run state to where the guest registered it. The current vCPU.
void vcpu_update_runstate_area(struct vcpu *v);
// A guest did what no guest may and cannot be told so: prints its state and shuts it down as
// crashed.
void domain_crash(struct domain *d, const char *why);

#endif
