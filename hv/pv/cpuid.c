// SPDX-License-Identifier: MIT
// What PV guests see when they ask through the forced-emulation prefix, or through a CPUID that
// faults: their domain's policy (cpu/policy.h), with what belongs to the one vCPU and to the
// moment, and the leaves of the hypervisor. Sources: SDM 2A "CPUID", <xen/arch-x86/cpuid.h>.
#include "pv/cpuid.h"
#include "pv/pv.h"
#include <xen/arch-x86/cpuid.h>
#include "cpu/cpu.h"
#include "cpu/policy.h"
#include "cpu/time.h"
#include "cpu/x86.h"
#include "dom/domain.h"

#define BIT(n) (1u << (n))

enum { XEN_VERSION_WORD = 4 << 16 | 17, HV_LEAVES = 5 };

static void hypervisor(u32 top, u32 leaf, u32 sub, u32 r[4])
{
    struct time_scale s = time_scale();
    r[0] = r[1] = r[2] = r[3] = 0;
    if (leaf > top)
        return;
    switch (leaf) {
    case 0:
        r[0] = XEN_CPUID_FIRST_LEAF + top;
        r[1] = XEN_CPUID_SIGNATURE_EBX;
        r[2] = XEN_CPUID_SIGNATURE_ECX;
        r[3] = XEN_CPUID_SIGNATURE_EDX;
        break;
    case 1:
        r[0] = XEN_VERSION_WORD;
        break;
    case 2:
        r[0] = 1; // hypercall pages, written through this MSR
        r[1] = PV_MSR_HYPERCALL_PAGE;
        r[2] = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case 3:
        if (sub == 0) {
            r[0] = BIT(2); // the TSC needs no emulation
            r[2] = (u32)time_tsc_khz();
        } else if (sub == 1) {
            r[0] = (u32)s.tsc_base;
            r[1] = (u32)(s.tsc_base >> 32);
            r[2] = s.mul;
            r[3] = (u32)s.shift;
        } else if (sub == 2) {
            r[0] = (u32)time_tsc_khz();
        }
        break;
    case 5:
        r[1] = 40; // width of a machine address that the guest may see in its tables
        break;
    default:
        break;
    }
}

void pv_cpuid(const struct vcpu *v, u32 leaf, u32 sub, u32 r[4])
{
    const struct cpu_policy *p = v->dom->policy;
    if (leaf >= XEN_CPUID_FIRST_LEAF && leaf <= XEN_CPUID_FIRST_LEAF + 0xff) {
        u32 top[4]; // the policy may show fewer; 0: all
        cpu_policy_cpuid(p, XEN_CPUID_FIRST_LEAF, 0, top);
        hypervisor(top[0] && top[0] < HV_LEAVES ? top[0] : HV_LEAVES, leaf - XEN_CPUID_FIRST_LEAF,
                   sub, r);
        return;
    }
    cpu_policy_cpuid(p, leaf, sub, r);
    if (leaf == 1) {
        r[1] |= v->id.v << 25;
        r[2] |= r[2] & BIT(26) ? BIT(27) : 0; // OSXSAVE: XGETBV works
    } else if (leaf == 0xd && sub == 0 && r[0] && v == current_vcpu()) {
        r[1] = cpuid(0xd, 0).b; // of the components that are on now
    }
}
