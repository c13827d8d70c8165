// SPDX-License-Identifier: MIT
// getpageframeinfo3: what type each frame of a domain has, and that pins are seen.
//
// xen ABI: domctl.h struct xen_domctl_getpageframeinfo3: an array of frames is replaced by types in
// the high bits, XTAB for what is not the domain's; "Both value `num' and `array' may get modified
// by the hypercall to allow preemption".
#include "lib/domu.h"

const char test_title[] = "types of another domain's frames";

#define MANY 1024 // as many as the oracle takes at once
static xen_pfn_t list[MANY];

static long ask(unsigned int dom, uint64_t n)
{
    dc.u.getpageframeinfo3.num = n;
    set_xen_guest_handle(dc.u.getpageframeinfo3.array, list);
    return domctl(XEN_DOMCTL_getpageframeinfo3, dom);
}

static uint64_t type_of(struct domu *d, uint64_t mfn)
{
    list[0] = mfn;
    REQUIRE(ask(d->id, 1) == 0);
    return list[0];
}

static void guest(void)
{
}

void test_main(void)
{
    struct domu *d = domu_create(guest);
    uint64_t plain = d->p2m[d->nr_pfns - 1];
    unsigned int same = 0;

    CHECK_EQ(type_of(d, d->p2m[DOMU_L4]), XEN_DOMCTL_PFINFO_L4TAB | XEN_DOMCTL_PFINFO_LPINTAB);
    CHECK_EQ(type_of(d, d->p2m[DOMU_L4 + 1]), XEN_DOMCTL_PFINFO_L3TAB);
    CHECK_EQ(type_of(d, d->p2m[DOMU_L4 + 2]), XEN_DOMCTL_PFINFO_L2TAB);
    CHECK_EQ(type_of(d, d->p2m[DOMU_L4 + 3]), XEN_DOMCTL_PFINFO_L1TAB);
    CHECK_EQ(type_of(d, domu_mfn(d, (void *)guest)), XEN_DOMCTL_PFINFO_NOTAB);
    CHECK_EQ(type_of(d, plain), XEN_DOMCTL_PFINFO_NOTAB);
    CHECK_EQ(type_of(d, va_to_mfn(kernel_l4())), XEN_DOMCTL_PFINFO_XTAB);
    CHECK_EQ(type_of(d, 1ul << 27), XEN_DOMCTL_PFINFO_XTAB);
    CHECK_EQ(type_of(d, 0xb8), XEN_DOMCTL_PFINFO_XTAB);

    CHECK_RC(mmuext_foreign(MMUEXT_PIN_L1_TABLE, plain, d->id), 0); // an empty table
    CHECK_EQ(type_of(d, plain), XEN_DOMCTL_PFINFO_L1TAB | XEN_DOMCTL_PFINFO_LPINTAB);
    CHECK_RC(mmuext_foreign(MMUEXT_PIN_L1_TABLE, plain, d->id), -EINVAL); // twice
    CHECK_RC(mmuext_foreign(MMUEXT_UNPIN_TABLE, plain, d->id), 0);
    CHECK_EQ(type_of(d, plain), XEN_DOMCTL_PFINFO_NOTAB);
    CHECK_RC(mmuext_foreign(MMUEXT_UNPIN_TABLE, plain, d->id), -EINVAL);
    CHECK_RC(mmuext_foreign(MMUEXT_PIN_L1_TABLE, plain, DOMID_SELF), -EINVAL);
    CHECK_RC(mmuext_foreign(MMUEXT_PIN_L1_TABLE, plain, 0x1234), -ESRCH);
    CHECK_RC(mmuext_foreign(MMUEXT_PIN_L1_TABLE, va_to_mfn(page_alloc()), d->id), -EINVAL);

    for (unsigned int i = 0; i < MANY; i++)
        list[i] = d->p2m[DOMU_L4];
    CHECK_RC(ask(d->id, MANY), 0);
    for (unsigned int i = 1; i < MANY; i++)
        same += list[i] == (XEN_DOMCTL_PFINFO_L4TAB | XEN_DOMCTL_PFINFO_LPINTAB);
    CHECK_EQ(same, MANY - 1);
    CHECK_RC(ask(0x1234, 1), -ESRCH);
    CHECK_RC(ask(d->id, 1ul << 40), -E2BIG);
    dc.u.getpageframeinfo3.num = 1;
    set_xen_guest_handle(dc.u.getpageframeinfo3.array, (xen_pfn_t *)0x10);
    CHECK_RC(domctl(XEN_DOMCTL_getpageframeinfo3, d->id), -EFAULT);
    CHECK_RC(domu_destroy(d), 0);
}
