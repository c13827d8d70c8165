// SPDX-License-Identifier: MIT
// Secondary vCPUs: initialise, up, is_up, down, and the errors of each.
//
// xen ABI: vcpu.h VCPUOP_initialise, up, down, is_up. A vCPU starts with the registers, stack, page
// tables and callbacks of its context; initialising it twice is -EEXIST, raising an uninitialised
// one -EINVAL, an unknown vCPU -ENOENT.
//
// SMP: 4
#include "lib/guest.h"

const char test_title[] = "bringing vCPUs up and down";

static volatile unsigned int started[CPU_MAX], go_down[CPU_MAX];
static volatile unsigned int seen_mask[CPU_MAX];

static void secondary(void)
{
    unsigned int id = this_cpu()->id;

    seen_mask[id] = vcpu_info()->evtchn_upcall_mask;
    CHECK_TRAP(TRY("ud2"), X86_UD, 0); // its trap table works
    CHECK_EQ(try_read((void *)(0x1000ul + id), NULL)->cr2, 0x1000 + id);
    started[id] = 1;
    while (!go_down[id])
        asm volatile("pause");
}

static void check_errors(void)
{
    static struct vcpu_guest_context ctx;

    CHECK_EQ(vcpu_count(), 4);
    CHECK_EQ(hc_vcpu_op(VCPUOP_is_up, 0, NULL), 1);
    CHECK_EQ(hc_vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    CHECK_RC(hc_vcpu_op(VCPUOP_is_up, 64, NULL), -ENOENT);
    CHECK_RC(hc_vcpu_op(VCPUOP_up, 1, NULL), -EINVAL);
    CHECK_RC(hc_vcpu_op(VCPUOP_initialise, 1, (void *)0x10), -EFAULT);
    smp_context(1, secondary, &ctx);
    ctx.ctrlreg[3] = xen_pfn_to_cr3(va_to_mfn(page_alloc()));
    CHECK(hc_vcpu_op(VCPUOP_initialise, 1, &ctx) < 0); // no page table
    CHECK_RC(hc_vcpu_op(VCPUOP_up, 1, NULL), -EINVAL);
    smp_context(1, secondary, &ctx);
    ctx.ctrlreg[3] = xen_pfn_to_cr3(0xfffffff);
    CHECK(hc_vcpu_op(VCPUOP_initialise, 1, &ctx) < 0);
    CHECK_RC(hc_vcpu_op(99, 0, NULL), -ENOSYS);
    CHECK_RC(hc_vcpu_op(VCPUOP_initialise, 0, &ctx), -EEXIST);
}

static bool wait_down(unsigned int id)
{
    uint64_t end = system_time() + 2000000000;

    while (hc_vcpu_op(VCPUOP_is_up, id, NULL) == 1 && system_time() < end)
        hc_sched_op(SCHEDOP_yield, NULL);
    return hc_vcpu_op(VCPUOP_is_up, id, NULL) == 0;
}

void test_main(void)
{
    static struct vcpu_guest_context ctx;

    check_errors();
    for (unsigned int id = 1; id < 4; id++) {
        CHECK_RC(smp_start(id, secondary), 0);
        CHECK(wait_for(&started[id], 2000000000));
        CHECK_EQ(seen_mask[id], 1);
        CHECK_EQ(hc_vcpu_op(VCPUOP_is_up, id, NULL), 1);
        smp_context(id, secondary, &ctx);
        CHECK_RC(hc_vcpu_op(VCPUOP_initialise, id, &ctx), -EEXIST);
    }
    for (unsigned int id = 1; id < 4; id++) {
        go_down[id] = 1;
        CHECK(wait_down(id));
    }
    // Up again: it goes on behind its VCPUOP_down, which is in a loop.
    CHECK_RC(hc_vcpu_op(VCPUOP_up, 1, NULL), 0);
    CHECK(wait_down(1));
    CHECK_RC(hc_vcpu_op(VCPUOP_down, 2, NULL), 0); // a second time does no harm
}
