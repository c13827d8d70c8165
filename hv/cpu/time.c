// SPDX-License-Identifier: MIT
// Time (cpu/time.h, docs/time.md).
#include "cpu/time.h"
#include "boot/acpi.h"
#include "boot/globals.h"
#include "cpu/io.h"
#include "cpu/percpu.h"
#include "cpu/x86.h"
#include "lib/math.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/map.h"

enum { CALIBRATE_US = 10000, CALIBRATE_TRIES = 8, PIT_HZ = 1193182, PM_HZ = 3579545 };

static u64 tsc_hz = 1000000000;
static struct time_scale scale = {0, 0x80000000, 1};
static u64 wallclock;      // [a]
static s64 skew[CPUS_MAX]; // [i] once the CPU is online: how far its TSC is ahead of CPU 0's
static bool skewed;        // one of them is not 0; [i] once all CPUs are online
static bool distrusted;    // tsc= says that guests had better not rely on it
static u64 latest;         // [a] if skewed: the latest time that anybody was told

struct clock {
    const char *name;
    u64 hz;
    u32 mask;
    u32 (*read)(void);
};

static volatile u32 *hpet;
static u16 pm_port;

static u32 read_hpet(void)
{
    return hpet[0xf0 / 4];
}

static u32 read_pm(void)
{
    return inl(pm_port);
}

// PIT channel 2, counting down; shown counting up.
static u32 read_pit(void)
{
    outb(0x43, 0x80);
    u32 lo = inb(0x42);
    return 0xffff - (lo | (u32)inb(0x42) << 8);
}

static bool start_hpet(const struct acpi_info *tables, struct clock *c)
{
    if (!tables->hpet.v || !(hpet = ioremap(tables->hpet, 0x400, false)))
        return false;
    u32 period = hpet[1]; // femtoseconds a tick
    if (period == 0 || period > 100000000)
        return false;
    hpet[0x10 / 4] |= 1; // run
    *c = (struct clock){"HPET", 1000000000000000 / period, ~0u, read_hpet};
    return true;
}

static bool start_pm(const struct acpi_info *tables, struct clock *c)
{
    const struct acpi_gas *g = &tables->fadt.pm_tmr;
    if (g->space != ACPI_SPACE_IO || g->address == 0)
        return false;
    pm_port = (u16)g->address;
    *c = (struct clock){"ACPI PM timer", PM_HZ, 0xffffff, read_pm};
    return true;
}

static bool start_pit(const struct acpi_info *tables, struct clock *c)
{
    outb(0x61, (u8)((inb(0x61) & ~2) | 1));
    outb(0x43, 0xb0); // channel 2, both bytes, mode 0
    outb(0x42, 0xff);
    outb(0x42, 0xff);
    *c = (struct clock){"PIT", PIT_HZ, 0xffff, read_pit};
    return true;
}

static const struct {
    enum clock_source option;
    bool (*start)(const struct acpi_info *tables, struct clock *c);
} clocks[] = {{CLOCK_HPET, start_hpet}, {CLOCK_ACPI, start_pm}, {CLOCK_PIT, start_pit}};

// The clock that clocksource= wants, or the first that there is.
static void start_clock(const struct acpi_info *tables, struct clock *c)
{
    bool any = options.clocksource == CLOCK_AUTO || options.clocksource == CLOCK_TSC;
    for (u32 pass = any; pass < 2; pass++) {
        for (u32 i = 0; i < ARRAY_SIZE(clocks); i++)
            if ((pass == 1 || clocks[i].option == options.clocksource) &&
                (clocks[i].option != CLOCK_HPET || options.hpet) && clocks[i].start(tables, c))
                return;
        printk(LOG_WARN, "clocksource: this machine does not have that clock");
    }
}

// The clock and the TSC at one moment: the closest pair of several, since anything may come between
// two reads (an SMI, an emulator's own work).
static u32 read_both(const struct clock *c, u64 *tsc)
{
    u64 best = ~(u64)0;
    u32 value = 0;
    for (u32 i = 0; i < CALIBRATE_TRIES; i++) {
        u64 before = rdtsc();
        u32 now = c->read();
        u64 after = rdtsc();
        if (after - before < best) {
            best = after - before;
            *tsc = before + best / 2;
            value = now;
        }
    }
    return value;
}

