// SPDX-License-Identifier: MIT
// XSA-52, XSA-53, XSA-54 (CVE-2013-2076 to 2078): extended processor state.
//
// Class: XCR0 or saved state chosen by the guest faults in the hypervisor. What must hold: a value
// of XCR0 that the processor refuses is the guest's #GP (#UD where the instruction is not offered),
// and FPU state still works afterwards.
//
// QEMU: -cpu max
#include "lib/guest.h"

const char test_title[] = "xsetbv with bad values";

static bool refused(uint32_t reg, uint64_t value)
{
    const struct trap *t = TRY("xsetbv",
                               :
                               : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(reg));

    return t->count == 1 && (t->frame.vector == X86_GP || t->frame.vector == X86_UD);
}

void test_main(void)
{
    double out = 0;

    CHECK(refused(0, 0));
    CHECK(refused(0, 2));
    CHECK(refused(0, 5));
    CHECK(refused(0, ~0ul));
    CHECK(refused(0, 1ul << 63 | 1));
    CHECK(refused(1, 1));
    CHECK(refused(~0u, 3));
    asm volatile("fninit; fld1; fstpl %0" : "=m"(out));
    CHECK_EQ(*(uint64_t *)&out, 0x3ff0000000000000);
}
