// SPDX-License-Identifier: MIT
// The processor sets A and D in the guest's own page tables.
//
// xen ABI: PV guests run on their own tables, so SDM 3A "Accessed and Dirty Flags" holds for the
// entries the guest reads back; MMU_PT_UPDATE_PRESERVE_AD exists to not lose them.
#include "lib/guest.h"

const char test_title[] = "accessed and dirty bits in guest page tables";

void test_main(void)
{
    char *page = page_alloc();
    uint64_t *pte = pte_of(kernel_l4(), page, 1), mfn = va_to_mfn(page);
    struct mmu_update keep = {.ptr = pte_maddr(pte) | MMU_PT_UPDATE_PRESERVE_AD,
                              .val = mfn_pte(mfn, PTE_P | PTE_U)};

    CHECK_RC(hc_update_va_mapping(page, mfn_pte(mfn, PTE_P | PTE_W | PTE_U), UVMF_INVLPG), 0);
    CHECK_EQ(*pte & (PTE_A | PTE_D), 0);
    CHECK_NO_TRAP(try_read(page, NULL));
    CHECK_EQ(*pte & (PTE_A | PTE_D), PTE_A);
    CHECK_NO_TRAP(try_write(page, 1));
    CHECK_EQ(*pte & (PTE_A | PTE_D), PTE_A | PTE_D);
    CHECK_RC(hc_mmu_update(&keep, 1, NULL, DOMID_SELF), 0);
    CHECK_EQ(*pte & (PTE_A | PTE_D | PTE_W), PTE_A | PTE_D);
    CHECK_EQ(*pte_of(kernel_l4(), page, 2) & PTE_A, PTE_A);
    // A hypercall that writes for us dirties the page as well.
    CHECK_RC(hc_update_va_mapping(page, mfn_pte(mfn, PTE_P | PTE_W | PTE_U), UVMF_INVLPG), 0);
    CHECK_RC(hc_xen_version(XENVER_guest_handle, page), 0);
    CHECK_EQ(*pte & (PTE_A | PTE_D), PTE_A | PTE_D);
}
