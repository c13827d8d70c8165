// SPDX-License-Identifier: MIT
// The world around the event channels for their unit tests and their model: three domains of two
// vCPUs, guest frames, and the core's functions, which note how they are called.
#ifndef WIRT_TESTS_DOM_EVTCHN_WORLD_H
#define WIRT_TESTS_DOM_EVTCHN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dom/domain.h"
#include "fake/host.h"

enum { WORLD_DOMAINS = 3, WORLD_VCPUS = 2, WORLD_FRAMES = 160 };

static struct {
    struct domain dom[WORLD_DOMAINS];
    struct vcpu vcpu[WORLD_DOMAINS][WORLD_VCPUS];
    struct shared_info shared[WORLD_DOMAINS];
    unsigned notified[WORLD_DOMAINS][WORLD_VCPUS];
    unsigned poll_woken[WORLD_DOMAINS][WORLD_VCPUS];
    int frames_mapped, domains_held;
    int pirq_bind_result;
    unsigned pirqs_bound, pirq_vcpu;
    bool pirq_shared;
} world;
static u8 world_frame[WORLD_FRAMES][4096] ALIGNED(4096);

void vcpu_notify_events(struct vcpu *v)
{
    __atomic_fetch_add(&world.notified[v->dom->id.v][v->id.v], 1, __ATOMIC_RELAXED);
}

void vcpu_poll_wake(struct vcpu *v)
{
    world.poll_woken[v->dom->id.v][v->id.v]++;
}

void domain_hold(struct domain *d)
{
    __atomic_fetch_add(&world.domains_held, 1, __ATOMIC_RELAXED);
}

void domain_put(struct domain *d)
{
    __atomic_fetch_sub(&world.domains_held, 1, __ATOMIC_RELAXED);
}

struct domain *domain_get(dom_id_t id, struct domain *self)
{
    struct domain *d = id.v == DOMID_SELF ? self : id.v < WORLD_DOMAINS ? &world.dom[id.v] : NULL;
    if (d)
        domain_hold(d);
    return d;
}

void *domain_map_guest_frame(struct domain *d, gfn_t gfn, mfn_t *mfn)
{
    assert_int_equal(fake_locks_held(), 0);
    if (gfn.v >= WORLD_FRAMES)
        return NULL;
    world.frames_mapped++;
    *mfn = MFN(gfn.v);
    return world_frame[gfn.v];
}

void domain_unmap_guest_frame(struct domain *d, void *map)
{
    assert_int_equal(fake_locks_held(), 0);
    world.frames_mapped--;
}

int pirq_bind(struct vcpu *v, u32 pirq, bool share)
{
    world.pirq_vcpu = v->id.v;
    world.pirq_shared = share;
    if (!world.pirq_bind_result)
        world.pirqs_bound++;
    return world.pirq_bind_result;
}

void pirq_unbind(struct domain *d, u32 pirq)
{
    world.pirqs_bound--;
}

void pirq_set_affinity(struct domain *d, u32 pirq, struct vcpu *v)
{
    world.pirq_vcpu = v->id.v;
}

static inline void world_setup(u32 port_max)
{
    memset(&world, 0, sizeof(world));
    for (u16 i = 0; i < WORLD_DOMAINS; i++) {
        struct domain *d = &world.dom[i];
        d->id = DOM_ID(i);
        d->privileged = i == 0;
        d->vcpu_count = WORLD_VCPUS;
        d->shared = &world.shared[i];
        assert_int_equal(evtchn_domain_init(d, port_max), 0);
        for (u32 j = 0; j < WORLD_VCPUS; j++) {
            struct vcpu *v = &world.vcpu[i][j];
            v->dom = d;
            v->id = VCPU_ID(j);
            v->info = &d->shared->vcpu_info[j];
            evtchn_vcpu_init(v);
            d->vcpu[j] = v;
        }
    }
}

static inline void world_audit(void)
{
    for (u32 i = 0; i < WORLD_DOMAINS; i++)
        evtchn_audit(&world.dom[i]);
}

