// SPDX-License-Identifier: MIT
// XSA-293: when domains took turns on a CPU, the bases of fs and gs of one could be lost or end up
// in another.
//
// What must hold: three domUs and dom0, each with its own bases and selectors, find them unchanged
// after every turn.
#include "lib/domu.h"

const char test_title[] = "segment bases across domain switches";

static uint64_t mine;

static void take_turns(unsigned int n)
{
    uint64_t *words = page_alloc();
    unsigned int wrong = 0;

    words[0] = mine;
    words[1] = ~mine;
    CHECK_RC(hc_set_segment_base(SEGBASE_FS, (uint64_t)words), 0);
    CHECK_RC(hc_set_segment_base(SEGBASE_GS_KERNEL, (uint64_t)(words + 1)), 0);
    CHECK_RC(hc_set_segment_base(SEGBASE_GS_USER, mine), 0);
    for (unsigned int i = 0; i < n; i++) {
        if (is_domu())
            hc_sched_op(SCHEDOP_yield, NULL);
        else
            dom0_rest(0);
        wrong += at_fs() != mine || at_gs() != ~mine;
    }
    CHECK_EQ(wrong, 0);
}

static void guest(void)
{
    take_turns(500);
}

void test_main(void)
{
    struct domu *d[3];

    for (unsigned int i = 0; i < 3; i++) {
        mine = 0x1000 + i;
        d[i] = domu_create(guest);
    }
    mine = 0x7000;
    for (unsigned int i = 0; i < 3; i++)
        CHECK_RC(domu_unpause(d[i]), 0);
    take_turns(50);
    for (unsigned int i = 0; i < 3; i++) {
        CHECK_EQ(domu_wait(d[i]), SHUTDOWN_poweroff);
        CHECK_RC(domu_destroy(d[i]), 0);
    }
    CHECK_EQ(at_fs(), mine);
}
