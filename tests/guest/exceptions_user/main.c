// SPDX-License-Identifier: MIT
// Exceptions raised by user mode: vectors, error codes, frames, and that they reach the kernel's
// stack.
//
// xen ABI: struct trap_info: the flags' IF bit masks events in the handler for user traps too.
// Vectors and error codes are the processor's (SDM 3A chapter "Interrupt and Exception Handling").
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "exceptions from user mode";

USER_SNIPPET(user_de, "xor %edx, %edx; xor %ecx, %ecx; mov $1, %eax; div %ecx");
USER_SNIPPET(user_bp, "int3");
USER_SNIPPET(user_ud, "ud2");
USER_SNIPPET(user_gp, "mov $0x8000000000000000, %rax; mov (%rax), %rax");
USER_SNIPPET(user_sel, "mov $0x0abc, %eax; mov %eax, %fs");
USER_SNIPPET(user_ss, "mov $0x8000000000000000, %rsp; push %rax");
USER_SNIPPET(user_db, "pushf; orl $0x100, (%rsp); popf; nop; nop");
USER_SNIPPET(user_nm, "fninit; syscall");
USER_SNIPPET(user_fetch, "mov $0x500000, %eax; jmp *%rax");
USER_SNIPPET(user_hc, "mov $17, %eax; xor %edi, %edi; syscall; ud2");

static void expect(const struct trap *t, unsigned int vector, uint64_t error, uint64_t rip)
{
    CHECK_TRAP(t, vector, error);
    CHECK_EQ(t->frame.rip, rip);
    CHECK_EQ(t->frame.cs, FLAT_USER_CS);
    CHECK_EQ(t->frame.ss, FLAT_USER_SS);
    CHECK_EQ(t->frame.saved_mask, 0);
}

static void check_vectors(void)
{
    const struct trap *t;

    expect(USER_RUN(user_de, NULL), X86_DE, 0, USER_CODE + 9);
    expect(USER_RUN(user_bp, NULL), X86_BP, 0, USER_CODE + 1);
    expect(USER_RUN(user_ud, NULL), X86_UD, 0, USER_CODE);
    expect(USER_RUN(user_gp, NULL), X86_GP, 0, USER_CODE + 10);
    expect(USER_RUN(user_sel, NULL), X86_GP, 0x0abc, USER_CODE + 5);
    t = USER_RUN(user_ss, NULL); // #SS by the manual, #GP in QEMU 7.2
    CHECK(t->frame.vector == X86_SS || t->frame.vector == X86_GP);
    CHECK_EQ(t->frame.error, 0);
    CHECK_EQ(t->frame.rip, USER_CODE + 10);
    t = USER_RUN(user_db, NULL);
    CHECK_TRAP(t, X86_DB, 0);
    CHECK_EQ(t->frame.rflags & 0x100, 0x100);
    expect(USER_RUN(user_fetch, NULL), X86_PF, PFEC_P | PFEC_U | PFEC_I, USER_DATA);
}

static void check_nm(void)
{
    CHECK_RC(hc_fpu_taskswitch(1), 0);
    CHECK_TRAP(USER_RUN(user_nm, NULL), X86_NM, 0);
    CHECK_TRAP(USER_RUN(user_nm, NULL), VEC_SYSCALL, 0); // TS is clear now
}

static void check_mask(void)
{
    trap_table_entry(X86_UD)->flags |= 4;
    CHECK_RC(hc_set_trap_table(trap_table), 0);
    CHECK_EQ(USER_RUN(user_ud, NULL)->mask_in_handler, 1);
    trap_table_entry(X86_UD)->flags &= (uint8_t)~4;
    CHECK_RC(hc_set_trap_table(trap_table), 0);
    CHECK_EQ(USER_RUN(user_ud, NULL)->mask_in_handler, 0);
}

// User mode has no hypercalls: syscall goes to the kernel whatever rax says.
static void check_no_hypercall(void)
{
    const struct trap *t = USER_RUN(user_hc, NULL);

    CHECK_TRAP(t, VEC_SYSCALL, 0);
    CHECK_EQ(t->frame.rax, 17);
}

void test_main(void)
{
    user_setup();
    REQUIRE(
        map_page(user_l4, (void *)USER_DATA, mfn_pte(va_to_mfn(page_alloc()), PTE_RW | PTE_NX)));
    check_vectors();
    check_nm();
    check_mask();
    check_no_hypercall();
}
