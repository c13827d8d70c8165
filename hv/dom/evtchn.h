// SPDX-License-Identifier: MIT
// Event channels: a domain's port table and the operations on it, as a state machine over domains
// that neither copies to or from a guest nor knows a hypercall. Source: <xen/event_channel.h>,
// <xen/xen.h>; the FIFO ABI's protocol is that of D. Vrabel's published design paper
// (event-channels, draft H).
//
// Letters of protection: [i] immutable after create, [a] atomic, [e] the domain's ev.lock,
// [p] the port's lock (and ev.lock to write), [q] the queue lock of a vCPU (v->ev.queue_lock).
#ifndef WIRT_DOM_EVTCHN_H
#define WIRT_DOM_EVTCHN_H

#include "abi/xen.h"
#include <xen/event_channel.h>
#include "cpu/spinlock.h"
#include "lib/types.h"

struct domain;
struct vcpu;

enum {
    EVTCHN_VCPUS = 128,        // VCPUS_MAX, which is declared after this file
    EVTCHN_BUCKET_PORTS = 64,  // entries that are allocated together
    EVTCHN_GROUP_BUCKETS = 64, // so a group holds what the 2-level ABI can address
    EVTCHN_GROUP_PORTS = EVTCHN_BUCKET_PORTS * EVTCHN_GROUP_BUCKETS,
    EVTCHN_GROUPS = EVTCHN_FIFO_NR_CHANNELS / EVTCHN_GROUP_PORTS,
    EVTCHN_PIRQ_END = 1024, // PIRQ numbers a domain can bind
};

// What a port is. Transitions, all under ev.lock:
//
//   free -> unbound <-> interdomain -> free      free -> pirq | virq | ipi -> free
//
// Port 0 is reserved for ever.
enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_RESERVED,
    EVTCHN_UNBOUND,     // waits for u.unbound_dom to bind to it
    EVTCHN_INTERDOMAIN, // connected to u.peer
    EVTCHN_PIRQ,
    EVTCHN_VIRQ,
    EVTCHN_IPI,
};

// One port. Entries are never freed while the domain lives.
struct evtchn {
    spinlock_t lock;     // keeps u.peer connected, and so the peer domain alive, while held
    u8 state;            // [p] enum evtchn_state; read without lock by senders
    u8 priority;         // [a] FIFO queue to use next
    u8 notify_vcpu;      // [a] vCPU id to notify
    u8 last_vcpu;        // [q of last_vcpu] FIFO queue the event was last linked to
    u8 last_priority;    // [q of last_vcpu]
    bool pending_noword; // [a] FIFO: raised while no event word existed for it
    union {
        dom_id_t unbound_dom; // [p]
        struct {
            struct domain *dom;
            port_t port;
        } peer;   // [p]
        u32 pirq; // [e]
        u32 virq; // [e]
    } u;
};

// 4096 ports.
struct evtchn_group {
    u64 used[EVTCHN_GROUP_BUCKETS];              // [e] bit set: port is not free
    struct evtchn *bucket[EVTCHN_GROUP_BUCKETS]; // [a] NULL at and above ev.port_end
};

struct evtchn_domain {
    spinlock_t lock;                // LOCK_EVTCHN; of two domains the lower id first
    const struct evtchn_ops *ops;   // [a] the ABI in use
    struct evtchn_fifo *fifo;       // [a] NULL: the 2-level ABI is in use
    u32 port_end;                   // [a] entries exist for all ports below; only grows
    u32 port_max;                   // [e] inclusive limit that the toolstack set
    bool dying;                     // [e] no port is bound any more
    u32 *pirq_port;                 // [a] PIRQ -> port, 0: none; NULL until the first is bound
    u64 polling[EVTCHN_VCPUS / 64]; // [a] vCPUs between poll_begin and poll_end
    struct evtchn_group *group[EVTCHN_GROUPS]; // [a]
};

