// SPDX-License-Identifier: MIT
// An iret hypercall to user mode whose selectors the processor refuses.
//
// xen ABI: arch-x86/xen-x86_64.h HYPERVISOR_iret. Seen on the oracle: the guest kernel gets the
// fault
// (#GP with the selector as error code, SDM 2A "IRET") as if the instruction in user mode had
// raised it: the frame is the context that could not be loaded. The hypervisor survives it.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "iret to user mode with bad selectors";

static void check_bad(uint64_t cs, uint64_t ss, uint64_t error)
{
    struct iret_context ctx = {
        .rip = USER_CODE, .cs = cs, .rflags = 0x202, .rsp = USER_STACK, .ss = ss, .rax = 0x77};
    const struct trap *t = user_iret(&ctx);

    CHECK_TRAP(t, X86_GP, error);
    CHECK_EQ(t->frame.rip, USER_CODE);
    CHECK_EQ(t->frame.ss, ss);
    CHECK_EQ(t->frame.rsp, USER_STACK);
    CHECK_EQ(t->frame.rax, 0x77);
}

USER_SNIPPET(user_syscall, "syscall");

void test_main(void)
{
    user_setup();
    check_bad(FLAT_USER_CS, 0x0abf, 0x0abc);
    check_bad(FLAT_USER_CS, FLAT_USER_CS, FLAT_USER_CS & ~3); // a code segment is no stack
    check_bad(0x0abf, FLAT_USER_SS, 0x0abc);
    check_bad(FLAT_USER_SS, FLAT_USER_SS, FLAT_USER_SS & ~3); // a data segment is no code
    CHECK_TRAP(USER_RUN(user_syscall, NULL), VEC_SYSCALL, 0); // and life goes on
}
