// SPDX-License-Identifier: MIT
// Event channels: the port table, binding, closing, sending. How a port's state is told to the
// guest is evtchn_2l.c's and evtchn_fifo.c's business. Source: <xen/event_channel.h>.
//
// 1. Tables grow in buckets of entries which are published by port_end and never freed while the
//    domain lives, so a lookup needs no lock.
// 2. Ports are opened, closed and connected under the ev.lock of the domain, and of the peer's
//    domain. Two ends of a channel point at each other whenever those locks are free.
// 3. A sender takes no ev.lock. For IPIs, VIRQs and PIRQs it reads the entry without any lock: the
//    event goes to the sender's own domain, so the worst that a race with close can do is a
//    spurious event on a port that is closed or was opened anew, which the ABI permits.
// 4. For interdomain channels it holds the lock of its own port, which only senders on this port
//    and close contend for. Neither end's close completes before it has taken that lock, so the
//    peer's domain, which closes all its ports before it is freed, lives as long as it is held.
#include "dom/evtchn.h"
#include "dom/domain.h"
#include "hc/guest_access.h"
#include "lib/string.h"
#include "mm/heap.h"

enum { CLOSE_BATCH = 256 }; // ports closed between two chances to preempt

STATIC_ASSERT((u32)EVTCHN_VCPUS == (u32)VCPUS_MAX);
STATIC_ASSERT(sizeof(struct evtchn) == 32);
STATIC_ASSERT(EVTCHN_GROUPS *EVTCHN_GROUP_PORTS == EVTCHN_FIFO_NR_CHANNELS);

// ---- The table ----

struct evtchn *evtchn_entry(struct domain *d, port_t port)
{
    u32 end = __atomic_load_n(&d->ev.port_end, __ATOMIC_ACQUIRE); // pairs with add_bucket
    if (port.v >= end)
        return NULL;
    u32 n = (u32)guest_index(port.v, end);
    struct evtchn_group *g = READ_ONCE(d->ev.group[n / EVTCHN_GROUP_PORTS]);
    struct evtchn *b = READ_ONCE(g->bucket[n / EVTCHN_BUCKET_PORTS % EVTCHN_GROUP_BUCKETS]);
    return &b[n % EVTCHN_BUCKET_PORTS];
}

static enum evtchn_state state_of(const struct evtchn *e)
{
    return __atomic_load_n(&e->state, __ATOMIC_ACQUIRE); // pairs with set_state
}

static void set_state(struct evtchn *e, enum evtchn_state state)
{
    __atomic_store_n(&e->state, (u8)state, __ATOMIC_RELEASE); // pairs with state_of
}

static int add_bucket(struct domain *d)
{
    u32 end = d->ev.port_end;
    struct evtchn_group **slot = &d->ev.group[end / EVTCHN_GROUP_PORTS];
    struct evtchn_group *g = *slot ? *slot : heap_new(struct evtchn_group);
    struct evtchn *b = g ? heap_alloc(EVTCHN_BUCKET_PORTS * sizeof(*b)) : NULL;
    if (!b) {
        if (!*slot)
            heap_free(g);
        return -ENOMEM;
    }
    for (u32 i = 0; i < EVTCHN_BUCKET_PORTS; i++)
        spin_lock_init(&b[i].lock, LOCK_EVTCHN);
    g->bucket[end / EVTCHN_BUCKET_PORTS % EVTCHN_GROUP_BUCKETS] = b;
    *slot = g;
    __atomic_store_n(&d->ev.port_end, end + EVTCHN_BUCKET_PORTS, __ATOMIC_RELEASE); // evtchn_entry
    return 0;
}

static u64 *used_word(struct domain *d, port_t port)
{
    struct evtchn_group *g = d->ev.group[port.v / EVTCHN_GROUP_PORTS];
    return &g->used[port.v / 64 % EVTCHN_GROUP_BUCKETS];
}

// The lowest port that is not in use, whether it has an entry or not.
static u32 lowest_free(struct domain *d)
{
    u32 port = 0;
    for (; port < EVTCHN_FIFO_NR_CHANNELS; port += 64) {
        if (!d->ev.group[port / EVTCHN_GROUP_PORTS])
            break;
        u64 unused = ~*used_word(d, PORT(port));
        if (unused)
            return port + (u32)__builtin_ctzll(unused);
    }
    return port;
}

