// SOURCES: hv/boot/acpi.c
// SPDX-License-Identifier: MIT
// hv/boot/acpi.c against tables built in memory: one machine shaped like QEMU's q35, its
// variations, and hostile tables. Mappings are copies of their exact size, so ASan sees every read
// too far.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot/acpi.h"

extern char fake_log[];
void fake_log_reset(void);

enum {
    RAM_BYTES = 1 << 20,
    RSDP_AT = 0xf5ad0,
    TABLES_AT = 0xf6000,
    RESET_REG_SUP = 1 << 10, // flags of the FADT
    HW_REDUCED = 1 << 20,
};

static u8 ram[RAM_BYTES];
static u8 *mapped;
static u32 free_at; // where the next table goes
static u32 entries[64];
static u32 entry_count;
static struct acpi_info info;

static const void *ram_map(void *ctx, maddr_t a, u64 bytes)
{
    (void)ctx;
    if (a.v > RAM_BYTES || bytes > RAM_BYTES - a.v)
        return NULL;
    free(mapped);
    mapped = malloc(bytes);
    assert_non_null(mapped);
    memcpy(mapped, ram + a.v, bytes);
    return mapped;
}

static const struct acpi_io io = {ram_map, NULL};

// ---- Building tables ----

static void put(u32 at, u64 v, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        ram[at + i] = (u8)(v >> (8 * i));
}

static void mend(u32 start, u32 bytes, u32 at)
{
    u8 sum = 0;

    ram[at] = 0;
    for (u32 i = 0; i < bytes; i++)
        sum = (u8)(sum + ram[start + i]);
    ram[at] = (u8)-sum;
}

static u32 length(u32 at)
{
    return (u32)ram[at + 4] | (u32)ram[at + 5] << 8;
}

static void table_mend(u32 at)
{
    mend(at, length(at), at + 9);
}

static u32 table_new(const char *sig, u32 bytes)
{
    u32 at = free_at;

    free_at = (at + bytes + 15) & ~15u;
    memset(ram + at, 0, bytes);
    memcpy(ram + at, sig, 4);
    put(at + 4, bytes, 4);
    put(at + 8, 4, 1);
    table_mend(at);
    return at;
}

static u32 table_list(const char *sig, u32 bytes)
{
    u32 at = table_new(sig, bytes);

    entries[entry_count++] = at;
    return at;
}

// Appends bytes to the table that was made last.
static void append(u32 at, const u8 *p, u32 n)
{
    u32 len = length(at);

    memcpy(ram + at + len, p, n);
    put(at + 4, len + n, 4);
    free_at = (at + len + n + 15) & ~15u;
    table_mend(at);
}

#define APPEND(at, ...)                     \
    do {                                    \
        const u8 bytes_[] = {__VA_ARGS__};  \
        append(at, bytes_, sizeof(bytes_)); \
    } while (0)

static void put_gas(u32 at, u8 space, u8 width, u64 address)
{
    put(at, space, 1);
    put(at + 1, width, 1);
    put(at + 4, address, 8);
}

// ---- The q35 machine ----

static u32 make_madt(void)
{
    u32 at = table_list("APIC", 44);

    put(at + 36, 0xfee00000, 4);
    put(at + 40, 1, 4);
    for (u8 i = 0; i < 4; i++)
        APPEND(at, 0, 8, i, i, 1, 0, 0, 0);
    APPEND(at, 1, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe, 0, 0, 0, 0);
    APPEND(at, 2, 10, 0, 0, 2, 0, 0, 0, 0, 0);
    APPEND(at, 2, 10, 0, 5, 5, 0, 0, 0, 0x0d, 0);
    APPEND(at, 2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0);
    APPEND(at, 2, 10, 0, 10, 10, 0, 0, 0, 0x0d, 0);
    APPEND(at, 2, 10, 0, 11, 11, 0, 0, 0, 0x0d, 0);
    APPEND(at, 4, 6, 0xff, 0, 0, 1);
    return at;
}

static u32 make_fadt(void)
{
    u32 at = table_list("FACP", 244);

    put(at + 46, 9, 2);
    put(at + 64, 0x604, 4);
    put(at + 76, 0x608, 4);
    put(at + 89, 2, 1);
    put(at + 91, 4, 1);
    put_gas(at + 116, 1, 8, 0xcf9);
    put(at + 112, 0x84a5 | RESET_REG_SUP, 4);
    put(at + 128, 0x0f, 1);
    put_gas(at + 172, 1, 16, 0x604);
    put_gas(at + 208, 1, 32, 0x608);
    table_mend(at);
    return at;
}

