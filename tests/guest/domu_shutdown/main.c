// SPDX-License-Identifier: MIT
// How a domain ends, and how dom0 hears of it.
//
// xen ABI: sched.h shutdown, shutdown_code, remote_shutdown, watchdog; domctl.h getdomaininfo
// (XEN_DOMINF_shutdown and the code), resumedomain, subscribe "if the domain suspends ... this
// event channel will be notified, instead of VIRQ_DOM_EXC"; VIRQ_DOM_EXC for every other end and
// for death.
#include "lib/domu.h"

const char test_title[] = "shutdown of another domain";

static volatile unsigned int reason, stage;

static void guest(void)
{
    struct sched_shutdown s = {.reason = reason};

    CHECK_RC(hc_sched_op(SCHEDOP_shutdown, &s), 0); // comes back only after a resume
    stage = 1;
    for (;;)
        hc_sched_op(SCHEDOP_yield, NULL);
}

static void latched(void)
{
    struct sched_shutdown s = {.reason = SHUTDOWN_reboot};

    CHECK_RC(hc_sched_op(SCHEDOP_shutdown_code, &s), 0);
    s.reason = SHUTDOWN_poweroff;
    hc_sched_op(SCHEDOP_shutdown, &s);
}

static void watchdog(void)
{
    struct sched_watchdog w = {.timeout = 1};

    CHECK_EQ(hc_sched_op(SCHEDOP_watchdog, &w), 1);
    CHECK_EQ(hc_sched_op(SCHEDOP_watchdog, &w), 2);
    w = (struct sched_watchdog){.id = 2};
    CHECK_RC(hc_sched_op(SCHEDOP_watchdog, &w), 0); // gone
    for (;;)
        hc_sched_op(SCHEDOP_yield, NULL);
}

static void spin(void)
{
    for (;;)
        hc_sched_op(SCHEDOP_yield, NULL);
}

static struct domu *started(void (*main)(void))
{
    struct domu *d = domu_create(main);

    port_clear(dom_exc_port);
    CHECK_RC(domu_unpause(d), 0);
    return d;
}

static void check_reasons(void)
{
    static const unsigned int reasons[] = {SHUTDOWN_poweroff, SHUTDOWN_reboot,     SHUTDOWN_suspend,
                                           SHUTDOWN_watchdog, SHUTDOWN_soft_reset, 0x77};

    for (unsigned int i = 0; i < ARRAY_SIZE(reasons); i++) {
        reason = reasons[i];
        struct domu *d = started(guest);
        CHECK_EQ(domu_wait(d), reasons[i]);
        CHECK(port_wait(dom_exc_port, SECOND));
        CHECK_EQ(domain_info(d->id)->flags & XEN_DOMINF_dying, 0);
        CHECK_RC(domu_destroy(d), 0);
        CHECK(port_wait(dom_exc_port, SECOND)); // its death
    }
    CHECK_EQ(domu_run(latched), SHUTDOWN_reboot); // the first code stays
    CHECK_EQ(domu_run(watchdog), SHUTDOWN_watchdog);
}

static void check_remote(void)
{
    struct domu *d = started(spin);
    struct sched_remote_shutdown r = {.domain_id = d->id, .reason = SHUTDOWN_reboot};

    CHECK_RC(hc_sched_op(SCHEDOP_remote_shutdown, &r), 0);
    CHECK_EQ(domu_wait(d), SHUTDOWN_reboot);
    CHECK_RC(domu_destroy(d), 0);
    CHECK_RC(hc_sched_op(SCHEDOP_remote_shutdown, &r), -ESRCH);
}

static void check_suspend(void)
{
    evtchn_port_t port;

    reason = SHUTDOWN_suspend;
    struct domu *d = started(guest);
    CHECK_EQ(domu_wait(d), SHUTDOWN_suspend);
    CHECK_RC(domctl(XEN_DOMCTL_resumedomain, d->id), 0);
    CHECK_EQ(domain_info(d->id)->flags & XEN_DOMINF_shutdown, 0);
    CHECK(REST_UNTIL((domu_fetch(d, &stage), stage == 1), 5 * SECOND));
    CHECK_RC(domctl(XEN_DOMCTL_resumedomain, d->id), 0); // nothing to do
    CHECK_RC(domctl(XEN_DOMCTL_resumedomain, 0x1234), -ESRCH);
    CHECK_RC(domctl(XEN_DOMCTL_resumedomain, 0), -EINVAL);
    port_clear(dom_exc_port);
    unsigned int old = d->id;
    CHECK_RC(domu_destroy(d), 0);
    CHECK(port_wait(dom_exc_port, 2 * SECOND));
    CHECK(REST_UNTIL(!domain_exists(old), 5 * SECOND));
    free_pages_settled(); // the oracle tells once more when it has freed the last of them

    stage = 0;
    d = domu_create(guest);
    REQUIRE(alloc_unbound(0, d->id, &port) == 0);
    dc.u.subscribe.port = port;
    CHECK_RC(domctl(XEN_DOMCTL_subscribe, d->id), 0);
    port_clear(dom_exc_port);
    CHECK_RC(domu_unpause(d), 0);
    CHECK_EQ(domu_wait(d), SHUTDOWN_suspend);
    CHECK(!port_pending(dom_exc_port));
    CHECK_RC(domu_destroy(d), 0);
    CHECK_RC(evtchn_close(port), 0);
}

void test_main(void)
{
    check_reasons();
    check_remote();
    check_suspend();
}
