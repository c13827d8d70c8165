// SPDX-License-Identifier: MIT
// XSA-12 (CVE-2012-3494): set_debugreg with bits that the processor refuses.
//
// Class: a register value from the guest is loaded without looking at its reserved upper half, and
// the #GP hits the hypervisor. What must hold: such values, general detect, and breakpoints on the
// hypervisor's addresses are refused and nothing changes, by hypercall and by mov to the register.
#include "lib/guest.h"

const char test_title[] = "debug registers take no reserved bits";

static void check_refused(int reg, unsigned long value)
{
    long before = hc_get_debugreg(reg);

    CHECK(hc_set_debugreg(reg, value) < 0);
    CHECK_EQ(hc_get_debugreg(reg), before);
}

void test_main(void)
{
    for (int bit = 32; bit < 64; bit++) {
        check_refused(6, 1ul << bit);
        check_refused(7, 0x400 | 1ul << bit);
    }
    for (int reg = 0; reg < 4; reg++) {
        check_refused(reg, HYPERVISOR_VIRT_START);
        check_refused(reg, HYPERVISOR_VIRT_END - 1);
        check_refused(reg, 0x0000800000000000);
    }
    CHECK(hc_set_debugreg(7, 0x2400) < 0 || (hc_get_debugreg(7) & 0x2000) == 0);
    CHECK(hc_set_debugreg(8, 0) < 0);
    CHECK(hc_set_debugreg(-1, 0) < 0);
    CHECK_EQ(TRY("mov %0, %%dr7", : : "r"(0x400ul | 1ul << 40))->frame.vector, X86_GP);
    CHECK_EQ(TRY("mov %0, %%dr0", : : "r"(HYPERVISOR_VIRT_START))->frame.vector, X86_GP);
    CHECK_RC(hc_set_debugreg(7, 0x400), 0);
}