static u32 make_hpet(void)
{
    u32 at = table_list("HPET", 56);

    put_gas(at + 40, 0, 0, 0xfed00000);
    table_mend(at);
    return at;
}

static u32 make_mcfg(void)
{
    u32 at = table_list("MCFG", 44);

    APPEND(at, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0);
    return at;
}

static u32 make_root(const char *sig, u32 entry_bytes)
{
    u32 at = table_new(sig, 36 + entry_count * entry_bytes);

    for (u32 i = 0; i < entry_count; i++)
        put(at + 36 + i * entry_bytes, entries[i], entry_bytes);
    table_mend(at);
    return at;
}

static void make_rsdp(u32 rsdt, u32 xsdt)
{
    memcpy(ram + RSDP_AT, "RSD PTR ", 8);
    put(RSDP_AT + 15, xsdt ? 2 : 0, 1);
    put(RSDP_AT + 16, rsdt, 4);
    put(RSDP_AT + 20, xsdt ? 36 : 0, 4);
    put(RSDP_AT + 24, xsdt, 8);
    mend(RSDP_AT, 20, RSDP_AT + 8);
    if (xsdt)
        mend(RSDP_AT, 36, RSDP_AT + 32);
}

static void make_start(void)
{
    memset(ram, 0, sizeof(ram));
    free_at = TABLES_AT;
    entry_count = 0;
    fake_log_reset();
}

struct machine {
    u32 fadt, madt, hpet, mcfg, rsdt, xsdt;
};

static struct machine make_q35(void)
{
    struct machine m;

    make_start();
    m.fadt = make_fadt();
    m.madt = make_madt();
    m.hpet = make_hpet();
    m.mcfg = make_mcfg();
    m.rsdt = make_root("RSDT", 4);
    m.xsdt = make_root("XSDT", 8);
    make_rsdp(m.rsdt, m.xsdt);
    return m;
}

static void parse_ok(void)
{
    assert_null(acpi_parse(&io, MADDR(RSDP_AT), &info));
}

// A machine whose only table is a MADT without entries; the test appends some.
static u32 make_madt_only(void)
{
    make_start();
    return table_list("APIC", 44);
}

static void parse_listed(void)
{
    make_rsdp(0, make_root("XSDT", 8));
    parse_ok();
}

// ---- Tests ----

static void check_q35(void)
{
    assert_int_equal(info.cpu_count, 4);
    for (u32 i = 0; i < 4; i++) {
        assert_int_equal(info.cpu[i].apic_id, i);
        assert_int_equal(info.cpu[i].acpi_id, i);
    }
    assert_int_equal(info.lapic_addr.v, 0xfee00000);
    assert_int_equal(info.ioapic_count, 1);
    assert_int_equal(info.ioapic[0].addr.v, 0xfec00000);
    assert_int_equal(info.hpet.v, 0xfed00000);
    assert_int_equal(info.mcfg_count, 1);
    assert_int_equal(info.mcfg[0].base.v, 0xb0000000);
    assert_int_equal(info.mcfg[0].bus_start, 0);
    assert_int_equal(info.mcfg[0].bus_end, 255);
}

static void check_q35_fadt(const struct acpi_fadt *f)
{
    assert_int_equal(f->sci_int, 9);
    assert_int_equal(f->pm1a_cnt.address, 0x604);
    assert_int_equal(f->pm1a_cnt.bit_width, 16);
    assert_int_equal(f->pm1b_cnt.address, 0);
    assert_int_equal(f->pm_tmr.address, 0x608);
    assert_int_equal(f->pm_tmr.space, ACPI_SPACE_IO);
    assert_int_equal(f->reset_reg.address, 0xcf9);
    assert_int_equal(f->reset_value, 0x0f);
}

static void test_q35(void **state)
{
    (void)state;
    (void)make_q35();
    parse_ok();
    check_q35();
    check_q35_fadt(&info.fadt);
    assert_string_equal(fake_log, "");
}

