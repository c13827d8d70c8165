// SPDX-License-Identifier: MIT
// The hypercall matrix, the dispatcher and multicall. docs/abi.md is generated from the matrix.
#include "hc/table.h"
#include "abi/errno.h"
#include "cpu/percpu.h"
#include "hc/continue.h"
#include "hc/op.h"
#include "sched/trace.h"

struct hc_row {
    const char *name;
    hc_handler *handler; // NULL: -ENOSYS
    const char *test;    // tests/guest directory that covers it
};

#define ROW(call, handler, test) [__HYPERVISOR_##call] = {DOC(#call), handler, DOC(test)}

static const struct hc_row hc_table[] = {
    ROW(set_trap_table, hc_set_trap_table, "trap_table"),
    ROW(mmu_update, hc_mmu_update, "mmu_update"),
    ROW(set_gdt, hc_set_gdt, "gdt"),
    ROW(stack_switch, hc_stack_switch, "stack_switch"),
    ROW(set_callbacks, hc_set_callbacks, "set_callbacks"),
    ROW(fpu_taskswitch, hc_fpu_taskswitch, "fpu"),
    ROW(sched_op_compat, hc_sched_op_compat, NULL),
    ROW(platform_op, hc_platform_op, "platform_op"),
    ROW(set_debugreg, hc_set_debugreg, "debugreg"),
    ROW(get_debugreg, hc_get_debugreg, "debugreg"),
    ROW(update_descriptor, hc_update_descriptor, "gdt"),
    ROW(memory_op, hc_memory_op, "memory_ops"),
    ROW(multicall, hc_multicall, "multicall"),
    ROW(update_va_mapping, hc_update_va_mapping, "va_mapping"),
    ROW(set_timer_op, hc_set_timer_op, "timer"),
    ROW(event_channel_op_compat, hc_event_op_compat, NULL),
    ROW(xen_version, hc_xen_version, "xen_version"),
    ROW(console_io, hc_console_io, "console_io"),
    ROW(physdev_op_compat, hc_physdev_op_compat, NULL),
    ROW(grant_table_op, hc_grant_table_op, "grant_table"),
    ROW(vm_assist, hc_vm_assist, "vm_assist"),
    ROW(update_va_mapping_otherdomain, hc_update_va_mapping_otherdomain, NULL),
    ROW(iret, hc_iret, "iret_flags"),
    ROW(vcpu_op, hc_vcpu_op, "vcpu_areas"),
    ROW(set_segment_base, hc_set_segment_base, "segment_base"),
    ROW(mmuext_op, hc_mmuext_op, "mmuext_misc"),
    ROW(xsm_op, NULL, NULL),
    ROW(nmi_op, hc_nmi_op, NULL),
    ROW(sched_op, hc_sched_op, "sched"),
    ROW(callback_op, hc_callback_op, "callback_op"),
    ROW(xenoprof_op, NULL, NULL),
    ROW(event_channel_op, hc_event_op, "evtchn_bind"),
    ROW(physdev_op, hc_physdev_op, "physdev"),
    ROW(hvm_op, NULL, NULL),
    ROW(sysctl, hc_sysctl, "control_sysctl"),
    ROW(domctl, hc_domctl, "domu_run"),
    ROW(kexec_op, NULL, NULL),
    ROW(argo_op, NULL, NULL),
    ROW(xenpmu_op, NULL, NULL),
    ROW(dm_op, NULL, NULL),
    ROW(hypfs_op, NULL, NULL),
    [__HYPERVISOR_arch_0] = {DOC("mca"), hc_mca, DOC("mca")},
};

enum { SYSCALL_BYTES = 2, MULTICALL_STEP = 16 };

void hc_set_arg(struct vcpu *v, u32 index, u64 value)
{
    struct cpu_regs *r = &cpu_info()->regs;
    u64 *const place[5] = {&r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8};
    if (v->in_multicall)
        v->hc_arg[index] = value;
    else
        *place[index] = value;
}

STATIC_ASSERT(ARRAY_SIZE(hc_table) <= PERFC_HYPERCALLS);

// Of the call with that number, which is counted for the CPU.
static inline hc_handler *handler_of(struct cpu *c, u64 nr)
{
    if (nr >= ARRAY_SIZE(hc_table))
        return NULL;
    nr = guest_index(nr, ARRAY_SIZE(hc_table));
    c->perfc.hypercall[nr]++;
    return hc_table[nr].handler;
}

void hc_dispatch(struct vcpu *cur, struct cpu_regs *r)
{
    u64 nr = r->rax;
    hc_handler *fn = handler_of(CONTAINER_OF(r, struct cpu_info, regs)->cpu, nr);
    if (unlikely(!fn)) {
        r->rax = (u64)-ENOSYS;
        return;
    }
    TRACE(TRC_PV_HYPERCALL_V2, (u32)nr);
    long rc = fn(cur, r->rdi, r->rsi, r->rdx, r->r10, r->r8);
    if (unlikely(rc == -ERESTART_HC)) {
        r->rip -= SYSCALL_BYTES; // again, with the arguments as the handler left them
        perfc(PERFC_RESTARTS);
    } else {
        r->rax = (u64)rc;
    }
}

// xen ABI: xen.h, struct multicall_entry. The calls run in order; each gets its own result; a
// failing one does not stop the others. A call that gives the CPU up is written back with what is
// left of it, and the multicall goes on from there.
long hc_multicall(struct vcpu *cur, u64 list, u64 count, u64 a2, u64 a3, u64 a4)
{
    guest_ptr p = GUEST_PTR(list);
    for (u64 i = 0; i < count; i++) {
        struct multicall_entry e;
        guest_ptr at = guest_ptr_add(p, i * sizeof(e));
        if (guest_copy_in(&e, at, sizeof(e)) != 0)
            return -EFAULT;
        hc_handler *fn = handler_of(this_cpu(), e.op);
        for (u32 k = 0; k < 5; k++)
            cur->hc_arg[k] = e.args[k];
        long rc = -ENOSYS;
        cur->in_multicall = true;
        if (fn && fn != hc_multicall && fn != hc_iret)
            rc = fn(cur, e.args[0], e.args[1], e.args[2], e.args[3], e.args[4]);
        cur->in_multicall = false;
        bool again = rc == -ERESTART_HC;
        if (again) {
            for (u32 k = 0; k < 5; k++)
                e.args[k] = cur->hc_arg[k];
            if (guest_copy_out(at, &e, sizeof(e)) != 0)
                return -EFAULT;
        } else {
            u64 result = (u64)rc;
            if (guest_copy_out(guest_ptr_add(at, offsetof(struct multicall_entry, result)), &result,
                               sizeof(result)) != 0)
                return -EFAULT;
        }
        if (again ||
            (i + 1 < count && i % MULTICALL_STEP == MULTICALL_STEP - 1 && preempt_wanted())) {
            u64 done = again ? i : i + 1;
            hc_set_arg(cur, 0, list + done * sizeof(e));
            hc_set_arg(cur, 1, count - done);
            return -ERESTART_HC;
        }
    }
    return 0;
}
