// SPDX-License-Identifier: MIT
// setvcpucontext and getvcpucontext: what was set comes back, what a running vCPU holds is seen.
//
// xen ABI: domctl.h setvcpucontext, getvcpucontext; arch-x86/xen.h struct vcpu_guest_context. The
// registers, callbacks, trap table, descriptor frames, debug registers, bases and page-table root
// of a vCPU can be read while it is paused.
#include "lib/domu.h"

const char test_title[] = "vCPU contexts of another domain";

static struct vcpu_guest_context ctx, back;
static volatile unsigned int ready;
static uint64_t gdt_mfn;

static void guest(void)
{
    xen_pfn_t frame;
    uint64_t *gdt = page_alloc();

    gdt[1] = 0x00affb000000ffff; // a flat code segment
    gdt_mfn = va_to_mfn(gdt);
    frame = gdt_mfn;
    CHECK_RC(page_protect(gdt, PTE_RO), 0);
    CHECK_RC(hc_set_gdt(&frame, 512), 0);
    CHECK_RC(hc_set_debugreg(0, 0x401000), 0);
    CHECK_RC(hc_set_debugreg(7, 0x401), 0);
    CHECK_RC(hc_set_segment_base(SEGBASE_FS, 0x1234000), 0);
    asm volatile("mov %0, %%cr2" : : "r"(0x1235678ul)); // emulated
    CHECK_RC(hc_stack_switch(FLAT_KERNEL_SS, (uint64_t)this_cpu() + CPU_ENTRY_SP - 64), 0);
    CHECK_RC(register_callback(CALLBACKTYPE_syscall, CALLBACKF_mask_events, syscall_entry), 0);
    ready = 1;
    asm volatile("mov $0x1122334455667788, %%r15; 1: pause; jmp 1b" : : : "r15");
}

static void check_running(void)
{
    struct domu *d = domu_create(guest);

    CHECK_RC(domu_get_context(d, 0, &back), 0);
    CHECK_EQ(back.user_regs.rip, boot_state.rip);
    CHECK_EQ(back.ctrlreg[3], xen_pfn_to_cr3(d->p2m[DOMU_L4]));
    CHECK(back.flags & VGCF_in_kernel);
    CHECK_RC(domu_unpause(d), 0);
    REQUIRE(REST_UNTIL((domu_fetch(d, &ready), ready), 5 * SECOND));
    dom0_rest(0);
    CHECK_RC(domu_pause(d), 0);
    domu_fetch(d, &gdt_mfn);
    memset(&back, 0x5a, sizeof(back));
    CHECK_RC(domu_get_context(d, 0, &back), 0);
    CHECK_EQ(back.user_regs.r15, 0x1122334455667788);
    CHECK(back.user_regs.rip >= GUEST_LOAD_ADDR && back.user_regs.rip < (uint64_t)guest + 4096);
    CHECK_EQ(back.user_regs.cs | 3, FLAT_KERNEL_CS | 3);
    CHECK(back.flags & VGCF_in_kernel);
    CHECK(back.flags & VGCF_online);
    CHECK_EQ(back.gdt_ents, 512);
    CHECK_EQ(back.gdt_frames[0], gdt_mfn);
    CHECK_EQ(back.debugreg[0], 0x401000);
    CHECK_EQ(back.debugreg[7], 0x401);
    CHECK_EQ(back.fs_base, 0x1234000);
    CHECK_EQ(back.kernel_sp % CPU_BLOCK_SIZE, CPU_ENTRY_SP - 64);
    CHECK_EQ(back.event_callback_eip, (uint64_t)event_entry);
    CHECK_EQ(back.failsafe_callback_eip, (uint64_t)failsafe_entry);
    CHECK_EQ(back.syscall_callback_eip, (uint64_t)syscall_entry);
    CHECK(back.flags & VGCF_syscall_disables_events);
    CHECK_EQ(back.trap_ctxt[14].address, trap_stubs[14]);
    CHECK_EQ(back.trap_ctxt[3].flags & 3, 3);
    CHECK_EQ(back.ctrlreg[2], 0x1235678);
    CHECK_EQ(back.ctrlreg[3], xen_pfn_to_cr3(d->p2m[DOMU_L4]));
    CHECK_EQ(back.ctrlreg[4] & 0x620, 0x620); // PAE, OSFXSR, OSXMMEXCPT
    CHECK_EQ(back.ldt_ents, 0);
    CHECK_RC(domu_destroy(d), 0);
}

static const uint16_t selectors[4] = {FLAT_KERNEL_DS, FLAT_KERNEL_DS, 0, 0};

