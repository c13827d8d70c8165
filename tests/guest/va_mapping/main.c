// SPDX-License-Identifier: MIT
// HYPERVISOR_update_va_mapping with every flush flag, and its refusals.
//
// xen ABI: xen.h UVMF_*. Asserted: the entry of the current tables changes and, when a flush was
// asked for, the next access sees it; addresses without an L1 table are -EINVAL;
// update_va_mapping_otherdomain takes our own number.
#include "lib/guest.h"

const char test_title[] = "update_va_mapping";

static char *window, *a, *b;

static void check_flags(void)
{
    static uint64_t mask = 1; // vCPU 0
    const unsigned long flags[] = {UVMF_TLB_FLUSH | UVMF_LOCAL,
                                   UVMF_INVLPG | UVMF_LOCAL,
                                   UVMF_TLB_FLUSH | UVMF_ALL,
                                   UVMF_INVLPG | UVMF_ALL,
                                   UVMF_TLB_FLUSH | UVMF_MULTI | (unsigned long)&mask,
                                   UVMF_INVLPG | UVMF_MULTI | (unsigned long)&mask};

    for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
        char *target = i & 1 ? a : b;

        CHECK_RC(hc_update_va_mapping(window, mfn_pte(va_to_mfn(target), PTE_RW), flags[i]), 0);
        CHECK_EQ(READ_ONCE(*window), *target);
    }
}

static void check_errors(void)
{
    uint64_t *pte = pte_of(kernel_l4(), window, 1), before = *pte;
    uint64_t val = mfn_pte(va_to_mfn(a), PTE_RW);

    CHECK_RC(hc_update_va_mapping((void *)0xffffc00000000000, val, 0), -EINVAL);
    CHECK_RC(hc_update_va_mapping((void *)0x1000, val, 0), -EINVAL);
    CHECK_RC(hc_update_va_mapping((void *)0x8000000000000000, val, 0), -EINVAL);
    CHECK_RC(hc_update_va_mapping(window, mfn_pte(0xfffffffful, PTE_RW), 0), -EPERM);
    CHECK_PTE(*pte, before);
    CHECK_RC(HC4(__HYPERVISOR_update_va_mapping_otherdomain, window, val, UVMF_INVLPG, 0x1234),
             -ESRCH);
    CHECK_PTE(*pte, before);
    CHECK_RC(HC4(__HYPERVISOR_update_va_mapping_otherdomain, window, val, UVMF_INVLPG, DOMID_SELF),
             0);
    CHECK_PTE(*pte, val);
}

void test_main(void)
{
    window = page_alloc();
    a = page_alloc();
    b = page_alloc();
    *a = 'a';
    *b = 'b';
    check_flags();
    check_errors();
}
