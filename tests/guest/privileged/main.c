// SPDX-License-Identifier: MIT
// Privileged instructions of the guest kernel: emulated or #GP, never more.
//
// xen ABI: PV kernels run at ring 3. Asserted: control registers read as a native kernel expects
// them, CR4 and CR0 changes that would matter are refused or ignored, descriptor-table and cache
// instructions fault or are emulated, user mode gets #GP for all.
#include "lib/guest.h"

const char test_title[] = "privileged instructions";

USER_SNIPPET(user_cr0, "mov %cr0, %rax; syscall");
USER_SNIPPET(user_hlt, "hlt; syscall");
USER_SNIPPET(user_cli, "cli; syscall");
USER_SNIPPET(user_lgdt, "lgdt (%rsp); syscall");

static void check_control(void)
{
    uint64_t v = 0;

    CHECK_NO_TRAP(TRY("mov %%cr0, %0", : "+r"(v)));
    CHECK_EQ(v & 0x80000001, 0x80000001); // PG, PE
    CHECK_NO_TRAP(TRY("mov %%cr4, %0", : "+r"(v)));
    CHECK_EQ(v & 0x20, 0x20);                                  // PAE
    CHECK_EQ(v & 0x2000, 0);                                   // VMXE
    CHECK_TRAP(TRY("mov %0, %%cr0", : : "r"(0ul)), X86_GP, 0); // no paging, no PE
    CHECK_NO_TRAP(TRY("mov %%cr2, %0", : "+r"(v)));
    CHECK_NO_TRAP(TRY("mov %0, %%cr2", : : "r"(0x1234ul)));
    CHECK_EQ(vcpu_info()->arch.cr2, 0x1234);
    CHECK_NO_TRAP(TRY("mov %%cr2, %0", : "+r"(v)));
    CHECK_EQ(v, 0x1234);
    CHECK_TRAP(TRY("mov %0, %%cr3", : : "r"(0xfffffffful << 12)), X86_GP, 0);
    CHECK_TRAP(TRY("mov %0, %%cr8", : : "r"(0ul)), X86_GP, 0);
}

static void check_tables(void)
{
    static uint64_t desc[2];

    CHECK_TRAP(TRY("lgdt %0", : : "m"(desc)), X86_GP, 0);
    CHECK_TRAP(TRY("lidt %0", : : "m"(desc)), X86_GP, 0);
    CHECK_TRAP(TRY("ltr %w0", : : "r"(0)), X86_GP, 0);
    CHECK_TRAP(TRY("lldt %w0", : : "r"(0)), X86_GP, 0);
    CHECK_TRAP(TRY("invlpg (%0)", : : "r"(desc)), X86_GP, 0);
    CHECK_TRAP(TRY("swapgs"), X86_GP, 0);
    CHECK_TRAP(TRY("sysretq"), X86_GP, 0);
    CHECK_NO_TRAP(TRY("wbinvd"));
    CHECK_EQ(TRY("cli")->count, 1); // IOPL 0
    CHECK_EQ(TRY("sti")->count, 1);
}

static void check_user(void)
{
    user_setup();
    CHECK_TRAP(USER_RUN(user_cr0, NULL), X86_GP, 0);
    CHECK_TRAP(USER_RUN(user_hlt, NULL), X86_GP, 0);
    CHECK_TRAP(USER_RUN(user_cli, NULL), X86_GP, 0);
    CHECK_TRAP(USER_RUN(user_lgdt, NULL), X86_GP, 0);
}

void test_main(void)
{
    check_control();
    check_tables();
    check_user();
}
