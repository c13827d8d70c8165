// SPDX-License-Identifier: MIT
// HYPERVISOR_set_debugreg and get_debugreg.
//
// xen ABI: arch-x86/xen.h; SDM 3B "Debug Registers". Breakpoints on hypervisor addresses and I/O
// breakpoints the guest may not have are refused; DR4 and DR5 alias DR6 and DR7 or are refused; a
// data breakpoint on a guest address makes #DB with DR6 telling which.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "debug registers";

static volatile uint64_t watched;

static void check_bad_number(long rc)
{
    CHECK(rc == -EINVAL || rc == -ENODEV);
}

static void check_values(void)
{
    for (int r = 0; r < 4; r++) {
        CHECK_RC(hc_set_debugreg(r, (uint64_t)&watched + (unsigned int)r), 0);
        CHECK_EQ(hc_get_debugreg(r), (uint64_t)&watched + (unsigned int)r);
    }
    CHECK_RC(hc_set_debugreg(0, HYPERVISOR_VIRT_START + 0x4000000000), -EPERM);
    CHECK_RC(hc_set_debugreg(0, 0x8000000000000000), -EPERM);
    CHECK_EQ(hc_get_debugreg(0), &watched); // unchanged
    check_bad_number(hc_get_debugreg(8));
    check_bad_number(hc_get_debugreg(-1));
    check_bad_number(hc_set_debugreg(8, 0));
    check_bad_number(hc_set_debugreg(-1, 0));
}

static void check_reserved(void)
{
    CHECK_RC(hc_set_debugreg(6, 0), 0);
    CHECK_EQ(hc_get_debugreg(6), 0xffff0ff0); // always-one bits
    CHECK_RC(hc_set_debugreg(7, 0), 0);
    CHECK_EQ(hc_get_debugreg(7), 0x400);
    CHECK_RC(hc_set_debugreg(7, 1ul << 32), -EINVAL); // reserved high half
    CHECK_EQ(hc_get_debugreg(7), 0x400);
    // GD (bit 13) would make the hypervisor's own accesses trap: it never sticks.
    hc_set_debugreg(7, 1ul << 13);
    CHECK_EQ(hc_get_debugreg(7) & (1ul << 13), 0);
    CHECK_RC(hc_set_debugreg(7, 0), 0);
}

static void check_watch(void)
{
    const struct trap *t;

    CHECK_RC(hc_set_debugreg(1, (uint64_t)&watched), 0);
    CHECK_RC(hc_set_debugreg(6, 0), 0);
    CHECK_RC(hc_set_debugreg(7, 1ul << 2 | 0xdul << 20), 0); // L1, write, 8 bytes
    t = TRY("movq $1, watched");
    CHECK_TRAP(t, X86_DB, 0);
    CHECK_EQ(hc_get_debugreg(6) & 0xf, 2);
    CHECK_NO_TRAP(TRY("cmpq $1, watched")); // reads do not hit
    CHECK_RC(hc_set_debugreg(7, 0), 0);
    CHECK_NO_TRAP(TRY("movq $2, watched"));
}

static void check_instruction(void)
{
    uint64_t v = 0;

    // mov to and from debug registers is emulated with the same rules.
    CHECK_NO_TRAP(TRY("mov %0, %%db2", : : "r"((uint64_t)&v)));
    CHECK_NO_TRAP(TRY("mov %%db2, %0", : "+r"(v)));
    CHECK_EQ(v, &v);
    CHECK_RC(hc_set_debugreg(2, 0), 0);
}

void test_main(void)
{
    check_values();
    check_reserved();
    check_watch();
    check_instruction();
}
