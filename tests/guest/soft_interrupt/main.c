// SPDX-License-Identifier: MIT
// "int n" goes through the guest's trap table, by the privilege level of the entry.
//
// xen ABI: xen.h above struct trap_info: level 0, no one may enter by a software interrupt; 1 and
// 2, the kernel may; 3, everyone may. A refused one is #GP with the IDT error code n * 8 + 2 (SDM
// 3A "Error Code").
//
// QEMU 7.2 gives int n a wrong #GP error code (n * 16 + 2), which Xen reads as the vector; a
// hypervisor that decodes the instruction gets it right.
//
// ORACLE: differs because QEMU gives int n a wrong error code
// XEN: skip QEMU 7.2 pushes a wrong error code for int n
#include "lib/guest.h"

const char test_title[] = "software interrupts by trap table level";

USER_SNIPPET(user_int80, "int $0x80");

static void set_level(unsigned int level)
{
    trap_table_entry(0x80)->flags = (uint8_t)level;
    CHECK_RC(hc_set_trap_table(trap_table), 0);
}

static const struct trap *kernel_int(void)
{
    return TRY("int $0x80");
}

void test_main(void)
{
    const struct trap *t;
    uint64_t next;

    user_setup();
    for (unsigned int level = 1; level <= 3; level++) {
        set_level(level);
        CHECK_TRAP(kernel_int(), 0x80, 0);
    }
    t = TRY("lea 0f(%%rip), %0; int $0x80\n0:", : "=r"(next));
    CHECK_EQ(t->frame.rip, next); // a trap, not a fault
    set_level(0);
    CHECK_TRAP(kernel_int(), X86_GP, 0x80 * 8 + 2);
    CHECK_TRAP(USER_RUN(user_int80, NULL), X86_GP, 0x80 * 8 + 2);
    set_level(1);
    CHECK_TRAP(USER_RUN(user_int80, NULL), X86_GP, 0x80 * 8 + 2);
    set_level(3);
    t = USER_RUN(user_int80, NULL);
    CHECK_TRAP(t, 0x80, 0);
    CHECK_EQ(t->frame.rip, USER_CODE + 2);
    CHECK_EQ(t->frame.cs, FLAT_USER_CS);
    // A vector without an entry.
    CHECK_TRAP(TRY("int $0x90"), X86_GP, 0x90 * 8 + 2);
}