// The lowest port in use that is not below `from`, or 0.
static port_t next_used(struct domain *d, u32 from)
{
    for (u32 port = from; port < d->ev.port_end; port = (port | 63) + 1) {
        u64 used = *used_word(d, PORT(port)) >> (port % 64);
        if (used)
            return PORT(port + (u32)__builtin_ctzll(used));
    }
    return PORT(0);
}

// The port that the next port_open will get, with its entry. Changes nothing that can be seen.
static int port_find(struct domain *d, port_t *port, struct evtchn **e)
{
    u32 n = lowest_free(d);
    if (d->ev.dying)
        return -EINVAL;
    if (n >= d->ev.ops->port_end || n > d->ev.port_max)
        return -ENOSPC;
    if (n >= d->ev.port_end && add_bucket(d))
        return -ENOMEM;
    *port = PORT(n);
    *e = evtchn_entry(d, *port);
    return 0;
}

// Takes the port into use. What belongs to the state (e->u) is already there.
static void port_open(struct domain *d, port_t port, enum evtchn_state state, u32 vcpu)
{
    struct evtchn *e = evtchn_entry(d, port);
    *used_word(d, port) |= 1ull << (port.v % 64);
    WRITE_ONCE(e->notify_vcpu, (u8)vcpu);
    WRITE_ONCE(e->priority, EVTCHN_FIFO_PRIORITY_DEFAULT);
    WRITE_ONCE(e->pending_noword, false);
    set_state(e, state);
}

static void port_free(struct domain *d, port_t port)
{
    struct evtchn *e = evtchn_entry(d, port);
    spin_lock(&e->lock);
    set_state(e, EVTCHN_FREE);
    spin_unlock(&e->lock);
    *used_word(d, port) &= ~(1ull << (port.v % 64));
    d->ev.ops->clear_pending(d, e, port);
}

// ---- Two domains ----

// rd may be NULL or ld.
static void lock_pair(struct domain *ld, struct domain *rd)
{
    bool two = rd && rd != ld, rd_first = two && rd->id.v < ld->id.v;
    spin_lock(rd_first ? &rd->ev.lock : &ld->ev.lock);
    if (two)
        spin_lock(rd_first ? &ld->ev.lock : &rd->ev.lock);
}

static void unlock_pair(struct domain *ld, struct domain *rd)
{
    if (rd && rd != ld)
        spin_unlock(&rd->ev.lock);
    spin_unlock(&ld->ev.lock);
}

static struct domain *peer_of(const struct evtchn *e)
{
    return state_of(e) == EVTCHN_INTERDOMAIN ? e->u.peer.dom : NULL;
}

// Locks d and, if the port is connected, the peer's domain, which is returned. The peer's close
// needs d's lock, so it lives while that is held; across the wait for the lower id's lock a
// reference keeps it. The loop turns only when the port was connected anew meanwhile.
static struct domain *lock_with_peer(struct domain *d, const struct evtchn *e)
{
    for (;;) {
        spin_lock(&d->ev.lock);
        struct domain *rd = peer_of(e);
        if (!rd || rd == d)
            return rd;
        if (d->id.v < rd->id.v) {
            spin_lock(&rd->ev.lock);
            return rd;
        }
        domain_hold(rd);
        spin_unlock(&d->ev.lock);
        lock_pair(d, rd);
        bool same = peer_of(e) == rd;
        if (!same)
            unlock_pair(d, rd);
        domain_put(rd); // not the last one if `same`: rd still has an open port
        if (same)
            return rd;
    }
}

static void connect(struct evtchn *e, struct domain *peer, port_t port)
{
    spin_lock(&e->lock);
    e->u.peer.dom = peer;
    e->u.peer.port = port;
    set_state(e, EVTCHN_INTERDOMAIN);
    spin_unlock(&e->lock);
}

static void disconnect(struct evtchn *e, dom_id_t allowed)
{
    spin_lock(&e->lock);
    e->u.unbound_dom = allowed;
    set_state(e, EVTCHN_UNBOUND);
    spin_unlock(&e->lock);
}

// ---- Pending ----