static void test_isa_irqs(void **state)
{
    static const struct {
        u8 source;
        struct acpi_isa_irq irq;
    } cases[] = {
        {0, {2, false, false}}, {1, {1, false, false}},  {5, {5, true, false}},
        {9, {9, true, false}},  {11, {11, true, false}}, {15, {15, false, false}},
    };

    (void)state;
    (void)make_q35();
    parse_ok();
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        struct acpi_isa_irq irq = acpi_isa_irq(&info, cases[i].source);

        assert_int_equal(irq.gsi, cases[i].irq.gsi);
        assert_int_equal(irq.level, cases[i].irq.level);
        assert_int_equal(irq.active_low, cases[i].irq.active_low);
    }
    info.override_count = 0; // the SCI without override is level and low
    assert_true(acpi_isa_irq(&info, 9).level);
    assert_true(acpi_isa_irq(&info, 9).active_low);
}

static void test_rsdp_search(void **state)
{
    maddr_t a;

    (void)state;
    (void)make_q35();
    assert_null(acpi_find_rsdp(&io, MADDR(RSDP_AT), &a));
    assert_int_equal(a.v, RSDP_AT);
    assert_null(acpi_find_rsdp(&io, MADDR(0), &a));
    assert_int_equal(a.v, RSDP_AT);
    assert_string_equal(fake_log, "");

    // A wrong hint costs a warning and the search.
    assert_null(acpi_find_rsdp(&io, MADDR(0x1230), &a));
    assert_int_equal(a.v, RSDP_AT);
    assert_non_null(strstr(fake_log, "0x1230"));

    // The EBDA comes first.
    put(0x40e, 0x9fc0, 2);
    memcpy(ram + 0x9fc00 + 1024 - 48, ram + RSDP_AT, 36);
    assert_null(acpi_find_rsdp(&io, MADDR(0), &a));
    assert_int_equal(a.v, 0x9fc00 + 1024 - 48);

    // Each checksum matters.
    make_q35();
    ram[RSDP_AT + 32]++;
    assert_non_null(acpi_find_rsdp(&io, MADDR(0), &a));
    make_q35();
    ram[RSDP_AT + 8]++;
    assert_non_null(acpi_find_rsdp(&io, MADDR(0), &a));
    assert_non_null(acpi_parse(&io, MADDR(RSDP_AT), &info));
    assert_int_equal(info.cpu_count, 0);
}

static void test_root_fallback(void **state)
{
    struct machine m = make_q35();

    (void)state;
    make_rsdp(m.rsdt, 0);
    parse_ok();
    check_q35();

    m = make_q35();
    ram[m.xsdt + 40] ^= 1;
    parse_ok();
    check_q35();
    assert_non_null(strstr(fake_log, "XSDT"));
    assert_non_null(strstr(fake_log, "bad checksum"));

    m = make_q35();
    make_rsdp(m.rsdt, m.hpet); // points to something else
    parse_ok();
    check_q35();
    assert_non_null(strstr(fake_log, "XSDT expected"));

    m = make_q35();
    ram[m.xsdt + 40] ^= 1;
    ram[m.rsdt + 40] ^= 1;
    assert_non_null(acpi_parse(&io, MADDR(RSDP_AT), &info));
    assert_int_equal(info.tables, 0);
}

static void test_bad_checksum(void **state)
{
    struct machine m = make_q35();

    (void)state;
    ram[m.madt + 50] ^= 0x40;
    parse_ok();
    assert_int_equal(info.cpu_count, 0);
    assert_int_equal(info.ioapic_count, 0);
    assert_int_equal(info.hpet.v, 0xfed00000);
    assert_non_null(strstr(fake_log, "table APIC at"));
}

static void test_madt_cpus(void **state)
{
    u32 at = make_madt_only();

    (void)state;
    APPEND(at, 0, 8, 1, 0, 0, 0, 0, 0);                          // a disabled stub of CPU 0,
    APPEND(at, 0, 8, 0, 0, 1, 0, 0, 0);                          // which is replaced
    APPEND(at, 0, 8, 2, 0xff, 0, 0, 0, 0);                       // an empty slot
    APPEND(at, 0, 8, 3, 3, 2, 0, 0, 0);                          // not there yet
    APPEND(at, 9, 16, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0); // CPU 0 once more
    APPEND(at, 9, 16, 0, 0, 0x34, 0x12, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0);
    APPEND(at, 9, 16, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 9, 0, 0, 0);
    parse_listed();
    assert_int_equal(info.cpu_count, 2);
    assert_int_equal(info.cpu[0].acpi_id, 0);
    assert_int_equal(info.cpu[1].apic_id, 0x1234);
    assert_int_equal(info.cpu[1].acpi_id, 9);
    assert_string_equal(fake_log, "");
}

