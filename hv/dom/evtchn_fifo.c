// SPDX-License-Identifier: MIT
// The FIFO event channel ABI: a word per port in pages the guest gives (the event array), queues by
// priority per vCPU linked through these words, and a control block per vCPU with the heads.
// Source: <xen/event_channel.h> and the published design paper (evtchn.h).
//
//   control block            event array
//     ready: bit per queue     [port]  PENDING MASKED LINKED BUSY ... LINK
//     head[queue] ----------> [E] LINK --> [F] LINK --> [G] 0      tail[queue] = G: ours alone
//
// 1. The guest takes events from the head by clearing LINKED and LINK; we append behind the tail.
//    Appending to a tail that is not LINKED any more means the queue is empty: the event becomes
//    the new head.
// 2. Guest memory is hostile. From it we read only single bits; what we index with (the tails) is
//    in our memory. The one loop on a guest's word is bounded (set_link).
// 3. All access to the guest's pages happens under some vCPU's queue lock with d->ev.fifo read
//    under that lock. evtchn_leave_fifo clears d->ev.fifo, then passes through every queue lock,
//    and only then gives the pages back.
// 4. A port is linked under the lock of the queue's vCPU and that of the vCPU it was linked to
//    before, so linking one port is serialised, and the old queue's tail can be put right.
#include "dom/evtchn.h"
#include "dom/domain.h"
#include "hc/guest_access.h"
#include "lib/string.h"
#include "mm/heap.h"

enum {
    PAGE_WORDS = (1 << PAGE_SHIFT) / sizeof(event_word_t),
    PAGES = EVTCHN_FIFO_NR_CHANNELS / PAGE_WORDS,
    // A guest that keeps to the protocol changes a word it sees BUSY at most once per bit.
    LINK_TRIES = 8,
    LOCK_TRIES = 8,
};

#define PENDING   (1u << EVTCHN_FIFO_PENDING)
#define MASKED    (1u << EVTCHN_FIFO_MASKED)
#define LINKED    (1u << EVTCHN_FIFO_LINKED)
#define BUSY      (1u << EVTCHN_FIFO_BUSY)
#define LINK_MASK ((u32)EVTCHN_FIFO_LINK_MASK)

STATIC_ASSERT(sizeof(struct evtchn_fifo_control_block) == 72);

// The guest's frames, mapped.
struct evtchn_fifo {
    u32 page_count;    // [a] pages of the event array; grows under ev.lock
    void *page[PAGES]; // [i] below page_count
    void *control[];   // [e] frame of the control block, by vCPU id; d->vcpu_count entries
};

// ---- Event words ----

// NULL: the guest has not given that part of the array. Under some queue lock or ev.lock.
static event_word_t *word_of(struct domain *d, port_t port)
{
    struct evtchn_fifo *f = __atomic_load_n(&d->ev.fifo, __ATOMIC_ACQUIRE); // pairs with change_abi
    u32 count = f ? __atomic_load_n(&f->page_count, __ATOMIC_SEQ_CST) : 0;  // pairs with add_page
    u32 page = port.v / PAGE_WORDS;
    if (page >= count)
        return NULL;
    event_word_t *words = f->page[guest_index(page, count)];
    return &words[port.v % PAGE_WORDS];
}

