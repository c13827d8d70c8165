// SPDX-License-Identifier: MIT
// The failsafe callback: data selectors that cannot be loaded come back to the kernel.
//
// xen ABI: callback.h CALLBACKTYPE_failsafe "when guest state cannot be restored by Xen". A vCPU
// whose context has bad data selectors starts in its failsafe callback: the frame carries ds, es,
// fs and gs as they were asked for, then the context that was to be entered. The registers
// themselves are null.
//
// SMP: 4
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "failsafe callback for bad data selectors";

static volatile unsigned int arrived, ran;
static uint64_t expected_rip;
static uint16_t now_ds, now_fs;

static bool catch_failsafe(struct frame *f)
{
    if (f->vector != VEC_FAILSAFE)
        return false;
    CHECK_EQ(this_cpu()->user_exit.ds, 0x0abf);
    CHECK_EQ(this_cpu()->user_exit.es, 0x0acf);
    CHECK_EQ(this_cpu()->user_exit.fs, 0x0adf);
    CHECK_EQ(this_cpu()->user_exit.gs, 0x0aef);
    CHECK_EQ(f->rip, expected_rip);
    CHECK_EQ(f->cs, FLAT_KERNEL_CS & ~3);
    asm volatile("mov %%ds, %0" : "=r"(now_ds));
    asm volatile("mov %%fs, %0" : "=r"(now_fs));
    arrived = 1;
    return true; // the return frame is good: go on there
}

static void secondary(void)
{
    ran = 1;
}

void test_main(void)
{
    static struct vcpu_guest_context ctx;

    trap_hook = catch_failsafe;
    smp_context(1, secondary, &ctx);
    expected_rip = ctx.user_regs.rip;
    ctx.user_regs.ds = 0x0abf;
    ctx.user_regs.es = 0x0acf;
    ctx.user_regs.fs = 0x0adf;
    ctx.user_regs.gs = 0x0aef;
    CHECK_RC(hc_vcpu_op(VCPUOP_initialise, 1, &ctx), 0);
    CHECK_RC(hc_vcpu_op(VCPUOP_up, 1, NULL), 0);
    CHECK(wait_for(&arrived, 1000000000));
    CHECK(wait_for(&ran, 1000000000));
    CHECK_EQ(now_ds, 0);
    CHECK_EQ(now_fs, 0);
}
