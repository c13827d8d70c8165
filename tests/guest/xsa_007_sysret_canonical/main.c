// SPDX-License-Identifier: MIT
// XSA-7 (CVE-2012-0217): sysret to an address that is not canonical.
//
// Class: on Intel's processors sysret checks the address while still in ring 0, so that the #GP is
// taken with the guest's stack pointer. A guest reaches it with a syscall in the last two bytes
// below the hole, or by asking for such an address in an iret frame. What must hold: the fault is
// the guest's, at that address, in its own handler.
#include "lib/guest.h"

const char test_title[] = "no sysret to a non-canonical address";

#define HOLE      (1ul << 47)
#define LAST_PAGE (HOLE - PAGE_SIZE)

static unsigned int faults;
static uint64_t fault_rip;

static bool catch_hole(struct frame *f)
{
    if (this_cpu()->in_user || (f->vector != X86_GP && f->vector != X86_PF) || f->rip != HOLE)
        return false;
    faults++;
    fault_rip = f->rip;
    f->rip = *(uint64_t *)f->rsp;
    f->rsp += 8;
    return true;
}

static void put_syscall(uint8_t *page)
{
    page[PAGE_SIZE - 2] = 0x0f;
    page[PAGE_SIZE - 1] = 0x05;
}

// A hypercall by a syscall whose next instruction lies in the hole.
static void check_kernel(void)
{
    long rc = __HYPERVISOR_xen_version;
    register uint64_t r10 asm("r10") = 0;

    asm volatile("call *%[entry]"
                 : "+a"(rc), "+r"(r10)
                 : [entry] "r"(HOLE - 2), "D"(XENVER_version), "S"(0), "d"(0)
                 : "rcx", "r11", "memory");
    CHECK_EQ(faults, 1);
    CHECK_EQ(fault_rip, HOLE);
    CHECK_EQ(rc >> 16, 4);
}

static void check_user(void)
{
    struct iret_context ctx = {.rip = HOLE - 2,
                               .cs = FLAT_USER_CS,
                               .rflags = 0x202,
                               .rsp = USER_STACK,
                               .ss = FLAT_USER_SS};
    const struct trap *t = user_iret(&ctx);

    CHECK_TRAP(t, VEC_SYSCALL, 0);
    CHECK_EQ(t->frame.rip, HOLE);
    for (unsigned int in_syscall = 0; in_syscall < 2; in_syscall++) {
        ctx.flags = in_syscall ? VGCF_in_syscall : 0;
        ctx.rip = HOLE + 0x1000;
        t = user_iret(&ctx);
        CHECK_EQ(t->count, 1);
        CHECK(t->frame.vector == X86_GP || t->frame.vector == X86_PF);
        CHECK_EQ(t->frame.rip, HOLE + 0x1000);
        CHECK_EQ(t->frame.cs & 3, 3);
    }
}

void test_main(void)
{
    uint8_t *page = page_alloc();

    user_setup();
    put_syscall(page);
    REQUIRE(map_page(kernel_l4(), (void *)LAST_PAGE, mfn_pte(va_to_mfn(page), PTE_RO)));
    REQUIRE(map_page(user_l4, (void *)LAST_PAGE, mfn_pte(va_to_mfn(page), PTE_RO)));
    trap_hook = catch_hole;
    check_kernel();
    check_user();
    CHECK(hc_set_trap_table(&(struct trap_info){.vector = 3, .address = HOLE}) != 0 ||
          hc_set_trap_table(trap_table) == 0);
    CHECK(register_callback(CALLBACKTYPE_syscall, 0, (void *)HOLE) < 0);
    CHECK(register_callback(CALLBACKTYPE_event, 0, (void *)HOLE) < 0);
    CHECK(register_callback(CALLBACKTYPE_failsafe, 0, (void *)HOLE) < 0);
}
