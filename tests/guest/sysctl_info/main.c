// SPDX-License-Identifier: MIT
// sysctl: what the machine has, which domains there are, and what is not there.
//
// xen ABI: sysctl.h. A NULL array asks for the number of elements; with too little room an array is
// filled as far as it goes, and the number is what was written (the header's comment wants the full
// number; Xen 4.17 does not give it).
#include "lib/domu.h"

const char test_title[] = "sysctl: machine and domains";

#define UNTOUCHED 0xeeeeeeee
static uint32_t area[1024];

static void reset(void)
{
    memset(&sc, 0, sizeof(sc));
    memset(area, 0xee, sizeof(area));
}

static void check_physinfo(void)
{
    const struct xen_sysctl_physinfo *p = &sc.u.physinfo;

    reset();
    CHECK_RC(sysctl(XEN_SYSCTL_physinfo), 0);
    CHECK_EQ(p->nr_cpus, vcpu_count());
    CHECK_EQ(p->max_cpu_id + 1, vcpu_count());
    CHECK_EQ(p->threads_per_core * p->cores_per_socket, vcpu_count());
    CHECK_EQ(p->nr_nodes, 1);
    CHECK(p->cpu_khz > 10000);
    CHECK(p->total_pages > start_info->nr_pages);
    CHECK(p->total_pages <= p->max_mfn + 1);
    CHECK(p->free_pages + p->scrub_pages < p->total_pages - start_info->nr_pages);
    CHECK_EQ(p->capabilities & XEN_SYSCTL_PHYSCAP_pv, XEN_SYSCTL_PHYSCAP_pv);
    CHECK_EQ(p->capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v1, XEN_SYSCTL_PHYSCAP_gnttab_v1);
    CHECK_EQ(p->capabilities & ~(2 * XEN_SYSCTL_PHYSCAP_MAX - 1), 0);
    CHECK_EQ(p->outstanding_pages, 0);
    CHECK_EQ(p->arch_capabilities, 0);
}

