// SPDX-License-Identifier: MIT
// XSA-279 (CVE-2018-19965): a flush of one address that is not canonical.
//
// Class: invlpg ignores such an address, INVPCID faults on it; the change from the one to the other
// let a guest stop the machine. What must hold: every address may be flushed, by every call.
#include "lib/guest.h"

const char test_title[] = "flushing any address";

static const uint64_t address[] = {0,
                                   0x0000800000000000,
                                   0xffff7fffffffffff,
                                   0x8000000000000000,
                                   HYPERVISOR_VIRT_START,
                                   HYPERVISOR_VIRT_END - 1,
                                   ~0ul};

void test_main(void)
{
    static uint64_t mask = ~0ul;

    for (unsigned int i = 0; i < ARRAY_SIZE(address); i++) {
        CHECK_RC(mmuext(MMUEXT_INVLPG_LOCAL, address[i]), 0);
        CHECK_RC(mmuext(MMUEXT_INVLPG_ALL, address[i]), 0);
        CHECK_RC(mmuext2(MMUEXT_INVLPG_MULTI, address[i], (uint64_t)&mask), 0);
        CHECK(hc_update_va_mapping((void *)(address[i] | 1ul << 46), 0, UVMF_INVLPG) <= 0);
    }
    CHECK(hc_update_va_mapping((void *)0x0000800000000000, 0, UVMF_INVLPG | UVMF_ALL) < 0);
    CHECK(hc_update_va_mapping((void *)HYPERVISOR_VIRT_START, 0, UVMF_INVLPG | UVMF_ALL) < 0);
}
