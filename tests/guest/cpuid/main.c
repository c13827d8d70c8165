// SPDX-License-Identifier: MIT
// CPUID: the hypervisor leaves, the forced-emulation prefix, what a PV guest may not see.
//
// xen ABI: arch-x86/cpuid.h (leaves from 0x40000000) and XEN_EMULATE_PREFIX. With the prefix a
// guest gets its own policy: the hypervisor bit, no VMX, no SVM, OSXSAVE only when the guest has
// it.
#include "lib/guest.h"
#include <xen/arch-x86/cpuid.h>

const char test_title[] = "cpuid with the forced-emulation prefix";

struct leaf {
    uint32_t a, b, c, d;
};

static struct leaf xen_cpuid(uint32_t leaf, uint32_t sub)
{
    struct leaf l = {leaf, 0, sub, 0};

    CHECK_NO_TRAP(TRY(XEN_CPUID, : "+a"(l.a), "=b"(l.b), "+c"(l.c), "=d"(l.d)));
    return l;
}

static void check_hypervisor_leaves(void)
{
    struct leaf l = xen_cpuid(XEN_CPUID_FIRST_LEAF, 0);

    CHECK_EQ(l.b, XEN_CPUID_SIGNATURE_EBX);
    CHECK_EQ(l.c, XEN_CPUID_SIGNATURE_ECX);
    CHECK_EQ(l.d, XEN_CPUID_SIGNATURE_EDX);
    CHECK(l.a >= XEN_CPUID_LEAF(3));
    CHECK(l.a < XEN_CPUID_LEAF(0x100));
    l = xen_cpuid(XEN_CPUID_LEAF(1), 0);
    CHECK_EQ(l.a, hc_xen_version(XENVER_version, NULL));
    l = xen_cpuid(XEN_CPUID_LEAF(2), 0);
    CHECK_EQ(l.a, 1); // hypercall pages
    CHECK_EQ(l.b, 0x40000000);
    CHECK_EQ(l.c & XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD,
             XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD);
}

static void check_policy(void)
{
    struct leaf l = xen_cpuid(1, 0);

    CHECK_EQ(l.c >> 31 & 1, 1); // hypervisor present
    CHECK_EQ(l.c >> 5 & 1, 0);  // VMX
    CHECK_EQ(l.c >> 3 & 1, 0);  // MONITOR
    CHECK_EQ(l.d >> 0 & 1, 1);  // FPU
    CHECK_EQ(l.d >> 4 & 1, 1);  // TSC
    CHECK_EQ(l.d >> 25 & 3, 3); // SSE, SSE2
    CHECK_EQ(l.d >> 3 & 1, 0);  // PSE: superpages are not for PV guests
    CHECK_EQ(l.d >> 13 & 1, 0); // PGE
    l = xen_cpuid(0x80000001, 0);
    CHECK_EQ(l.c >> 2 & 1, 0);  // SVM
    CHECK_EQ(l.d >> 29 & 1, 1); // long mode
    CHECK_EQ(l.d >> 20 & 1, 1); // NX
    CHECK_EQ(l.d >> 26 & 1, 0); // 1 GiB pages
}

void test_main(void)
{
    struct leaf l = xen_cpuid(0, 0);

    CHECK(l.a >= 1);
    check_hypervisor_leaves();
    check_policy();
    // Without the rest of its instruction the prefix is what it looks like.
    CHECK_EQ(TRY(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; nop")->frame.vector, X86_UD);
}
