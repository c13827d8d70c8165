// SPDX-License-Identifier: MIT
// Performance counters: how many there are, their names, that they count and can be cleared.
//
// xen ABI: sysctl.h, struct xen_sysctl_perfc_op, xen_sysctl_perfc_desc.
//
// SMP: 1 4
// XEN: skip Debian builds it without the counters: -ENOSYS
#include "lib/domu.h"

const char test_title[] = "performance counters";

enum { COUNTERS = 64, VALUES = 4096 };

static struct xen_sysctl_perfc_desc descs[COUNTERS];
static xen_sysctl_perfc_val_t values[VALUES];

static long perfc(uint32_t cmd, struct xen_sysctl_perfc_desc *d, xen_sysctl_perfc_val_t *v)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.perfc_op.cmd = cmd;
    set_xen_guest_handle(sc.u.perfc_op.desc, d);
    set_xen_guest_handle(sc.u.perfc_op.val, v);
    return sysctl(XEN_SYSCTL_perfc_op);
}

// The sum of the counter's values, whose name begins so, and its first value.
static uint64_t counted(const char *name, xen_sysctl_perfc_val_t **first)
{
    unsigned int at = 0;

    CHECK_RC(perfc(XEN_SYSCTL_PERFCOP_query, descs, values), 0);
    for (unsigned int i = 0; i < sc.u.perfc_op.nr_counters; at += descs[i++].nr_vals) {
        uint64_t sum = 0;

        if (!str_contains(descs[i].name, name))
            continue;
        for (unsigned int k = 0; k < descs[i].nr_vals; k++)
            sum += values[at + k];
        *first = &values[at];
        return sum;
    }
    CHECK(false);
    return 0;
}

static void check_shape(void)
{
    unsigned int sum = 0;

    CHECK_RC(perfc(XEN_SYSCTL_PERFCOP_query, NULL, NULL), 0);
    REQUIRE(sc.u.perfc_op.nr_counters <= COUNTERS && sc.u.perfc_op.nr_vals <= VALUES);
    unsigned int counters = sc.u.perfc_op.nr_counters, all = sc.u.perfc_op.nr_vals;
    CHECK(counters > 5);
    memset(values, 0xff, sizeof(values));
    CHECK_RC(perfc(XEN_SYSCTL_PERFCOP_query, descs, values), 0);
    for (unsigned int i = 0; i < counters; i++) {
        CHECK(descs[i].name[0] && !descs[i].name[sizeof(descs[i].name) - 1]);
        sum += descs[i].nr_vals;
    }
    CHECK_EQ(sum, all);
    CHECK_EQ(values[all], UINT32_MAX); // no more than it said
    CHECK_EQ(descs[0].nr_vals, vcpu_count());
}

static void check_counts(void)
{
    xen_sysctl_perfc_val_t *first;
    uint64_t before = counted("hypercalls", &first);
    uint64_t cr0;
    uint32_t versions = first[__HYPERVISOR_xen_version];

    for (unsigned int i = 0; i < 100; i++)
        hc_xen_version(XENVER_version, NULL);
    CHECK(counted("hypercalls", &first) >= before + 100);
    CHECK_EQ(first[__HYPERVISOR_xen_version], versions + 100);
    before = counted("privileged", &first);
    for (unsigned int i = 0; i < 10; i++)
        asm volatile("mov %%cr0, %0" : "=r"(cr0));
    CHECK(counted("privileged", &first) >= before + 10);
    CHECK_RC(perfc(XEN_SYSCTL_PERFCOP_reset, NULL, NULL), 0);
    counted("hypercalls", &first);
    CHECK_EQ(first[__HYPERVISOR_xen_version], 0);
}

void test_main(void)
{
    check_shape();
    check_counts();
    CHECK_RC(perfc(0, NULL, NULL), -EINVAL);
    CHECK_RC(perfc(3, NULL, NULL), -EINVAL);
    CHECK_RC(perfc(XEN_SYSCTL_PERFCOP_query, (void *)0x10, NULL), -EFAULT);
    CHECK_RC(perfc(XEN_SYSCTL_PERFCOP_query, NULL, (void *)0xffff800000000000), -EFAULT);
}
