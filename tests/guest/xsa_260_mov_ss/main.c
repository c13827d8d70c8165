// SPDX-License-Identifier: MIT
// XSA-260, XSA-265 (CVE-2018-8897, CVE-2018-11806 class): #DB where the hypervisor does not expect
// one.
//
// Class: a data breakpoint hit by a load of SS is held back until after the next instruction: a
// syscall then takes the #DB in the hypervisor, on whatever stack. Breakpoints on memory that the
// hypervisor touches for the guest hit there as well. What must hold: the call's result is right
// and the hypervisor lives, whether or not the guest sees a #DB.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "breakpoints that hit in the hypervisor";

static uint16_t watched_ss = FLAT_KERNEL_SS;
static struct multicall_entry call[4];
static unsigned int debugs;

static bool count_db(struct frame *f)
{
    if (f->vector != X86_DB)
        return false;
    debugs++;
    f->rflags &= ~0x100ul;
    return true;
}

static void watch(int reg, const void *p)
{
    CHECK_RC(hc_set_debugreg(reg, (unsigned long)p), 0);
    CHECK_RC(hc_set_debugreg(7, 0x400 | 2ul << (2 * reg) | 3ul << (16 + 4 * reg)), 0);
}

static void check_mov_ss(void)
{
    long rc = __HYPERVISOR_xen_version;

    watch(0, &watched_ss);
    asm volatile("mov %1, %%ss\n syscall"
                 : "+a"(rc)
                 : "m"(watched_ss), "D"(XENVER_version), "S"(0)
                 : "rcx", "r11", "memory");
    CHECK_EQ(rc >> 16, 4);
    rc = 0;
    asm volatile("mov %0, %%ss\n int3" : : "m"(watched_ss));
}

static bool skip_bp(struct frame *f)
{
    return f->vector == X86_BP || count_db(f);
}

static void check_arguments(void)
{
    for (int i = 0; i < 4; i++)
        call[i] = (struct multicall_entry){.op = __HYPERVISOR_xen_version, .result = 0x99};
    watch(1, &call[1]);
    CHECK_RC(hc_multicall(call, 4), 0);
    watch(2, &call[2].result);
    CHECK_RC(hc_multicall(call, 4), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(call[i].result >> 16, 4);
}

// A #UD whose frame is pushed over a watched word of the stack.
static void check_frame(void)
{
    uint64_t sp;

    asm volatile("mov %%rsp, %0" : "=r"(sp));
    watch(3, (void *)((sp & ~15ul) - 48));
    CHECK_EQ(TRY("ud2", :)->frame.vector, X86_UD);
    // Single steps through hypercalls.
    asm volatile("pushf; orl $0x100, (%%rsp); popf\n"
                 "mov %0, %%eax; xor %%edi, %%edi; syscall; nop\n"
                 :
                 : "i"(__HYPERVISOR_xen_version)
                 : "rax", "rdi", "rcx", "r11", "memory", "cc");
}

void test_main(void)
{
    user_setup();
    trap_hook = skip_bp;
    check_mov_ss();
    check_arguments();
    check_frame();
    CHECK_RC(hc_set_debugreg(7, 0x400), 0);
    CHECK(debugs > 0); // the single steps at least
    CHECK_EQ(hc_xen_version(XENVER_version, NULL) >> 16, 4);
}