// Everything that can be set comes back unchanged from a vCPU that never ran.
static void check_round_trip(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .vcpus = 2});
    uint64_t *regs = (uint64_t *)&ctx.user_regs;

    CHECK_RC(domu_get_context(d, 1, &back), -ENODATA); // not initialised
    domu_context(d, &ctx);
    for (unsigned int i = 0; i < 15; i++) // r15 .. rdi
        regs[i] = 0x0101010101010101 * (i + 1);
    ctx.user_regs.rflags = 0x246;
    ctx.user_regs.ds = selectors[0];
    ctx.user_regs.es = selectors[1];
    ctx.kernel_sp = 0xffffffff80104ff0;
    ctx.debugreg[1] = 0x400010;
    ctx.debugreg[7] = 0x404;
    ctx.fs_base = 0x7000;
    ctx.gs_base_kernel = 0xffff888000001000;
    ctx.gs_base_user = 0x8000;
    ctx.syscall_callback_eip = 0xffffffff80101000;
    ctx.event_callback_eip = 0xffffffff80101010;
    ctx.failsafe_callback_eip = 0xffffffff80101020;
    ctx.trap_ctxt[6] =
        (struct trap_info){.vector = 6, .flags = 4, .cs = FLAT_KERNEL_CS, .address = 0x1000};
    ctx.flags = VGCF_in_kernel | VGCF_I387_VALID;
    ctx.fpu_ctxt.x[0] = 0x7f, ctx.fpu_ctxt.x[1] = 0x02; // control word
    *(uint32_t *)(ctx.fpu_ctxt.x + 24) = 0x1f80;        // MXCSR
    CHECK_RC(domu_set_context(d, 1, &ctx), 0);
    CHECK_RC(domu_get_context(d, 1, &back), 0);
    CHECK_EQ(memcmp(&back.user_regs, &ctx.user_regs, 15 * 8), 0);
    CHECK_EQ(back.user_regs.rip, ctx.user_regs.rip);
    CHECK_EQ(back.user_regs.rsp, ctx.user_regs.rsp);
    CHECK_EQ(back.user_regs.rflags & ~0x3200ul, 0x46); // IF and IOPL are the hypervisor's
    CHECK_EQ(back.user_regs.ds, selectors[0]);
    CHECK_EQ(back.kernel_sp, ctx.kernel_sp);
    CHECK_EQ(back.debugreg[1], 0x400010);
    CHECK_EQ(back.debugreg[7], 0x404);
    CHECK_EQ(back.fs_base, ctx.fs_base);
    CHECK_EQ(back.gs_base_kernel, ctx.gs_base_kernel);
    CHECK_EQ(back.gs_base_user, ctx.gs_base_user);
    CHECK_EQ(back.syscall_callback_eip, ctx.syscall_callback_eip);
    CHECK_EQ(back.event_callback_eip, ctx.event_callback_eip);
    CHECK_EQ(back.failsafe_callback_eip, ctx.failsafe_callback_eip);
    CHECK_EQ(back.trap_ctxt[6].address, 0x1000);
    CHECK_EQ(back.trap_ctxt[6].flags & 4, 4);
    CHECK_EQ(*(uint32_t *)(back.fpu_ctxt.x + 24), 0x1f80);
    CHECK_EQ(back.flags & VGCF_online, 0);
    CHECK_EQ(domain_info(d->id)->nr_online_vcpus, 1);
    ctx.flags |= VGCF_online; // again, and online
    CHECK_RC(domu_set_context(d, 1, &ctx), 0);
    CHECK_EQ(domain_info(d->id)->nr_online_vcpus, 2);
    CHECK_RC(domu_destroy(d), 0);
}

static void check_targets(void)
{
    struct domu *d = domu_create(guest);

    domu_context(d, &ctx);
    CHECK_RC(domu_set_context(d, 1, &ctx), -EINVAL);
    CHECK_RC(domu_set_context(d, 1u << 31, &ctx), -EINVAL);
    CHECK_RC(domu_set_context(d, 0, (void *)0x10), -EFAULT);
    CHECK_RC(domu_set_context(d, 0, (void *)HYPERVISOR_VIRT_START), -EFAULT);
    CHECK_RC(domu_get_context(d, 1, &back), -EINVAL);
    CHECK_RC(domu_get_context(d, 0, (void *)0x10), -EFAULT);
    dc.u.vcpucontext.vcpu = 0;
    set_xen_guest_handle(dc.u.vcpucontext.ctxt, &back);
    CHECK_RC(domctl(XEN_DOMCTL_getvcpucontext, 0), -EINVAL); // it is dom0 that asks
    CHECK_RC(domctl(XEN_DOMCTL_setvcpucontext, 0), -EINVAL);
    CHECK_RC(domctl(XEN_DOMCTL_getvcpucontext, 0x1234), -ESRCH);
    CHECK_RC(domu_destroy(d), 0);
}

void test_main(void)
{
    check_running();
    check_round_trip();
    check_targets();
}
