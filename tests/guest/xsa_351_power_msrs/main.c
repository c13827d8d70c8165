// SPDX-License-Identifier: MIT
// XSA-333, XSA-351 (CVE-2020-25602, CVE-2020-28368): a guest's read of MISC_ENABLE faulted in the
// hypervisor where the CPU has no such register; reads of power registers let a domain watch
// others.
//
// What must hold: a domU reading either gets a value that tells nothing or a fault of its own.
#include "lib/domu.h"

const char test_title[] = "MSRs of the machine read by a domU";

static const uint32_t power[] = {0x606, 0x610, 0x611,      0x613,      0x614,      0x619,     0x61b,
                                 0x639, 0x641, 0xc0010299, 0xc001029a, 0xc001029b, 0xc001007b};

static const struct trap *rdmsr(uint32_t msr, uint64_t *value)
{
    uint32_t lo = 0, hi = 0;
    const struct trap *t = TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(msr));

    *value = (uint64_t)hi << 32 | lo;
    return t;
}

static void guest(void)
{
    uint64_t value;
    const struct trap *t = rdmsr(0x1a0, &value);

    CHECK(t->count == 0 || t->frame.vector == X86_GP);
    for (unsigned int i = 0; i < ARRAY_SIZE(power); i++) {
        t = rdmsr(power[i], &value);
        CHECK(t->count ? t->frame.vector == X86_GP : value == 0);
        t = TRY("wrmsr", : : "c"(power[i]), "a"(~0u), "d"(~0u));
        CHECK(t->count == 0 || t->frame.vector == X86_GP);
    }
}

void test_main(void)
{
    CHECK_EQ(domu_run(guest), SHUTDOWN_poweroff);
}
