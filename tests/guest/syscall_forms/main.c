// SPDX-License-Identifier: MIT
// syscall from user mode: both return forms of iret, events masked or not, flags.
//
// xen ABI: arch-x86/xen-x86_64.h VGCF_in_syscall: with it rax, rip, rflags and rsp are restored and
// rcx and r11 are those of the sysret (rip and rflags); without it all are. A pending event goes in
// before user mode is reached.
#include "lib/guest.h"

const char test_title[] = "returning to user mode, both ways";

USER_SNIPPET(user_keep, "mov %rcx, %rbx; mov %r11, %rbp; mov $1, %edi; syscall");
USER_SNIPPET(user_spin, "1: pause; jmp 1b");

static const struct trap *enter(uint64_t flags, uint64_t rflags)
{
    struct iret_context ctx = {.rax = 0x11,
                               .r11 = 0x2222,
                               .rcx = 0x3333,
                               .flags = flags,
                               .rip = USER_CODE,
                               .cs = FLAT_USER_CS,
                               .rflags = rflags,
                               .rsp = USER_STACK - 64,
                               .ss = FLAT_USER_SS};

    return user_iret(&ctx);
}

static void check_forms(void)
{
    const struct trap *t;

    USER_RUN(user_keep, NULL); // puts the code there
    t = enter(0, 0x246);
    CHECK_TRAP(t, VEC_SYSCALL, 0);
    CHECK_EQ(t->frame.rbx, 0x3333);
    CHECK_EQ(t->frame.rbp, 0x2222);
    CHECK_EQ(t->frame.rax, 0x11);
    CHECK_EQ(t->frame.rsp, USER_STACK - 64);
    CHECK_EQ(t->frame.rflags & 0x246, 0x246);
    t = enter(VGCF_in_syscall, 0x247);
    CHECK_TRAP(t, VEC_SYSCALL, 0);
    CHECK_EQ(t->frame.rax, 0x11);
    CHECK_EQ(t->frame.rsp, USER_STACK - 64);
    CHECK_EQ(t->frame.rflags & 0x247, 0x247);
    CHECK_EQ(t->frame.rdi, 1);
    CHECK_EQ(t->frame.rflags & 0x3000, 0);
}

// The timer's event comes in while user mode spins. The periodic timer, which the oracle starts by
// itself, would bring a second one: between the fault and the end of the test's hook.
static bool leave_on_event(struct frame *f)
{
    if (f->vector == VEC_EVENT && this_cpu()->in_user) {
        CHECK_EQ(f->cs, FLAT_USER_CS);
        CHECK_EQ(f->saved_mask, 0);
        CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1);
        CHECK(f->rip >= USER_CODE && f->rip < USER_CODE + 8);
        f->rip = 0x1000; // a fault is the way back to the test
    }
    return false;
}

static void check_event(void)
{
    evtchn_port_t timer;
    const struct trap *t;

    CHECK_RC(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    REQUIRE(bind_virq(VIRQ_TIMER, 0, &timer) == 0);
    port_unmask(timer);
    trap_hook = leave_on_event;
    CHECK_RC(hc_set_timer_op(system_time() + 5000000), 0);
    t = USER_RUN(user_spin, NULL);
    CHECK_TRAP(t, X86_PF, PFEC_U | PFEC_I);
    CHECK_EQ(t->cr2, 0x1000);
    CHECK_EQ(event_count[timer], 1);
}

void test_main(void)
{
    user_setup();
    check_forms();
    check_event();
}
