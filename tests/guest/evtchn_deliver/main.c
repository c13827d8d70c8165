// SPDX-License-Identifier: MIT
// Delivery of events in the 2-level ABI: pending, selector, upcall, masks.
//
// xen ABI: xen.h struct vcpu_info and shared_info: a 0 to 1 transition of an unmasked pending bit
// sets the selector bit and evtchn_upcall_pending and makes an upcall unless upcalls are masked; a
// masked port only becomes pending, and EVTCHNOP_unmask delivers it later.
#include "lib/guest.h"

const char test_title[] = "event delivery, masking and unmasking";

static evtchn_port_t port, peer;

static void check_masked_upcalls(void)
{
    port_unmask(port);
    CHECK_RC(evtchn_send(peer), 0);
    CHECK(port_pending(port));
    CHECK_EQ(vcpu_info()->evtchn_upcall_pending, 1);
    CHECK_EQ(vcpu_info()->evtchn_pending_sel >> (port / 64) & 1, 1);
    CHECK_EQ(event_count[port], 0);
    CHECK_RC(evtchn_send(peer), 0); // still one edge
    events_enable();
    CHECK_EQ(event_count[port], 1);
    CHECK_EQ(this_cpu()->upcalls, 1);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 0); // restored behind the handler
}

static void check_direct(void)
{
    CHECK_RC(evtchn_send(peer), 0); // delivered before the hypercall returns
    CHECK_EQ(event_count[port], 2);
    CHECK_EQ(vcpu_info()->evtchn_upcall_pending, 0);
    CHECK(!port_pending(port));
}

static void check_masked_port(void)
{
    shared_info->evtchn_mask[port / 64] |= 1ul << (port % 64);
    CHECK_RC(evtchn_send(peer), 0);
    CHECK(port_pending(port));
    CHECK_EQ(event_count[port], 2);
    CHECK_RC(evtchn_unmask(port), 0);
    CHECK_EQ(event_count[port], 3);
    CHECK_EQ(shared_info->evtchn_mask[port / 64] >> (port % 64) & 1, 0);
    CHECK_RC(evtchn_unmask(port), 0); // nothing pending: nothing happens
    CHECK_EQ(event_count[port], 3);
}

static bool mask_at_entry_hook(struct frame *f)
{
    if (f->vector == VEC_EVENT) {
        CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1);
        CHECK_EQ(f->saved_mask, 0);
        CHECK_EQ(f->rflags >> 9 & 1, 1);
        CHECK_EQ(f->cs, FLAT_KERNEL_CS & ~3);
    }
    return false;
}

static void check_handler_state(void)
{
    unsigned int before = event_count[port];

    trap_hook = mask_at_entry_hook;
    CHECK_RC(evtchn_send(peer), 0);
    CHECK_EQ(event_count[port], before + 1);
    trap_hook = NULL;
}

void test_main(void)
{
    REQUIRE(alloc_unbound(DOMID_SELF, DOMID_SELF, &port) == 0);
    REQUIRE(bind_interdomain(DOMID_SELF, port, &peer) == 0);
    port_clear(peer);
    vcpu_info()->evtchn_pending_sel = 0;
    vcpu_info()->evtchn_upcall_pending = 0;
    check_masked_upcalls();
    check_direct();
    check_masked_port();
    check_handler_state();
}
