// SPDX-License-Identifier: MIT
// HYPERVISOR_mmu_update: the four commands, the count of done requests, refusals.
//
// xen ABI: xen.h HYPERVISOR_mmu_update. ptr[1:0] is the command; a request that fails stops the
// list and pdone says how many were done before it. PRESERVE_AD keeps A and D of the old entry.
// MACHPHYS_UPDATE changes the M2P for a frame of ours. Targets that are not page tables, frames
// that are not ours and flag bits an L1 entry may not have are refused and nothing changes.
#include "lib/guest.h"

const char test_title[] = "mmu_update";

static char *page;
static uint64_t *pte, mfn, maddr;

static long update(uint64_t ptr, uint64_t val)
{
    struct mmu_update req = {.ptr = ptr, .val = val};

    return hc_mmu_update(&req, 1, NULL, DOMID_SELF);
}

static void check_normal(void)
{
    CHECK_RC(update(maddr, mfn_pte(mfn, PTE_RO)), 0);
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RO));
    CHECK_RC(update(maddr, mfn_pte(mfn, PTE_RO | PTE_AVAIL0 | PTE_NX | PTE_PCD)), 0);
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RO | PTE_AVAIL0 | PTE_NX | PTE_PCD));
    CHECK_RC(update(maddr, 0x123450), 0); // not present: contents are the guest's own
    CHECK_EQ(*pte, 0x123450);
    CHECK_RC(update(maddr, mfn_pte(mfn, PTE_RW)), 0);
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RW));
}

static void check_preserve(void)
{
    CHECK_RC(update(maddr | MMU_PT_UPDATE_PRESERVE_AD, mfn_pte(mfn, PTE_P | PTE_W | PTE_U)), 0);
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RW)); // A and D stayed
    CHECK_RC(update(maddr, mfn_pte(mfn, PTE_P | PTE_W | PTE_U)), 0);
    CHECK_EQ(*pte & (PTE_A | PTE_D), 0);
    CHECK_RC(update(maddr | MMU_PT_UPDATE_PRESERVE_AD, mfn_pte(mfn, PTE_RO & ~PTE_A & ~PTE_D)), 0);
    CHECK_EQ(*pte & (PTE_A | PTE_D), 0);
    CHECK_RC(update(maddr | MMU_PT_UPDATE_NO_TRANSLATE, mfn_pte(mfn, PTE_RW)), 0);
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RW));
}

static void check_machphys(void)
{
    uint64_t pfn = mfn_to_pfn(mfn);

    CHECK_RC(update(mfn << 12 | MMU_MACHPHYS_UPDATE, 0x55555), 0);
    CHECK_EQ(mfn_to_pfn(mfn), 0x55555);
    CHECK_RC(update(mfn << 12 | MMU_MACHPHYS_UPDATE, pfn), 0);
    CHECK_EQ(mfn_to_pfn(mfn), pfn);
    CHECK_RC(update(0xffffffff000 | MMU_MACHPHYS_UPDATE, 1), -EINVAL); // no such frame
}

static void check_refused(void)
{
    uint64_t before = *pte;

    CHECK_RC(update(mfn << 12, 0x1234), 0); // a page we may write anyway
    CHECK_EQ(*(uint64_t *)page, 0x1234);
    CHECK_RC(update(0xffffffff000, 0), -EINVAL);
    CHECK_RC(update(maddr | 4, mfn_pte(mfn, PTE_RO)), -ENOSYS);   // ptr[2] counts as command
    CHECK_RC(update(maddr, mfn_pte(0xffffffff, PTE_RW)), -EPERM); // neither RAM nor I/O of ours
    CHECK_RC(update(maddr, mfn_pte(va_to_mfn(kernel_l4()), PTE_RW)), -EBUSY);
    CHECK_RC(update(maddr, mfn_pte(mfn, PTE_RW | PTE_G)), 0); // ignored or kept, not refused
    CHECK_RC(update(maddr, before), 0);
    CHECK_PTE(*pte, before);
}

static void check_list(void)
{
    struct mmu_update reqs[4] = {
        {maddr, mfn_pte(mfn, PTE_RO)}, {maddr, mfn_pte(mfn, PTE_RW)}, {maddr | 4, 0}, {maddr, 0}};
    unsigned int done = 77;

    CHECK_RC(hc_mmu_update(reqs, 4, &done, DOMID_SELF), -ENOSYS);
    CHECK_EQ(done, 2);
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RW));
    CHECK_RC(hc_mmu_update(reqs, 2, &done, DOMID_SELF), 0);
    CHECK_EQ(done, 2);
    CHECK_RC(hc_mmu_update(reqs, 0, &done, DOMID_SELF), 0);
    CHECK_RC(hc_mmu_update((void *)0x10, 1, &done, DOMID_SELF), -EFAULT);
    CHECK_RC(hc_mmu_update(reqs, 1, &done, 0x1234), -ESRCH); // no such domain
    CHECK_RC(hc_mmu_update(reqs, 1, &done, DOMID_SELF | 0x1234 << 16), -ESRCH);
    CHECK_RC(hc_mmu_update(reqs, 1, &done, 0), -ESRCH); // our own number is not foreign
}

void test_main(void)
{
    page = page_alloc();
    mfn = va_to_mfn(page);
    pte = pte_of(kernel_l4(), page, 1);
    maddr = pte_maddr(pte);
    check_normal();
    check_preserve();
    check_machphys();
    check_refused();
    check_list();
}
