// SPDX-License-Identifier: MIT
// XSA-45 (CVE-2013-1918): taking down the page tables of a domain was not preemptible; a guest
// could hold a CPU for a long time by having many of them.
//
// What must hold: a domU with hundreds of pinned tables is destroyed completely, and while that
// goes on dom0's clock ticks: no single call of dom0 takes a second.
#include "lib/domu.h"

const char test_title[] = "destroying a domain with many page tables";

#define TABLES 1500

static volatile unsigned int pinned;

// Every spare frame becomes an L1.
static void guest(void)
{
    for (unsigned int i = 0; i < TABLES; i++) {
        if (mmuext(MMUEXT_PIN_L1_TABLE, pfn_to_mfn(pfn_alloc_unmapped())) == 0)
            pinned++;
    }
    CHECK_EQ(pinned, TABLES);
    CHECK_RC(evtchn_send(start_info->store_evtchn), 0);
    for (;;)
        hc_sched_op(SCHEDOP_yield, NULL);
}

static void life(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .extra = TABLES + 8});
    uint64_t start, end;
    long rc;

    CHECK_RC(domu_unpause(d), 0);
    REQUIRE(port_wait(d->port, 20 * SECOND));
    CHECK_RC(foreign_unmap(d->console), 0);
    d->console = NULL;
    do {
        start = system_time();
        rc = domctl(XEN_DOMCTL_destroydomain, d->id);
        end = system_time();
        CHECK(end - start < SECOND);
    } while (rc == -EAGAIN);
    CHECK_RC(rc, 0);
    domu_destroy(d); // for what the kit keeps
    CHECK(!domain_exists(d->id));
}

void test_main(void)
{
    domu_lives(life);
}
