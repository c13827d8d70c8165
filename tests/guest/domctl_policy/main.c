// SPDX-License-Identifier: MIT
// domctl: a domain's CPU policy is read, changed within what is allowed, and is what CPUID says in
// that domain.
//
// xen ABI: domctl.h, "XEN_DOMCTL_{get,set}_cpu_policy". A leaf that policies do not have is
// -ERANGE, a limit above the machine's -EINVAL, and the leaf or MSR is named; features that the
// domain cannot have are left out without a word; a refused call changes nothing. Nobody changes
// his own policy, or one whose domain runs (-EEXIST).
#include "lib/domu.h"
#include <xen/arch-x86/cpuid.h>

const char test_title[] = "domctl: a domain's CPU policy";

enum { LEAVES = 200, NONE = 0x77 };
static xen_cpuid_leaf_t leaves[LEAVES], before[LEAVES], one;
static xen_msr_entry_t msr;
static struct xen_domctl_cpu_policy *const p = &dc.u.cpu_policy;
static xen_msr_entry_t msrs[8];

static long get(unsigned int dom)
{
    memset(&dc, 0, sizeof(dc));
    memset(leaves, 0, sizeof(leaves));
    p->nr_leaves = LEAVES;
    p->nr_msrs = ARRAY_SIZE(msrs);
    set_xen_guest_handle(p->leaves, leaves);
    set_xen_guest_handle(p->msrs, msrs);
    return domctl(XEN_DOMCTL_get_cpu_policy, dom);
}

static xen_cpuid_leaf_t leaf(unsigned int dom, uint32_t number, uint32_t sub)
{
    CHECK_RC(get(dom), 0);
    for (unsigned int i = 0; i < p->nr_leaves; i++)
        if (leaves[i].leaf == number && leaves[i].subleaf == sub)
            return leaves[i];
    CHECK(false);
    return (xen_cpuid_leaf_t){0};
}

static long set(unsigned int dom, const xen_cpuid_leaf_t *l)
{
    memset(&dc, 0, sizeof(dc));
    one = *l;
    p->nr_leaves = 1;
    p->err_leaf = p->err_subleaf = p->err_msr = NONE;
    set_xen_guest_handle(p->leaves, &one);
    return domctl(XEN_DOMCTL_set_cpu_policy, dom);
}

static long set_msr(unsigned int dom, uint32_t idx, uint32_t flags, uint64_t val)
{
    memset(&dc, 0, sizeof(dc));
    msr = (xen_msr_entry_t){.idx = idx, .flags = flags, .val = val};
    p->nr_msrs = 1;
    p->err_leaf = p->err_subleaf = p->err_msr = NONE;
    set_xen_guest_handle(p->msrs, &msr);
    return domctl(XEN_DOMCTL_set_cpu_policy, dom);
}

#define CHECK_REFUSED(call, rc, l, s, m) \
    do {                                 \
        CHECK_RC(call, rc);              \
        CHECK_EQ(p->err_leaf, l);        \
        CHECK_EQ(p->err_subleaf, s);     \
        CHECK_EQ(p->err_msr, m);         \
    } while (0)

static void refusals(unsigned int dom)
{
    static const uint32_t missing[] = {0x30, 0x40010000, 0x8000ffff, 0x90000000};
    uint32_t count;

    CHECK_RC(get(dom), 0);
    count = p->nr_leaves;
    memcpy(before, leaves, sizeof(before));
    for (unsigned int i = 0; i < ARRAY_SIZE(missing); i++)
        CHECK_REFUSED(set(dom, &(xen_cpuid_leaf_t){missing[i], XEN_CPUID_NO_SUBLEAF, 1, 1, 1, 1}),
                      -ERANGE, missing[i], ~0u, ~0u);
    CHECK_REFUSED(set(dom, &(xen_cpuid_leaf_t){1, 0, 1, 1, 1, 1}), -ERANGE, 1, 0, ~0u);
    CHECK_REFUSED(set(dom, &(xen_cpuid_leaf_t){7, 99, 0, 0, 0, 0}), -ERANGE, 7, 99, ~0u);
    CHECK_REFUSED(set(dom, &(xen_cpuid_leaf_t){7, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0}), -ERANGE, 7,
                  ~0u, ~0u);
    CHECK_REFUSED(set(dom, &(xen_cpuid_leaf_t){0, XEN_CPUID_NO_SUBLEAF, 0x20, 0, 0, 0}), -EINVAL, 0,
                  ~0u, ~0u);
    CHECK_REFUSED(set(dom, &(xen_cpuid_leaf_t){7, 0, 9, 0, 0, 0}), -EINVAL, 7, 0, ~0u);
    CHECK_REFUSED(
        set(dom, &(xen_cpuid_leaf_t){0x80000000, XEN_CPUID_NO_SUBLEAF, 0x80000050, 0, 0, 0}),
        -EINVAL, 0x80000000, ~0u, ~0u);
    CHECK_REFUSED(set_msr(dom, 0x123, 0, 0), -ERANGE, ~0u, ~0u, 0x123);
    CHECK_REFUSED(set_msr(dom, 0xce, 1, 0), -EINVAL, ~0u, ~0u, 0xce);
    CHECK_REFUSED(set_msr(dom, 0xce, 0, 0x7f), -EINVAL, ~0u, ~0u, 0xce);
    CHECK_RC(set_msr(dom, 0x10a, 0, 0), 0);
    memset(&dc, 0, sizeof(dc));
    p->nr_leaves = 1;
    CHECK_RC(domctl(XEN_DOMCTL_set_cpu_policy, dom), -EFAULT);
    p->nr_leaves = 5000;
    CHECK_RC(domctl(XEN_DOMCTL_set_cpu_policy, dom), -E2BIG);
    CHECK_RC(get(dom), 0);
    CHECK_EQ(p->nr_leaves, count);
    CHECK_EQ(memcmp(before, leaves, sizeof(before)), 0);
}

