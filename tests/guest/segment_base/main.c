// SPDX-License-Identifier: MIT
// HYPERVISOR_set_segment_base: fs, both gs bases, the user gs selector, and refusals.
//
// xen ABI: arch-x86/xen-x86_64.h SEGBASE_*. The kernel base of gs is what %gs means in guest kernel
// mode, the user base what it means in user mode. Non-canonical bases and unknown indices give
// -EINVAL and change nothing.
#include "lib/guest.h"

const char test_title[] = "set_segment_base";

static uint64_t cell_a = 0xa1, cell_b = 0xb2, cell_c = 0xc3;

USER_SNIPPET(user_gs, "mov %gs:0, %rax; mov %fs:0, %rbx; syscall");

static void check_kernel(void)
{
    CHECK_RC(hc_set_segment_base(SEGBASE_FS, (uint64_t)&cell_a), 0);
    CHECK_EQ(at_fs(), 0xa1);
    CHECK_RC(hc_set_segment_base(SEGBASE_GS_KERNEL, (uint64_t)&cell_b), 0);
    CHECK_EQ(at_gs(), 0xb2);
    CHECK_RC(hc_set_segment_base(SEGBASE_GS_USER, (uint64_t)&cell_c), 0);
    CHECK_EQ(at_gs(), 0xb2); // not the kernel's
    CHECK_EQ(at_fs(), 0xa1);
}

static void check_errors(void)
{
    for (unsigned int which = SEGBASE_FS; which <= SEGBASE_GS_KERNEL; which++) {
        CHECK_RC(hc_set_segment_base(which, 0x8000000000000000), -EINVAL);
        CHECK_RC(hc_set_segment_base(which, 0x0000800000000000), -EINVAL);
        CHECK_RC(hc_set_segment_base(which, 0xffff7fffffffffff), -EINVAL);
    }
    CHECK_RC(hc_set_segment_base(4, 0), -EINVAL);
    CHECK_RC(hc_set_segment_base(~0u, 0), -EINVAL);
    CHECK_EQ(at_fs(), 0xa1);
    CHECK_EQ(at_gs(), 0xb2);
}

static void check_user(void)
{
    const struct trap *t;

    user_setup();
    CHECK_RC(hc_set_segment_base(SEGBASE_GS_USER, USER_CODE), 0);
    CHECK_RC(hc_set_segment_base(SEGBASE_FS, USER_CODE), 0);
    t = USER_RUN(user_gs, NULL);
    CHECK_TRAP(t, VEC_SYSCALL, 0);
    CHECK_EQ(t->frame.rax, *(const uint64_t *)user_gs);
    CHECK_EQ(t->frame.rbx, *(const uint64_t *)user_gs);
    CHECK_EQ(at_gs(), 0xb2); // the kernel's came back
}

// Loading a user selector makes its descriptor's base the user base; a null selector makes it 0.
static void check_selector(void)
{
    CHECK_RC(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    CHECK_RC(hc_set_segment_base(SEGBASE_GS_USER_SEL, FLAT_USER_DS32), 0);
    CHECK_EQ(at_gs(), 0xb2);
    // A selector that cannot be loaded becomes null instead of a fault.
    CHECK_RC(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0x0abc), 0);
    CHECK_EQ(at_gs(), 0xb2);
}

void test_main(void)
{
    check_kernel();
    check_errors();
    check_user();
    check_selector();
}
