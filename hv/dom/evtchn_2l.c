// SPDX-License-Identifier: MIT
// The 2-level event channel ABI: a pending and a mask bit per port in the shared-info page, a
// selector bit per 64 ports in the vCPU's info. Source: <xen/xen.h>, struct shared_info.
//
// All words are shared with the guest, which may write anything at any time: each is touched by
// one atomic operation, and no value read from them is used for more than a yes or no. The atomic
// operations are sequentially consistent; their partner is the guest, which clears the selector
// before it reads pending words, and clears a mask bit before it tests the pending bit.
#include "dom/evtchn.h"
#include "dom/domain.h"

enum { WORD_BITS = 64, WORDS = 64 };

STATIC_ASSERT(sizeof(((struct shared_info *)0)->evtchn_pending) == WORDS * sizeof(xen_ulong_t));
STATIC_ASSERT(EVTCHN_2L_NR_CHANNELS == WORDS * WORD_BITS);

// Return what the bit was.
static bool test_and_set(xen_ulong_t *word, u32 bit)
{
    return __atomic_fetch_or(word, 1ul << bit, __ATOMIC_SEQ_CST) >> bit & 1;
}

static bool test_and_clear(xen_ulong_t *word, u32 bit)
{
    return __atomic_fetch_and(word, ~(1ul << bit), __ATOMIC_SEQ_CST) >> bit & 1;
}

// The bit of `port` in a word array; false for a port that the arrays do not have, which a domain
// may hold after it has left the FIFO ABI.
static inline bool test(const xen_ulong_t *words, port_t port)
{
    if (port.v >= EVTCHN_2L_NR_CHANNELS)
        return false;
    u64 word = __atomic_load_n(&words[port.v / WORD_BITS], __ATOMIC_SEQ_CST);
    return word >> (port.v % WORD_BITS) & 1;
}

static void notify(struct domain *d, const struct evtchn *e, port_t port)
{
    struct vcpu *v = domain_vcpu(d, READ_ONCE(e->notify_vcpu));
    if (v && !test_and_set(&READ_ONCE(v->info)->evtchn_pending_sel, port.v / WORD_BITS))
        evtchn_upcall(v);
}

static void set_pending(struct domain *d, struct evtchn *e, port_t port)
{
    if (port.v >= EVTCHN_2L_NR_CHANNELS)
        return;
    if (test_and_set(&d->shared->evtchn_pending[port.v / WORD_BITS], port.v % WORD_BITS))
        return;
    if (!test(d->shared->evtchn_mask, port))
        notify(d, e, port);
}

static void clear_pending(struct domain *d, struct evtchn *e, port_t port)
{
    if (port.v < EVTCHN_2L_NR_CHANNELS)
        test_and_clear(&d->shared->evtchn_pending[port.v / WORD_BITS], port.v % WORD_BITS);
}

static void unmask(struct domain *d, struct evtchn *e, port_t port)
{
    if (port.v >= EVTCHN_2L_NR_CHANNELS)
        return;
    if (test_and_clear(&d->shared->evtchn_mask[port.v / WORD_BITS], port.v % WORD_BITS) &&
        test(d->shared->evtchn_pending, port))
        notify(d, e, port);
}

static bool is_pending(struct domain *d, struct evtchn *e, port_t port)
{
    return test(d->shared->evtchn_pending, port);
}

void evtchn_2l_drain(struct domain *d, void (*found)(struct domain *d, port_t port))
{
    for (u32 i = 0; i < WORDS; i++) {
        u64 word = __atomic_exchange_n(&d->shared->evtchn_pending[i], 0, __ATOMIC_SEQ_CST);
        for (; word; word &= word - 1)
            found(d, PORT(i * WORD_BITS + (u32)__builtin_ctzll(word)));
    }
}

const struct evtchn_ops evtchn_2l_ops = {
    .port_end = EVTCHN_2L_NR_CHANNELS,
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
};
