// SPDX-License-Identifier: MIT
// Roots that are in use follow changes, also where the hypervisor isolates itself by running the
// guest on copies of them (xpti=).
//
// xen ABI: xen.h MMU_NORMAL_PT_UPDATE, MMUEXT_NEW_BASEPTR, MMUEXT_TLB_FLUSH_MULTI. Asserted: an
// entry that is written into the L4 this vCPU, another vCPU or the guest's user mode runs on is
// there at once, without a flush; one that is removed is gone after a flush; each root shows what
// is its own after a switch.
//
// HV: xpti=1
#include "lib/guest.h"

const char test_title[] = "copies of roots follow";

#define AREA      ((char *)0xffffc90000000000)
#define USER_AREA (1ul << 39) // L4 slot 1

USER_SNIPPET(user_read, "mov (%rdi), %rax; syscall");

static uint64_t *slot, entry; // the L4 entry of AREA
static volatile unsigned int up, asked, answered, faults;
static volatile uint64_t seen;

static void own_root(void)
{
    uint64_t value = 0;

    for (int i = 0; i < 20; i++) {
        CHECK_RC(pte_write(slot, 0), 0);
        CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
        CHECK_EQ(try_read(AREA, &value)->count, 1);
        CHECK_RC(pte_write(slot, entry), 0);
        CHECK_NO_TRAP(try_read(AREA, &value));
        CHECK_EQ(value, 0x77);
    }
}

// A second root that lacks AREA, and back.
static void switch_roots(void)
{
    uint64_t *l4 = page_alloc(), value = 0;

    memcpy(l4, kernel_l4(), PAGE_SIZE);
    memset(&l4[256], 0, 16 * 8);
    l4[slot - kernel_l4()] = 0;
    REQUIRE(page_protect(l4, PTE_RO) == 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4)), 0);
    for (int i = 0; i < 10; i++) {
        CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, va_to_mfn(l4)), 0);
        CHECK_EQ(try_read(AREA, &value)->count, 1);
        CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, va_to_mfn(kernel_l4())), 0);
        CHECK_NO_TRAP(try_read(AREA, &value));
    }
    // An entry for a root that is not in use, then in use.
    CHECK_RC(pte_write(&l4[slot - kernel_l4()], entry), 0);
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, va_to_mfn(l4)), 0);
    CHECK_NO_TRAP(try_read(AREA, &value));
    CHECK_RC(mmuext(MMUEXT_NEW_BASEPTR, va_to_mfn(kernel_l4())), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(l4)), 0);
    CHECK_RC(page_protect(l4, PTE_RW), 0);
}

static void user_root(void)
{
    struct frame regs = {.rflags = 0x202, .rdi = USER_AREA};
    uint64_t *user_slot, user_entry;

    user_setup();
    REQUIRE(map_page(user_l4, (void *)USER_AREA, pte_of(kernel_l4(), AREA, 1)[0]));
    user_slot = pte_of(user_l4, (void *)USER_AREA, 4);
    user_entry = *user_slot;
    for (int i = 0; i < 10; i++) {
        const struct trap *t = USER_RUN(user_read, &regs);

        CHECK_EQ(t->frame.vector, VEC_SYSCALL);
        CHECK_EQ(t->frame.rax, 0x77);
        CHECK_RC(pte_write(user_slot, 0), 0);
        CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
        CHECK_TRAP(USER_RUN(user_read, &regs), X86_PF, PFEC_U);
        CHECK_RC(pte_write(user_slot, user_entry), 0);
    }
}

static void secondary(void)
{
    up = 1;
    for (;;) {
        unsigned int n = asked;
        uint64_t value = 0;

        if (n == answered)
            continue;
        faults = try_read(AREA, &value)->count;
        seen = value;
        asm volatile("" : : : "memory");
        answered = n;
    }
}

static void ask(void)
{
    uint64_t end = system_time() + 5000000000;

    asked++;
    while (answered != asked && system_time() < end)
        asm volatile("pause");
    CHECK_EQ(answered, asked);
}

static void others_root(void)
{
    static uint64_t mask = 2; // vCPU 1

    CHECK_RC(smp_start(1, secondary), 0);
    CHECK(wait_for(&up, 5000000000));
    for (int i = 0; i < 50; i++) {
        ask();
        CHECK_EQ(faults, 0);
        CHECK_EQ(seen, 0x77);
        CHECK_RC(pte_write(slot, 0), 0);
        CHECK_RC(mmuext2(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&mask), 0);
        ask();
        CHECK_EQ(faults, 1);
        CHECK_RC(pte_write(slot, entry), 0);
    }
}

void test_main(void)
{
    uint64_t *data = page_alloc();

    *data = 0x77;
    REQUIRE(map_page(kernel_l4(), AREA, mfn_pte(va_to_mfn(data), PTE_RW)));
    slot = pte_of(kernel_l4(), AREA, 4);
    entry = *slot;
    own_root();
    switch_roots();
    user_root();
    if (vcpu_count() > 1)
        others_root();
}
