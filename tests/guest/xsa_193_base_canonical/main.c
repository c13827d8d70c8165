// SPDX-License-Identifier: MIT
// XSA-193 (CVE-2016-9385): segment bases that are not canonical.
//
// Class: a base from the guest is written to its MSR unchecked, and the #GP is the hypervisor's.
// What must hold: by MSR it is the guest's #GP, by hypercall an error; the old base stays.
#include "lib/guest.h"

const char test_title[] = "non-canonical segment bases";

static const uint64_t bad[] = {0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000,
                               0x00ff000000000000};

static uint64_t base(uint32_t msr)
{
    uint32_t lo = 0, hi = 0;

    TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static void check_msr(uint32_t msr, uint64_t value)
{
    uint64_t before = base(msr);

    CHECK_TRAP(TRY("wrmsr",
                   :
                   : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)),
               X86_GP, 0);
    CHECK_EQ(base(msr), before);
}

void test_main(void)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
        for (uint32_t msr = 0xc0000100; msr <= 0xc0000102; msr++)
            check_msr(msr, bad[i]);
        CHECK(hc_set_segment_base(SEGBASE_FS, bad[i]) < 0);
        CHECK(hc_set_segment_base(SEGBASE_GS_USER, bad[i]) < 0);
        CHECK(hc_set_segment_base(SEGBASE_GS_KERNEL, bad[i]) < 0);
    }
    for (unsigned int sel = 0; sel < 0x10000; sel += 0x337)
        hc_set_segment_base(SEGBASE_GS_USER_SEL, sel);
    CHECK_RC(hc_set_segment_base(SEGBASE_GS_USER_SEL, 0), 0);
    CHECK(hc_set_segment_base(4, 0) < 0);
}