static void calibrate(const struct clock *c)
{
    u32 want = (u32)(c->hz * CALIBRATE_US / 1000000);
    u64 tsc, end;
    u32 start = read_both(c, &tsc);
    while (((c->read() - start) & c->mask) < want)
        ;
    u32 ticks = (read_both(c, &end) - start) & c->mask;
    u64 cycles = end - tsc;
    tsc_hz = mul_div(cycles, c->hz, ticks);
}

static void set_scale(void)
{
    s8 shift = 0;
    u64 hz = tsc_hz;
    for (; hz > 2000000000; hz >>= 1)
        shift--;
    for (; hz <= 1000000000; hz <<= 1)
        shift++;
    scale.mul = (u32)(((u64)1000000000 << 32) / hz);
    scale.shift = shift;
}

static u64 tsc_to_ns(u64 tsc)
{
    u64 delta = tsc - scale.tsc_base;
    delta = scale.shift >= 0 ? delta << scale.shift : delta >> -scale.shift;
    return (u64)((unsigned __int128)delta * scale.mul >> 32);
}

// A correction leaves an error of some cycles, which must not show as time that goes back.
static u64 corrected_now(void)
{
    u64 now = tsc_to_ns(rdtsc() - (u64)skew[this_cpu()->id]);
    u64 seen = __atomic_load_n(&latest, __ATOMIC_RELAXED);
    while (seen < now)
        if (__atomic_compare_exchange_n(&latest, &seen, now, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return now;
    return seen;
}

u64 time_now(void)
{
    return unlikely(skewed) ? corrected_now() : tsc_to_ns(rdtsc());
}

void time_set_skew(u32 cpu, s64 cycles)
{
    skew[cpu] = cycles;
    skewed |= cycles != 0;
}

bool time_tsc_stable(void)
{
    return !skewed && !distrusted;
}

struct time_scale time_scale(void)
{
    struct time_scale s = scale;
    s.tsc_base += (u64)skew[this_cpu()->id];
    return s;
}

u64 time_tsc_khz(void)
{
    return tsc_hz / 1000;
}

void time_delay(u32 microseconds)
{
    u64 end = time_now() + (u64)microseconds * 1000;
    while (time_now() < end)
        cpu_pause();
}

// --- the battery-backed clock ---

static u8 cmos(u8 reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static u32 cmos_number(u8 reg, bool binary)
{
    u8 v = cmos(reg);
    return binary ? v : (u32)(v >> 4) * 10 + (v & 15);
}

// Days from 1970-01-01 to a date of the Gregorian calendar.
static u64 days_since_1970(u32 year, u32 month, u32 day)
{
    static const u16 before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    u32 y = year - (month <= 2 ? 1 : 0); // leap days up to the end of last February
    u64 leaps = y / 4 - y / 100 + y / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    return (u64)(year - 1970) * 365 + leaps + before[(month - 1) % 12] + day - 1;
}

static u64 read_cmos_seconds(void)
{
    for (u32 spin = 0; spin < 100000 && cmos(0x0a) & 0x80; spin++)
        ; // an update is under way
    u8 format = cmos(0x0b);
    bool binary = format & 4;
    u32 hour = cmos(4);
    bool pm = !(format & 2) && (hour & 0x80);
    hour &= 0x7f;
    hour = binary ? hour : (hour >> 4) * 10 + (hour & 15);
    if (!(format & 2))
        hour = hour % 12 + (pm ? 12 : 0);
    u32 year = 2000 + cmos_number(9, binary);
    u64 days = days_since_1970(year, MAX(cmos_number(8, binary), 1u), cmos_number(7, binary));
    return ((days * 24 + hour) * 60 + cmos_number(2, binary)) * 60 + cmos_number(0, binary);
}

u64 time_wallclock_base(void)
{
    return READ_ONCE(wallclock);
}

void time_set_wallclock_base(u64 ns)
{
    WRITE_ONCE(wallclock, ns);
}

void time_init(const struct acpi_info *tables)
{
    struct clock c;
    u64 boot = rdtsc();
    start_clock(tables, &c);
    distrusted = strcmp(options.tsc, "unstable") == 0 || strcmp(options.tsc, "skewed") == 0;
    calibrate(&c);
    set_scale();
    scale.tsc_base = boot;
    time_set_wallclock_base(read_cmos_seconds() * 1000000000 - time_now());
    printk(LOG_INFO, "TSC: %lu.%03lu MHz by %s", tsc_hz / 1000000, tsc_hz / 1000 % 1000, c.name);
}
