// SPDX-License-Identifier: MIT
// XSA-287 (CVE-2019-17341): a page is taken from its domain while another vCPU uses it.
//
// Class: XENMEM_exchange looks at the references of a page and takes it in two steps; a mapping
// made in between survives the page's owner. What must hold: the exchange succeeds or the mapping
// does, never both, and a page that went cannot be mapped afterwards.
//
// SMP: 4
#include "lib/guest.h"

const char test_title[] = "exchanging pages that another vCPU maps";

static volatile unsigned int up, stop, done;
static volatile uint64_t target;
static void *window;
static unsigned int maps;

static void secondary(void)
{
    up = 1;
    while (!stop) {
        uint64_t mfn = target;

        if (hc_update_va_mapping(window, mfn_pte(mfn, PTE_RW), UVMF_INVLPG) == 0)
            maps++;
        mmuext(MMUEXT_PIN_L1_TABLE, mfn);
        mmuext(MMUEXT_UNPIN_TABLE, mfn);
        hc_update_va_mapping(window, 0, UVMF_INVLPG);
        for (volatile unsigned int k = maps % 8 * 1000; k > 0; k--)
            ; // leave the other a chance
    }
    hc_update_va_mapping(window, 0, UVMF_INVLPG);
    done = 1;
    for (;;)
        asm volatile("pause");
}

void test_main(void)
{
    uint64_t pfn = pfn_alloc_unmapped(), mfn = pfn_to_mfn(pfn);
    unsigned int exchanged = 0, odd = 0;
    void *own = page_alloc();
    uint64_t end = system_time() + 3000000000;

    window = page_alloc();
    target = mfn;
    REQUIRE(smp_start(1, secondary) == 0);
    REQUIRE(wait_for(&up, 2000000000));
    for (int i = 0; system_time() < end && exchanged < 50; i++) {
        xen_pfn_t in = mfn, out = pfn;
        struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
                                        .out = {.nr_extents = 1, .domid = DOMID_SELF}};

        set_xen_guest_handle(x.in.extent_start, &in);
        set_xen_guest_handle(x.out.extent_start, &out);
        if (hc_memory_op(XENMEM_exchange, &x) != 0)
            continue;
        exchanged++;
        // The old one is nobody's: unless it came straight back, it cannot be mapped.
        if (out != mfn && hc_update_va_mapping(own, mfn_pte(mfn, PTE_RO), UVMF_INVLPG) == 0)
            odd++, printk("mapped %lx after it went for %lx\n", mfn, out);
        mfn = target = out;
    }
    stop = 1;
    CHECK(wait_for(&done, 2000000000));
    printk("%u exchanged, %u mapped\n", exchanged, maps);
    CHECK_EQ(odd, 0);
    CHECK(exchanged > 0);
    CHECK_RC(hc_update_va_mapping(own, mfn_pte(mfn, PTE_RW), UVMF_INVLPG), 0);
    CHECK_EQ(mfn_to_pfn(mfn), pfn);
}
