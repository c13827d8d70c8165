// SPDX-License-Identifier: MIT
// XSA-212, XSA-29 (CVE-2017-7228, CVE-2012-5513): the output pointer of XENMEM_exchange.
//
// Class: the handle is checked, the address that is written to (handle + index * 8) is not; a count
// of extents "already done" chosen by the guest moves it into the hypervisor. What must hold: an
// error, and no word of the hypervisor's memory changes (the M2P table is the part we can see).
#include "lib/guest.h"

const char test_title[] = "XENMEM_exchange writes to no hypervisor address";

static xen_pfn_t in_list[8];

static long exchange(uint64_t out, uint64_t done)
{
    struct xen_memory_exchange x = {.in = {.nr_extents = done + 1, .domid = DOMID_SELF},
                                    .out = {.nr_extents = done + 1, .domid = DOMID_SELF},
                                    .nr_exchanged = done};

    set_xen_guest_handle(x.in.extent_start, in_list - done);
    set_xen_guest_handle(x.out.extent_start, (xen_pfn_t *)(out - done * 8));
    return hc_memory_op(XENMEM_exchange, &x);
}

void test_main(void)
{
    uint64_t mfn = pfn_to_mfn(pfn_alloc_unmapped()), pfn = mfn_to_pfn(mfn);
    uint64_t target = (uint64_t)&machine_to_phys_mapping[mfn];
    static const uint64_t done[] = {0, 1, 1ul << 12, 1ul << 41, 1ul << 44, 1ul << 45, 1ul << 56};

    in_list[0] = mfn;
    for (unsigned int i = 0; i < ARRAY_SIZE(done); i++) {
        CHECK(exchange(target, done[i]) < 0);
        CHECK_EQ(mfn_to_pfn(mfn), pfn);
        CHECK(exchange(HYPERVISOR_VIRT_END - 8, done[i]) < 0);
        CHECK(exchange(HYPERVISOR_VIRT_START + (1ul << 40), done[i]) < 0);
        CHECK(exchange(0x0000800000000000, done[i]) < 0);
    }
    CHECK_EQ(mfn_to_pfn(mfn), pfn);
}
