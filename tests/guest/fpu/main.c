// SPDX-License-Identifier: MIT
// HYPERVISOR_fpu_taskswitch, clts and CR0 as a guest sees it.
//
// xen ABI: arch-x86/xen.h "Sets (if set!=0) or clears (if set==0) CR0.TS". With TS set the first
// FPU instruction is #NM, which clears TS before the handler runs (the guest need not ask for it).
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "fpu_taskswitch and #NM";

#define CR0_TS 8ul

static uint64_t read_cr0(void)
{
    uint64_t v;

    asm volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}

void test_main(void)
{
    uint64_t value = 0x1122334455667788, back = 0;

    CHECK_RC(hc_fpu_taskswitch(0), 0);
    CHECK_NO_TRAP(TRY("movq %0, %%xmm3", : : "r"(value)));
    CHECK_RC(hc_fpu_taskswitch(1), 0);
    CHECK_EQ(read_cr0() & CR0_TS, CR0_TS);
    CHECK_TRAP(TRY("movq %%xmm3, %0", : "+r"(back)), X86_NM, 0);
    CHECK_EQ(back, 0);
    CHECK_NO_TRAP(TRY("movq %%xmm3, %0", : "+r"(back))); // cleared by the delivery
    CHECK_EQ(back, (long)value);
    CHECK_EQ(read_cr0() & CR0_TS, 0);
    CHECK_RC(hc_fpu_taskswitch(1), 0);
    CHECK_NO_TRAP(TRY("clts")); // emulated
    CHECK_EQ(read_cr0() & CR0_TS, 0);
    CHECK_NO_TRAP(TRY("fninit"));
    CHECK_RC(hc_fpu_taskswitch(1), 0);
    CHECK_TRAP(TRY("fninit"), X86_NM, 0);
    CHECK_RC(hc_fpu_taskswitch(0), 0);
    // The state survives giving up the CPU.
    CHECK_NO_TRAP(TRY("movq %0, %%xmm3", : : "r"(value)));
    CHECK_RC(hc_sched_op(SCHEDOP_yield, NULL), 0);
    back = 0;
    CHECK_NO_TRAP(TRY("movq %%xmm3, %0", : "+r"(back)));
    CHECK_EQ(back, (long)value);
}
