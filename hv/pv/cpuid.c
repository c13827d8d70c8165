// SPDX-License-Identifier: MIT
// The CPUID policy of PV guests: what they see when they ask through the forced-emulation prefix,
// or through a CPUID that faults. Bits are kept that work in ring 3 without our help; what belongs
// to the machine's paging, virtualisation, performance counters or power is hidden. Sources: SDM 2A
// "CPUID", APM 3 "Obtaining Processor Information", <xen/arch-x86/cpuid.h>.
#include "pv/cpuid.h"
#include "pv/pv.h"
#include <xen/arch-x86/cpuid.h>
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/time.h"
#include "cpu/x86.h"
#include "dom/domain.h"

#define BIT(n) (1u << (n))

enum { XEN_VERSION_WORD = 4 << 16 | 17, HV_LEAVES = 5 };

// Leaf 1 and its AMD twin: hidden bits.
#define HIDE_1_ECX                                                                                \
    (BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(10) | BIT(11) | BIT(14) | \
     BIT(15) | BIT(16) | BIT(17) | BIT(18) | BIT(21) | BIT(24) | BIT(27))
// VME, PSE, MCE, SEP, MTRR, PGE, MCA, PSE36, DS, ACPI, TM
#define HIDE_1_EDX                                                                          \
    (BIT(1) | BIT(3) | BIT(7) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17) | BIT(21) | \
     BIT(22) | BIT(29) | BIT(31))
// Leaf 7: FSGSBASE, TSC_ADJUST, SGX, SMEP, INVPCID, CQM, MPX, PQE, SMAP, PT stay ours.
#define HIDE_7_EBX \
    (BIT(0) | BIT(1) | BIT(2) | BIT(7) | BIT(10) | BIT(12) | BIT(14) | BIT(15) | BIT(20) | BIT(25))
#define SHOW_7_ECX (BIT(1) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14))
#define SHOW_7_EDX (BIT(2) | BIT(3) | BIT(4) | BIT(10))
// Extended leaf: SVM, extended APIC space, IBS, SKINIT, WDT, LWP, NodeId, TopoExt, counters.
#define HIDE_E1_ECX                                                                          \
    (BIT(2) | BIT(3) | BIT(10) | BIT(12) | BIT(13) | BIT(15) | BIT(19) | BIT(22) | BIT(23) | \
     BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(29))
#define HIDE_E1_EDX (BIT(1) | BIT(3) | BIT(7) | BIT(12) | BIT(13) | BIT(14) | BIT(17) | BIT(26))

static void basic_1(const struct vcpu *v, u32 r[4])
{
    r[1] = (r[1] & 0x0000ffff) | v->id.v << 25 | 1u << 16; // one logical CPU, its own APIC id
    r[2] = (r[2] & ~HIDE_1_ECX) | BIT(31);                 // runs on a hypervisor
    if (cpu_features.xsave)
        r[2] |= BIT(27);                                          // OSXSAVE: XGETBV works
    u32 mce = v->dom->privileged ? r[3] & (BIT(7) | BIT(14)) : 0; // it reads errors by hypercall
    r[3] = (r[3] & ~HIDE_1_EDX) | BIT(9) | mce;
}

static void xstate(u32 sub, u32 r[4])
{
    if (sub == 0) {
        r[0] = (u32)cpu_features.xcr0_mask;
        r[3] = 0;
        r[2] = cpu_features.xsave_size;
    } else if (sub == 1) {
        r[0] &= BIT(0); // XSAVEOPT
        r[1] = r[2] = r[3] = 0;
    } else if (sub >= 64 || !(cpu_features.xcr0_mask >> sub & 1)) {
        r[0] = r[1] = r[2] = r[3] = 0;
    }
}

static void hypervisor(u32 leaf, u32 sub, u32 r[4])
{
    struct time_scale s = time_scale();
    r[0] = r[1] = r[2] = r[3] = 0;
    switch (leaf) {
    case 0:
        r[0] = XEN_CPUID_FIRST_LEAF + HV_LEAVES;
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

static void extended(u32 leaf, u32 r[4])
{
    switch (leaf) {
    case 0x80000001:
        r[2] &= ~HIDE_E1_ECX;
        r[3] &= ~HIDE_E1_EDX;
        break;
    case 0x80000007:
        r[0] = r[1] = r[2] = 0;
        r[3] &= BIT(8);
        break;
    case 0x80000008:
        r[1] &= BIT(0) | BIT(2); // CLZERO, error pointers
        r[2] = 0;
        r[3] = 0;
        break;
    case 0x8000000a: // SVM
    case 0x8000001b: // IBS
    case 0x8000001c: // LWP
    case 0x8000001f: // memory encryption
        r[0] = r[1] = r[2] = r[3] = 0;
        break;
    default:
        break;
    }
}

void pv_cpuid(const struct vcpu *v, u32 leaf, u32 sub, u32 r[4])
{
    if (leaf >= XEN_CPUID_FIRST_LEAF && leaf <= XEN_CPUID_FIRST_LEAF + 0xff) {
        hypervisor(leaf - XEN_CPUID_FIRST_LEAF, sub, r);
        return;
    }
    bool ext = leaf >= 0x80000000;
    if (leaf > (ext ? cpu_features.max_ext_leaf : cpu_features.max_leaf)) {
        r[0] = r[1] = r[2] = r[3] = 0;
        return;
    }
    struct cpuid_regs c = cpuid(leaf, sub);
    r[0] = c.a, r[1] = c.b, r[2] = c.c, r[3] = c.d;
    switch (leaf) {
    case 1:
        basic_1(v, r);
        break;
    case 5:   // MONITOR/MWAIT
    case 6:   // power management
    case 0xa: // performance counters
    case 0xb: // topology: it is that of the machine
    case 0xf:
    case 0x10:
    case 0x12:
    case 0x14:
    case 0x1f:
        r[0] = r[1] = r[2] = r[3] = 0;
        break;
    case 7:
        r[1] &= ~HIDE_7_EBX;
        r[2] &= SHOW_7_ECX;
        r[3] &= SHOW_7_EDX;
        if (sub != 0)
            r[0] = r[1] = r[2] = r[3] = 0;
        break;
    case 0xd:
        xstate(sub, r);
        break;
    default:
        if (ext)
            extended(leaf, r);
    }
}