struct evtchn_vcpu {
    u32 virq_port[NR_VIRQS]; // [a] VIRQ -> port, 0: none; global VIRQs are kept with vCPU 0
    u32 poll_port;           // [a] while polling: the one port polled, or 0 for several
    spinlock_t queue_lock;   // LOCK_FIFO; of two vCPUs of a domain the lower id first
    struct evtchn_fifo_control_block *control; // [q] guest memory; NULL until registered
    u32 tail[EVTCHN_FIFO_MAX_QUEUES];          // [q] last port linked, by priority; 0: none
};

// What EVTCHNOP_status tells.
struct evtchn_info {
    enum evtchn_state state;
    u32 vcpu;
    dom_id_t dom; // unbound, interdomain
    port_t port;  // interdomain
    u32 irq;      // pirq, virq
};

// Life. -ENOMEM. `port_max` is the highest port number ever handed out; both ABIs limit further.
NODISCARD int evtchn_domain_init(struct domain *d, u32 port_max);
// For a vCPU with id and dom set, before it is entered in dom->vcpu[].
void evtchn_vcpu_init(struct vcpu *v);
// Closes all ports for ever and gives the guest's frames back. Call again on -ERESTART_HC. The
// domain must still be reachable through a reference; its vCPUs do not run any more.
NODISCARD int evtchn_destroy(struct domain *d);
// Frees the tables. Only when nobody holds a reference to d.
void evtchn_domain_free(struct domain *d);
// Stops the machine if the tables contradict each other. Takes ev.lock.
void evtchn_audit(struct domain *d);

// Operations. Each returns 0 or a negative errno and changes nothing on an error. They take the
// ev.lock of the domains they are given, and of the peer. All of them may fail with
//   -EINVAL  no such port, or it is in a state the operation does not allow
//   -ENOENT  no such vCPU
// and those that hand out a port with
//   -ENOSPC  no port below the limits is free
//   -ENOMEM  no memory for the table
//   -EINVAL  the domain is being destroyed
// The port is in `*port` only after success. Meaning: event_channel.h, EVTCHNOP_*.

NODISCARD int evtchn_alloc_unbound(struct domain *d, dom_id_t remote, port_t *port);
// -EINVAL: rd's port is not unbound or waits for another domain. ld may be rd.
NODISCARD int evtchn_bind_interdomain(struct domain *ld, struct domain *rd, port_t rport,
                                      port_t *lport);
// -EINVAL: no such VIRQ, or a global one on another vCPU than 0; -EEXIST: bound already.
NODISCARD int evtchn_bind_virq(struct domain *d, u32 virq, u32 vcpu, port_t *port);
NODISCARD int evtchn_bind_ipi(struct domain *d, u32 vcpu, port_t *port);
// -EINVAL: no such PIRQ; -EEXIST: bound already; else what pirq_bind says.
NODISCARD int evtchn_bind_pirq(struct domain *d, u32 pirq, u32 flags, port_t *port);
// Takes and drops a reference to the peer domain.
NODISCARD int evtchn_close(struct domain *d, port_t port);
// To an unbound port: 0, and nothing happens. Takes no lock of the domain (see evtchn.c).
NODISCARD int evtchn_send(struct domain *d, port_t port);
NODISCARD int evtchn_status(struct domain *d, port_t port, struct evtchn_info *info);
NODISCARD int evtchn_bind_vcpu(struct domain *d, port_t port, u32 vcpu);
NODISCARD int evtchn_unmask(struct domain *d, port_t port);
// Closes all ports, a bounded number per call: call again on -ERESTART_HC.
NODISCARD int evtchn_reset(struct domain *d);

// The FIFO ABI.
// -ENOSYS: the domain uses the 2-level ABI.
NODISCARD int evtchn_set_priority(struct domain *d, port_t port, u32 priority);
// Registers a vCPU's control block; the first one changes the domain to the FIFO ABI. `offset` in
// bytes. -EINVAL: misaligned, not inside the frame, registered before, frame not usable; -ENOMEM.
// Calls domain_map_guest_frame without any lock.
NODISCARD int evtchn_init_control(struct domain *d, u32 vcpu, gfn_t gfn, u32 offset);
// -EOPNOTSUPP: 2-level ABI; -ENOSPC: the array is complete; -EINVAL: frame not usable. As above.
NODISCARD int evtchn_expand_array(struct domain *d, gfn_t gfn);
// Back to the 2-level ABI; all frames are given back. The ports should be closed.
void evtchn_leave_fifo(struct domain *d);
// Calls fn for each of the guest's frames that the FIFO ABI has mapped. Nothing may change
// meanwhile.
void evtchn_fifo_visit_frames(const struct domain *d, void (*fn)(void *ctx, const void *map),
                              void *ctx);

