// SPDX-License-Identifier: MIT
// Event channels: allocation, binding, status, closing, and all their refusals.
//
// xen ABI: event_channel.h EVTCHNOP_alloc_unbound, bind_interdomain, bind_virq, bind_ipi, status,
// close. DOMID_SELF allows loopback. Per-vCPU VIRQs bind once per vCPU, global ones once and on
// vCPU 0. Closing one end makes the other unbound.
#include "lib/guest.h"

const char test_title[] = "event channels: binding, status, closing";

#define BAD_PORT 4000

static unsigned int status_of(evtchn_port_t port)
{
    struct evtchn_status st;

    CHECK_RC(evtchn_status(port, &st), 0);
    return st.status;
}

static void check_interdomain(void)
{
    evtchn_port_t a, b, c;
    struct evtchn_status st;

    CHECK_RC(alloc_unbound(DOMID_SELF, DOMID_SELF, &a), 0);
    CHECK(a > 0); // port 0 is never given out
    CHECK_RC(evtchn_status(a, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_unbound);
    CHECK_EQ(st.u.unbound.dom, 0);
    CHECK_EQ(st.vcpu, 0);
    CHECK_RC(bind_interdomain(DOMID_SELF, a, &b), 0);
    CHECK(b != a);
    CHECK_RC(evtchn_status(a, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_interdomain);
    CHECK_EQ(st.u.interdomain.dom, 0);
    CHECK_EQ(st.u.interdomain.port, b);
    CHECK_EQ(status_of(b), EVTCHNSTAT_interdomain);
    CHECK(port_pending(b)); // binding sets the local end pending
    CHECK_RC(bind_interdomain(DOMID_SELF, a, &c), -EINVAL);
    CHECK_RC(evtchn_close(b), 0);
    CHECK_EQ(status_of(b), EVTCHNSTAT_closed);
    CHECK_EQ(status_of(a), EVTCHNSTAT_unbound);
    CHECK_RC(bind_interdomain(DOMID_SELF, a, &c), 0);
    CHECK_RC(evtchn_close(a), 0);
    CHECK_RC(evtchn_close(c), 0);
    CHECK_RC(evtchn_close(c), -EINVAL); // closed already
    CHECK_RC(bind_interdomain(DOMID_SELF, BAD_PORT, &c), -EINVAL);
    CHECK_RC(bind_interdomain(0x1234, a, &c), -ESRCH);
    CHECK_RC(alloc_unbound(0x1234, DOMID_SELF, &a), -ESRCH);
    port_clear(b);
    port_clear(c);
}

static void check_virq(void)
{
    evtchn_port_t timer, other;
    struct evtchn_status st;

    CHECK_RC(bind_virq(VIRQ_TIMER, 0, &timer), 0);
    CHECK_RC(evtchn_status(timer, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_virq);
    CHECK_EQ(st.u.virq, VIRQ_TIMER);
    CHECK_EQ(st.vcpu, 0);
    CHECK_RC(bind_virq(VIRQ_TIMER, 0, &other), -EEXIST);
    CHECK_RC(bind_virq(VIRQ_CON_RING, 0, &other), 0); // a global one
    CHECK_RC(evtchn_close(other), 0);
    CHECK_RC(bind_virq(VIRQ_CON_RING, 0, &other), 0); // and again after the close
    CHECK_RC(evtchn_close(other), 0);
    CHECK_RC(bind_virq(NR_VIRQS, 0, &other), -EINVAL);
    CHECK_RC(bind_virq(~0u, 0, &other), -EINVAL);
    CHECK_RC(bind_virq(VIRQ_DEBUG, 64, &other), -ENOENT); // no such vCPU
    CHECK_RC(evtchn_send(timer), -EINVAL);                // nobody's to send
    CHECK_RC(evtchn_close(timer), 0);
    CHECK_RC(bind_virq(VIRQ_TIMER, 0, &timer), 0);
    CHECK_RC(evtchn_close(timer), 0);
}

static void check_ipi(void)
{
    evtchn_port_t port;
    struct evtchn_status st;

    CHECK_RC(bind_ipi(0, &port), 0);
    CHECK_RC(evtchn_status(port, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_ipi);
    CHECK_EQ(st.vcpu, 0);
    CHECK_RC(evtchn_close(port), 0);
    CHECK_RC(bind_ipi(64, &port), -ENOENT);
}

static void check_errors(void)
{
    struct evtchn_status st = {.dom = 0x1234, .port = 1};

    CHECK_RC(evtchn_close(0), -EINVAL);
    CHECK_RC(evtchn_close(BAD_PORT), -EINVAL);
    CHECK_RC(evtchn_close(1u << 20), -EINVAL);
    CHECK_RC(evtchn_send(0), -EINVAL);
    CHECK_RC(evtchn_send(BAD_PORT), -EINVAL);
    CHECK_RC(evtchn_unmask(1u << 20), -EINVAL);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_status, &st), -ESRCH);
    CHECK_RC(evtchn_status(1u << 20, &st), -EINVAL);
    CHECK_RC(hc_event_channel_op(99, NULL), -ENOSYS);
    for (unsigned int op = EVTCHNOP_bind_interdomain; op <= EVTCHNOP_set_priority; op++)
        CHECK_RC(hc_event_channel_op(op, (void *)0x10), -EFAULT);
}

void test_main(void)
{
    check_interdomain();
    check_virq();
    check_ipi();
    check_errors();
}
