// SPDX-License-Identifier: MIT
// XSA-334 (CVE-2020-25598): a refused XENMEM_acquire_resource never let go of its domain.
//
// What must hold: after refusals of every kind the domain can be destroyed and its frames come
// back, and the machine goes on.
#include "lib/domu.h"

const char test_title[] = "refused acquire_resource calls";

static void guest(void)
{
}

static void life(void)
{
    struct domu *d = domu_create(guest);
    static xen_pfn_t frames[64];

    for (unsigned int i = 0; i < 200; i++) {
        struct xen_mem_acquire_resource r = {.domid = d->id,
                                             .type = (uint16_t)(i % 5),
                                             .id = i / 5 % 4,
                                             .nr_frames = 1 + i % 7 * 9,
                                             .pad = i % 11 == 0,
                                             .frame = i % 3 ? 1ul << (i % 64) : 0};

        set_xen_guest_handle(r.frame_list, i % 13 ? frames : (xen_pfn_t *)0x10);
        hc_memory_op(XENMEM_acquire_resource, &r);
    }
    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
}

void test_main(void)
{
    domu_lives(life);
}
