// SPDX-License-Identifier: MIT
// Secondary vCPUs: VCPUOP_initialise with a context in kernel mode on the CPU's own stack.
#include "lib/internal.h"

extern char secondary_start[];

unsigned int vcpu_count(void)
{
    unsigned int n = 0;

    while (n < CPU_MAX && hc_vcpu_op(VCPUOP_is_up, n, NULL) >= 0)
        n++;
    return n;
}

void smp_context(unsigned int id, void (*fn)(void), struct vcpu_guest_context *ctx)
{
    struct cpu *cpu = (struct cpu *)cpu_blocks[id];

    cpu->id = id;
    memset(ctx, 0, sizeof(*ctx));
    ctx->flags = VGCF_in_kernel;
    ctx->user_regs.rip = (uint64_t)secondary_start;
    ctx->user_regs.rsp = (uint64_t)cpu_blocks[id] + CPU_BLOCK_SIZE;
    ctx->user_regs.cs = FLAT_KERNEL_CS;
    ctx->user_regs.ss = FLAT_KERNEL_SS;
    ctx->user_regs.rdi = (uint64_t)fn;
    memcpy(ctx->trap_ctxt, trap_table, trap_table_size * sizeof(trap_table[0]));
    // trap_ctxt is indexed by vector, the table is not.
    ctx->trap_ctxt[32] = (struct trap_info){.vector = 32};
    ctx->trap_ctxt[0x80] = *trap_table_entry(0x80);
    ctx->kernel_ss = FLAT_KERNEL_SS;
    ctx->kernel_sp = (uint64_t)cpu_blocks[id] + CPU_ENTRY_SP;
    ctx->ctrlreg[3] = xen_pfn_to_cr3(va_to_mfn(kernel_l4()));
    ctx->event_callback_eip = (uint64_t)event_entry;
    ctx->failsafe_callback_eip = (uint64_t)failsafe_entry;
}

long smp_start(unsigned int id, void (*fn)(void))
{
    static struct vcpu_guest_context ctx; // 5 KiB: not for a stack

    smp_context(id, fn, &ctx);
    long rc = hc_vcpu_op(VCPUOP_initialise, id, &ctx);

    return rc ? rc : hc_vcpu_op(VCPUOP_up, id, NULL);
}

void smp_park(void)
{
    for (;;)
        hc_vcpu_op(VCPUOP_down, this_cpu()->id, NULL);
}

void secondary_main(void (*fn)(void))
{
    fn();
    smp_park();
}
