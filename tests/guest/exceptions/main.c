// SPDX-License-Identifier: MIT
// Exceptions of the kernel bounce to the handlers of the trap table with the frame the ABI
// promises.
//
// xen ABI: xen.h set_trap_table and struct trap_info; arch-x86/xen-x86_64.h struct cpu_user_regs:
// the cs slot carries the upcall mask from before (saved_upcall_mask) in bits 32..39, cs has RPL 0
// for the guest kernel ("RING0 indicates that the guest kernel should return to itself"), rflags.IF
// is the inverse of the mask, cr2 is stored in vcpu_info.arch.cr2. Error codes are those of the
// processor (SDM 3A "Error Code", "Page-Fault Exception"); PV kernels run at ring 3, yet a fault of
// the guest kernel has PFEC_U clear.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "exception vectors, error codes and frames";

static void check_frame(const struct trap *t, uint64_t rip)
{
    CHECK_EQ(t->frame.rip, rip);
    CHECK_EQ(t->frame.cs, FLAT_KERNEL_CS & ~3);
    CHECK_EQ(t->frame.ss, FLAT_KERNEL_SS);
    CHECK_EQ(t->frame.saved_mask, vcpu_info()->evtchn_upcall_mask);
    CHECK_EQ(t->frame.rflags >> 9 & 1, !vcpu_info()->evtchn_upcall_mask);
    CHECK_EQ(t->frame.rflags & 0x10100, 0); // RF, TF
}

static void check_faults(void)
{
    uint64_t here, sp;
    const struct trap *t;

    asm volatile("mov %%rsp, %0" : "=r"(sp));
    t = TRY("lea 0f(%%rip), %0\n0: ud2", : "=r"(here));
    CHECK_TRAP(t, X86_UD, 0);
    check_frame(t, here);
    CHECK_EQ(t->frame.rsp, sp);
    t = TRY("xor %%edx, %%edx; xor %%ecx, %%ecx; lea 0f(%%rip), %0\n0: div %%ecx",
            : "=r"(here)
            :
            : "rax", "rcx", "rdx");
    CHECK_TRAP(t, X86_DE, 0);
    check_frame(t, here);
    t = TRY("lea 0f(%%rip), %0\n int3\n0:", : "=r"(here));
    CHECK_TRAP(t, X86_BP, 0);
    check_frame(t, here); // a trap: rip is behind it
}

static void check_gp(void)
{
    const struct trap *t;
    uint64_t here;

    t = TRY("lea 0f(%%rip), %0\n0: mov (%1), %%rax",
            : "=&r"(here)
            : "r"(0x8000000000000000ul)
            : "rax");
    CHECK_TRAP(t, X86_GP, 0); // not canonical
    check_frame(t, here);
    t = TRY("mov %0, %%fs", : : "r"(0x0008)); // a hypervisor-less GDT: beyond the limit
    CHECK_TRAP(t, X86_GP, 0x0008);
    t = TRY("mov %0, %%ds", : : "r"(0x0014)); // LDT bit, no LDT
    CHECK_TRAP(t, X86_GP, 0x0014);
    t = TRY("hlt");
    CHECK_TRAP(t, X86_GP, 0); // SCHEDOP_block is the way to idle
}

static void check_db(void)
{
    // TF makes a trap after the next instruction (SDM 3B "Single-Step Exception Condition").
    const struct trap *t = TRY("pushf; orl $0x100, (%%rsp); popf; nop", : : : "memory", "cc");

    CHECK_TRAP(t, X86_DB, 0);
    CHECK_EQ(t->frame.rflags >> 8 & 1, 1);         // the saved flags still have TF
    CHECK_EQ(hc_get_debugreg(6) & 0x4000, 0x4000); // DR6.BS
    asm volatile("pushf; andl $~0x100, (%%rsp); popf" : : : "memory", "cc");
}

// The handler must clear TF in the frame, or every instruction behind would trap as well.
static bool clear_tf(struct frame *f)
{
    static bool done;

    if (f->vector != X86_DB || done)
        return false;
    done = true;
    this_cpu()->trap.count = 1;
    this_cpu()->trap.frame = *f;
    f->rflags &= ~0x100ul;
    return true;
}

static void check_mask(void)
{
    const struct trap *t;

    vcpu_info()->evtchn_upcall_mask = 0;
    t = TRY("ud2");
    CHECK_EQ(t->frame.saved_mask, 0);
    CHECK_EQ(t->frame.rflags >> 9 & 1, 1);
    CHECK_EQ(t->mask_in_handler, 0); // no TI_SET_IF: the handler starts with events as they were
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 0);
    trap_table_entry(X86_UD)->flags |= 4;
    CHECK_RC(hc_set_trap_table(trap_table), 0);
    t = TRY("ud2");
    CHECK_EQ(t->frame.saved_mask, 0);
    CHECK_EQ(t->mask_in_handler, 1);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 0); // the iret hypercall took it from rflags.IF
    vcpu_info()->evtchn_upcall_mask = 1;
    t = TRY("ud2");
    CHECK_EQ(t->frame.saved_mask, 1);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1);
}

void test_main(void)
{
    check_faults();
    check_gp();
    trap_hook = clear_tf;
    check_db();
    trap_hook = NULL;
    check_mask();
}
