// SPDX-License-Identifier: MIT
// All ports of the 2-level ABI can be allocated, one more cannot, and all come back.
//
// xen ABI: event_channel.h EVTCHN_2L_NR_CHANNELS (4096, port 0 is never used). Ports are the lowest
// free ones.
#include "lib/guest.h"

const char test_title[] = "event channel port limits";

void test_main(void)
{
    evtchn_port_t port, first, last = 0;
    unsigned int n = 0;
    long rc;

    REQUIRE(alloc_unbound(DOMID_SELF, DOMID_SELF, &first) == 0);
    while ((rc = alloc_unbound(DOMID_SELF, DOMID_SELF, &port)) == 0 && n < 5000) {
        n++;
        last = port;
    }
    CHECK_RC(rc, -ENOSPC);
    CHECK_EQ(last, EVTCHN_2L_NR_CHANNELS - 1);
    CHECK_EQ(first + n, last); // without a gap
    CHECK_RC(bind_ipi(0, &port), -ENOSPC);
    CHECK_RC(evtchn_close(100), 0);
    CHECK_RC(bind_ipi(0, &port), 0);
    CHECK_EQ(port, 100);
    for (port = first; port <= last; port++)
        rc |= evtchn_close(port);
    CHECK_RC(rc, -ENOSPC); // what it was: no close failed
    CHECK_RC(alloc_unbound(DOMID_SELF, DOMID_SELF, &port), 0);
    CHECK_EQ(port, first);
}