// Makes `port` the successor of the event whose word this is; false if that has left its queue.
// BUSY asks the guest to leave MASKED alone, so that a few tries suffice; one that scribbles all
// the same spoils its own queue.
static bool set_link(event_word_t *w, port_t port)
{
    for (u32 try = 0; try < LINK_TRIES; try++) {
        event_word_t old = __atomic_load_n(w, __ATOMIC_RELAXED);
        if (!(old & LINKED))
            break;
        if (try == 1)
            old = __atomic_or_fetch(w, BUSY, __ATOMIC_RELAXED);
        event_word_t next = (old & ~(LINK_MASK | BUSY)) | port.v;
        // Pairs with the guest's clearing of LINKED, which returns the link.
        if (old & LINKED &&
            __atomic_compare_exchange_n(w, &old, next, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
            return true;
    }
    __atomic_fetch_and(w, ~BUSY, __ATOMIC_RELAXED);
    return false;
}

// ---- Queues ----

static void lock_two(struct vcpu *a, struct vcpu *b)
{
    spin_lock(a->id.v <= b->id.v ? &a->ev.queue_lock : &b->ev.queue_lock);
    if (a != b)
        spin_lock(a->id.v <= b->id.v ? &b->ev.queue_lock : &a->ev.queue_lock);
}

static void unlock_two(struct vcpu *a, struct vcpu *b)
{
    if (a != b)
        spin_unlock(&b->ev.queue_lock);
    spin_unlock(&a->ev.queue_lock);
}

// Locks the queues of the vCPU to notify, which is returned, and of the one that the event was last
// linked to. NULL if there is no such vCPU, or if the guest relinks the event to ever other vCPUs
// meanwhile; then one of its events is late.
static struct vcpu *lock_queues(struct domain *d, const struct evtchn *e, struct vcpu **last)
{
    for (u32 try = 0; try < LOCK_TRIES; try++) {
        struct vcpu *v = domain_vcpu(d, READ_ONCE(e->notify_vcpu));
        *last = domain_vcpu(d, READ_ONCE(e->last_vcpu));
        if (!v || !*last)
            return NULL;
        lock_two(v, *last);
        if (e->last_vcpu == (*last)->id.v)
            return v;
        unlock_two(v, *last);
    }
    return NULL;
}

// Remembers where the event is being linked. If it is the tail of another queue that one is empty,
// for the event was not LINKED; it must not get a successor through this word any more.
static void change_queue(struct evtchn *e, struct vcpu *last, struct vcpu *v, u32 priority,
                         u32 port)
{
    if (last == v && e->last_priority == priority)
        return;
    if (last->ev.tail[e->last_priority] == port)
        last->ev.tail[e->last_priority] = 0;
    WRITE_ONCE(e->last_vcpu, (u8)v->id.v);
    e->last_priority = (u8)priority;
}

// Puts a pending event at the end of its queue unless it is in one. Both queue locks are held. A
// vCPU without a control block has no queues: the event waits for the next send or unmask.
static void link_event(struct vcpu *v, struct vcpu *last, struct evtchn *e, port_t port,
                       event_word_t *w)
{
    struct evtchn_fifo_control_block *control = v->ev.control;
    if (!control || __atomic_fetch_or(w, LINKED, __ATOMIC_SEQ_CST) & LINKED)
        return;
    u32 priority = READ_ONCE(e->priority);
    change_queue(e, last, v, priority, port.v);
    u32 tail = v->ev.tail[priority];
    v->ev.tail[priority] = port.v;
    event_word_t *tail_word = tail && tail != port.v ? word_of(v->dom, PORT(tail)) : NULL;
    if (tail_word && set_link(tail_word, port))
        return;
    // Pairs with the guest's exchange of `ready`, after which it reads the head.
    __atomic_store_n(&control->head[priority], port.v, __ATOMIC_RELEASE);
    if (!(__atomic_fetch_or(&control->ready, 1u << priority, __ATOMIC_SEQ_CST) >> priority & 1))
        evtchn_upcall(v);
}

// ---- The ABI's operations ----

// The word to set pending. Without one, what evtchn_expand_array shall raise is kept in the entry:
// we set the flag, then look again for the page; it enters the page, then looks at the flag.
static event_word_t *word_or_note(struct domain *d, struct evtchn *e, port_t port)
{
    event_word_t *w = word_of(d, port);
    if (w)
        return w;
    __atomic_store_n(&e->pending_noword, true, __ATOMIC_SEQ_CST); // pairs with raise_noted
    return word_of(d, port);
}

static void set_pending(struct domain *d, struct evtchn *e, port_t port)
{
    struct vcpu *last, *v = lock_queues(d, e, &last);
    if (!v)
        return;
    event_word_t *w = word_or_note(d, e, port);
    if (w && !(__atomic_fetch_or(w, PENDING, __ATOMIC_SEQ_CST) & (MASKED | LINKED)))
        link_event(v, last, e, port, w);
    unlock_two(v, last);
}

static void unmask(struct domain *d, struct evtchn *e, port_t port)
{
    struct vcpu *last, *v = lock_queues(d, e, &last);
    if (!v)
        return;
    event_word_t *w = word_of(d, port);
    if (w && (__atomic_fetch_and(w, ~MASKED, __ATOMIC_SEQ_CST) & (PENDING | LINKED)) == PENDING)
        link_event(v, last, e, port, w);
    unlock_two(v, last);
}

// Clears the bits in the word and returns what it was. Without a word: PENDING if that was noted.
static event_word_t fetch_and_clear(struct domain *d, struct evtchn *e, port_t port, u32 bits)
{
    event_word_t old = READ_ONCE(e->pending_noword) ? PENDING : 0;
    struct vcpu *v = domain_vcpu(d, READ_ONCE(e->notify_vcpu));
    if (!v)
        return old;
    spin_lock(&v->ev.queue_lock);
    event_word_t *w = word_of(d, port);
    if (w)
        old = bits ? __atomic_fetch_and(w, ~bits, __ATOMIC_SEQ_CST)
                   : __atomic_load_n(w, __ATOMIC_SEQ_CST);
    spin_unlock(&v->ev.queue_lock);
    return old;
}

static void clear_pending(struct domain *d, struct evtchn *e, port_t port)
{
    WRITE_ONCE(e->pending_noword, false);
    fetch_and_clear(d, e, port, PENDING);
}

static bool is_pending(struct domain *d, struct evtchn *e, port_t port)
{
    return fetch_and_clear(d, e, port, 0) & PENDING;
}

const struct evtchn_ops evtchn_fifo_ops = {
    .port_end = EVTCHN_FIFO_NR_CHANNELS,
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
};

// ---- Set-up ----

static void note_pending(struct domain *d, port_t port)
{
    struct evtchn *e = evtchn_entry(d, port);
    if (e)
        WRITE_ONCE(e->pending_noword, true);
}

static void change_abi(struct domain *d, struct evtchn_fifo *f, const struct evtchn_ops *ops)
{
    __atomic_store_n(&d->ev.fifo, f, __ATOMIC_RELEASE);  // pairs with word_of
    __atomic_store_n(&d->ev.ops, ops, __ATOMIC_RELEASE); // pairs with ops_of in evtchn.c
}

// A vCPU's queues are emptied and get a control block, or none.
static void set_control(struct vcpu *v, void *control)
{
    spin_lock(&v->ev.queue_lock);
    v->ev.control = control;
    memset(v->ev.tail, 0, sizeof(v->ev.tail));
    spin_unlock(&v->ev.queue_lock);
}

// Under ev.lock.
static int add_control(struct domain *d, struct vcpu *v, void *frame, u32 offset)
{
    struct evtchn_fifo *f = d->ev.fifo;
    if (v->ev.control || d->ev.dying)
        return -EINVAL;
    if (!f)
        f = heap_alloc(sizeof(*f) + d->vcpu_count * sizeof(f->control[0]));
    if (!f)
        return -ENOMEM;
    f->control[v->id.v] = frame;
    set_control(v, (char *)frame + offset);
    if (!d->ev.fifo) {
        change_abi(d, f, &evtchn_fifo_ops);
        evtchn_2l_drain(d, note_pending);
    }
    return 0;
}

int evtchn_init_control(struct domain *d, u32 vcpu, gfn_t gfn, u32 offset)
{
    struct vcpu *v = domain_vcpu(d, vcpu);
    mfn_t mfn;
    if (!v)
        return -ENOENT;
    if (offset % 8 || offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block))
        return -EINVAL;
    void *frame = domain_map_guest_frame(d, gfn, &mfn);
    if (!frame)
        return -EINVAL;
    spin_lock(&d->ev.lock);
    int ret = add_control(d, v, frame, offset);
    spin_unlock(&d->ev.lock);
    if (ret)
        domain_unmap_guest_frame(d, frame);
    return ret;
}

// Raises what was noted for the ports of a page before it was there.
static void raise_noted(struct domain *d, u32 page)
{
    for (u32 port = page * PAGE_WORDS; port < (page + 1) * PAGE_WORDS; port++) {
        struct evtchn *e = evtchn_entry(d, PORT(port));
        // Pairs with word_or_note.
        if (e && __atomic_exchange_n(&e->pending_noword, false, __ATOMIC_SEQ_CST))
            set_pending(d, e, PORT(port));
    }
}

// Under ev.lock.
static int add_page(struct domain *d, void *frame)
{
    struct evtchn_fifo *f = d->ev.fifo;
    if (!f)
        return -EOPNOTSUPP;
    if (f->page_count == PAGES)
        return -ENOSPC;
    f->page[f->page_count] = frame;
    __atomic_store_n(&f->page_count, f->page_count + 1, __ATOMIC_SEQ_CST); // pairs with word_of
    raise_noted(d, f->page_count - 1);
    return 0;
}

int evtchn_expand_array(struct domain *d, gfn_t gfn)
{
    mfn_t mfn;
    if (!READ_ONCE(d->ev.fifo))
        return -EOPNOTSUPP;
    void *frame = domain_map_guest_frame(d, gfn, &mfn);
    if (!frame)
        return -EINVAL;
    spin_lock(&d->ev.lock);
    int ret = add_page(d, frame);
    spin_unlock(&d->ev.lock);
    if (ret)
        domain_unmap_guest_frame(d, frame);
    return ret;
}

int evtchn_set_priority(struct domain *d, port_t port, u32 priority)
{
    struct evtchn *e = evtchn_entry(d, port);
    if (!READ_ONCE(d->ev.fifo))
        return -ENOSYS;
    if (!e || priority > EVTCHN_FIFO_PRIORITY_MIN)
        return -EINVAL;
    WRITE_ONCE(e->priority, (u8)priority);
    return 0;
}

void evtchn_fifo_visit_frames(const struct domain *d, void (*fn)(void *ctx, const void *map),
                              void *ctx)
{
    const struct evtchn_fifo *f = d->ev.fifo;
    for (u32 i = 0; f && i < f->page_count; i++)
        fn(ctx, f->page[i]);
    for (u32 i = 0; f && i < d->vcpu_count; i++)
        if (f->control[i])
            fn(ctx, f->control[i]);
}

// Gives all frames back.
static void free_fifo(struct domain *d, struct evtchn_fifo *f)
{
    for (u32 i = 0; i < f->page_count; i++)
        domain_unmap_guest_frame(d, f->page[i]);
    for (u32 i = 0; i < d->vcpu_count; i++) {
        if (f->control[i])
            domain_unmap_guest_frame(d, f->control[i]);
    }
    heap_free(f);
}

void evtchn_leave_fifo(struct domain *d)
{
    spin_lock(&d->ev.lock);
    struct evtchn_fifo *f = d->ev.fifo;
    change_abi(d, NULL, &evtchn_2l_ops);
    for (u32 i = 0; f && i < d->vcpu_count; i++) {
        struct vcpu *v = domain_vcpu(d, i);
        if (v)
            set_control(v, NULL); // also waits for those who found d->ev.fifo set
    }
    spin_unlock(&d->ev.lock);
    if (f)
        free_fifo(d, f);
}
