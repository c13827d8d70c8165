// SPDX-License-Identifier: MIT
// HYPERVISOR_stack_switch: the stack of entries from user mode.
//
// xen ABI: arch-x86/xen.h HYPERVISOR_stack_switch(ss, esp). It has no effect on kernel-mode traps,
// which stay on the current stack; the bounce frame starts at the 16-byte aligned top.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "stack_switch";

USER_SNIPPET(user_syscall, "syscall");

static uint64_t handler_sp;

static bool note_stack(struct frame *f)
{
    handler_sp = (uint64_t)(f + 1);
    return false;
}

void test_main(void)
{
    uint64_t base = (uint64_t)this_cpu();

    user_setup();
    trap_hook = note_stack;
    for (uint64_t off = 0; off <= 64; off += 16) {
        uint64_t top = base + CPU_ENTRY_SP - off;

        CHECK_RC(hc_stack_switch(FLAT_KERNEL_SS, top), 0);
        CHECK_TRAP(USER_RUN(user_syscall, NULL), VEC_SYSCALL, 0);
        CHECK_EQ(handler_sp, top);
        CHECK_TRAP(TRY("ud2"), X86_UD, 0);
        CHECK(handler_sp > base + CPU_ENTRY_SP); // the main stack is in the upper half
    }
    CHECK_RC(hc_stack_switch(FLAT_KERNEL_SS, base + CPU_ENTRY_SP - 8), 0);
    CHECK_TRAP(USER_RUN(user_syscall, NULL), VEC_SYSCALL, 0);
    CHECK_EQ(handler_sp & 15, 0); // aligned down, as hardware does in 64-bit mode
    CHECK_EQ(handler_sp, base + CPU_ENTRY_SP - 16);
}
