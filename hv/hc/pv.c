// SPDX-License-Identifier: MIT
// Hypercalls about a PV vCPU's own processor: traps, callbacks, descriptors, segment bases, debug
// registers, FPU, iret. xen ABI: xen.h, arch-x86/xen.h, callback.h, nmi.h.
#include "abi/xen.h"
#include <xen/callback.h>
#include <xen/nmi.h>
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "hc/continue.h"
#include "hc/table.h"
#include "pv/pv.h"

// The table ends with an entry without address; no table clears all.
long hc_set_trap_table(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    guest_ptr table = GUEST_PTR(a0);
    if (guest_ptr_null(table)) {
        pv_clear_traps(&cur->pv);
        return 0;
    }
    // At most one round of all vectors between looks at the clock; an endless table ends there.
    for (u64 i = 0;; i++) {
        struct trap_info t;
        if (guest_copy_in_index(&t, table, i, sizeof(t)) != 0)
            return -EFAULT;
        if (t.address == 0)
            return 0;
        if (!is_canonical(t.address))
            return -EINVAL;
        int rc = pv_trap_room(&cur->pv, t.vector);
        if (rc != 0)
            return rc;
        pv_set_trap(&cur->pv, &t, t.vector);
        if (i > 0 && preempt_wanted()) {
            hc_set_arg(cur, 0, a0 + (i + 1) * sizeof(t));
            return -ERESTART_HC;
        }
    }
}

long hc_set_gdt(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    u64 frames[PV_GDT_FRAMES];
    u32 entries = (u32)a1;
    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    if (guest_copy_in(frames, GUEST_PTR(a0), (u64)(entries + 511) / 512 * 8) != 0)
        return -EFAULT;
    return pv_set_gdt(cur, frames, entries);
}

long hc_update_descriptor(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    return pv_update_descriptor(cur, a0, a1);
}

long hc_stack_switch(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    cur->pv.kernel_ss = (u16)(a0 | 3);
    cur->pv.kernel_sp = a1;
    return 0;
}

long hc_set_callbacks(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    if (!is_canonical(a0) || !is_canonical(a1) || !is_canonical(a2))
        return -EINVAL;
    cur->pv.event = (struct pv_callback){a0, true};
    cur->pv.failsafe.address = a1;
    cur->pv.syscall.address = a2;
    return 0;
}

static long register_callback(struct pv_vcpu *pv, const struct callback_register *r)
{
    bool mask = r->flags & CALLBACKF_mask_events;
    if (!is_canonical(r->address))
        return -EINVAL;
    switch (r->type) {
    case CALLBACKTYPE_event:
        pv->event = (struct pv_callback){r->address, true};
        return 0;
    case CALLBACKTYPE_failsafe:
        pv->failsafe = (struct pv_callback){r->address, mask};
        return 0;
    case CALLBACKTYPE_syscall:
        pv->syscall = (struct pv_callback){r->address, mask};
        return 0;
    case CALLBACKTYPE_syscall32:
        pv->syscall32 = (struct pv_callback){r->address, mask};
        return 0;
    case CALLBACKTYPE_sysenter:
        pv->sysenter = (struct pv_callback){r->address, mask};
        return 0;
    case CALLBACKTYPE_nmi:
        pv->nmi = (struct pv_callback){r->address, true};
        return 0;
    default:
        return -ENOSYS;
    }
}

static long unregister_callback(struct pv_vcpu *pv, u16 type)
{
    switch (type) {
    case CALLBACKTYPE_event:
    case CALLBACKTYPE_failsafe:
    case CALLBACKTYPE_syscall:
    case CALLBACKTYPE_syscall32:
    case CALLBACKTYPE_sysenter:
        return -EINVAL;
    case CALLBACKTYPE_nmi:
        pv->nmi = (struct pv_callback){0, false};
        return 0;
    default:
        return -ENOSYS;
    }
}

long hc_callback_op(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    struct callback_register r;
    struct callback_unregister u;
    switch ((u32)a0) {
    case CALLBACKOP_register:
        if (guest_copy_in(&r, GUEST_PTR(a1), sizeof(r)) != 0)
            return -EFAULT;
        return register_callback(&cur->pv, &r);
    case CALLBACKOP_unregister:
        if (guest_copy_in(&u, GUEST_PTR(a1), sizeof(u)) != 0)
            return -EFAULT;
        return unregister_callback(&cur->pv, u.type);
    default:
        return -ENOSYS;
    }
}

long hc_nmi_op(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    struct xennmi_callback cb;
    if (cur->id.v != 0)
        return -EINVAL;
    switch ((u32)a0) {
    case XENNMI_register_callback:
        if (guest_copy_in(&cb, GUEST_PTR(a1), sizeof(cb)) != 0)
            return -EFAULT;
        if (!is_canonical(cb.handler_address))
            return -EINVAL;
        cur->pv.nmi = (struct pv_callback){cb.handler_address, true};
        return 0;
    case XENNMI_unregister_callback:
        cur->pv.nmi = (struct pv_callback){0, false};
        return 0;
    default:
        return -ENOSYS;
    }
}

long hc_fpu_taskswitch(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    cur->pv.cr0 = a0 ? CR0_TS : 0;
    write_cr0(a0 ? read_cr0() | CR0_TS : read_cr0() & ~(u64)CR0_TS);
    return 0;
}

long hc_set_debugreg(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    return a0 > 7 ? -EINVAL : pv_set_debugreg(cur, (u32)a0, a1);
}

long hc_get_debugreg(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    return a0 > 7 ? -EINVAL : (long)pv_get_debugreg(cur, (u32)a0);
}

long hc_set_segment_base(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    if (a0 <= SEGBASE_GS_KERNEL && !is_canonical(a1))
        return -EINVAL;
    switch (a0) {
    case SEGBASE_FS:
        wrmsr(MSR_FS_BASE, a1);
        return 0;
    case SEGBASE_GS_USER: // the guest kernel is running, so its own is the active one
        wrmsr(MSR_KERNEL_GS_BASE, a1);
        return 0;
    case SEGBASE_GS_KERNEL:
        wrmsr(MSR_GS_BASE, a1);
        return 0;
    case SEGBASE_GS_USER_SEL:
        cpu_swapgs();
        load_seg_gs((u16)a1);
        cpu_swapgs();
        return 0;
    default:
        return -EINVAL;
    }
}

long hc_iret(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    return pv_iret(cur, &cpu_info()->regs);
}

long hc_vm_assist(struct vcpu *cur, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
    u32 type = (u32)a1;
    if (type >= 64 || !(PV_VM_ASSISTS >> type & 1))
        return -EINVAL;
    u64 bit = (u64)1 << type;
    bool on = (u32)a0 == VMASST_CMD_enable;
    if (!on && (u32)a0 != VMASST_CMD_disable)
        return -ENOSYS;
    u64 now = on ? __atomic_or_fetch(&cur->dom->vm_assist, bit, __ATOMIC_RELAXED)
                 : __atomic_and_fetch(&cur->dom->vm_assist, ~bit, __ATOMIC_RELAXED);
    pv_vm_assist_changed(cur->dom, now);
    return 0;
}
