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
#include "dom/ranges.h"
#include "pv/pv.h"
#include "sched/policy.h"

enum { VCPUS_MAX = 128 }; // per domain

enum vcpu_flags {
    VCPU_BLOCKED = 1u << 0, // waits for an event
    VCPU_DOWN = 1u << 1,    // never brought up, or VCPUOP_down
    VCPU_PAUSED = 1u << 2,  // the domain is paused or has shut down
    VCPU_CAPPED = 1u << 3,  // the domain has reached its cap in this period (sched/cap.h)
};

struct vcpu {
    struct domain *dom; // [i]
    vcpu_id_t id;       // [i]
    struct evtchn_vcpu ev;
    // The guest-visible vcpu_info: in the shared-info page, or where the guest registered it.
    struct vcpu_info *info; // [c] hypervisor mapping; valid for the vCPU's whole life
    bool info_registered;   // [d]
    void *lost_info;        // [c] the place that vcpu_forget_info left

    u64 hc_arg[5];     // [c] arguments of the call under way in a multicall (hc/continue.h)
    bool in_multicall; // [c]

    // Scheduling
    u32 flags;                          // [s] enum vcpu_flags; runnable when 0
    u32 cpu;                            // [s] whose run queue it belongs to
    bool running;                       // [s]
    struct cpumask hard, soft;          // [s] CPUs it may run on, and those it had better
    struct sched_entity sched;          // [s]
    struct vcpu_runstate_info runstate; // [s]
    u64 runstate_area;                  // [c] guest address, 0: none
    u64 time_area;                      // [c] guest address of a second time info, 0: none

    struct timer singleshot, periodic, poll;
    u64 period; // [c] ns, 0: none

    struct pv_vcpu pv; // last: its end is a page that is seldom touched
};

enum { DOMAIN_WATCHDOGS = 2 };

enum domain_state { DOMAIN_RUNNING, DOMAIN_SHUTDOWN, DOMAIN_DYING };

// How far the destruction of a dying domain has come (dom/destroy.c).
enum domain_end { END_STOP, END_EVENTS, END_GRANTS, END_VCPUS, END_MEMORY, END_LAST, END_DONE };

// What a domain is created with.
struct domain_config {
    bool privileged;
    u32 flags; // XEN_DOMCTL_CDF_*
    u32 ssidref;
    u32 vcpus;                         // room for so many
    u32 pool;                          // number of its CPU pool
    u32 evtchn_max;                    // highest port number
    u32 grant_frames, maptrack_frames; // limits in pages (dom/grant.h)
    u64 frames_max;
    u8 handle[16];
};

struct domain {
    dom_id_t id;     // [i]
    bool privileged; // [i] the control domain
    u32 vcpu_count;  // [i] length of vcpu[]; entries may be NULL until created
    struct vcpu *vcpu[VCPUS_MAX];
    struct shared_info *shared; // [i] hypervisor mapping of the shared-info page; NULL: dying
    struct evtchn_domain ev;

    spinlock_t lock;       // LOCK_DOMAIN
    spinlock_t mmu_lock;   // LOCK_MMU
    u32 refs;              // [a] its frames hold one each
    u32 state;             // [d] enum domain_state
    u32 end;               // [a] enum domain_end; changed by who has set `busy`
    bool busy;             // [a] a control operation on it is under way (hc/domctl.c)
    u32 pauses;            // [d] its vCPUs run while this is 0 and the state is DOMAIN_RUNNING
    u32 ctl_pauses;        // [d] those of them by XEN_DOMCTL_pausedomain
    u32 suspend_port;      // [d] its port that is told of a suspend, 0: none
    u8 tsc_mode;           // [d] as XEN_DOMCTL_settscinfo set it
    bool debugged;         // [d] the toolstack wants to see it stop
    u32 shutdown_reason;   // [d]
    bool shutdown_latched; // [d] SCHEDOP_shutdown_code has set the reason
    bool shut_down;        // [d] after DOMAIN_SHUTDOWN, all vCPUs have stopped
    u32 watchdog_used;     // [d] bit n: watchdog[n] is running
    struct timer watchdog[DOMAIN_WATCHDOGS];
    u64 frames;                // [a] frames owned
    u64 frames_max;            // [d]
    u64 claimed;               // [LOCK_CLAIM] frames set aside for it
    spinlock_t frames_lock;    // LOCK_OWNED
    u32 first_frame;           // [frames_lock] the frames of its reservation: list head + 1
    struct sched_pool *pool;   // [a] whose CPUs it runs on
    struct sched_share share;  // of those
    u64 vm_assist;             // [a] VMASST bits
    u32 deferred;              // [m] frames whose invalidation is under way: list head + 1
    struct cpumask dirty;      // [a] CPUs that may cache its translations
    s64 time_offset;           // [d] seconds
    struct grant_table *grant; // [i]
    struct cpu_policy *policy; // [i] from its first run on (cpu/policy.h)
    struct pirq_table *pirqs;  // [a] NULL until the first is used (io/pirq.h)
    spinlock_t io_lock;        // LOCK_IO_RANGES
    struct ranges io_frames, io_ports, io_irqs; // [io_lock] what the toolstack has granted
    u32 flags;                                  // [i] XEN_DOMCTL_CDF_*
    u32 ssidref;                                // [i]
    struct e820_entry *e820;  // [d] the memory map that the toolstack gave it, or NULL
    u32 e820_count;           // [d]
    u8 handle[16];            // [d] the toolstack's name for it
    struct domain *next;      // [a] all domains, by id
    struct domain *hash_next; // [a] those with the same hash
    struct domain *dead_next; // dead ones that are to be freed
    struct cpumask grace;     // CPUs that may still look at a dead domain (dom/list.c)
};

