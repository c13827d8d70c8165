// SPDX-License-Identifier: MIT
// XSA-107 (CVE-2014-6268): with FIFO event channels, an event for a vCPU that has no control block
// yet was delivered through a null pointer.
//
// What must hold: such an event is harmless, and delivered or not, the channel can be used on.
#include "lib/domu.h"

const char test_title[] = "FIFO events for a vCPU without a control block";

static void guest(void)
{
    struct evtchn_init_control control = {.control_gfn = va_to_mfn(page_alloc()), .vcpu = 0};
    event_word_t *words = page_alloc();
    struct evtchn_expand_array array = {.array_gfn = va_to_mfn(words)};
    evtchn_port_t port, loop;

    CHECK_RC(hc_event_channel_op(EVTCHNOP_init_control, &control), 0);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_expand_array, &array), 0);
    CHECK_RC(bind_ipi(1, &port), 0); // vCPU 1 has none
    words[port] &= ~(1u << EVTCHN_FIFO_MASKED);
    CHECK_RC(evtchn_send(port), 0);
    CHECK_RC(evtchn_send(port), 0);
    CHECK_RC(evtchn_unmask(port), 0);
    CHECK_RC(alloc_unbound(DOMID_SELF, DOMID_SELF, &port), 0);
    CHECK_RC(bind_interdomain(DOMID_SELF, port, &loop), 0);
    struct evtchn_bind_vcpu move = {.port = port, .vcpu = 1};
    CHECK_RC(hc_event_channel_op(EVTCHNOP_bind_vcpu, &move), 0);
    words[port] &= ~(1u << EVTCHN_FIFO_MASKED);
    CHECK_RC(evtchn_send(loop), 0);
    CHECK_RC(evtchn_close(loop), 0);
    CHECK_RC(evtchn_close(port), 0);
}

void test_main(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .vcpus = 2});

    CHECK_RC(domu_unpause(d), 0);
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    CHECK_RC(evtchn_send(d->port), 0); // dom0's events reach it as well
    CHECK_RC(domu_destroy(d), 0);
}
