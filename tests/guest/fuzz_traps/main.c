// SPDX-License-Identifier: MIT
// Random iret frames, selectors, flags, stacks, trap tables and descriptors, and what comes of
// them.
//
// Class: XSA-8, XSA-44, XSA-339 and their kin: a return to the guest that the processor refuses, or
// flags (NT, TF, AC, RF, IOPL) that follow into the hypervisor. What must hold: whatever user mode
// is entered with, it comes back to the guest kernel by a trap or a syscall; the handler runs
// without the dangerous flags; the hypervisor lives. The seed is printed; "seed=N" repeats it.
//
// ALSO: xpti=1
#include "lib/random.h"

const char test_title[] = "random returns to user mode come back";

#define ROUNDS  6000
#define TIME_NS 6000000000ul

static uint64_t *gdt, entries;
static unsigned int by_vector[300];

static uint64_t selector(uint64_t usual)
{
    switch (pick(6)) {
    case 0:
        return pick(0x10000);
    case 1:
        return pick(600) << 3 | pick(8); // ours, and a little more
    case 2:
        return 0xe000 + pick(0x1ff); // the hypervisor's
    default:
        return usual;
    }
}

static uint64_t address(uint64_t usual)
{
    switch (pick(10)) {
    case 0:
        return rnd();
    case 1:
        return (1ul << 47) - 2 + pick(4);
    case 2:
        return HYPERVISOR_VIRT_START + pick(1ul << 46);
    case 3:
        return (uint64_t)test_main;
    default:
        return usual;
    }
}

static uint64_t descriptor(void)
{
    return pick(4) ? 0x00a0fa000000ffff ^ 1ul << (40 + pick(16)) : rnd();
}

static void new_descriptor(void)
{
    uint64_t maddr = (va_to_mfn(gdt) << 12) + pick(512) * 8;

    HC2(__HYPERVISOR_update_descriptor, maddr, descriptor());
    if (pick(16) == 0) {
        xen_pfn_t frame = va_to_mfn(gdt);

        entries = 1 + pick(512);
        CHECK_RC(hc_set_gdt(&frame, (unsigned int)entries), 0);
    }
    if (pick(16) == 0)
        mmuext2(MMUEXT_SET_LDT, pick(2) ? (uint64_t)gdt : pick(2) ? 0x700000 : 0, pick(600));
}

static void one_iret(void)
{
    struct iret_context ctx = {
        .rip = address(USER_CODE + PAGE_SIZE / 2 + pick(16)), // zeros to the page's end
        .cs = selector(FLAT_USER_CS) | 3,
        .rflags = pick(2) ? 0x202 : rnd() & ~0x100ul,
        .rsp = address(USER_STACK),
        .ss = selector(FLAT_USER_SS),
        .rax = rnd(),
        .rcx = rnd(),
        .flags = pick(2) ? VGCF_in_syscall : 0,
    };
    const struct trap *t = user_iret(&ctx);

    by_vector[t->frame.vector < 300 ? t->frame.vector : 299]++;
    if (!CHECK_EQ(t->count, 1) || !CHECK_EQ(read_flags() & 0x44500, 0))
        printk("rip %lx cs %lx rflags %lx rsp %lx ss %lx\n", ctx.rip, ctx.cs, ctx.rflags, ctx.rsp,
               ctx.ss);
}

// User code that loads selectors and flags, then makes a call.
static void one_user(void)
{
    static const uint8_t tail[][4] = {{0x0f, 0x05}, {0x0f, 0x34}, {0xcd, 0x80}, {0x0f, 0x0b},
                                      {0xf4},       {0xcc},       {0xf1},       {0x9b, 0x0f, 0x0b},
                                      {0xfa},       {0xcf}};
    uint8_t code[32] = {0x66, 0xb8, 0, 0};
    unsigned int n = 4;
    uint64_t sel = selector(0);

    memcpy(&code[2], &sel, 2);
    if (pick(2)) { // mov to a segment register
        static const uint8_t reg[] = {0xd8, 0xc0, 0xe0, 0xe8, 0xd0};

        code[n++] = 0x8e;
        code[n++] = reg[pick(5)];
    }
    if (pick(2)) { // push imm32; popf
        uint32_t flags = (uint32_t)rnd() & ~0x100u;

        code[n++] = 0x68;
        memcpy(&code[n], &flags, 4);
        n += 4;
        code[n++] = 0x9d;
    }
    memcpy(&code[n], tail[pick(ARRAY_SIZE(tail))], 4);
    n += 4;
    code[n++] = 0x0f;
    code[n++] = 0x0b;
    CHECK_EQ(user_run(code, n, NULL)->count, 1);
    by_vector[this_cpu()->user_exit.frame.vector % 300]++;
    CHECK_EQ(read_flags() & 0x44500, 0);
}

void test_main(void)
{
    uint64_t end = system_time() + TIME_NS;
    unsigned int rounds;

    random_seed();
    user_setup();
    gdt = page_alloc();
    REQUIRE(page_protect(gdt, PTE_RO) == 0);
    REQUIRE(hc_set_gdt(&(xen_pfn_t){va_to_mfn(gdt)}, 512) == 0);
    for (rounds = 0; rounds < ROUNDS && system_time() < end; rounds++) {
        if (pick(4) == 0)
            new_descriptor();
        if (pick(2))
            one_iret();
        else
            one_user();
    }
    for (unsigned int i = 0; i < 300; i++)
        if (by_vector[i])
            printk("%u:%u ", i, by_vector[i]);
    printk("in %u rounds\n", rounds);
    CHECK(by_vector[X86_GP] > 0 && by_vector[X86_PF] > 0 && by_vector[VEC_SYSCALL] > 0);
    CHECK_RC(hc_set_gdt(NULL, 0), 0);
}