static void test_madt_cpu_overflow(void **state)
{
    u32 at = make_madt_only();

    (void)state;
    for (u32 i = 0; i < 2; i++)
        APPEND(at, 9, 16, 0, 0, (u8)i, 0xee, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0); // stubs
    for (u32 i = 0; i < ACPI_CPUS_MAX + 5; i++)
        APPEND(at, 9, 16, 0, 0, (u8)i, (u8)(i >> 8), 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
    parse_listed();
    assert_int_equal(info.cpu_count, ACPI_CPUS_MAX);
    assert_int_equal(info.cpus_dropped, 5);
    assert_non_null(strstr(fake_log, "more than 256 CPUs: 5 ignored"));
}

static void test_madt_other(void **state)
{
    u32 at = make_madt_only();

    (void)state;
    APPEND(at, 5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 1, 0, 0, 0);
    APPEND(at, 0x7f, 4, 1, 2); // unknown: skipped
    APPEND(at, 2, 10, 0, 9, 20, 0, 0, 0, 0x0f, 0);
    APPEND(at, 2, 10, 0, 9, 21, 0, 0, 0, 0, 0); // the first one counts
    for (u8 i = 0; i < ACPI_IOAPICS_MAX + 2; i++)
        APPEND(at, 1, 12, i, 0, 0, i, 0xc0, 0xfe, i, 0, 0, 0);
    APPEND(at, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0); // without address
    parse_listed();
    assert_int_equal(info.lapic_addr.v, 0x1fee00000);
    assert_int_equal(info.override_count, 1);
    assert_int_equal(info.override[0].gsi, 20);
    assert_int_equal(info.override[0].flags, 0x0f);
    assert_int_equal(info.ioapic_count, ACPI_IOAPICS_MAX);
    assert_int_equal(info.ioapic[3].gsi_base, 3);
    assert_non_null(strstr(fake_log, "IO-APIC 0 has no address"));
}

static void test_madt_malformed(void **state)
{
    static const struct {
        u8 entry[4];
        u32 bytes;
        const char *says;
    } cases[] = {
        {{0, 0, 0, 0}, 4, "bad length 0"},
        {{0, 1, 0, 0}, 4, "bad length 1"},
        {{0, 3, 0, 0}, 3, "1 MADT entries"},
        {{1, 255, 0, 0}, 4, "bad length 255"},
        {{9, 4, 0, 0}, 4, "1 MADT entries"},
        {{0, 5, 0, 0}, 4, "bad length 5"},
        {{0, 0, 0, 0}, 1, ""},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        u32 at = make_madt_only();

        APPEND(at, 0, 8, 0, 0, 1, 0, 0, 0);
        append(at, cases[i].entry, cases[i].bytes);
        parse_listed();
        assert_int_equal(info.cpu_count, 1);
        assert_non_null(strstr(fake_log, cases[i].says));
    }
}

static void test_fadt_forms(void **state)
{
    struct machine m = make_q35();

    (void)state;
    put_gas(m.fadt + 208, 0, 32, 0xfed40008); // the wide form counts
    put(m.fadt + 112, 0, 4);
    table_mend(m.fadt);
    parse_ok();
    assert_int_equal(info.fadt.pm_tmr.address, 0xfed40008);
    assert_int_equal(info.fadt.pm_tmr.space, ACPI_SPACE_MEMORY);
    assert_int_equal(info.fadt.reset_reg.address, 0);

    m = make_q35(); // ACPI 1.0: only the narrow form, no reset register
    put(m.fadt + 4, 116, 4);
    table_mend(m.fadt);
    parse_ok();
    assert_int_equal(info.fadt.pm_tmr.address, 0x608);
    assert_int_equal(info.fadt.pm1a_cnt.address, 0x604);
    assert_int_equal(info.fadt.pm1a_cnt.bit_width, 16);
    assert_int_equal(info.fadt.pm1a_cnt.space, ACPI_SPACE_IO);
    assert_int_equal(info.fadt.reset_reg.address, 0);

    m = make_q35();
    put(m.fadt + 112, HW_REDUCED, 4);
    table_mend(m.fadt);
    parse_ok();
    assert_int_equal(info.fadt.pm_tmr.address, 0);
    assert_int_equal(info.fadt.sci_int, 0);
}

static void test_mcfg_many(void **state)
{
    u32 at;

    (void)state;
    make_start();
    at = table_list("MCFG", 44);
    APPEND(at, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 0, 9, 8, 0, 0, 0, 0); // ends before it starts
    for (u8 i = 0; i < ACPI_MCFG_MAX + 1; i++)
        APPEND(at, 0, 0, 0, 0xb0, i, 0, 0, 0, i, 0, 1, 2, 0, 0, 0, 0);
    APPEND(at, 1, 2, 3); // a torn entry
    parse_listed();
    assert_int_equal(info.mcfg_count, ACPI_MCFG_MAX);
    assert_int_equal(info.mcfg[15].base.v, 0xfb0000000);
    assert_int_equal(info.mcfg[15].segment, 15);
    assert_non_null(strstr(fake_log, "malformed"));
    assert_non_null(strstr(fake_log, "more than 16"));
}

static void test_hostile_lengths(void **state)
{
    static const u32 lengths[] = {0, 3, 35, 0x7fffffff, 0xffffffff, 16 << 20, 0x10000};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct machine m = make_q35();

        put(m.madt + 4, lengths[i], 4);
        parse_ok();
        assert_int_equal(info.cpu_count, 0);
        assert_int_equal(info.hpet.v, 0xfed00000);
        assert_non_null(strstr(fake_log, "APIC"));

        m = make_q35();
        put(m.xsdt + 4, lengths[i], 4);
        parse_ok();
        check_q35();
        assert_non_null(strstr(fake_log, "XSDT"));
    }
}

