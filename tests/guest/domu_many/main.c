// SPDX-License-Identifier: MIT
// Four domains at once share the CPUs with dom0; each makes progress; the death of one does not
// touch the others.
//
// xen ABI: domctl.h; sched.h yield and block; vcpu.h get_runstate_info.
#include "lib/domu.h"

const char test_title[] = "several domains at once";

enum { DOMS = 4 };

static volatile uint64_t ticks;
static unsigned int which;

static void guest(void)
{
    CHECK_EQ(which % DOMS, which);
    for (;;)
        ticks++; // never yields: it is preempted
}

static void lives(void)
{
    struct domu *d[DOMS];
    uint64_t seen[DOMS];

    for (which = 0; which < DOMS; which++)
        d[which] = domu_create(guest);
    for (unsigned int i = 0; i < DOMS; i++)
        CHECK_RC(domu_unpause(d[i]), 0);
    for (unsigned int i = 0; i < DOMS; i++) {
        CHECK(REST_UNTIL((domu_fetch(d[i], &ticks), ticks > 1000), 10 * SECOND));
        seen[i] = ticks;
    }
    for (unsigned int dead = 0; dead < DOMS; dead++) {
        CHECK_RC(domu_destroy(d[dead]), 0);
        for (unsigned int i = dead + 1; i < DOMS; i++) {
            CHECK(REST_UNTIL((domu_fetch(d[i], &ticks), ticks > seen[i]), 10 * SECOND));
            seen[i] = ticks;
        }
    }
}

void test_main(void)
{
    domu_lives(lives);
}
