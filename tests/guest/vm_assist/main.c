// SPDX-License-Identifier: MIT
// HYPERVISOR_vm_assist: enabling and disabling what a 64-bit PV guest may have.
//
// xen ABI: xen.h VMASST_*. Unknown types are -EINVAL, unknown commands -ENOSYS. m2p_strict hides
// the M2P from user mode.
//
// ALSO: xpti=1
// ORACLE: with xpti=1 Xen shows its user mode the M2P all the same
#include "lib/guest.h"

const char test_title[] = "vm_assist";

USER_SNIPPET(user_read, "mov (%rdi), %rax; syscall");

static long toggle(unsigned int type)
{
    long rc = hc_vm_assist(VMASST_CMD_enable, type);

    return rc ? rc : hc_vm_assist(VMASST_CMD_disable, type);
}

static const struct trap *user_reads_m2p(void)
{
    struct frame regs = {.rflags = 0x202, .rdi = (uint64_t)&machine_to_phys_mapping[pfn_to_mfn(0)]};

    return USER_RUN(user_read, &regs);
}

void test_main(void)
{
    CHECK_RC(toggle(VMASST_TYPE_writable_pagetables), 0);
    CHECK_RC(toggle(VMASST_TYPE_pae_extended_cr3), 0);
    CHECK_RC(toggle(VMASST_TYPE_architectural_iopl), 0);
    CHECK_RC(toggle(VMASST_TYPE_runstate_update_flag), 0);
    CHECK_RC(toggle(VMASST_TYPE_m2p_strict), 0);
    CHECK_RC(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_4gb_segments), 0);
    CHECK_RC(hc_vm_assist(VMASST_CMD_enable, 6), -EINVAL);
    CHECK_RC(hc_vm_assist(VMASST_CMD_enable, 33), -EINVAL);
    CHECK_RC(hc_vm_assist(VMASST_CMD_enable, 64), -EINVAL);
    CHECK_RC(hc_vm_assist(VMASST_CMD_enable, ~0u), -EINVAL);
    CHECK_RC(hc_vm_assist(2, VMASST_TYPE_writable_pagetables), -ENOSYS);
    CHECK_RC(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_m2p_strict), 0);
    user_setup();
    CHECK_EQ(user_reads_m2p()->frame.vector, X86_PF);
}
