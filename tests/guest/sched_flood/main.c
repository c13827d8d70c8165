// SPDX-License-Identifier: MIT
// A domain whose vCPUs never block and ask for what they can: timers in the past, a storm of IPIs,
// yields, polls that time out at once. It costs its own share: a domain that computes beside it on
// the same CPU keeps about half, whatever the number of vCPUs.
//
// xen ABI: xen.h set_timer_op; sched.h SCHEDOP_yield, SCHEDOP_poll; event_channel.h
// EVTCHNOP_bind_ipi, EVTCHNOP_send.
//
// SMP: 1 4
// XEN: skip its weights are of vCPUs there: one against four gets a fifth
#include "lib/hogs.h"

const char test_title[] = "who floods the hypervisor pays for it";

enum { FLOODERS = 4 };
enum mode { PAST_TIMERS, SOON_TIMERS, IPIS, YIELDS, POLLS, MODES };

static const char *const names[MODES] = {"timers in the past", "timers every microsecond", "IPIs",
                                         "yields", "polls"};

static volatile unsigned int mode;
static evtchn_port_t ipi[FLOODERS];

static void flood_once(unsigned int next)
{
    struct sched_poll poll = {.timeout = 1};

    switch (mode) {
    case PAST_TIMERS:
        hc_set_timer_op(1);
        break;
    case SOON_TIMERS:
        hc_set_timer_op((long)system_time() + 1000);
        break;
    case IPIS:
        evtchn_send(ipi[next]);
        break;
    case YIELDS:
        hc_sched_op(SCHEDOP_yield, NULL);
        break;
    default:
        hc_sched_op(SCHEDOP_poll, &poll);
    }
}

static void flood(void)
{
    static volatile unsigned int started;
    unsigned int next = (__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST)) % FLOODERS;

    events_enable();
    for (;;)
        flood_once(next);
}

static void flooders(void)
{
    for (unsigned int i = 0; i < FLOODERS; i++) {
        evtchn_port_t timer;

        CHECK_RC(bind_ipi(i, &ipi[i]), 0);
        port_unmask(ipi[i]);
        CHECK_RC(bind_virq(VIRQ_TIMER, i, &timer), 0);
        port_unmask(timer);
    }
    for (unsigned int i = 1; i < FLOODERS; i++)
        CHECK_RC(smp_start(i, flood), 0);
    flood();
}

void test_main(void)
{
    uint8_t last = (uint8_t)(1u << (vcpu_count() - 1));
    struct domu *bad = hog_create(flooders, FLOODERS, 0), *good = hog_create(hog, 1, 0);

    for (unsigned int i = 0; i < FLOODERS; i++)
        CHECK_RC(hard_affinity(bad->id, i, last), 0);
    CHECK_RC(hard_affinity(good->id, 0, last), 0);
    CHECK_RC(domu_unpause(bad), 0);
    CHECK_RC(domu_unpause(good), 0);
    for (unsigned int m = 0; m < MODES; m++) {
        domu_poke(bad, (void *)&mode, &m, sizeof(m));
        rest(SECOND / 5);
        printk("%s\n", names[m]);
        CHECK(SOON_WITHIN(share(good, bad, SECOND), 30, 100));
        CHECK(progresses(bad->id));
    }
    CHECK_RC(domu_destroy(bad), 0);
    CHECK_RC(domu_destroy(good), 0);
}
