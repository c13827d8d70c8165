// SPDX-License-Identifier: MIT
// XENMEM_exchange: frames out, frames in, in one step.
//
// xen ABI: memory.h struct xen_memory_exchange. The output list names pfns and comes back as mfns,
// with the M2P updated; sizes that do not match, a nr_exchanged beyond the extents and different
// domids are refused; the reservation stays the same.
#include "lib/guest.h"

const char test_title[] = "memory exchange";

static long current(void)
{
    struct xen_memory_domain arg = {.domid = DOMID_SELF};

    return hc_memory_op(XENMEM_current_reservation, &arg);
}

static struct xen_memory_exchange make(xen_pfn_t *in, unsigned long n_in, xen_pfn_t *out,
                                       unsigned long n_out, unsigned int order_out)
{
    struct xen_memory_exchange x = {
        .in = {.nr_extents = n_in, .domid = DOMID_SELF},
        .out = {.nr_extents = n_out, .extent_order = order_out, .domid = DOMID_SELF},
    };

    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    return x;
}

void test_main(void)
{
    uint64_t top = start_info->nr_pages & ~7ul;
    xen_pfn_t in[8], out[8];
    struct xen_memory_exchange x;
    long before = current();

    for (unsigned int i = 0; i < 8; i++)
        in[i] = pfn_to_mfn(top - 8 + i);
    out[0] = top - 8;
    x = make(in, 8, out, 1, 3); // 8 single frames for one contiguous extent
    CHECK_RC(hc_memory_op(XENMEM_exchange, &x), 0);
    CHECK_EQ(x.nr_exchanged, 8);
    CHECK_EQ(current(), before);
    CHECK_EQ(out[0] & 7, 0);
    for (unsigned int i = 0; i < 8; i++)
        CHECK_EQ(mfn_to_pfn(out[0] + i), top - 8 + i);
    in[0] = out[0];
    out[0] = top - 8;
    x = make(in, 1, out, 2, 0);
    CHECK_RC(hc_memory_op(XENMEM_exchange, &x), -EINVAL); // sizes differ
    x = make(in, 1, out, 1, 0);
    x.out.domid = 5;
    CHECK_RC(hc_memory_op(XENMEM_exchange, &x), -EINVAL);
    x = make(in, 1, out, 1, 0);
    x.nr_exchanged = 2;
    CHECK_RC(hc_memory_op(XENMEM_exchange, &x), -EINVAL);
    in[0] = 0xffffffff;
    x = make(in, 1, out, 1, 0);
    CHECK(hc_memory_op(XENMEM_exchange, &x) < 0);
    CHECK_EQ(x.nr_exchanged, 0);
    CHECK_RC(hc_memory_op(XENMEM_exchange, (void *)0x10), -EFAULT);
    CHECK_EQ(current(), before);
}