// Destroys all domains; whatever they leave behind is a failure.
static inline void world_teardown(void)
{
    for (u32 i = 0; i < WORLD_DOMAINS; i++) {
        while (evtchn_destroy(&world.dom[i]) == -ERESTART_HC)
            ;
    }
    world_audit();
    for (u32 i = 0; i < WORLD_DOMAINS; i++)
        evtchn_domain_free(&world.dom[i]);
    assert_int_equal(world.frames_mapped, 0);
    assert_int_equal(world.domains_held, 0);
    assert_int_equal(world.pirqs_bound, 0);
    assert_int_equal(fake_heap_live, 0);
    assert_int_equal(fake_locks_held(), 0);
}

// ---- The guest's side of the FIFO ABI ----

enum { WORLD_CONTROL_OFFSET = 128 };

// Domain i: frames 40i, 40i+1 hold the control blocks, the array starts at 40i+2.
static inline u32 world_fifo_frame(const struct domain *d)
{
    return d->id.v * 40u;
}

static inline struct evtchn_fifo_control_block *world_control(const struct vcpu *v)
{
    return (void *)&world_frame[world_fifo_frame(v->dom) + v->id.v][WORLD_CONTROL_OFFSET];
}

static inline event_word_t *world_word(const struct domain *d, u32 port)
{
    event_word_t *words = (void *)world_frame[world_fifo_frame(d) + 2 + port / 1024];
    return &words[port % 1024];
}

// As the guest sees it.
static inline bool world_is_masked(const struct domain *d, u32 port)
{
    if (d->ev.ops == &evtchn_fifo_ops)
        return *world_word(d, port) >> EVTCHN_FIFO_MASKED & 1;
    return port < EVTCHN_2L_NR_CHANNELS && d->shared->evtchn_mask[port / 64] >> port % 64 & 1;
}

static inline void world_fifo_control(struct domain *d)
{
    for (u32 j = 0; j < WORLD_VCPUS; j++) {
        u32 frame = world_fifo_frame(d) + j;
        memset(world_frame[frame], 0, 4096);
        assert_int_equal(evtchn_init_control(d, j, GFN(frame), WORLD_CONTROL_OFFSET), 0);
    }
}

static inline void world_fifo_expand(struct domain *d, u32 page)
{
    u32 frame = world_fifo_frame(d) + 2 + page;
    memset(world_frame[frame], 0, 4096);
    assert_int_equal(evtchn_expand_array(d, GFN(frame)), 0);
}

// Takes all events from the vCPU's queues as a guest does, highest priority first; those that are
// pending and not masked are entered in `port`. Returns their number. `heads` is what the guest
// keeps of each queue.
static inline u32 world_fifo_consume(struct vcpu *v, u32 *heads, u32 *port, u32 max)
{
    struct evtchn_fifo_control_block *c = world_control(v);
    u32 ready = __atomic_exchange_n(&c->ready, 0, __ATOMIC_SEQ_CST), n = 0;
    v->info->evtchn_upcall_pending = 0;
    while (ready) {
        u32 q = (u32)__builtin_ctz(ready), p = heads[q] ? heads[q] : c->head[q];
        event_word_t *w = world_word(v->dom, p);
        u32 keep = ~((1u << EVTCHN_FIFO_LINKED) | (u32)EVTCHN_FIFO_LINK_MASK);
        event_word_t old = __atomic_fetch_and(w, keep, __ATOMIC_SEQ_CST);
        heads[q] = old & (u32)EVTCHN_FIFO_LINK_MASK;
        if (!heads[q])
            ready &= ~(1u << q);
        if (!(old >> EVTCHN_FIFO_PENDING & 1) || old >> EVTCHN_FIFO_MASKED & 1)
            continue;
        __atomic_fetch_and(w, ~(1u << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
        assert_true(n < max);
        port[n++] = p;
        ready |= __atomic_exchange_n(&c->ready, 0, __ATOMIC_SEQ_CST);
    }
    return n;
}

#endif
