// SPDX-License-Identifier: MIT
// XSA-317, XSA-340 (CVE-2020-11742 and others): errors of event channel port allocation were not
// seen, so that ports beyond the domain's limit came into use.
//
// What must hold: a domain gets ports up to its limit, then -ENOSPC, from dom0 and from itself, as
// often as they ask.
#include "lib/domu.h"

const char test_title[] = "the limit of event channel ports";

#define LIMIT 40

static void limit(struct xen_domctl_createdomain *args)
{
    args->max_evtchn_port = LIMIT;
}

static void guest(void)
{
    evtchn_port_t port, highest = 0;
    long rc;

    while ((rc = alloc_unbound(DOMID_SELF, 0, &port)) == 0 && highest < 10 * LIMIT)
        highest = port > highest ? port : highest;
    CHECK_RC(rc, -ENOSPC);
    CHECK_EQ(highest, LIMIT);
    CHECK_RC(alloc_unbound(DOMID_SELF, 0, &port), -ENOSPC);
    CHECK_RC(bind_ipi(0, &port), -ENOSPC);
    CHECK_RC(bind_virq(VIRQ_TIMER, 0, &port), -ENOSPC);
    CHECK(bind_interdomain(DOMID_SELF, 10, &port) < 0);
    CHECK_RC(evtchn_close(LIMIT), 0);
    CHECK_RC(bind_ipi(0, &port), 0);
    CHECK_EQ(port, LIMIT);
    CHECK(evtchn_send(LIMIT + 1) < 0);
    CHECK(evtchn_unmask(5000) < 0);
}

void test_main(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .limits = limit});
    evtchn_port_t port;

    CHECK_RC(domu_unpause(d), 0);
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    for (unsigned int i = 0; i < 10; i++)
        CHECK_RC(alloc_unbound(d->id, 0, &port), -ENOSPC);
    CHECK_RC(domu_destroy(d), 0);
}
