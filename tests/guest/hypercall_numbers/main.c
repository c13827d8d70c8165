// SPDX-License-Identifier: MIT
// Numbers without a hypercall behind them give -ENOSYS and leave every other register alone.
//
// xen ABI: xen.h "HYPERCALLS": numbers 11, 38 (tmem, gone since 4.13) and from 43 on are
// unassigned, the arch-specific ones are 48..55. The calling convention preserves rdi, rsi, rdx,
// r10, r8 apart from the result in rax; rcx and r11 are lost to the syscall instruction, so nothing
// is said of them.
#include "lib/guest.h"

const char test_title[] = "unassigned hypercall numbers";

static long raw(unsigned long nr)
{
    uint64_t rdi = 1, rsi = 2, rdx = 3, rbx = 6;
    register uint64_t r10 asm("r10") = 4;
    register uint64_t r8 asm("r8") = 5;
    long rc;

    asm volatile("syscall"
                 : "=a"(rc), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+b"(rbx), "+r"(r10), "+r"(r8)
                 : "0"(nr)
                 : "rcx", "r11", "memory");
    uint64_t r10_after = r10, r8_after = r8; // before any call takes the registers

    CHECK_EQ(rdi, 1);
    CHECK_EQ(rsi, 2);
    CHECK_EQ(rdx, 3);
    CHECK_EQ(r10_after, 4);
    CHECK_EQ(r8_after, 5);
    CHECK_EQ(rbx, 6);
    return rc;
}

void test_main(void)
{
    static const unsigned long absent[] = {11, 38, 43, 47, 55, 56, 63, 64, 100, 0x1000, 0x80000000};

    for (unsigned int i = 0; i < ARRAY_SIZE(absent); i++)
        if (!CHECK_RC(raw(absent[i]), -ENOSYS))
            printk("  number %lx\n", absent[i]);
    CHECK_EQ(raw(__HYPERVISOR_fpu_taskswitch), 0); // the same path does work
    CHECK_EQ(hc_fpu_taskswitch(0), 0);
}
