// SPDX-License-Identifier: MIT
// Contexts that would break the hypervisor or lend rights: refused, repaired, or the domain's own
// misfortune; dom0 and the frames' counts come to no harm.
//
// xen ABI: arch-x86/xen.h struct vcpu_guest_context; domctl.h setvcpucontext. The root and the GDT
// frames must be the domain's; selectors come out at ring 3, rflags with interrupts enabled and no
// IOPL; a start at an address that is not canonical or not mapped crashes the domain alone.
//
#include "lib/domu.h"

const char test_title[] = "hostile vCPU contexts";

static struct vcpu_guest_context ctx, back;
static uint64_t seen_flags;

static void guest(void)
{
    seen_flags = boot_state.rflags;
}

static long refused(struct domu *d, const char *what)
{
    long rc = domu_set_context(d, 1, &ctx);

    if (rc == 0)
        printk("  accepted: %s\n", what);
    domu_context(d, &ctx);
    return rc;
}

#define REFUSED(set, want)                \
    do {                                  \
        set;                              \
        CHECK_RC(refused(d, #set), want); \
    } while (0)

// vCPU 1 stays uninitialised all along.
static void check_refused(struct domu *d)
{
    char *plain = page_alloc();

    domu_context(d, &ctx);
    REFUSED(ctx.ctrlreg[3] = 0, -EINVAL);
    REFUSED(ctx.ctrlreg[3] = xen_pfn_to_cr3(va_to_mfn(kernel_l4())), -EINVAL); // dom0's
    REFUSED(ctx.ctrlreg[3] = xen_pfn_to_cr3(domu_mfn(d, (void *)guest)), -EINVAL);
    REFUSED(ctx.ctrlreg[3] = xen_pfn_to_cr3(d->p2m[DOMU_L4 + 1]), -EINVAL); // an L3
    REFUSED(ctx.ctrlreg[3] = xen_pfn_to_cr3(1ul << 40), -EINVAL);
    REFUSED(ctx.ctrlreg[1] = xen_pfn_to_cr3(va_to_mfn(kernel_l4())), -EINVAL);
    REFUSED((ctx.gdt_ents = 1, ctx.gdt_frames[0] = va_to_mfn(plain)), -EINVAL);
    REFUSED((ctx.gdt_ents = 1, ctx.gdt_frames[0] = d->p2m[DOMU_L4]), -EINVAL);
    REFUSED((ctx.gdt_ents = 1, ctx.gdt_frames[0] = 1ul << 40), -EINVAL);
    REFUSED(ctx.gdt_ents = 8193, -EINVAL);
    REFUSED(ctx.gdt_ents = ~0ul, -EINVAL);
    REFUSED(ctx.fs_base = 1ul << 47, -EINVAL);
    REFUSED(ctx.gs_base_kernel = 1ul << 63, -EINVAL);
    REFUSED(ctx.gs_base_user = 0x8000000000000000, -EINVAL);
    REFUSED(ctx.event_callback_eip = 1ul << 47, -EINVAL);
    REFUSED(ctx.failsafe_callback_eip = 1ul << 63, -EINVAL);
    REFUSED(ctx.syscall_callback_eip = 1ul << 50, -EINVAL);
    REFUSED(ctx.ldt_base = 0x1008 | (ctx.ldt_ents = 1), -EINVAL);
    REFUSED(ctx.ldt_ents = 8193, -EINVAL);
    REFUSED((ctx.ldt_ents = 1, ctx.ldt_base = 1ul << 63), -EINVAL);
}

// Taken, but without what is wrong.
static void check_repaired(struct domu *d)
{
    domu_context(d, &ctx);
    ctx.debugreg[0] = HYPERVISOR_VIRT_START;
    ctx.debugreg[7] = 0xffffffffffff0403;
    ctx.vm_assist = 1ul << 40;
    ctx.user_regs.cs = 0xe008;
    CHECK_RC(domu_set_context(d, 1, &ctx), 0);
    CHECK_RC(domu_get_context(d, 1, &back), 0);
    CHECK(back.debugreg[0] < HYPERVISOR_VIRT_START);
    CHECK_EQ(back.debugreg[7] >> 32, 0);
    CHECK_EQ(back.debugreg[7] & 0x2000, 0); // GD
    CHECK_EQ(back.vm_assist, 0);
    CHECK_EQ(back.user_regs.cs & 3, 3);
}

// The domain starts with this context; how it ends.
static int start_with(void (*spoil)(void))
{
    struct domu *d = domu_new(&(struct domu_config){.main = guest});

    domu_populate(d);
    domu_build(d);
    domu_context(d, &ctx);
    spoil();
    long rc = domu_set_context(d, 0, &ctx);
    int reason = -1;

    if (rc == 0) {
        CHECK_RC(domu_unpause(d), 0);
        reason = domu_wait(d);
        domu_fetch(d, &seen_flags);
    }
    CHECK_RC(domu_destroy(d), 0);
    return rc ? (int)rc : reason;
}

static void bad_rip(void)
{
    ctx.user_regs.rip = 1ul << 63;
}

static void unmapped_rip(void)
{
    ctx.user_regs.rip = 0x1000;
}

static void hypervisor_rip(void)
{
    ctx.user_regs.rip = HYPERVISOR_VIRT_START;
}

static void hypervisor_stack(void)
{
    ctx.user_regs.rip = 0x1000;
    ctx.kernel_sp = HYPERVISOR_VIRT_END - 8;
}

static void ring0(void)
{
    ctx.user_regs.cs = 0xe008;
    ctx.user_regs.ss = 0xe010;
}

static void null_cs(void)
{
    ctx.user_regs.cs = 0;
}

static void bad_ds(void)
{
    ctx.user_regs.ds = 0xffff;
    ctx.user_regs.fs = 0x7b;
}

static void odd_flags(void)
{
    ctx.user_regs.rflags = ~0x100ul & 0xffffffffffff; // all but TF
    ctx.user_regs.rflags &= ~0x20000ul;               // nor VM
}

void test_main(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .vcpus = 2});

    check_refused(d);
    check_repaired(d);
    CHECK_RC(domu_destroy(d), 0);
    CHECK_EQ(start_with(bad_rip), -EINVAL);
    CHECK_EQ(start_with(unmapped_rip), SHUTDOWN_crash);
    CHECK_EQ(start_with(hypervisor_rip), SHUTDOWN_crash);
    CHECK_EQ(start_with(hypervisor_stack), SHUTDOWN_crash);
    CHECK_EQ(start_with(ring0), SHUTDOWN_crash);
    CHECK_EQ(start_with(null_cs), SHUTDOWN_crash);
    CHECK_EQ(start_with(bad_ds), SHUTDOWN_crash);
    CHECK_EQ(start_with(odd_flags), SHUTDOWN_poweroff);
    CHECK_EQ(seen_flags & 0x3000, 0);    // IOPL
    CHECK_EQ(seen_flags & 0x200, 0x200); // IF
}
