// SPDX-License-Identifier: MIT
// EVTCHNOP_bind_vcpu and EVTCHNOP_reset.
//
// xen ABI: event_channel.h: interdomain and global VIRQ channels can move, IPI and per-vCPU VIRQ
// channels cannot (-EINVAL); unknown vCPUs are -ENOENT. A reset closes everything.
#include "lib/guest.h"

const char test_title[] = "bind_vcpu and reset of event channels";

static long bind_vcpu(evtchn_port_t port, unsigned int vcpu)
{
    struct evtchn_bind_vcpu arg = {.port = port, .vcpu = vcpu};

    return hc_event_channel_op(EVTCHNOP_bind_vcpu, &arg);
}

static long reset(unsigned int dom)
{
    struct evtchn_reset arg = {.dom = (domid_t)dom};

    return hc_event_channel_op(EVTCHNOP_reset, &arg);
}

void test_main(void)
{
    evtchn_port_t unbound, timer, con, ipi;
    struct evtchn_status st;

    REQUIRE(alloc_unbound(DOMID_SELF, DOMID_SELF, &unbound) == 0);
    REQUIRE(bind_virq(VIRQ_TIMER, 0, &timer) == 0);
    REQUIRE(bind_virq(VIRQ_CON_RING, 0, &con) == 0);
    REQUIRE(bind_ipi(0, &ipi) == 0);
    CHECK_RC(bind_vcpu(unbound, 0), 0);
    CHECK_RC(bind_vcpu(con, 0), 0);
    CHECK_RC(bind_vcpu(ipi, 0), -EINVAL);
    CHECK_RC(bind_vcpu(timer, 0), -EINVAL);
    CHECK_RC(bind_vcpu(unbound, 64), -ENOENT);
    CHECK_RC(bind_vcpu(4000, 0), -EINVAL);
    if (vcpu_count() > 1) {
        CHECK_RC(bind_vcpu(unbound, 1), 0);
        CHECK_RC(evtchn_status(unbound, &st), 0);
        CHECK_EQ(st.vcpu, 1);
        CHECK_RC(bind_vcpu(con, 1), 0);
        CHECK_RC(evtchn_status(con, &st), 0);
        CHECK_EQ(st.vcpu, 1);
        CHECK_RC(bind_vcpu(timer, 1), -EINVAL);
    }
    CHECK_RC(reset(0x1234), -ESRCH);
    CHECK_RC(reset(DOMID_SELF), 0);
    CHECK_RC(evtchn_status(unbound, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_closed);
    CHECK_RC(evtchn_status(ipi, &st), 0);
    CHECK_EQ(st.status, EVTCHNSTAT_closed);
    CHECK_RC(bind_virq(VIRQ_TIMER, 0, &timer), 0); // free again
}
