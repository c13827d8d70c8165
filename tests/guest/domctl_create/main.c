// SPDX-License-Identifier: MIT
// createdomain and destroydomain: what is refused, and that a refusal leaves nothing behind.
//
// xen ABI: domctl.h struct xen_domctl_createdomain: flags and options beyond their _MAX, a number
// in use, limits out of range; "If it is specified as an invalid value (0 or >=
// DOMID_FIRST_RESERVED), an id is auto-allocated and returned". A PV domain has no HVM features.
#include "lib/domu.h"

const char test_title[] = "creating and destroying domains";

#define ARG dc.u.createdomain

static long refused(const char *what, long want)
{
    long rc = domctl(XEN_DOMCTL_createdomain, 0);

    if (rc != want) {
        printk("  %s: %ld\n", what, rc);
        if (rc == 0)
            domain_kill(dc.domain);
    }
    return rc;
}
#define REFUSED(set, want)                       \
    do {                                         \
        domu_create_args(1);                     \
        set;                                     \
        CHECK_RC(refused(#set, (want)), (want)); \
    } while (0)

static void check_arguments(void)
{
    REFUSED(ARG.flags = XEN_DOMCTL_CDF_MAX << 1, -EINVAL);
    REFUSED(ARG.flags = 1u << 31, -EINVAL);
    REFUSED(ARG.flags = XEN_DOMCTL_CDF_hap, -EINVAL);
    REFUSED(ARG.flags = XEN_DOMCTL_CDF_iommu, -EINVAL); // there is none
    REFUSED(ARG.flags = XEN_DOMCTL_CDF_s3_integrity, -EINVAL);
    REFUSED(ARG.flags = XEN_DOMCTL_CDF_nested_virt, -EINVAL);
    REFUSED(ARG.flags = XEN_DOMCTL_CDF_vpmu, -EINVAL);
    REFUSED(ARG.iommu_opts = XEN_DOMCTL_IOMMU_MAX, -EINVAL);
    REFUSED(ARG.iommu_opts = XEN_DOMCTL_IOMMU_MAX << 1, -EINVAL);
    REFUSED(ARG.max_vcpus = 0, -EINVAL);
    REFUSED(ARG.max_vcpus = 0x10000, -EINVAL);
    REFUSED(ARG.max_vcpus = ~0u, -EINVAL);
    REFUSED(ARG.grant_opts = 0, -EINVAL);
    REFUSED(ARG.grant_opts = 3, -EINVAL);
    REFUSED(ARG.grant_opts = 0x11, -EINVAL);
    REFUSED(ARG.max_grant_frames = 0, -EINVAL);
    REFUSED(ARG.max_grant_frames = 0x7fffffff, -EINVAL);
    REFUSED(ARG.max_maptrack_frames = 0x7fffffff, -EINVAL);
    REFUSED(ARG.vmtrace_size = 4096, -EINVAL);
    REFUSED(ARG.cpupool_id = 99, -ESRCH);
    REFUSED(ARG.arch.emulation_flags = XEN_X86_EMU_LAPIC, -EOPNOTSUPP);
    REFUSED(ARG.arch.emulation_flags = XEN_X86_EMU_ALL + 1, -EINVAL);
    REFUSED(ARG.arch.misc_flags = XEN_X86_MISC_FLAGS_MAX << 1, -EINVAL);
}

static void check_ids(void)
{
    unsigned int first, second;

    domu_create_args(1);
    CHECK_RC(domctl(XEN_DOMCTL_createdomain, 77), 0);
    CHECK_EQ(dc.domain, 77);
    domu_create_args(1);
    CHECK_RC(domctl(XEN_DOMCTL_createdomain, 77), -EEXIST);
    CHECK_RC(domain_kill(77), 0);
    domu_create_args(1);
    CHECK_RC(domctl(XEN_DOMCTL_createdomain, DOMID_FIRST_RESERVED), 0);
    first = dc.domain;
    domu_create_args(1);
    CHECK_RC(domctl(XEN_DOMCTL_createdomain, DOMID_INVALID), 0);
    second = dc.domain;
    CHECK(first > 0 && first < DOMID_FIRST_RESERVED);
    CHECK(second > 0 && second < DOMID_FIRST_RESERVED);
    CHECK(first != second);
    CHECK_RC(domain_kill(first), 0);
    CHECK_RC(domain_kill(second), 0);
    CHECK(REST_UNTIL(!domain_exists(first) && !domain_exists(second), 5 * SECOND));
}

// Neither vCPUs nor memory: such a domain can be looked at, unpaused and destroyed.
static void check_empty(void)
{
    const struct xen_domctl_getdomaininfo *info;
    unsigned int id;

    domu_create_args(3);
    REQUIRE(domctl(XEN_DOMCTL_createdomain, 0) == 0);
    id = dc.domain;
    info = domain_info(id);
    REQUIRE(info);
    CHECK_EQ(memcmp(info->handle, "wirt test domU", 15), 0);
    CHECK_EQ(info->max_vcpu_id, XEN_INVALID_MAX_VCPU_ID);
    CHECK_EQ(info->nr_online_vcpus, 0);
    CHECK_EQ(info->tot_pages, 0);
    CHECK_EQ(info->cpu_time, 0);
    CHECK_EQ(info->flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_hvm_guest), 0);
    CHECK(info->flags & XEN_DOMINF_paused);
    CHECK_RC(domctl(XEN_DOMCTL_unpausedomain, id), 0); // with nothing to run
    CHECK_RC(domain_kill(id), 0);
    CHECK(REST_UNTIL(!domain_exists(id), 5 * SECOND));
    CHECK_RC(domain_kill(id), -ESRCH);
    CHECK_RC(domctl(XEN_DOMCTL_pausedomain, id), -ESRCH);
}

static void check_destroy(void)
{
    CHECK_RC(domain_kill(0), -EINVAL);
    CHECK_RC(domain_kill(DOMID_SELF), -ESRCH);
    CHECK_RC(domain_kill(DOMID_IO), -ESRCH);
    CHECK_RC(domain_kill(DOMID_XEN), -ESRCH);
    CHECK_RC(domain_kill(DOMID_INVALID), -ESRCH);
    CHECK_RC(domain_kill(0x1234), -ESRCH);
}

static void check_version(void)
{
    domu_create_args(1);
    dc.cmd = XEN_DOMCTL_createdomain;
    dc.interface_version = XEN_DOMCTL_INTERFACE_VERSION - 1;
    CHECK_RC(HC1(__HYPERVISOR_domctl, &dc), -EACCES);
    CHECK_RC(HC1(__HYPERVISOR_domctl, 0x10), -EFAULT);
    CHECK_RC(HC1(__HYPERVISOR_domctl, HYPERVISOR_VIRT_START), -EFAULT);
}

void test_main(void)
{
    uint64_t before;

    check_ids();
    before = free_pages_settled();
    check_arguments();
    check_ids();
    check_empty();
    check_destroy();
    check_version();
    CHECK(free_pages_back(before));
    CHECK_EQ(free_pages(), before);
}
