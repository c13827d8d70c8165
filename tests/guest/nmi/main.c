// SPDX-License-Identifier: MIT
// VCPUOP_send_nmi reaches the NMI callback or the trap table entry of vector 2.
//
// xen ABI: vcpu.h VCPUOP_send_nmi; callback.h CALLBACKTYPE_nmi; nmi.h. Delivery disregards the
// upcall mask and masks events in the handler; a second NMI waits until the iret of the first.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "NMIs of a vCPU";

static unsigned int nmis, depth, max_depth;
static bool nested;

static bool nmi_hook(struct frame *f)
{
    if (f->vector != VEC_NMI_CB && f->vector != X86_NMI)
        return false;
    nmis++;
    depth++;
    if (depth > max_depth)
        max_depth = depth;
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1);
    CHECK_EQ(f->cs, FLAT_KERNEL_CS & ~3);
    if (nested) {
        nested = false;
        CHECK_RC(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
        hc_xen_version(XENVER_version, NULL); // would deliver it, were it not blocked
    }
    depth--;
    return true;
}

void test_main(void)
{
    trap_hook = nmi_hook;
    CHECK_RC(register_callback(CALLBACKTYPE_nmi, 0, nmi_entry), 0);
    CHECK_RC(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    CHECK_EQ(nmis, 1);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1);
    vcpu_info()->evtchn_upcall_mask = 0;
    CHECK_RC(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    CHECK_EQ(nmis, 2);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 0);
    nested = true;
    CHECK_RC(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    hc_xen_version(XENVER_version, NULL);
    CHECK_EQ(nmis, 4);
    CHECK_EQ(max_depth, 1);
    CHECK_RC(hc_vcpu_op(VCPUOP_send_nmi, 64, NULL), -ENOENT);
    CHECK_RC(HC2(__HYPERVISOR_nmi_op, 99, 0), -ENOSYS);
    vcpu_info()->evtchn_upcall_mask = 1;
}