// For the hypervisor itself. They take at most LOCK_FIFO and what vcpu_notify_events takes; the
// caller holds no lock above LOCK_EVTCHN and a reference to the domain. Any context.
void evtchn_send_virq(struct vcpu *v, u32 virq); // per-vCPU VIRQs; unbound: nothing
bool evtchn_virq_is_global(u32 virq);
void evtchn_send_global_virq(struct domain *d, u32 virq); // unbound: nothing
bool evtchn_send_pirq(struct domain *d, u32 pirq);        // false: not bound
port_t evtchn_pirq_port(struct domain *d, u32 pirq);      // PORT(0): not bound
// To be called when v->info has been changed to another place: makes v look at every port again,
// since an event may have been recorded in the old place.
void evtchn_vcpu_info_moved(struct vcpu *v);

// SCHEDOP_poll: begin, then test each port; block only if none is pending. An event on `only` (0:
// on any port) after begin calls vcpu_poll_wake and ends the polling. end is always called, too.
void evtchn_poll_begin(struct vcpu *v, port_t only);
void evtchn_poll_end(struct vcpu *v);
// 1 or 0; -EINVAL: no such port.
NODISCARD int evtchn_poll_pending(struct domain *d, port_t port);

// Needed from the core. Called with locks up to LOCK_FIFO held; any context.
// v->info->evtchn_upcall_pending became 1: wake v if it is blocked, kick it if it runs elsewhere.
void vcpu_notify_events(struct vcpu *v);
// A polling vCPU has got what it polls for: wake it.
void vcpu_poll_wake(struct vcpu *v);
// One more reference to a domain that is certain to live at the moment. Under LOCK_EVTCHN.
void domain_hold(struct domain *d);
// A writable reference to the guest's frame and our mapping of it; NULL: not the guest's, not
// usable. Called without locks.
void *domain_map_guest_frame(struct domain *d, gfn_t gfn, mfn_t *mfn);
void domain_unmap_guest_frame(struct domain *d, void *map);
// PIRQs; called under LOCK_EVTCHN. An interrupt may come in before bind returns.
NODISCARD int pirq_bind(struct vcpu *v, u32 pirq, bool share);
void pirq_unbind(struct domain *d, u32 pirq);
void pirq_set_affinity(struct domain *d, u32 pirq, struct vcpu *v);

// ---- Between evtchn.c, evtchn_2l.c and evtchn_fifo.c only ----

// An ABI: how a port's state is told to the guest. `e` is the entry of `port` in d. Any context;
// d is referenced. All of it is in memory that the guest may scribble on.
struct evtchn_ops {
    u32 port_end;                                                         // ports it can address
    void (*set_pending)(struct domain *d, struct evtchn *e, port_t port); // and notify the vCPU
    void (*clear_pending)(struct domain *d, struct evtchn *e, port_t port);
    void (*unmask)(struct domain *d, struct evtchn *e, port_t port); // notify if pending
    bool (*is_pending)(struct domain *d, struct evtchn *e, port_t port);
};

extern const struct evtchn_ops evtchn_2l_ops, evtchn_fifo_ops;

// The entry of a port, or NULL. Any context.
struct evtchn *evtchn_entry(struct domain *d, port_t port);
// Tells v that there is something to look at.
void evtchn_upcall(struct vcpu *v);
// Takes all pending bits out of the 2-level words: calls `found` for each. Under ev.lock.
void evtchn_2l_drain(struct domain *d, void (*found)(struct domain *d, port_t port));

#endif
