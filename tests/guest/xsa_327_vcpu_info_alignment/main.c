// SPDX-License-Identifier: MIT
// XSA-327 (CVE-2020-15564): VCPUOP_register_vcpu_info took an offset that is not aligned, and the
// hypervisor's accesses to it crossed a page or faulted.
//
// What must hold: an offset that is not aligned or leaves the page is refused; one that is good
// works once.
#include "lib/domu.h"

const char test_title[] = "vcpu_info at odd addresses";

static long move(uint64_t mfn, uint32_t offset)
{
    struct vcpu_register_vcpu_info info = {.mfn = mfn, .offset = offset};

    return hc_vcpu_op(VCPUOP_register_vcpu_info, 0, &info);
}

static void guest(void)
{
    char *page = page_alloc();
    uint64_t mfn = va_to_mfn(page);

    for (uint32_t offset = 1; offset < 8; offset++)
        CHECK(move(mfn, offset) < 0);
    CHECK(move(mfn, PAGE_SIZE - 1) < 0);
    CHECK(move(mfn, PAGE_SIZE - 8) < 0);
    CHECK(move(mfn, PAGE_SIZE) < 0);
    CHECK(move(mfn, ~0u) < 0);
    CHECK(move(mfn, ~0u - 63) < 0);
    CHECK(move(1ul << 40, 0) < 0);
    CHECK_RC(move(mfn, PAGE_SIZE - 64), 0);
    vcpu_info_of[0] = (struct vcpu_info *)(page + PAGE_SIZE - 64);
    CHECK(move(mfn, 0) < 0); // once only
    CHECK(system_time() > 0);
    CHECK_RC(page_protect(page, PTE_RO), 0); // ours to unmap
}

void test_main(void)
{
    struct domu *d = domu_create(guest);

    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
}