static void test_hostile_root(void **state)
{
    u32 x;

    (void)state;
    make_start(); // the root lists itself, nothing, a table twice, and an address that wraps
    (void)make_hpet();
    entries[entry_count++] = entries[0];
    (void)make_hpet(); // another HPET
    entries[entry_count++] = 0;
    entries[entry_count] = free_at;
    entry_count += 2;
    x = make_root("XSDT", 8);
    put(x + 36 + 5 * 8, ~(u64)0 - 8, 8);
    table_mend(x);
    make_rsdp(0, x);
    parse_ok();
    assert_int_equal(info.hpet.v, 0xfed00000);
    assert_non_null(strstr(fake_log, "another HPET"));
    assert_non_null(strstr(fake_log, "cannot be read"));

    make_start(); // far more entries than are looked at
    for (u32 i = 0; i < 64; i++)
        (void)table_list("SSDT", 36);
    x = table_new("XSDT", 36 + 8 * 2000);
    for (u32 i = 0; i < 2000; i++)
        put(x + 36 + 8 * i, TABLES_AT + i, 8);
    table_mend(x);
    make_rsdp(0, x);
    parse_ok();
    assert_int_equal(info.tables, 0);
    assert_non_null(strstr(fake_log, "too many tables: 976 ignored"));
}

// Cuts each table of the machine after every byte, with its length and checksum made to fit.
static void test_truncation(void **state)
{
    (void)state;
    for (u32 t = 0; t < 6; t++) {
        for (u32 len = 0; len < 256; len++) {
            struct machine m = make_q35();
            u32 at[] = {m.fadt, m.madt, m.hpet, m.mcfg, m.rsdt, m.xsdt};

            if (len >= length(at[t]))
                break;
            put(at[t] + 4, len, 4);
            if (len >= 10)
                table_mend(at[t]);
            parse_ok();
            assert_in_range(info.cpu_count, 0, 4);
        }
    }
}

// Memory that ends anywhere between the first table and the last.
static const void *short_map(void *ctx, maddr_t a, u64 bytes)
{
    return a.v + bytes > *(u32 *)ctx ? NULL : ram_map(NULL, a, bytes);
}

static void test_unreadable(void **state)
{
    (void)state;
    (void)make_q35();
    for (u32 end = RSDP_AT; end < free_at; end++) {
        struct acpi_io cut = {short_map, &end};
        const char *wrong = acpi_parse(&cut, MADDR(RSDP_AT), &info);

        assert_true(!wrong || info.tables == 0);
        fake_log_reset();
    }
}

static int teardown(void **state)
{
    (void)state;
    free(mapped);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_q35),
        cmocka_unit_test(test_isa_irqs),
        cmocka_unit_test(test_rsdp_search),
        cmocka_unit_test(test_root_fallback),
        cmocka_unit_test(test_bad_checksum),
        cmocka_unit_test(test_madt_cpus),
        cmocka_unit_test(test_madt_cpu_overflow),
        cmocka_unit_test(test_madt_other),
        cmocka_unit_test(test_madt_malformed),
        cmocka_unit_test(test_fadt_forms),
        cmocka_unit_test(test_mcfg_many),
        cmocka_unit_test(test_hostile_lengths),
        cmocka_unit_test(test_hostile_root),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_unreadable),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
