// SPDX-License-Identifier: MIT
// rdmsr and wrmsr of the kernel are emulated: segment bases, EFER, refusals.
//
// xen ABI: PV guests execute both at ring 3 and trap. Asserted: FS, GS and kernel GS base read back
// what was written (non-canonical values are #GP); EFER shows SCE, LME, LMA and NX and does not
// change; the hypervisor's own entry points (LSTAR) can be neither read nor written; unknown MSRs
// are #GP. None of it is for user mode.
#include "lib/guest.h"

const char test_title[] = "rdmsr and wrmsr emulation";

#define MSR_EFER    0xc0000080
#define MSR_LSTAR   0xc0000082
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_SHADOW  0xc0000102

USER_SNIPPET(user_rdmsr, "mov $0xc0000100, %ecx; rdmsr; syscall");

static const struct trap *rdmsr(uint32_t msr, uint64_t *value)
{
    uint32_t lo = 0, hi = 0;
    const struct trap *t = TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(msr));

    *value = (uint64_t)hi << 32 | lo;
    return t;
}

static const struct trap *wrmsr(uint32_t msr, uint64_t value)
{
    return TRY("wrmsr", : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void check_bases(void)
{
    static const uint32_t bases[] = {MSR_FS_BASE, MSR_GS_BASE, MSR_SHADOW};
    uint64_t v;

    for (unsigned int i = 0; i < ARRAY_SIZE(bases); i++) {
        CHECK_NO_TRAP(wrmsr(bases[i], 0xffff880012345678 + i));
        CHECK_NO_TRAP(rdmsr(bases[i], &v));
        CHECK_EQ(v, 0xffff880012345678 + i);
        CHECK_TRAP(wrmsr(bases[i], 0x8000000000000000), X86_GP, 0);
        CHECK_NO_TRAP(rdmsr(bases[i], &v));
        CHECK_EQ(v, 0xffff880012345678 + i);
        CHECK_NO_TRAP(wrmsr(bases[i], 0));
    }
}

static void check_efer(void)
{
    uint64_t v, after;

    CHECK_NO_TRAP(rdmsr(MSR_EFER, &v));
    CHECK_EQ(v & 0xd01, 0xd01);    // NXE, LMA, LME, SCE
    CHECK_EQ(v & 0x1000, 0);       // SVME
    wrmsr(MSR_EFER, v & ~0x801ul); // ignored or refused
    CHECK_NO_TRAP(rdmsr(MSR_EFER, &after));
    CHECK_EQ(after, v);
    CHECK_TRAP(TRY("ud2"), X86_UD, 0); // and we live
}

static void check_refused(void)
{
    uint64_t v;

    CHECK_TRAP(rdmsr(0x12345678, &v), X86_GP, 0);
    CHECK_EQ(v, 0);
    CHECK_TRAP(wrmsr(0x12345678, 1), X86_GP, 0);
    wrmsr(MSR_LSTAR, 0x4000);
    CHECK_EQ(hc_xen_version(XENVER_pagesize, NULL), 4096); // still the hypervisor's
    user_setup();
    CHECK_TRAP(USER_RUN(user_rdmsr, NULL), X86_GP, 0);
}

void test_main(void)
{
    check_bases();
    check_efer();
    check_refused();
}
