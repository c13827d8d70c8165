// SPDX-License-Identifier: MIT
// HYPERVISOR_set_trap_table: errors and what a table replaces.
//
// xen ABI: xen.h "Send an array of these to HYPERVISOR_set_trap_table(). Terminate the array with a
// sentinel entry, with traps[].address==0". Entries not named keep what they had; a null pointer
// takes the whole table away; non-canonical handlers are refused with -EINVAL, unreadable tables
// with -EFAULT.
#include "lib/guest.h"

const char test_title[] = "set_trap_table";

void test_main(void)
{
    struct trap_info one[2] = {{.vector = X86_UD, .cs = FLAT_KERNEL_CS, .address = trap_stubs[40]}};

    CHECK_TRAP(TRY("ud2"), X86_UD, 0);
    CHECK_RC(hc_set_trap_table(one), 0);
    CHECK_TRAP(TRY("ud2"), 40, 0);      // the stub of another vector
    CHECK_TRAP(TRY("int3"), X86_BP, 0); // not named: kept
    one[0].address = 0x8000000000000000;
    CHECK_RC(hc_set_trap_table(one), -EINVAL);
    CHECK_TRAP(TRY("ud2"), 40, 0);
    CHECK_RC(hc_set_trap_table((void *)0x10), -EFAULT);
    CHECK_RC(hc_set_trap_table((void *)HYPERVISOR_VIRT_START), -EFAULT);
    CHECK_TRAP(TRY("ud2"), 40, 0);
    // The selector's privilege bits are made the guest's.
    one[0].address = trap_stubs[X86_UD];
    one[0].cs = FLAT_KERNEL_CS & ~3;
    CHECK_RC(hc_set_trap_table(one), 0);
    CHECK_TRAP(TRY("ud2"), X86_UD, 0);
    CHECK_RC(hc_set_trap_table(NULL), 0);
    CHECK_RC(hc_set_trap_table(trap_table), 0);
    CHECK_TRAP(TRY("ud2"), X86_UD, 0);
}