#define for_each_vcpu(d, v)                               \
    for (u32 v##_i = 0; v##_i < (d)->vcpu_count; v##_i++) \
        if (((v) = (d)->vcpu[v##_i]) != NULL)
// NULL: there is none of that number.
static inline struct vcpu *domain_vcpu(struct domain *d, u32 id)
{
    return id < d->vcpu_count ? READ_ONCE(d->vcpu[guest_index(id, d->vcpu_count)]) : NULL;
}

// --- dom/list.c ---
// The domain with that number (DOMID_SELF: the caller's), or NULL. The reference is dropped with
// domain_put. Any context, no lock taken.
struct domain *domain_get(dom_id_t id, struct domain *self);
// The domain with the lowest number that is not below `from`, or NULL. As domain_get.
struct domain *domain_get_from(u32 from);
void domain_put(struct domain *d);
// All domains in turn, each referenced while it is looked at; who leaves the loop drops that.
struct domain *domain_next(struct domain *d);
#define for_each_domain(d) for ((d) = domain_get_from(0); (d); (d) = domain_next(d))
// Sees that no other domain has d's id, or gives it a free one if `any`. -EEXIST. Only one domain
// may be between this and domain_enter, which makes it known to all.
NODISCARD int domain_choose_id(struct domain *d, bool any);
void domain_enter(struct domain *d);
// Frees dead domains that no CPU looks at any more. From the exit path (SOFTIRQ_REAP).
void domain_reap(void);
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

// The domain a frame's owner field names, or NULL. A reference on the frame keeps it alive.
struct domain *domain_by_owner(u16 owner);
extern struct domain *dom0;
// Owners that never run: device frames (DOMID_IO), the hypervisor's shown ones (DOMID_XEN).
extern struct domain dom_io, dom_xen;

// An empty domain without vCPUs, with a shared-info page, entered under `id` or any free number;
// a pause by the toolstack keeps it still unless it is privileged. One caller at a time.
// -ENOMEM, -EEXIST, -ESRCH (pool).
NODISCARD int domain_create(const struct domain_config *c, dom_id_t id, bool any,
                            struct domain **out);
// Creates vCPU `id` (down); NULL when memory is out. Only while d does not run.
NODISCARD struct vcpu *vcpu_create(struct domain *d, u32 id);
// The vCPU will not run any more: its info goes nowhere. What was registered is in v->lost_info,
// to be given back when no CPU can still be writing there.
void vcpu_forget_info(struct vcpu *v);
// Bytes of the hypervisor's own memory that d takes, and of the pages it shares with d; without
// PIRQs. For people: others may change it meanwhile. Any context (dom/footprint.c).
u64 domain_footprint(struct domain *d);
// Frees what d consists of, once nobody refers to it.
void domain_free(struct domain *d);
// Stops the domain until it is resumed or destroyed; for dom0 it means the machine. Never fails.
void domain_shutdown(struct domain *d, u32 reason);
// A vCPU of d's has left its CPU: if it was the last of a domain that shuts down, the toolstack is
// told. Takes LOCK_DOMAIN.
void domain_vcpu_stopped(struct domain *d);
// The domain goes on after a shutdown. -EINVAL: it has not shut down.
NODISCARD int domain_resume(struct domain *d);
// While it has pauses, no vCPU of the domain is let onto a CPU. domain_pause may return before they
// have all left; with domain_still, which the caller repeats, it is certain. Takes LOCK_DOMAIN.
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
bool domain_still(const struct domain *d);
// The toolstack's pauses, which it sees. -EOVERFLOW: too many; -EINVAL: there is none.
NODISCARD int domain_ctl_pause(struct domain *d);
NODISCARD int domain_ctl_unpause(struct domain *d);
// A debugger that is attached to d takes a breakpoint: d is paused, VIRQ_DEBUGGER tells. False:
// there is none, the exception is the guest's.
bool domain_stop_for_debugger(struct domain *d);
// Ends the domain: call again on -ERESTART_HC. Only one caller at a time (d->busy).
// -EINVAL: it is the caller's own, or dom0.
NODISCARD int domain_destroy(struct domain *d);
// Has the toolstack granted the domain these I/O frames, ports or interrupts? Takes io_lock.
bool domain_may_use(struct domain *d, const struct ranges *set, u64 first, u64 n);
// Sends a global VIRQ to the domain that handles it: dom0, unless another was named.
void domain_send_virq(u32 virq);
// d is to handle a global VIRQ from now on.
void domain_set_virq_handler(struct domain *d, u32 virq);
// Recounts, while no vCPU but the current one runs, what uses the frames of every domain
// (mmu_audit), its grants (grant_audit) and its ports (evtchn_audit). No lock may be held.
void domain_audit_all(void);
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
