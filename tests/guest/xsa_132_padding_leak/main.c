// SPDX-License-Identifier: MIT
// XSA-132 (CVE-2015-3340): the answer to XEN_DOMCTL_gettscinfo carried a padding field that nobody
// had set, that is bytes of the hypervisor's stack.
//
// What must hold: what an answer does not define comes back as it was given or as zero.
#include "lib/domu.h"

const char test_title[] = "padding in answers to the tools";

static bool as_given(const void *field, size_t n, uint8_t fill)
{
    const uint8_t *p = field;

    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0 && p[i] != fill)
            return false;
    }
    return true;
}

static void guest(void)
{
}

void test_main(void)
{
    struct domu *d = domu_create(guest);

    for (unsigned int fill = 0; fill < 256; fill += 0x55) {
        memset(&dc, (int)fill, sizeof(dc));
        CHECK_RC(domctl(XEN_DOMCTL_gettscinfo, d->id), 0);
        CHECK(as_given(&dc.u.tsc_info.pad, sizeof(dc.u.tsc_info.pad), (uint8_t)fill));
        CHECK(as_given((char *)&dc.u + sizeof(dc.u.tsc_info), sizeof(dc.u) - sizeof(dc.u.tsc_info),
                       (uint8_t)fill));
        memset(&dc, (int)fill, sizeof(dc));
        CHECK_RC(domctl(XEN_DOMCTL_getdomaininfo, d->id), 0);
        CHECK(as_given(&dc.u.getdomaininfo.pad1, sizeof(dc.u.getdomaininfo.pad1), (uint8_t)fill));
        CHECK(as_given(dc.u.getdomaininfo.pad2, sizeof(dc.u.getdomaininfo.pad2), (uint8_t)fill));
        CHECK(as_given(dc._pad, sizeof(dc._pad), (uint8_t)fill));
        memset(&dc, (int)fill, sizeof(dc));
        dc.u.getvcpuinfo.vcpu = 0;
        CHECK_RC(domctl(XEN_DOMCTL_getvcpuinfo, d->id), 0);
        CHECK(as_given(&dc.u.getvcpuinfo.running + 1, 1, (uint8_t)fill));
        memset(&sc, (int)fill, sizeof(sc));
        CHECK_RC(sysctl(XEN_SYSCTL_physinfo), 0);
        CHECK(as_given(&sc.u.physinfo.pad, sizeof(sc.u.physinfo.pad), (uint8_t)fill));
    }
    CHECK_RC(domu_destroy(d), 0);
}