static void getting(void)
{
    CHECK_RC(get(0x1234), -ESRCH);
    CHECK_RC(get(0), 0);
    p->nr_leaves = 2;
    CHECK_RC(domctl(XEN_DOMCTL_get_cpu_policy, 0), -ENOBUFS);
    memset(&dc, 0, sizeof(dc));
    CHECK_RC(domctl(XEN_DOMCTL_get_cpu_policy, 0), 0);
    CHECK(p->nr_leaves > 10 && p->nr_leaves <= LEAVES);
    CHECK_EQ(p->nr_msrs, 2);
    CHECK_RC(set(0, &(xen_cpuid_leaf_t){1, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0}), -EINVAL);
    CHECK_EQ(p->err_leaf, NONE);
    CHECK_RC(set(0x1234, &(xen_cpuid_leaf_t){1, XEN_CPUID_NO_SUBLEAF, 0, 0, 0, 0}), -ESRCH);
}

static struct {
    uint32_t r[4];
} seen[3];

static void ask(uint32_t number, uint32_t *r)
{
    r[0] = number;
    r[2] = 0;
    CHECK_NO_TRAP(TRY(XEN_CPUID, : "+a"(r[0]), "=b"(r[1]), "+c"(r[2]), "=d"(r[3])));
}

static void guest(void)
{
    ask(1, seen[0].r);
    ask(0x80000002, seen[1].r);
    ask(0x80000001, seen[2].r);
}

// The signature changes, SSE3 goes, what cannot be had (VMX, PSE) does not come, the rest stays.
static void life(void)
{
    struct domu *d = domu_create(guest);
    xen_cpuid_leaf_t l, old = leaf(d->id, 1, XEN_CPUID_NO_SUBLEAF);

    refusals(d->id);
    l = old;
    l.a ^= 0x10;
    l.b |= 0x55000000;
    l.c = (l.c & ~1u) | 1 << 5;
    l.d |= 1 << 3;
    CHECK_RC(set(d->id, &l), 0);
    l = leaf(d->id, 1, XEN_CPUID_NO_SUBLEAF);
    CHECK_EQ(l.a, old.a ^ 0x10);
    CHECK_EQ(l.b, old.b);
    CHECK_EQ(l.c, old.c & ~1u);
    CHECK_EQ(l.d, old.d);
    CHECK_RC(set(d->id, &(xen_cpuid_leaf_t){0x80000002, XEN_CPUID_NO_SUBLEAF, 1, 2, 3, 4}), 0);
    CHECK_RC(set(d->id, &(xen_cpuid_leaf_t){0xd, 0, 0xff, 1, 2, 3}), 0); // XSAVE: not his to say
    CHECK_RC(domu_unpause(d), 0);
    CHECK_RC(set(d->id, &l), -EEXIST);
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    CHECK_RC(set(d->id, &l), -EEXIST);
    domu_fetch(d, &seen);
    CHECK_EQ(seen[0].r[0], l.a);
    CHECK_EQ(seen[0].r[2] & 0x77ffffff, l.c & 0x77ffffff); // OSXSAVE is of the moment
    CHECK_EQ(seen[0].r[3], l.d);
    for (unsigned int i = 0; i < 4; i++)
        CHECK_EQ(seen[1].r[i], i + 1);
    CHECK_EQ(seen[2].r[3] >> 26 & 1, 0); // no 1 GiB pages
    CHECK_EQ(seen[2].r[2] >> 2 & 1, 0);  // no SVM
    CHECK_RC(domu_destroy(d), 0);
}

void test_main(void)
{
    getting();
    life();
}
