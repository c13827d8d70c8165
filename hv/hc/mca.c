// SPDX-License-Identifier: MIT
// HYPERVISOR_mca: machine-check information for the control domain. Source:
// <xen/arch-x86/xen-mca.h>. A machine check stops the machine (cpu/traps.c), so there is never
// anything to fetch; the control domain learns the CPUs and may wait for VIRQ_MCA.
#include "abi/xen.h"
#include <xen/arch-x86/xen-mca.h>
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "hc/op.h"
#include "hc/table.h"
#include "lib/string.h"

#define LAST_COMMAND 6 // XEN_MC_inject_v2, which the header shows only to tools

// One of the two kinds is named; with ACK an earlier fetch is acknowledged and nothing is written.
static long fetch(struct vcpu *cur, void *arg)
{
    struct xen_mc_fetch *a = arg;
    u32 kind = a->flags & ~(u32)XEN_MC_ACK;
    if (kind != XEN_MC_NONURGENT && kind != XEN_MC_URGENT)
        return -EINVAL;
    if (a->flags & XEN_MC_ACK)
        return 0;
    if (guest_ptr_null(GUEST_HANDLE(a->data)))
        return -EINVAL;
    a->flags = XEN_MC_NODATA;
    a->fetch_id = 0;
    return 0;
}

// Without an array only the number of CPUs is told. An array of no elements is a mistake.
static long physcpuinfo(struct vcpu *cur, void *arg)
{
    struct xen_mc_physcpuinfo *a = arg;
    guest_ptr array = GUEST_HANDLE(a->info);
    struct cpuid_regs id = cpuid(0, 0);
    u32 vendor[3] = {id.b, id.d, id.c};
    u32 wanted = MIN(a->ncpus, cpu_count);
    a->ncpus = cpu_count;
    if (guest_ptr_null(array))
        return 0;
    if (!wanted)
        return -EINVAL;
    a->ncpus = wanted;
    for (u32 i = 0; i < wanted; i++) {
        struct mcinfo_logical_cpu c = {
            .mc_cpunr = i,
            .mc_chipid = i,
            .mc_apicid = cpus[i].apic_id,
            .mc_ncores = 1,
            .mc_ncores_active = 1,
            .mc_nthreads = 1,
            .mc_cpuid_level = (int)id.a,
        };
        memcpy(c.mc_vendorid, vendor, sizeof(vendor));
        if (guest_copy_out_index(array, i, &c, sizeof(c)))
            return -EFAULT;
    }
    return 0;
}

// clang-format off
#define OP(op, fn, arg, dir) {DOC("XEN_MC_" #op), XEN_MC_##op, sizeof(struct arg), dir, true, fn, DOC("mca")}

static const struct hc_op ops[] = {
    OP(fetch,       fetch,       xen_mc_fetch,       HC_INOUT),
    OP(physcpuinfo, physcpuinfo, xen_mc_physcpuinfo, HC_INOUT),
};
// clang-format on

long hc_mca(struct vcpu *cur, u64 arg, u64 a1, u64 a2, u64 a3, u64 a4)
{
    guest_ptr p = GUEST_PTR(arg);
    u32 cmd;
    int rc = hc_open_versioned(cur, &p, XEN_MCA_INTERFACE_VERSION, &cmd);
    // A command the header does not have is -EINVAL, unlike in other hypercalls: guest test mca.
    if (rc == 0 && (cmd < XEN_MC_fetch || cmd > LAST_COMMAND))
        rc = -EINVAL;
    return rc ? rc : hc_dispatch_op(ops, ARRAY_SIZE(ops), cur, cmd, p);
}
