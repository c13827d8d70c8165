// SPDX-License-Identifier: MIT
// What the tools learn about a domain: getdomaininfo, getvcpuinfo, the list of all, and the handle
// and debugging flag they may set.
//
// xen ABI: domctl.h struct xen_domctl_getdomaininfo, xen_domctl_getvcpuinfo, setdomainhandle,
// setdebugging; sysctl.h getdomaininfolist.
#include "lib/domu.h"

const char test_title[] = "what dom0 is told about domains";

static volatile unsigned int stage;

static void guest(void)
{
    port_unmask(start_info->store_evtchn);
    while (!stage)
        hc_sched_op(SCHEDOP_yield, NULL);
    events_disable();
    hc_sched_op(SCHEDOP_block, NULL); // enables events
}

static uint32_t flags(struct domu *d)
{
    return domain_info(d->id)->flags & 0xff;
}

static bool blocked(struct domu *d, unsigned int vcpu)
{
    dc.u.getvcpuinfo.vcpu = vcpu;
    REQUIRE(domctl(XEN_DOMCTL_getvcpuinfo, d->id) == 0);
    return dc.u.getvcpuinfo.blocked;
}

static void check_vcpu(struct domu *d)
{
    dc.u.getvcpuinfo.vcpu = 0;
    REQUIRE(domctl(XEN_DOMCTL_getvcpuinfo, d->id) == 0);
    CHECK_EQ(dc.u.getvcpuinfo.online, 1);
    CHECK_EQ(dc.u.getvcpuinfo.running, 0); // the domain is paused
    CHECK_EQ(dc.u.getvcpuinfo.cpu_time, 0);
    CHECK(dc.u.getvcpuinfo.cpu < vcpu_count());
    dc.u.getvcpuinfo.vcpu = 1;
    REQUIRE(domctl(XEN_DOMCTL_getvcpuinfo, d->id) == 0);
    CHECK_EQ(dc.u.getvcpuinfo.online, 0);
    dc.u.getvcpuinfo.vcpu = 2;
    CHECK_RC(domctl(XEN_DOMCTL_getvcpuinfo, d->id), -EINVAL);
    dc.u.getvcpuinfo.vcpu = 1000000;
    CHECK_RC(domctl(XEN_DOMCTL_getvcpuinfo, d->id), -EINVAL);
    dc.u.getvcpuinfo.vcpu = 0;
    CHECK_RC(domctl(XEN_DOMCTL_getvcpuinfo, 0x1234), -ESRCH);
}

static void check_handle(struct domu *d)
{
    memcpy(dc.u.setdomainhandle.handle, "0123456789abcdef", 16);
    CHECK_RC(domctl(XEN_DOMCTL_setdomainhandle, d->id), 0);
    CHECK_EQ(memcmp(domain_info(d->id)->handle, "0123456789abcdef", 16), 0);
    CHECK_RC(domctl(XEN_DOMCTL_setdomainhandle, 0x1234), -ESRCH);
    dc.u.setdebugging.enable = 1;
    CHECK_RC(domctl(XEN_DOMCTL_setdebugging, d->id), 0);
    CHECK_EQ(flags(d) & XEN_DOMINF_debugged, XEN_DOMINF_debugged);
    dc.u.setdebugging.enable = 0;
    CHECK_RC(domctl(XEN_DOMCTL_setdebugging, d->id), 0);
    CHECK_EQ(flags(d) & XEN_DOMINF_debugged, 0);
    dc.u.setdebugging.enable = 1;
    CHECK_RC(domctl(XEN_DOMCTL_setdebugging, 0), -EINVAL);
}

static void check_list(struct domu *d)
{
    static xen_domctl_getdomaininfo_t list[4];
    struct xen_sysctl_getdomaininfolist *arg = &sc.u.getdomaininfolist;

    *arg = (struct xen_sysctl_getdomaininfolist){.max_domains = 4};
    set_xen_guest_handle(arg->buffer, list);
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    CHECK_EQ(arg->num_domains, 2);
    CHECK_EQ(list[0].domain, 0);
    CHECK_EQ(list[1].domain, d->id);
    CHECK_EQ(list[1].tot_pages, domain_info(d->id)->tot_pages);
    arg->first_domain = 1;
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    CHECK_EQ(arg->num_domains, 1);
    CHECK_EQ(list[0].domain, d->id);
    arg->first_domain = (domid_t)(d->id + 1);
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    CHECK_EQ(arg->num_domains, 0);
    arg->first_domain = 0;
    arg->max_domains = 1;
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    CHECK_EQ(arg->num_domains, 1);
    arg->max_domains = 4;
    set_xen_guest_handle(arg->buffer, (xen_domctl_getdomaininfo_t *)0x10);
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), -EFAULT);
}

void test_main(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .vcpus = 2});
    const struct xen_domctl_getdomaininfo *info = domain_info(d->id);
    unsigned int pages = 0, one = 1;
    uint64_t t;

    for (unsigned int i = 0; i < d->nr_pfns; i++)
        pages += d->p2m[i] != INVALID_PFN;
    REQUIRE(info);
    CHECK_EQ(info->domain, d->id);
    CHECK_EQ(info->tot_pages, pages);
    CHECK_EQ(info->max_pages, d->config.max_kb / 4);
    CHECK_EQ(info->shr_pages, 0);
    CHECK_EQ(info->paged_pages, 0);
    CHECK_EQ(info->outstanding_pages, 0);
    CHECK_EQ(info->nr_online_vcpus, 1);
    CHECK_EQ(info->max_vcpu_id, 1);
    CHECK_EQ(info->cpupool, 0);
    CHECK_EQ(info->arch_config.emulation_flags, 0);
    CHECK_EQ(info->flags & 0xffff, XEN_DOMINF_paused);
    CHECK_EQ(mfn_to_pfn(info->shared_info_frame) < d->nr_pfns, 0);
    check_vcpu(d);
    check_handle(d);
    check_list(d);

    CHECK_RC(domu_unpause(d), 0);
    CHECK(REST_UNTIL(domain_info(d->id)->cpu_time > 1000000, 5 * SECOND));
    CHECK_EQ(flags(d) & (XEN_DOMINF_paused | XEN_DOMINF_blocked | XEN_DOMINF_shutdown), 0);
    t = domain_info(d->id)->cpu_time;
    CHECK(REST_UNTIL(domain_info(d->id)->cpu_time > t, SECOND));
    domu_poke(d, (void *)&stage, &one, sizeof(one));
    CHECK(REST_UNTIL(flags(d) == XEN_DOMINF_blocked, 5 * SECOND));
    CHECK(blocked(d, 0));
    CHECK_RC(domu_pause(d), 0);
    CHECK_EQ(flags(d) & XEN_DOMINF_paused, XEN_DOMINF_paused);
    CHECK_RC(domu_unpause(d), 0);
    CHECK_RC(evtchn_send(d->port), 0);
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    CHECK_RC(domu_destroy(d), 0);
    CHECK_RC(domctl(XEN_DOMCTL_getdomaininfo, 0x1234), -ESRCH);
}
