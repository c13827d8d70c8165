// SPDX-License-Identifier: MIT
// XSA-182 (CVE-2016-6258): a recursive page-table entry that gains the right to write.
//
// Class: a table may map itself read-only, which is never counted; a fast path for changes of flags
// then adds the writable bit without looking. What must hold: no order of updates makes a table
// writable through itself. Whether the read-only mapping is allowed is the hypervisor's choice.
#include "lib/guest.h"

const char test_title[] = "a self-mapping never becomes writable";

#define SLOT 300ul
// The view of the L4 through four rounds of its own slot.
#define VIEW ((uint64_t *)(0xffff000000000000 | SLOT << 39 | SLOT << 30 | SLOT << 21 | SLOT << 12))

static void check_slot(uint64_t *entry, uint64_t mfn)
{
    struct mmu_update keep = {.ptr = pte_maddr(entry) | MMU_PT_UPDATE_PRESERVE_AD,
                              .val = mfn_pte(mfn, PTE_RW)};
    struct mmu_update batch[2] = {
        {.ptr = pte_maddr(entry), .val = mfn_pte(mfn, PTE_RO | PTE_AVAIL0)},
        {.ptr = pte_maddr(entry), .val = mfn_pte(mfn, PTE_RW | PTE_AVAIL0)}};

    CHECK(pte_write(entry, mfn_pte(mfn, PTE_RW)) < 0);
    CHECK(pte_write(entry, mfn_pte(mfn, PTE_P | PTE_W)) < 0);
    CHECK(hc_mmu_update(&keep, 1, NULL, DOMID_SELF) < 0);
    CHECK(hc_mmu_update(batch, 2, NULL, DOMID_SELF) < 0);
    CHECK(hc_update_va_mapping(VIEW, mfn_pte(mfn, PTE_RW), UVMF_INVLPG) < 0);
    CHECK_EQ(*entry & PTE_W, 0);
}

void test_main(void)
{
    uint64_t *l4 = kernel_l4(), mfn = va_to_mfn(l4), value = 0;

    CHECK(pte_write(&l4[SLOT], mfn_pte(mfn, PTE_RW)) < 0);
    CHECK_EQ(l4[SLOT], 0);
    if (pte_write(&l4[SLOT], mfn_pte(mfn, PTE_RO)) == 0) {
        check_slot(&l4[SLOT], mfn);
        CHECK_NO_TRAP(try_read(&VIEW[SLOT], &value));
        CHECK_PTE(value & PTE_ADDR, mfn << 12);
        CHECK_EQ(try_write(&VIEW[0], mfn_pte(mfn, PTE_RW))->frame.vector, X86_PF);
        // The hypervisor's own entries are not for the guest's eyes through there.
        CHECK_EQ(try_read((char *)VIEW - (SLOT - 260) * 4096, NULL)->frame.vector, X86_PF);
        CHECK_RC(pte_write(&l4[SLOT], 0), 0);
    }
    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    CHECK_EQ(try_read(&VIEW[0], NULL)->frame.vector, X86_PF);
}