static void check_topology(void)
{
    xen_sysctl_cputopo_t *t = (xen_sysctl_cputopo_t *)area;

    reset();
    CHECK_RC(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    CHECK_EQ(sc.u.cputopoinfo.num_cpus, vcpu_count());
    sc.u.cputopoinfo.num_cpus = 100;
    set_xen_guest_handle(sc.u.cputopoinfo.cputopo, t);
    CHECK_RC(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    CHECK_EQ(sc.u.cputopoinfo.num_cpus, vcpu_count());
    // QEMU: one socket of one-thread cores. Xen calls the core of a single CPU invalid.
    for (unsigned int i = 0; vcpu_count() > 1 && i < vcpu_count(); i++) {
        CHECK_EQ(t[i].core, i);
        CHECK_EQ(t[i].socket, 0);
        CHECK_EQ(t[i].node, 0);
    }
    CHECK_EQ(t[vcpu_count()].core, UNTOUCHED);
    memset(area, 0xee, sizeof(area));
    sc.u.cputopoinfo.num_cpus = 0;
    CHECK_RC(sysctl(XEN_SYSCTL_cputopoinfo), 0);
    CHECK_EQ(sc.u.cputopoinfo.num_cpus, 0);
    CHECK_EQ(t[0].core, UNTOUCHED);
    sc.u.cputopoinfo.num_cpus = 1;
    set_xen_guest_handle(sc.u.cputopoinfo.cputopo, (void *)0x10);
    CHECK_RC(sysctl(XEN_SYSCTL_cputopoinfo), -EFAULT);
}

static void check_numa(void)
{
    xen_sysctl_meminfo_t *m = (xen_sysctl_meminfo_t *)area;
    uint32_t *distance = area + 512;

    reset();
    CHECK_RC(sysctl(XEN_SYSCTL_numainfo), 0);
    CHECK_EQ(sc.u.numainfo.num_nodes, 1);
    sc.u.numainfo.num_nodes = 4;
    set_xen_guest_handle(sc.u.numainfo.meminfo, m);
    set_xen_guest_handle(sc.u.numainfo.distance, distance);
    CHECK_RC(sysctl(XEN_SYSCTL_numainfo), 0);
    CHECK_EQ(sc.u.numainfo.num_nodes, 1);
    CHECK(m[0].memsize > start_info->nr_pages << 12);
    CHECK(m[0].memfree > 0 && m[0].memfree < m[0].memsize);
    CHECK_EQ(*(uint32_t *)&m[1], UNTOUCHED);
    CHECK_EQ(distance[0], 10);
    CHECK_EQ(distance[1], UNTOUCHED);
    sc.u.numainfo.num_nodes = 0;
    CHECK_RC(sysctl(XEN_SYSCTL_numainfo), 0);
    CHECK_EQ(sc.u.numainfo.num_nodes, 0);
}

static void check_domains(void)
{
    xen_domctl_getdomaininfo_t *d = (xen_domctl_getdomaininfo_t *)area;
    struct xen_sysctl_getdomaininfolist *l = &sc.u.getdomaininfolist;

    reset();
    l->max_domains = 4;
    set_xen_guest_handle(l->buffer, d);
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    CHECK_EQ(l->num_domains, 1);
    CHECK_EQ(d->domain, 0);
    CHECK_EQ(d->flags & XEN_DOMINF_running, XEN_DOMINF_running);
    CHECK_EQ(d->flags & (XEN_DOMINF_dying | XEN_DOMINF_hvm_guest | XEN_DOMINF_shutdown |
                         XEN_DOMINF_paused | XEN_DOMINF_blocked | XEN_DOMINF_debugged),
             0);
    CHECK(d->tot_pages >= start_info->nr_pages);
    CHECK(d->max_pages >= d->tot_pages);
    CHECK_EQ(d->shared_info_frame, start_info->shared_info >> 12);
    CHECK_EQ(d->nr_online_vcpus, 1);
    CHECK_EQ(d->max_vcpu_id + 1, vcpu_count());
    CHECK_EQ(d->cpupool, 0);
    CHECK(d->cpu_time > 0);
    CHECK_EQ(d[1].domain, UNTOUCHED & 0xffff);
    l->max_domains = 0;
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    CHECK_EQ(l->num_domains, 0);
    l->max_domains = 4;
    l->first_domain = 1;
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    CHECK_EQ(l->num_domains, 0);
    l->first_domain = 0xffff;
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), 0);
    CHECK_EQ(l->num_domains, 0);
    l->first_domain = 0;
    set_xen_guest_handle(l->buffer, (void *)0x10);
    CHECK_RC(sysctl(XEN_SYSCTL_getdomaininfolist), -EFAULT);
}

static uint64_t idle_sum(void)
{
    const xen_sysctl_cpuinfo_t *c = (xen_sysctl_cpuinfo_t *)area;
    uint64_t sum = 0;

    CHECK_RC(sysctl(XEN_SYSCTL_getcpuinfo), 0);
    CHECK_EQ(sc.u.getcpuinfo.nr_cpus, vcpu_count());
    for (unsigned int i = 0; i < vcpu_count(); i++)
        sum += c[i].idletime;
    return sum;
}

// The CPUs that do not run this test are idle, whichever they are.
static void check_idle(void)
{
    const xen_sysctl_cpuinfo_t *c = (xen_sysctl_cpuinfo_t *)area;
    uint64_t sum;

    reset();
    sc.u.getcpuinfo.max_cpus = 100;
    set_xen_guest_handle(sc.u.getcpuinfo.info, (xen_sysctl_cpuinfo_t *)area);
    sum = idle_sum();
    CHECK_EQ(*(const uint32_t *)&c[vcpu_count()], UNTOUCHED);
    wait_ns(20000000);
    CHECK(vcpu_count() == 1 || idle_sum() > sum + 10000000);
    sc.u.getcpuinfo.max_cpus = 0;
    CHECK_RC(sysctl(XEN_SYSCTL_getcpuinfo), 0);
    CHECK_EQ(sc.u.getcpuinfo.nr_cpus, 0);
}

