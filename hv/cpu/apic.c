// SPDX-License-Identifier: MIT
// The local APIC (cpu/apic.h).
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/time.h"
#include "cpu/x86.h"
#include "lib/printk.h"
#include "mm/map.h"

enum reg { // offsets in the xAPIC page; x2APIC MSRs are 0x800 + offset / 16
    REG_ID = 0x20,
    REG_TPR = 0x80,
    REG_EOI = 0xb0,
    REG_SPURIOUS = 0xf0,
    REG_ICR = 0x300,
    REG_ICR_HIGH = 0x310,
    REG_LVT_TIMER = 0x320,
    REG_LVT_PERF = 0x340,
    REG_LVT_LINT0 = 0x350,
    REG_LVT_LINT1 = 0x360,
    REG_LVT_ERROR = 0x370,
    REG_TIMER_INIT = 0x380,
    REG_TIMER_COUNT = 0x390,
    REG_TIMER_DIVIDE = 0x3e0,
};
enum {
    LVT_MASKED = 1 << 16,
    LVT_NMI = 4 << 8,
    ICR_INIT = 5 << 8,
    ICR_STARTUP = 6 << 8,
    ICR_NMI = 4 << 8,
    ICR_PENDING = 1 << 12,
    ICR_ASSERT = 1 << 14,
    SPURIOUS_ENABLE = 1 << 8,
    DIVIDE_BY_1 = 0xb,
};

static volatile u32 *page; // NULL: x2APIC
static u64 ticks_per_second;

static u32 read(enum reg r)
{
    return page ? page[r / 4] : (u32)rdmsr(MSR_X2APIC + r / 16);
}

static void write(enum reg r, u32 v)
{
    if (page)
        page[r / 4] = v;
    else
        wrmsr(MSR_X2APIC + r / 16, v);
}

void apic_init(maddr_t base, bool allow_x2apic)
{
    bool on = rdmsr(MSR_APIC_BASE) >> 10 & 1;
    if (cpu_features.x2apic && (allow_x2apic || on))
        return;
    page = ioremap(base, PAGE_SIZE, false);
    if (!page)
        panic("no memory to map the local APIC");
}

bool apic_is_x2apic(void)
{
    return !page;
}

void apic_setup(void)
{
    u64 base = rdmsr(MSR_APIC_BASE) | 1 << 11;
    wrmsr(MSR_APIC_BASE, page ? base : base | 1 << 10);
    write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    write(REG_TPR, 0);
    write(REG_LVT_LINT0, LVT_MASKED);
    write(REG_LVT_LINT1, LVT_NMI);
    write(REG_LVT_PERF, LVT_MASKED);
    write(REG_LVT_ERROR, VECTOR_ERROR);
    write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
    write(REG_LVT_TIMER, VECTOR_TIMER);
}

u32 apic_id(void)
{
    return page ? read(REG_ID) >> 24 : read(REG_ID);
}

void apic_eoi(void)
{
    write(REG_EOI, 0);
}

static void send(u32 id, u32 command)
{
    if (!page) {
        wrmsr(MSR_X2APIC + REG_ICR / 16, (u64)id << 32 | command);
        return;
    }
    while (read(REG_ICR) & ICR_PENDING)
        cpu_pause();
    write(REG_ICR_HIGH, id << 24);
    write(REG_ICR, command);
}

void apic_send_ipi(u32 id, u8 vector)
{
    send(id, ICR_ASSERT | vector);
}

void apic_send_nmi(u32 id)
{
    send(id, ICR_ASSERT | ICR_NMI);
}

void apic_start_cpu(u32 id, u32 start_page)
{
    send(id, ICR_ASSERT | ICR_INIT);
    time_delay(10000);
    for (u32 i = 0; i < 2; i++) {
        send(id, ICR_ASSERT | ICR_STARTUP | start_page);
        time_delay(200);
    }
}

void apic_timer_calibrate(void)
{
    write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    write(REG_TIMER_INIT, ~0u);
    u64 start = time_now();
    u32 first = read(REG_TIMER_COUNT);
    time_delay(2000);
    u32 last = read(REG_TIMER_COUNT);
    u64 ns = time_now() - start;
    write(REG_TIMER_INIT, 0);
    write(REG_LVT_TIMER, VECTOR_TIMER);
    ticks_per_second = (u64)(first - last) * 1000000000 / ns;
    printk(LOG_INFO, "APIC timer: %lu kHz, %s", ticks_per_second / 1000, page ? "xAPIC" : "x2APIC");
}

void apic_timer_set(u64 when)
{
    u64 now = time_now();
    u64 ns = when > now ? MIN(when - now, (u64)1000000000) : 0;
    u64 ticks = ns * ticks_per_second / 1000000000 + 1;
    write(REG_TIMER_INIT, (u32)MIN(ticks, (u64)0xffffffff));
}
