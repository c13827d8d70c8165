// SPDX-License-Identifier: MIT
// HYPERVISOR_multicall: each entry has its own result; a failing one does not stop the rest.
//
// xen ABI: xen.h struct multicall_entry. A multicall in a multicall and unassigned numbers are
// -ENOSYS in the entry's result; a list that cannot be read is -EFAULT for the call.
#include "lib/guest.h"

const char test_title[] = "multicall";

#define VERSION (4 << 16 | 17)

void test_main(void)
{
    static struct multicall_entry calls[64];
    struct xen_feature_info fi = {.submap_idx = 9};
    struct multicall_entry *unreadable = (void *)0x1000;

    calls[0] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .result = 1};
    calls[1] = (struct multicall_entry){.op = 63, .result = 1};
    calls[2] = (struct multicall_entry){
        .op = __HYPERVISOR_xen_version, .result = 1, .args = {XENVER_get_features, (uint64_t)&fi}};
    calls[3] = (struct multicall_entry){.op = __HYPERVISOR_multicall, .result = 1};
    calls[4] = (struct multicall_entry){
        .op = __HYPERVISOR_xen_version, .result = 1, .args = {XENVER_pagesize, 0}};
    CHECK_RC(hc_multicall(calls, 5), 0);
    CHECK_EQ(calls[0].result, VERSION);
    CHECK_EQ(calls[1].result, -ENOSYS);
    CHECK_EQ(calls[2].result, -EINVAL);
    CHECK_EQ(calls[4].result, 4096);
    CHECK((long)calls[3].result < 0 || calls[3].result == 0);
    CHECK_RC(hc_multicall(calls, 0), 0);
    CHECK_RC(hc_multicall(unreadable, 1), -EFAULT);
    CHECK_RC(hc_multicall((void *)HYPERVISOR_VIRT_START, 1), -EFAULT);
    for (unsigned int i = 0; i < 64; i++)
        calls[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .result = 1};
    CHECK_RC(hc_multicall(calls, 64), 0);
    for (unsigned int i = 0; i < 64; i++)
        CHECK_EQ(calls[i].result, VERSION);
}
