// SPDX-License-Identifier: MIT
// Trap table, the dispatcher behind every entry, and the exception table that lets a test execute
// an instruction that faults.
#include "lib/internal.h"

_Alignas(CPU_BLOCK_SIZE) char cpu_blocks[CPU_MAX][CPU_BLOCK_SIZE];

struct ex_entry {
    uint64_t insn, resume;
};
extern const struct ex_entry ex_table_start[], ex_table_end[];

bool (*trap_hook)(struct frame *frame);

struct trap_info trap_table[40];
const unsigned int trap_table_size = 33;

struct trap_info *trap_table_entry(unsigned int vector)
{
    for (unsigned int i = 0; i < trap_table_size; i++) {
        if (trap_table[i].vector == vector)
            return &trap_table[i];
    }
    return NULL;
}

static void fill_entry(struct trap_info *ti, unsigned int vector, unsigned int dpl)
{
    ti->vector = (uint8_t)vector;
    ti->flags = (uint8_t)dpl;
    ti->cs = FLAT_KERNEL_CS;
    ti->address = trap_stubs[vector];
}

long register_callback(unsigned int type, unsigned int flags, const void *address)
{
    struct callback_register cb = {
        .type = (uint16_t)type, .flags = (uint16_t)flags, .address = (unsigned long)address};

    return hc_callback_op(CALLBACKOP_register, &cb);
}

void trap_init(void)
{
    for (unsigned int v = 0; v < 32; v++)
        fill_entry(&trap_table[v], v, (v == X86_BP || v == X86_OF) ? 3 : 0);
    fill_entry(&trap_table[32], 0x80, 3);
    REQUIRE(hc_set_trap_table(trap_table) == 0);
    REQUIRE(register_callback(CALLBACKTYPE_event, 0, event_entry) == 0);
    REQUIRE(register_callback(CALLBACKTYPE_failsafe, 0, failsafe_entry) == 0);
}

static void record(struct trap *t, const struct frame *f)
{
    t->count++;
    t->frame = *f;
    t->cr2 = vcpu_info()->arch.cr2;
    t->mask_in_handler = vcpu_info()->evtchn_upcall_mask;
}

static bool fix_up(struct frame *f)
{
    for (const struct ex_entry *e = ex_table_start; e < ex_table_end; e++) {
        if (f->rip >= e->insn && f->rip <= e->resume) {
            record(&this_cpu()->trap, f);
            f->rip = e->resume;
            return true;
        }
    }
    return false;
}

_Noreturn static void unexpected(const struct frame *f)
{
    printk("FAIL vcpu%u: unexpected entry %lu error %lx rip %lx cs %x mask %x rflags %lx rsp %lx "
           "ss %lx cr2 %lx\n",
           this_cpu()->id, f->vector, f->error, f->rip, f->cs, f->saved_mask, f->rflags, f->rsp,
           f->ss, vcpu_info()->arch.cr2);
    printk("  rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx\n", f->rax, f->rbx, f->rcx,
           f->rdx, f->rsi, f->rdi, f->rbp);
    check_report(false, __FILE__, __LINE__, "no unexpected trap", (long)f->vector, -1);
    test_finish();
}

static void leave_user(const struct frame *f)
{
    this_cpu()->in_user = false;
    this_cpu()->user_exit.count = 0;
    record(&this_cpu()->user_exit, f);
    vcpu_info()->evtchn_upcall_mask = 1;
    user_leave();
}

void failsafe_record(const uint64_t selectors[4])
{
    struct trap *t = &this_cpu()->user_exit;

    t->ds = (uint16_t)selectors[0];
    t->es = (uint16_t)selectors[1];
    t->fs = (uint16_t)selectors[2];
    t->gs = (uint16_t)selectors[3];
}

void trap_dispatch(struct frame *f)
{
    if (trap_hook && trap_hook(f))
        return;
    if (f->vector == VEC_EVENT) {
        event_upcall();
        return;
    }
    if (this_cpu()->in_user)
        leave_user(f);
    if (fix_up(f))
        return;
    unexpected(f);
}

const struct trap *try_read(const void *va, uint64_t *value)
{
    uint64_t v = 0;
    const struct trap *t = TRY("mov (%1), %0", : "+r"(v) : "r"(va) : "memory");

    if (value)
        *value = v;
    return t;
}

const struct trap *try_write(void *va, uint64_t value)
{
    return TRY("mov %1, (%0)", : : "r"(va), "r"(value) : "memory");
}

// A fault on the fetch at va has rip == va, which no table knows: the hook returns for us.
static const void *exec_va;

static bool exec_hook(struct frame *f)
{
    if (f->rip != (uint64_t)exec_va || this_cpu()->in_user)
        return false;
    record(&this_cpu()->trap, f);
    f->rip = *(uint64_t *)f->rsp;
    f->rsp += 8;
    return true;
}

const struct trap *try_exec(const void *va)
{
    bool (*saved)(struct frame *) = trap_hook;

    exec_va = va;
    trap_hook = exec_hook;
    this_cpu()->trap.count = 0;
    asm volatile("call *%0" : : "r"(va) : "memory", "rax", "rcx", "r11");
    trap_hook = saved;
    return &this_cpu()->trap;
}