void evtchn_upcall(struct vcpu *v)
{
    struct vcpu_info *info = READ_ONCE(v->info);
    // Pairs with the guest, which clears the byte before it looks for events.
    if (!__atomic_exchange_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        vcpu_notify_events(v);
}

static void poll_wake(struct domain *d, u32 word, port_t port)
{
    u64 polling = __atomic_load_n(&d->ev.polling[word], __ATOMIC_SEQ_CST); // see evtchn_poll_begin
    for (; polling; polling &= polling - 1) {
        u32 bit = (u32)__builtin_ctzll(polling);
        struct vcpu *v = d->vcpu[word * 64 + bit];
        u32 only = READ_ONCE(v->ev.poll_port);
        if (only && only != port.v)
            continue;
        if (__atomic_fetch_and(&d->ev.polling[word], ~(1ull << bit), __ATOMIC_SEQ_CST) >> bit & 1)
            vcpu_poll_wake(v);
    }
}

static const struct evtchn_ops *ops_of(struct domain *d)
{
    return __atomic_load_n(&d->ev.ops, __ATOMIC_ACQUIRE); // pairs with the changes in evtchn_fifo.c
}

static void set_pending(struct domain *d, struct evtchn *e, port_t port)
{
    ops_of(d)->set_pending(d, e, port);
    for (u32 i = 0; i < ARRAY_SIZE(d->ev.polling); i++)
        poll_wake(d, i, port);
}

// The bit is set before the vCPU tests its ports, a sender sets the port pending before it looks
// for the bit; both are sequentially consistent, so at least one sees the other.
void evtchn_poll_begin(struct vcpu *v, port_t only)
{
    WRITE_ONCE(v->ev.poll_port, only.v);
    __atomic_fetch_or(&v->dom->ev.polling[v->id.v / 64], 1ull << (v->id.v % 64), __ATOMIC_SEQ_CST);
}

void evtchn_poll_end(struct vcpu *v)
{
    u64 bit = 1ull << (v->id.v % 64);
    __atomic_fetch_and(&v->dom->ev.polling[v->id.v / 64], ~bit, __ATOMIC_SEQ_CST);
}

int evtchn_poll_pending(struct domain *d, port_t port)
{
    struct evtchn *e = evtchn_entry(d, port);
    return e ? ops_of(d)->is_pending(d, e, port) : -EINVAL;
}

void evtchn_vcpu_info_moved(struct vcpu *v)
{
    __atomic_store_n(&v->info->evtchn_pending_sel, ~0ul, __ATOMIC_SEQ_CST);
    evtchn_upcall(v);
}

// ---- Life ----

int evtchn_domain_init(struct domain *d, u32 port_max)
{
    spin_lock_init(&d->ev.lock, LOCK_EVTCHN);
    d->ev.ops = &evtchn_2l_ops;
    d->ev.port_max = port_max;
    if (add_bucket(d))
        return -ENOMEM;
    port_open(d, PORT(0), EVTCHN_RESERVED, 0);
    return 0;
}

void evtchn_vcpu_init(struct vcpu *v)
{
    spin_lock_init(&v->ev.queue_lock, LOCK_FIFO);
}

int evtchn_reset(struct domain *d)
{
    port_t port = PORT(0);
    for (u32 i = 0; i < CLOSE_BATCH; i++) {
        spin_lock(&d->ev.lock);
        port = next_used(d, port.v + 1);
        spin_unlock(&d->ev.lock);
        if (!port.v)
            return 0;
        if (evtchn_close(d, port))
            continue; // the guest closed it at the same time
    }
    return -ERESTART_HC;
}

int evtchn_destroy(struct domain *d)
{
    spin_lock(&d->ev.lock);
    d->ev.dying = true;
    spin_unlock(&d->ev.lock);
    int ret = evtchn_reset(d);
    if (!ret)
        evtchn_leave_fifo(d);
    return ret;
}

void evtchn_domain_free(struct domain *d)
{
    for (u32 g = 0; g < EVTCHN_GROUPS && d->ev.group[g]; g++) {
        for (u32 b = 0; b < EVTCHN_GROUP_BUCKETS; b++)
            heap_free(d->ev.group[g]->bucket[b]);
        heap_free(d->ev.group[g]);
    }
    heap_free(d->ev.pirq_port);
    memset(&d->ev, 0, sizeof(d->ev));
}

// ---- Binding ----

int evtchn_alloc_unbound(struct domain *d, dom_id_t remote, port_t *port)
{
    port_t p;
    struct evtchn *e;
    spin_lock(&d->ev.lock);
    int ret = port_find(d, &p, &e);
    if (!ret) {
        e->u.unbound_dom = remote;
        port_open(d, p, EVTCHN_UNBOUND, 0);
        *port = p;
    }
    spin_unlock(&d->ev.lock);
    return ret;
}

// Under both locks.
static int bind_pair(struct domain *ld, struct domain *rd, port_t rport, port_t *lport)
{
    struct evtchn *re = evtchn_entry(rd, rport), *le;
    port_t p;
    if (!re || state_of(re) != EVTCHN_UNBOUND || re->u.unbound_dom.v != ld->id.v || rd->ev.dying)
        return -EINVAL;
    int ret = port_find(ld, &p, &le);
    if (ret)
        return ret;
    port_open(ld, p, EVTCHN_UNBOUND, 0);
    connect(le, rd, rport);
    connect(re, ld, p);
    set_pending(ld, le, p); // the peer may have sent before: event_channel.h, bind_interdomain
    *lport = p;
    return 0;
}

int evtchn_bind_interdomain(struct domain *ld, struct domain *rd, port_t rport, port_t *lport)
{
    lock_pair(ld, rd);
    int ret = bind_pair(ld, rd, rport, lport);
    unlock_pair(ld, rd);
    return ret;
}

// xen.h, "V." and "G." in the list of VIRQs; what has no letter is global.
bool evtchn_virq_is_global(u32 virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

// Opens a port for `virq` and enters it in *slot. Under ev.lock.
static int bind_virq_slot(struct vcpu *v, u32 virq, u32 *slot, port_t *port)
{
    struct evtchn *e;
    port_t p;
    if (*slot)
        return -EEXIST;
    int ret = port_find(v->dom, &p, &e);
    if (ret)
        return ret;
    e->u.virq = virq;
    port_open(v->dom, p, EVTCHN_VIRQ, v->id.v);
    __atomic_store_n(slot, p.v, __ATOMIC_RELEASE); // pairs with send_slot
    *port = p;
    return 0;
}

int evtchn_bind_virq(struct domain *d, u32 virq, u32 vcpu, port_t *port)
{
    if (virq >= NR_VIRQS || (evtchn_virq_is_global(virq) && vcpu != 0))
        return -EINVAL;
    struct vcpu *v = domain_vcpu(d, vcpu);
    if (!v)
        return -ENOENT;
    spin_lock(&d->ev.lock);
    int ret = bind_virq_slot(v, virq, &v->ev.virq_port[guest_index(virq, NR_VIRQS)], port);
    spin_unlock(&d->ev.lock);
    return ret;
}

int evtchn_bind_ipi(struct domain *d, u32 vcpu, port_t *port)
{
    struct evtchn *e;
    port_t p;
    if (!domain_vcpu(d, vcpu))
        return -ENOENT;
    spin_lock(&d->ev.lock);
    int ret = port_find(d, &p, &e);
    if (!ret) {
        port_open(d, p, EVTCHN_IPI, vcpu);
        *port = p;
    }
    spin_unlock(&d->ev.lock);
    return ret;
}

static u32 *pirq_slot(struct domain *d, u32 pirq)
{
    u32 *table = __atomic_load_n(&d->ev.pirq_port, __ATOMIC_ACQUIRE); // pairs with pirq_table
    return table && pirq < EVTCHN_PIRQ_END ? &table[guest_index(pirq, EVTCHN_PIRQ_END)] : NULL;
}

static int pirq_table(struct domain *d)
{
    if (d->ev.pirq_port)
        return 0;
    u32 *table = heap_alloc(EVTCHN_PIRQ_END * sizeof(*table));
    if (!table)
        return -ENOMEM;
    __atomic_store_n(&d->ev.pirq_port, table, __ATOMIC_RELEASE); // pairs with pirq_slot
    return 0;
}

// Under ev.lock. The port is open before the interrupt is, since it may come in at once.
static int bind_pirq(struct vcpu *v, u32 pirq, u32 flags, port_t *port)
{
    struct domain *d = v->dom;
    struct evtchn *e;
    port_t p;
    int ret = pirq_table(d);
    if (ret)
        return ret;
    u32 *slot = pirq_slot(d, pirq);
    if (*slot)
        return -EEXIST;
    ret = port_find(d, &p, &e);
    if (ret)
        return ret;
    e->u.pirq = pirq;
    port_open(d, p, EVTCHN_PIRQ, 0);
    __atomic_store_n(slot, p.v, __ATOMIC_RELEASE); // pairs with send_slot
    ret = pirq_bind(v, pirq, flags & BIND_PIRQ__WILL_SHARE);
    if (ret) {
        WRITE_ONCE(*slot, 0);
        port_free(d, p);
        return ret;
    }
    *port = p;
    return 0;
}

int evtchn_bind_pirq(struct domain *d, u32 pirq, u32 flags, port_t *port)
{
    struct vcpu *v = domain_vcpu(d, 0);
    if (pirq >= EVTCHN_PIRQ_END)
        return -EINVAL;
    if (!v)
        return -ENOENT;
    spin_lock(&d->ev.lock);
    int ret = bind_pirq(v, pirq, flags, port);
    spin_unlock(&d->ev.lock);
    return ret;
}

// Under ev.lock.
static int bind_vcpu(struct domain *d, struct evtchn *e, struct vcpu *v)
{
    enum evtchn_state state = state_of(e);
    bool movable = state == EVTCHN_UNBOUND || state == EVTCHN_INTERDOMAIN || state == EVTCHN_PIRQ ||
                   (state == EVTCHN_VIRQ && evtchn_virq_is_global(e->u.virq));
    if (!movable)
        return -EINVAL;
    WRITE_ONCE(e->notify_vcpu, (u8)v->id.v);
    if (state == EVTCHN_PIRQ)
        pirq_set_affinity(d, e->u.pirq, v);
    return 0;
}

int evtchn_bind_vcpu(struct domain *d, port_t port, u32 vcpu)
{
    struct vcpu *v = domain_vcpu(d, vcpu);
    struct evtchn *e = evtchn_entry(d, port);
    if (!v)
        return -ENOENT;
    if (!e)
        return -EINVAL;
    spin_lock(&d->ev.lock);
    int ret = bind_vcpu(d, e, v);
    spin_unlock(&d->ev.lock);
    return ret;
}

// ---- Closing ----

static void unbind_virq(struct domain *d, const struct evtchn *e)
{
    struct vcpu *v = domain_vcpu(d, evtchn_virq_is_global(e->u.virq) ? 0 : e->notify_vcpu);
    WRITE_ONCE(v->ev.virq_port[e->u.virq], 0);
}

static void unbind_pirq(struct domain *d, u32 pirq)
{
    WRITE_ONCE(*pirq_slot(d, pirq), 0);
    pirq_unbind(d, pirq);
}

// Under the locks of d and the peer.
static int port_close(struct domain *d, struct evtchn *e, port_t port)
{
    switch (state_of(e)) {
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
        return -EINVAL;
    case EVTCHN_INTERDOMAIN:
        disconnect(evtchn_entry(e->u.peer.dom, e->u.peer.port), d->id);
        break;
    case EVTCHN_VIRQ:
        unbind_virq(d, e);
        break;
    case EVTCHN_PIRQ:
        unbind_pirq(d, e->u.pirq);
        break;
    case EVTCHN_UNBOUND:
    case EVTCHN_IPI:
        break;
    }
    port_free(d, port);
    return 0;
}

int evtchn_close(struct domain *d, port_t port)
{
    struct evtchn *e = evtchn_entry(d, port);
    if (!e)
        return -EINVAL;
    struct domain *rd = lock_with_peer(d, e);
    int ret = port_close(d, e, port);
    unlock_pair(d, rd);
    return ret;
}

// ---- Sending ----

static void send_peer(struct evtchn *e)
{
    spin_lock(&e->lock); // keeps the peer alive: sentence 4 at the top
    if (state_of(e) == EVTCHN_INTERDOMAIN) {
        struct domain *rd = e->u.peer.dom;
        set_pending(rd, evtchn_entry(rd, e->u.peer.port), e->u.peer.port);
    }
    spin_unlock(&e->lock);
}

int evtchn_send(struct domain *d, port_t port)
{
    struct evtchn *e = evtchn_entry(d, port);
    switch (e ? state_of(e) : EVTCHN_FREE) {
    case EVTCHN_INTERDOMAIN:
        send_peer(e);
        return 0;
    case EVTCHN_IPI:
        set_pending(d, e, port);
        return 0;
    case EVTCHN_UNBOUND:
        return 0;
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
    case EVTCHN_PIRQ:
    case EVTCHN_VIRQ:
        break;
    }
    return -EINVAL;
}

// False: the slot is empty.
static bool send_slot(struct domain *d, const u32 *slot)
{
    port_t port = PORT(slot ? __atomic_load_n(slot, __ATOMIC_ACQUIRE) : 0); // pairs with bind_*
    if (port.v)
        set_pending(d, evtchn_entry(d, port), port);
    return port.v != 0;
}

void evtchn_send_virq(struct vcpu *v, u32 virq)
{
    BUG_ON(virq >= NR_VIRQS);
    send_slot(v->dom, &v->ev.virq_port[virq]);
}

void evtchn_send_global_virq(struct domain *d, u32 virq)
{
    struct vcpu *v = domain_vcpu(d, 0);
    if (v)
        evtchn_send_virq(v, virq);
}

bool evtchn_send_pirq(struct domain *d, u32 pirq)
{
    return send_slot(d, pirq_slot(d, pirq));
}

port_t evtchn_pirq_port(struct domain *d, u32 pirq)
{
    u32 *slot = pirq_slot(d, pirq);
    return PORT(slot ? READ_ONCE(*slot) : 0);
}

int evtchn_unmask(struct domain *d, port_t port)
{
    struct evtchn *e = evtchn_entry(d, port);
    if (!e)
        return -EINVAL;
    ops_of(d)->unmask(d, e, port);
    return 0;
}

// ---- Looking ----

// Under ev.lock, which keeps the state and the peer in place.
static void fill_info(const struct evtchn *e, struct evtchn_info *info)
{
    *info = (struct evtchn_info){.state = state_of(e), .vcpu = e->notify_vcpu};
    switch (info->state) {
    case EVTCHN_UNBOUND:
        info->dom = e->u.unbound_dom;
        break;
    case EVTCHN_INTERDOMAIN:
        info->dom = e->u.peer.dom->id;
        info->port = e->u.peer.port;
        break;
    case EVTCHN_PIRQ:
        info->irq = e->u.pirq;
        break;
    case EVTCHN_VIRQ:
        info->irq = e->u.virq;
        break;
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
    case EVTCHN_IPI:
        break;
    }
}

int evtchn_status(struct domain *d, port_t port, struct evtchn_info *info)
{
    const struct evtchn *e = evtchn_entry(d, port);
    if (!e)
        return -EINVAL;
    spin_lock(&d->ev.lock);
    fill_info(e, info);
    spin_unlock(&d->ev.lock);
    return 0;
}

static void audit_port(struct domain *d, port_t port)
{
    const struct evtchn *e = evtchn_entry(d, port), *pe;
    bool used = *used_word(d, port) >> (port.v % 64) & 1;
    BUG_ON(used != (e->state != EVTCHN_FREE));
    switch (state_of(e)) {
    case EVTCHN_INTERDOMAIN:
        pe = evtchn_entry(e->u.peer.dom, e->u.peer.port);
        BUG_ON(pe->state != EVTCHN_INTERDOMAIN || pe->u.peer.dom != d ||
               pe->u.peer.port.v != port.v);
        break;
    case EVTCHN_VIRQ:
        BUG_ON(d->vcpu[evtchn_virq_is_global(e->u.virq) ? 0 : e->notify_vcpu]
                   ->ev.virq_port[e->u.virq] != port.v);
        break;
    case EVTCHN_PIRQ:
        BUG_ON(*pirq_slot(d, e->u.pirq) != port.v);
        break;
    case EVTCHN_RESERVED:
        BUG_ON(port.v != 0);
        break;
    case EVTCHN_FREE:
    case EVTCHN_UNBOUND:
    case EVTCHN_IPI:
        break;
    }
}

void evtchn_audit(struct domain *d)
{
    spin_lock(&d->ev.lock);
    for (u32 port = 0; port < d->ev.port_end; port++)
        audit_port(d, PORT(port));
    spin_unlock(&d->ev.lock);
}