static uint64_t avail(uint32_t min, uint32_t max, int32_t node)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.availheap.min_bitwidth = min;
    sc.u.availheap.max_bitwidth = max;
    sc.u.availheap.node = node;
    CHECK_RC(sysctl(XEN_SYSCTL_availheap), 0);
    return sc.u.availheap.avail_bytes;
}

static void check_heap(void)
{
    uint64_t all = avail(0, 0, -1);

    CHECK(all > 0);
    CHECK_EQ(avail(0, 0, 0), all);
    CHECK_EQ(avail(0, 64, -1), all);
    CHECK_EQ(avail(0, 0, 5), 0);
    CHECK_EQ(avail(0, 5, -1), 0);
    CHECK_EQ(avail(40, 20, -1), 0);
    CHECK_EQ(avail(0, 29, -1), all); // the machine has 512 MiB
    CHECK(avail(0, 28, -1) > 0 && avail(0, 28, -1) < all);
    CHECK(avail(29, 0, -1) > 0 && avail(29, 0, -1) < all);
    CHECK_EQ(avail(29, 0, -1) + avail(0, 28, -1), all);
}

static void check_pci(void)
{
    static physdev_pci_device_t dev[2] = {{0, 0xff, 0xff}, {0x1234, 0, 0}};
    struct xen_sysctl_pcitopoinfo *p = &sc.u.pcitopoinfo;

    reset();
    CHECK_RC(sysctl(XEN_SYSCTL_pcitopoinfo), -EINVAL);
    p->num_devs = 2;
    set_xen_guest_handle(p->devs, dev);
    CHECK_RC(sysctl(XEN_SYSCTL_pcitopoinfo), -EINVAL);
    set_xen_guest_handle(p->nodes, area);
    CHECK_RC(sysctl(XEN_SYSCTL_pcitopoinfo), 0);
    CHECK(p->num_devs >= 1 && p->num_devs <= 2);
    CHECK_EQ(area[0], XEN_INVALID_DEV);
    p->num_devs = 0;
    CHECK_RC(sysctl(XEN_SYSCTL_pcitopoinfo), 0);
}

static void check_missing(void)
{
    memset(&sc, 0, sizeof(sc));
    CHECK_RC(sysctl(XEN_SYSCTL_coverage_op), -EOPNOTSUPP);
    CHECK_RC(sysctl(XEN_SYSCTL_psr_cmt_op), -ENODEV);
    CHECK_RC(sysctl(XEN_SYSCTL_psr_alloc), -ENODEV);
    sc.u.psr_alloc.cmd = 3;
    CHECK_RC(sysctl(XEN_SYSCTL_psr_alloc), -EOPNOTSUPP);
    memset(&sc, 0, sizeof(sc));
    sc.u.livepatch.cmd = XEN_SYSCTL_LIVEPATCH_LIST;
    CHECK_RC(sysctl(XEN_SYSCTL_livepatch_op), 0);
    CHECK_EQ(sc.u.livepatch.u.list.nr, 0);
    sc.u.livepatch.cmd = 99;
    CHECK_RC(sysctl(XEN_SYSCTL_livepatch_op), -EOPNOTSUPP);
    reset();
    set_xen_guest_handle(sc.u.page_offline.status, area);
    CHECK_RC(sysctl(XEN_SYSCTL_page_offline_op), -EINVAL); // command 0
    sc.u.page_offline.cmd = sysctl_query_page_offline;
    sc.u.page_offline.start = 2;
    sc.u.page_offline.end = 1;
    CHECK_RC(sysctl(XEN_SYSCTL_page_offline_op), -EINVAL);
    sc.u.page_offline.start = sc.u.page_offline.end = 0x7000000;
    CHECK_RC(sysctl(XEN_SYSCTL_page_offline_op), -EINVAL);
}

void test_main(void)
{
    check_physinfo();
    check_topology();
    check_numa();
    check_domains();
    check_idle();
    check_heap();
    check_pci();
    check_missing();
}
