// SPDX-License-Identifier: MIT
// Guest user mode: entering by the iret hypercall, leaving by syscall, exception and page fault.
//
// xen ABI: arch-x86/xen-x86_64.h HYPERVISOR_iret (cs with RPL 3 means user mode), xen.h
// MMUEXT_NEW_USER_BASEPTR, stack_switch and callback.h CALLBACKTYPE_syscall. Asserted: user mode
// runs on the user page tables (kernel addresses are not mapped there), its page faults have
// PFEC_U, entries come in on the stack of stack_switch, syscall arrives with rcx and r11 as the
// instruction leaves them, and a callback registered with CALLBACKF_mask_events starts with events
// masked.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "guest user mode, syscall and exceptions";

USER_SNIPPET(user_syscall, "mov $0x1234, %eax; mov $0x55, %edi; syscall");
USER_SNIPPET(user_ud, "ud2");
USER_SNIPPET(user_read, "mov (%rdi), %rax");
USER_SNIPPET(user_write, "mov %rax, (%rdi)");
USER_SNIPPET(user_push, "push %rdi; pop %rax; syscall");

static void check_user_frame(const struct trap *t)
{
    struct frame *on_stack = (struct frame *)((char *)this_cpu() + CPU_ENTRY_SP) - 1;

    CHECK_EQ(t->frame.cs, FLAT_USER_CS);
    CHECK_EQ(t->frame.ss, FLAT_USER_SS);
    CHECK_EQ(t->frame.saved_mask, 0);
    CHECK_EQ(t->frame.rflags >> 9 & 1, 1);
    // The bounce frame ended exactly at the top of the entry stack.
    CHECK_EQ(memcmp(&on_stack->rip, &t->frame.rip, 40), 0);
}

static void check_syscall(void)
{
    struct frame regs = {.rflags = 0x202, .rbx = 7, .rbp = 8, .r12 = 9, .r15 = 10};
    const struct trap *t = USER_RUN(user_syscall, &regs);

    CHECK_TRAP(t, VEC_SYSCALL, 0);
    check_user_frame(t);
    CHECK_EQ(t->frame.rax, 0x1234);
    CHECK_EQ(t->frame.rdi, 0x55);
    CHECK_EQ(t->frame.rbx, 7);
    CHECK_EQ(t->frame.rbp, 8);
    CHECK_EQ(t->frame.r12, 9);
    CHECK_EQ(t->frame.r15, 10);
    CHECK_EQ(t->frame.rip, USER_CODE + 12);
    CHECK_EQ(t->frame.rcx, t->frame.rip);
    CHECK_EQ(t->frame.r11 & 0xcd5, t->frame.rflags & 0xcd5);
    CHECK_EQ(t->frame.rsp, USER_STACK);
    CHECK_EQ(t->mask_in_handler, 0);
    CHECK_RC(register_callback(CALLBACKTYPE_syscall, CALLBACKF_mask_events, syscall_entry), 0);
    CHECK_EQ(USER_RUN(user_syscall, NULL)->mask_in_handler, 1);
    CHECK_EQ(this_cpu()->user_exit.frame.saved_mask, 0);
}

static const struct trap *access(const void *va, bool write)
{
    struct frame regs = {.rflags = 0x202, .rdi = (uint64_t)va};

    return write ? USER_RUN(user_write, &regs) : USER_RUN(user_read, &regs);
}

static void check_faults(void)
{
    const struct trap *t = USER_RUN(user_ud, NULL);

    CHECK_TRAP(t, X86_UD, 0);
    check_user_frame(t);
    CHECK_EQ(t->frame.rip, USER_CODE);
    t = access((void *)0x1000, false);
    CHECK_TRAP(t, X86_PF, PFEC_U);
    CHECK_EQ(t->cr2, 0x1000);
    check_user_frame(t);
    t = access((void *)USER_CODE, true);
    CHECK_TRAP(t, X86_PF, PFEC_U | PFEC_W | PFEC_P);
    t = access(start_info, false); // only in the kernel's tables
    CHECK_TRAP(t, X86_PF, PFEC_U);
    CHECK_EQ(t->cr2, start_info);
    t = access((void *)(HYPERVISOR_VIRT_START + (1ul << 38)), false); // behind the M2P
    CHECK_EQ(t->frame.vector, X86_PF);
    CHECK_EQ(t->frame.error & PFEC_U, PFEC_U);
}

void test_main(void)
{
    struct frame regs = {.rflags = 0x202, .rdi = 0xabcd};

    user_setup();
    check_syscall();
    check_faults();
    CHECK_EQ(USER_RUN(user_push, &regs)->frame.rax, 0xabcd);
    // The user's tables need no kernel stack: the kernel's mapping of the user range stays its own.
    CHECK_EQ(try_read((void *)USER_CODE, NULL)->count, 1);
}
