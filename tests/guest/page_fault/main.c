// SPDX-License-Identifier: MIT
// Page faults of the kernel: error codes and cr2.
//
// xen ABI: struct arch_vcpu_info.cr2 holds the faulting address when the #PF handler starts. SDM 3A
// "Page-Fault Exception": P for protection, W for writes, I for fetches when NX is on. The guest
// kernel runs at ring 3 but its faults are reported as supervisor ones (PFEC_U clear): 64-bit
// guests tell kernel from user by mode, not by privilege level. Hypervisor space answers as
// not-present or protection, never data.
#include "lib/guest.h"

const char test_title[] = "page fault error codes and cr2";

#define NOWHERE ((char *)0xffffc00000000000)

static void check_pf(const struct trap *t, const void *va, uint64_t error)
{
    CHECK_TRAP(t, X86_PF, error);
    CHECK_EQ(t->cr2, va);
}

void test_main(void)
{
    char *page = page_alloc();
    uint64_t mfn = va_to_mfn(page);

    check_pf(try_read(NOWHERE + 8, NULL), NOWHERE + 8, 0);
    check_pf(try_write(NOWHERE + 16, 1), NOWHERE + 16, PFEC_W);
    check_pf(try_exec(NOWHERE + 24), NOWHERE + 24, PFEC_I);
    check_pf(try_read((void *)0x1000, NULL), (void *)0x1000, 0);

    memset(page, 0xc3, 8); // ret
    CHECK_RC(hc_update_va_mapping(page, mfn_pte(mfn, PTE_RO | PTE_NX), UVMF_INVLPG), 0);
    CHECK_NO_TRAP(try_read(page, NULL));
    check_pf(try_write(page + 8, 1), page + 8, PFEC_P | PFEC_W);
    check_pf(try_exec(page), page, PFEC_P | PFEC_I);
    CHECK_RC(hc_update_va_mapping(page, mfn_pte(mfn, PTE_RO), UVMF_INVLPG), 0);
    CHECK_NO_TRAP(try_exec(page));
    CHECK_RC(hc_update_va_mapping(page, 0, UVMF_INVLPG), 0);
    check_pf(try_read(page, NULL), page, 0);
    CHECK_RC(hc_update_va_mapping(page, mfn_pte(mfn, PTE_RW), UVMF_NONE), 0);
    CHECK_NO_TRAP(try_write(page, 0));

    CHECK_EQ(try_read((void *)(HYPERVISOR_VIRT_END - 8), NULL)->count, 1);
    CHECK_EQ(this_cpu()->trap.frame.vector, X86_PF);
    CHECK_EQ(this_cpu()->trap.cr2, HYPERVISOR_VIRT_END - 8);
}
