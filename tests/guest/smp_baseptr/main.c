// SPDX-License-Identifier: MIT
// Page tables another vCPU runs on are held by it.
//
// xen ABI: vcpu.h VCPUOP_down note 2: "Even a VCPU that is down still holds memory references via
// its pagetable base pointer and GDT". The L4 of vCPU 1 cannot be made writable nor lose its type
// while vCPU 1 is up or down; changes to shared lower tables are seen by both.
//
// SMP: 4
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "page tables in use by another vCPU";

static volatile unsigned int up, stop, value;
static uint64_t *l4;

static void secondary(void)
{
    up = 1;
    while (!stop)
        value = *(volatile unsigned int *)start_info->magic;
}

void test_main(void)
{
    static struct vcpu_guest_context ctx;
    uint64_t mfn, end;

    l4 = page_alloc();
    mfn = va_to_mfn(l4);
    memcpy(l4, kernel_l4(), PAGE_SIZE);
    memset(&l4[256], 0, 16 * 8);
    smp_context(1, secondary, &ctx);
    ctx.ctrlreg[3] = xen_pfn_to_cr3(mfn);
    CHECK(hc_vcpu_op(VCPUOP_initialise, 1, &ctx) < 0); // mapped writable
    REQUIRE(page_protect(l4, PTE_RO) == 0);
    CHECK_RC(hc_vcpu_op(VCPUOP_initialise, 1, &ctx), 0); // an L4 without a pin will do
    CHECK_RC(page_protect(l4, PTE_RW), -EBUSY);
    CHECK_RC(hc_vcpu_op(VCPUOP_up, 1, NULL), 0);
    CHECK(wait_for(&up, 2000000000));
    CHECK(wait_for(&value, 2000000000));
    CHECK_RC(page_protect(l4, PTE_RW), -EBUSY);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), -EINVAL); // never was pinned
    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, mfn), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0);
    CHECK_RC(page_protect(l4, PTE_RW), -EBUSY);
    stop = 1;
    end = system_time() + 2000000000;
    while (hc_vcpu_op(VCPUOP_is_up, 1, NULL) && system_time() < end)
        hc_sched_op(SCHEDOP_yield, NULL);
    CHECK_EQ(hc_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    CHECK_RC(page_protect(l4, PTE_RW), -EBUSY);
}
