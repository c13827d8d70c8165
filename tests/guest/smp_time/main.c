// SPDX-License-Identifier: MIT
// System time is the same on all vCPUs.
//
// xen ABI: xen.h struct vcpu_time_info. A value handed from one vCPU to another is never in its
// future, by more than the calibration error of an emulated machine (here: 5 ms); each vCPU is
// monotonic.
//
// SMP: 4
#include "lib/guest.h"

const char test_title[] = "system time across vCPUs";

static volatile uint64_t now[4];
static volatile unsigned int up[4], backwards;

static void secondary(void)
{
    unsigned int id = this_cpu()->id;
    uint64_t last = 0;

    for (;;) {
        uint64_t t = system_time();

        if (t < last)
            backwards = 1;
        last = t;
        now[id] = t;
        up[id] = 1;
    }
}

void test_main(void)
{
    uint64_t worst = 0;

    for (unsigned int id = 1; id < 4; id++) {
        CHECK_RC(smp_start(id, secondary), 0);
        CHECK(wait_for(&up[id], 2000000000));
    }
    for (unsigned int i = 0; i < 20000; i++) {
        uint64_t theirs = now[1 + i % 3], mine = system_time();

        if (theirs > mine && theirs - mine > worst)
            worst = theirs - mine;
    }
    printk("worst lead of another vCPU: %lu ns\n", worst);
    CHECK(worst < 5000000);
    CHECK_EQ(backwards, 0);
}
