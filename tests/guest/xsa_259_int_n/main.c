// SPDX-License-Identifier: MIT
// XSA-259 (CVE-2018-10471): software interrupts that the guest has no handler for.
//
// Class: int 0x80 has an entry path of its own which went wrong where the guest had not registered
// the vector. What must hold: each of the 256 vectors, from user mode and from the kernel, with no
// handler or one that may not be called, is the guest's #GP at the instruction.
//
// ORACLE: QEMU gives int n a wrong error code; Xen's int 0x80 ignores the level of the entry
#include "lib/guest.h"

const char test_title[] = "every software interrupt without a handler";

static void try_all(void)
{
    for (unsigned int n = 0; n < 256; n++) {
        const uint8_t code[] = {0xcd, (uint8_t)n, 0x0f, 0x0b};
        const struct trap *t = user_run(code, sizeof(code), NULL);

        if (n == X86_BP || n == X86_OF)
            continue;
        if (!CHECK_EQ(t->frame.vector, X86_GP) || !CHECK_EQ(t->frame.rip, USER_CODE))
            printk("vector %u\n", n);
    }
}

void test_main(void)
{
    static struct trap_info none[2];

    user_setup();
    trap_table_entry(0x80)->flags = 1; // the guest kernel may, its user mode may not
    CHECK_RC(hc_set_trap_table(trap_table), 0);
    try_all();
    CHECK_RC(hc_set_trap_table(NULL), 0);
    none[0] = *trap_table_entry(X86_GP);
    CHECK_RC(hc_set_trap_table(none), 0);
    for (unsigned int i = 0; i < 3; i++) {
        static const uint8_t code[] = {0xcd, 0x80};

        CHECK_EQ(user_run(code, sizeof(code), NULL)->frame.vector, X86_GP);
        CHECK_EQ(TRY("int $0x80", :)->frame.vector, X86_GP);
    }
    trap_table_entry(0x80)->flags = 3;
    CHECK_RC(hc_set_trap_table(trap_table), 0);
}
