// SPDX-License-Identifier: MIT
// XSA-296 (CVE-2019-18420) and relatives: contexts of new vCPUs.
//
// Class: VCPUOP_initialise loads a whole processor state from the guest; a field that is not
// checked stops the hypervisor then or when the vCPU first runs. What must hold: a bad context is
// an error or a fault of the guest's own; a good one still works afterwards.
//
// SMP: 4
#include "lib/guest.h"

const char test_title[] = "bad contexts for new vCPUs";

static struct vcpu_guest_context ctx;
static struct vcpu_runstate_info runstate;
static volatile unsigned int ran, caught;

static void secondary(void)
{
    ran = 1;
    smp_park();
}

static bool park_on_fault(struct frame *f)
{
    if (this_cpu()->id == 0 || f->vector == VEC_EVENT)
        return false;
    caught = 1;
    smp_park();
}

static long initialise(unsigned int id)
{
    return hc_vcpu_op(VCPUOP_initialise, id, &ctx);
}

#define BAD(change)                      \
    do {                                 \
        smp_context(1, secondary, &ctx); \
        change;                          \
        CHECK(initialise(1) < 0);        \
    } while (0)

void test_main(void)
{
    trap_hook = park_on_fault;
    BAD(ctx.gdt_ents = 7169);
    BAD(ctx.gdt_ents = ~0ul);
    BAD(ctx.gdt_ents = 512; ctx.gdt_frames[0] = ~0ul >> 12);
    BAD(ctx.gdt_ents = 512; ctx.gdt_frames[0] = va_to_mfn(kernel_l4()));
    BAD(ctx.ldt_ents = 8193);
    BAD(ctx.ldt_ents = 1; ctx.ldt_base = 0x123);
    BAD(ctx.ctrlreg[3] = 0xfffffffffff000);
    BAD(ctx.ctrlreg[3] = xen_pfn_to_cr3(va_to_mfn(ctx.gdt_frames)));
    BAD(ctx.ctrlreg[1] = 0x7ffffffff000);
    BAD(ctx.fs_base = 1ul << 47);
    BAD(ctx.gs_base_kernel = 1ul << 47);
    BAD(ctx.gs_base_user = 1ul << 47);
    CHECK(hc_vcpu_op(VCPUOP_initialise, 1, NULL) < 0);
    CHECK(hc_vcpu_op(VCPUOP_initialise, 1, (void *)HYPERVISOR_VIRT_START) < 0);
    CHECK(initialise(4) < 0);
    CHECK(initialise(~0u) < 0);
    CHECK(hc_vcpu_op(VCPUOP_up, 1, NULL) < 0); // still nothing to run
    // vCPU 2 starts at a non-canonical address, with garbage in its FPU, flags and selectors.
    smp_context(2, secondary, &ctx);
    ctx.flags |= VGCF_I387_VALID;
    memset(&ctx.fpu_ctxt, 0xff, sizeof(ctx.fpu_ctxt));
    ctx.user_regs.rip = 1ul << 47;
    ctx.user_regs.rflags = ~0ul;
    ctx.user_regs.ds = 0x0abf;
    if (initialise(2) == 0) {
        CHECK_RC(hc_vcpu_op(VCPUOP_up, 2, NULL), 0);
        CHECK(wait_for(&caught, 2000000000));
    }
    // vCPU 3 would start in user mode, without a page table for that, and note how long it runs.
    struct vcpu_register_runstate_memory_area area = {.addr.v = &runstate};
    CHECK_RC(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 3, &area), 0);
    smp_context(3, secondary, &ctx);
    ctx.flags = 0;
    CHECK_RC(initialise(3), -EINVAL);
    if (hc_vcpu_op(VCPUOP_up, 3, NULL) == 0)
        wait_for(&caught, 100000000);
    CHECK_RC(smp_start(1, secondary), 0);
    CHECK(wait_for(&ran, 2000000000));
    CHECK_EQ(initialise(0), -EEXIST);
}
