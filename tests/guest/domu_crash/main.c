// SPDX-License-Identifier: MIT
// Ways in which a domU brings itself down: dom0 is told of a crash, goes on, and gets all its
// frames.
//
// xen ABI: sched.h SHUTDOWN_crash; xen.h set_trap_table, callback_op, iret: a domain that cannot
// take its exception is crashed.
//
#include "lib/domu.h"

const char test_title[] = "crashing domUs";

static void no_handlers(void)
{
    hc_set_trap_table(NULL);
    asm volatile("ud2");
}

static void bad_stack(void)
{
    asm volatile("mov $0x1000, %rsp; ud2");
}

static void stack_in_hypervisor(void)
{
    asm volatile("mov %0, %%rsp; ud2" : : "r"(HYPERVISOR_VIRT_START + 0x1000));
}

static void stack_not_canonical(void)
{
    asm volatile("mov %0, %%rsp; ud2" : : "r"(0x800000000000ul));
}

static void bad_iret(void)
{
    asm volatile("mov $0x1000, %rsp; jmp hypercall_page + 23 * 32");
}

static void handler_not_mapped(void)
{
    for (unsigned int i = 0; i < 32; i++)
        trap_table[i].address = 0x1000;
    hc_set_trap_table(trap_table);
    asm volatile("ud2");
}

static void no_text(void)
{
    hc_set_trap_table(NULL);
    hc_update_va_mapping((void *)((uint64_t)no_text & PAGE_MASK), 0, UVMF_INVLPG | UVMF_ALL);
    for (;;)
        asm volatile("pause");
}

// An address space with nothing in it.
static void empty_root(void)
{
    uint64_t *l4 = table_alloc();

    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4)), 0);
    mmuext(MMUEXT_NEW_BASEPTR, va_to_mfn(l4));
}

static void no_failsafe(void)
{
    struct callback_unregister u = {.type = CALLBACKTYPE_failsafe};

    hc_callback_op(CALLBACKOP_unregister, &u);
    register_callback(CALLBACKTYPE_failsafe, 0, (void *)0x1000);
    hc_set_trap_table(NULL);
    asm volatile("mov %0, %%ds; ud2" : : "r"(0x7b));
}

static void says_so(void)
{
    struct sched_shutdown s = {.reason = SHUTDOWN_crash};

    hc_sched_op(SCHEDOP_shutdown, &s);
}

static void second_spins(void)
{
    for (;;)
        asm volatile("pause");
}

static void crash_with_others(void)
{
    CHECK_RC(smp_start(1, second_spins), 0);
    CHECK_RC(smp_start(2, second_spins), 0);
    no_handlers();
}

void test_main(void)
{
    static void (*const ways[])(void) = {
        no_handlers,        bad_stack, stack_in_hypervisor, stack_not_canonical, bad_iret,
        handler_not_mapped, no_text,   empty_root,          no_failsafe,         says_so};
    struct domu *d;
    uint64_t before;

    CHECK_EQ(domu_run(no_handlers), SHUTDOWN_crash);
    before = free_pages_settled();
    for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
        printk("way %u\n", i);
        CHECK_EQ(domu_run(ways[i]), SHUTDOWN_crash);
    }
    d = domu_create_with(&(struct domu_config){.main = crash_with_others, .vcpus = 3});
    port_clear(dom_exc_port);
    CHECK_RC(domu_unpause(d), 0);
    CHECK_EQ(domu_wait(d), SHUTDOWN_crash);
    CHECK(port_wait(dom_exc_port, SECOND));
    uint64_t t = 0, now = domain_info(d->id)->cpu_time;
    for (unsigned int i = 0; i < 50 && t != now; i++) { // on the oracle one may still be leaving
        t = now;
        for (unsigned int n = 0; n < 10; n++)
            dom0_rest(0);
        now = domain_info(d->id)->cpu_time;
    }
    CHECK_EQ(now, t); // its other vCPUs stand still, too
    CHECK_RC(domu_destroy(d), 0);
    CHECK(REST_UNTIL(free_pages() + 8 >= before, 5 * SECOND)); // the oracle's small allocations
}
