// SPDX-License-Identifier: MIT
// Event channels in their 2-level form, time, and the upcall.
#include "lib/internal.h"

struct vcpu_info *vcpu_info_of[CPU_MAX];
volatile unsigned int event_count[4096];
void (*upcall_hook)(void);

void event_init(void)
{
    memset(shared_info->evtchn_mask, 0xff, sizeof(shared_info->evtchn_mask));
}

// Other vCPUs may be looking at the same word: whoever clears an event's bit has it.
static void scan_word(unsigned int word)
{
    uint64_t ready = shared_info->evtchn_pending[word] & ~shared_info->evtchn_mask[word];

    while (ready) {
        unsigned int bit = (unsigned int)__builtin_ctzl(ready);

        ready &= ready - 1;
        if (__atomic_fetch_and(&shared_info->evtchn_pending[word], ~(1ul << bit),
                               __ATOMIC_SEQ_CST) >>
                bit &
            1)
            event_count[word * 64 + bit]++;
    }
}

void event_upcall(void)
{
    struct vcpu_info *vi = vcpu_info();

    this_cpu()->upcalls++;
    WRITE_ONCE(vi->evtchn_upcall_pending, 0);
    if (upcall_hook) {
        upcall_hook();
        return;
    }
    uint64_t sel = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    while (sel) {
        scan_word((unsigned int)__builtin_ctzl(sel));
        sel &= sel - 1;
    }
}

void events_disable(void)
{
    WRITE_ONCE(vcpu_info()->evtchn_upcall_mask, 1);
    asm volatile("" : : : "memory");
}

// Any hypercall delivers what became pending while the mask was set.
void events_enable(void)
{
    asm volatile("" : : : "memory");
    WRITE_ONCE(vcpu_info()->evtchn_upcall_mask, 0);
    if (READ_ONCE(vcpu_info()->evtchn_upcall_pending))
        hc_xen_version(XENVER_version, NULL);
}

// What became pending while the port was masked has no edge left: forget it, or no event would come
// any more (xen ABI: xen.h, struct shared_info, MASK).
void port_unmask(unsigned int port)
{
    __atomic_and_fetch(&shared_info->evtchn_mask[port / 64], ~(1ul << (port % 64)),
                       __ATOMIC_SEQ_CST);
    port_clear(port);
}

bool port_pending(unsigned int port)
{
    return READ_ONCE(shared_info->evtchn_pending[port / 64]) >> (port % 64) & 1;
}

void port_clear(unsigned int port)
{
    __atomic_and_fetch(&shared_info->evtchn_pending[port / 64], ~(1ul << (port % 64)),
                       __ATOMIC_SEQ_CST);
}

long bind_virq(unsigned int virq, unsigned int vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_virq arg = {.virq = virq, .vcpu = vcpu};
    long rc = hc_event_channel_op(EVTCHNOP_bind_virq, &arg);

    *port = arg.port;
    return rc;
}

long bind_ipi(unsigned int vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_ipi arg = {.vcpu = vcpu};
    long rc = hc_event_channel_op(EVTCHNOP_bind_ipi, &arg);

    *port = arg.port;
    return rc;
}

long alloc_unbound(unsigned int dom, unsigned int remote, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound arg = {.dom = (domid_t)dom, .remote_dom = (domid_t)remote};
    long rc = hc_event_channel_op(EVTCHNOP_alloc_unbound, &arg);

    *port = arg.port;
    return rc;
}

long bind_interdomain(unsigned int dom, evtchn_port_t remote, evtchn_port_t *port)
{
    struct evtchn_bind_interdomain arg = {.remote_dom = (domid_t)dom, .remote_port = remote};
    long rc = hc_event_channel_op(EVTCHNOP_bind_interdomain, &arg);

    *port = arg.local_port;
    return rc;
}

long evtchn_send(evtchn_port_t port)
{
    struct evtchn_send arg = {.port = port};

    return hc_event_channel_op(EVTCHNOP_send, &arg);
}

long evtchn_close(evtchn_port_t port)
{
    struct evtchn_close arg = {.port = port};

    return hc_event_channel_op(EVTCHNOP_close, &arg);
}

long evtchn_unmask(evtchn_port_t port)
{
    struct evtchn_unmask arg = {.port = port};

    return hc_event_channel_op(EVTCHNOP_unmask, &arg);
}

long evtchn_status(evtchn_port_t port, struct evtchn_status *st)
{
    memset(st, 0, sizeof(*st));
    st->dom = DOMID_SELF;
    st->port = port;
    return hc_event_channel_op(EVTCHNOP_status, st);
}

domid_t own_domid(void)
{
    struct evtchn_status st;
    evtchn_port_t port;

    REQUIRE(alloc_unbound(DOMID_SELF, DOMID_SELF, &port) == 0);
    REQUIRE(evtchn_status(port, &st) == 0);
    REQUIRE(evtchn_close(port) == 0);
    return st.u.unbound.dom;
}

static uint64_t scale(uint64_t delta, uint32_t mul, int shift)
{
    delta = shift < 0 ? delta >> -shift : delta << shift;
    return (uint64_t)((unsigned __int128)delta * mul >> 32);
}

uint64_t system_time(void)
{
    const volatile struct vcpu_time_info *t = &vcpu_info()->time;
    uint32_t version;
    uint64_t now;

    do {
        version = t->version;
        asm volatile("lfence" : : : "memory");
        now =
            t->system_time + scale(rdtsc() - t->tsc_timestamp, t->tsc_to_system_mul, t->tsc_shift);
        asm volatile("lfence" : : : "memory");
    } while ((version & 1) || version != t->version);
    return now;
}

void wait_ns(uint64_t ns)
{
    uint64_t end = system_time() + ns;

    while (system_time() < end)
        asm volatile("pause");
}

bool wait_for(volatile unsigned int *word, uint64_t ns)
{
    uint64_t end = system_time() + ns;

    while (!*word && system_time() < end)
        asm volatile("pause");
    return *word != 0;
}
