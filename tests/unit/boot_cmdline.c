// SOURCES: hv/boot/cmdline.c hv/boot/cmdline_table.c
// SPDX-License-Identifier: MIT
// hv/boot/cmdline.c: each row is a line and what it must lead to, or what the log must say.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot/cmdline.h"
#include "lib/printk.h"

extern char fake_log[];
void fake_log_reset(void);

#define KIB ((u64)1 << 10)
#define MIB ((u64)1 << 20)
#define GIB ((u64)1 << 30)

static struct options o;

static void parse(const char *line)
{
    fake_log_reset();
    options_parse(line, &o);
}

static void test_defaults(void **state)
{
    static const char *const lines[] = {NULL, "", "  \t ", "/boot/wirt.gz", "/boot/wirt.gz --"};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
        parse(lines[i]);
        assert_int_equal(o.consoles, CONSOLE_COM1 | CONSOLE_VGA);
        assert_int_equal(o.com[0].port, 0x3f8);
        assert_int_equal(o.com[1].port, 0x2f8);
        assert_int_equal(o.loglvl.always, LOG_INFO);
        assert_int_equal(o.guest_loglvl.limited, LOG_WARN);
        assert_int_equal(o.gnttab_max_frames, 64);
        assert_int_equal(o.x2apic, OPTION_AUTO);
        assert_int_equal(o.spec.xpti, OPTION_AUTO);
        assert_int_equal(o.spec.bhi_dis_s, OPTION_AUTO);
        assert_int_equal(o.spec.thunk, THUNK_AUTO);
        assert_true(o.acpi && o.smp && o.iommu.dom0_passthrough);
        assert_null(o.dom0_extra);
        assert_string_equal(fake_log, "");
    }
}

// ---- Single numbers ----

enum width { U8, S8, U32, U64 };

#define ROW(line, type, member, value)                      \
    {                                                       \
        line, type, offsetof(struct options, member), value \
    }

static s64 member(enum width w, size_t at)
{
    const u8 *p = (const u8 *)&o + at;
    u64 v = 0;

    memcpy(&v, p, w == U64 ? 8 : w == U32 ? 4 : 1);
    return w == S8 ? (s8)v : (s64)v;
}

static void test_values(void **state)
{
    static const struct {
        const char *line;
        enum width width;
        size_t at;
        s64 value;
    } rows[] = {
        ROW("dom0_vcpus_pin", U8, dom0_vcpus_pin, 1),
        ROW("dom0-vcpus-pin=yes", U8, dom0_vcpus_pin, 1),
        ROW("dom0_vcpus_pin no-dom0_vcpus_pin", U8, dom0_vcpus_pin, 0),
        ROW("dom0_vcpus_pin dom0_vcpus_pin=off", U8, dom0_vcpus_pin, 0),
        ROW("dom0_vcpus_pin=0 dom0_vcpus_pin=on", U8, dom0_vcpus_pin, 1),
        ROW("dom0_vcpus_pin=enable", U8, dom0_vcpus_pin, 1),
        ROW("dom0_vcpus_pin=true dom0_vcpus_pin=disable", U8, dom0_vcpus_pin, 0),
        ROW("no-dom0_vcpus_pin=no", U8, dom0_vcpus_pin, 1),
        ROW("maxcpus=3", U32, maxcpus, 3),
        ROW("maxcpus=0x10", U32, maxcpus, 16),
        ROW("maxcpus=3 nosmp", U32, maxcpus, 1),
        ROW("smp=0", U32, maxcpus, 1),
        ROW("maxcpus=3 maxcpus=5", U32, maxcpus, 5),
        ROW("noacpi", U8, acpi, 0),
        ROW("acpi=off", U8, acpi, 0),
        ROW("noacpi acpi=force", U8, acpi, 1),
        ROW("x2apic", S8, x2apic, 1),
        ROW("nox2apic", S8, x2apic, 0),
        ROW("x2apic=off", S8, x2apic, 0),
        ROW("smep=0", U8, smep, 0),
        ROW("smap=hvm", U8, smap, 0),
        ROW("", S8, spec.xpti, OPTION_AUTO),
        ROW("xpti", S8, spec.xpti, 1),
        ROW("xpti=0", S8, spec.xpti, 0),
        ROW("no-xpti", S8, spec.xpti, 0),
        ROW("xpti=0,default", S8, spec.xpti, OPTION_AUTO),
        ROW("xpti=dom0=0,domu", S8, spec.xpti_dom0, 0),
        ROW("xpti=dom0=0,domu", S8, spec.xpti_domu, 1),
        ROW("xpti=no-dom0", S8, spec.xpti_dom0, 0),
        ROW("pv-l1tf=dom0", S8, spec.l1tf_dom0, 1),
        ROW("spec-ctrl=no", S8, spec.all, 0),
        ROW("spec-ctrl=no-xen", S8, spec.xen, 0),
        ROW("spec-ctrl=bti-thunk=lfence,ibrs=0", U8, spec.thunk, THUNK_LFENCE),
        ROW("spec-ctrl=bti-thunk=lfence,ibrs=0", S8, spec.ibrs, 0),
        ROW("spec-ctrl=md-clear=0", S8, spec.verw, 0),
        ROW("hpet=legacy-replacement=1,off", U8, hpet, 0),
        ROW("clocksource=pit", U8, clocksource, CLOCK_PIT),
        ROW("watchdog", U8, watchdog, WATCHDOG_ON),
        ROW("watchdog=force", U8, watchdog, WATCHDOG_FORCE),
        ROW("watchdog=force nowatchdog", U8, watchdog, WATCHDOG_OFF),
        ROW("watchdog_timeout=30", U32, watchdog_timeout, 30),
        ROW("noreboot", U8, noreboot, 1),
        ROW("noreboot=0", U8, noreboot, 0),
        ROW("reboot=acpi", U8, reboot, REBOOT_ACPI),
        ROW("reboot=t", U8, reboot, REBOOT_TRIPLE),
        ROW("reboot=kbd,warm", U8, reboot, REBOOT_KEYBOARD),
        ROW("reboot=kbd,warm", U8, reboot_warm, 1),
        ROW("reboot=Power", U8, reboot, REBOOT_POWER),
        ROW("reboot=no", U8, reboot, REBOOT_NO),
        ROW("loglvl=all", S8, loglvl.always, LOG_GUEST),
        ROW("loglvl=none/debug", S8, loglvl.always, -1),
        ROW("loglvl=none/debug", S8, loglvl.limited, LOG_DEBUG),
        ROW("loglvl=debug/error", S8, loglvl.limited, LOG_DEBUG),
        ROW("guest_loglvl=all/all", S8, guest_loglvl.always, LOG_GUEST),
        ROW("iommu=off", U8, iommu.wanted, 0),
        ROW("noiommu", U8, iommu.wanted, 0),
        ROW("iommu", U8, iommu.wanted, 1),
        ROW("iommu=off,force", U8, iommu.wanted, 1),
        ROW("iommu=required", U8, iommu.wanted, 1),
        ROW("iommu=no-intremap,verbose", U8, iommu.wanted, 0),
        ROW("iommu=dom0-strict", U8, iommu.dom0_strict, 1),
        ROW("iommu=no-dom0-passthrough", U8, iommu.dom0_passthrough, 0),
        ROW("dom0-iommu=passthrough=0", U8, iommu.dom0_passthrough, 0),
        ROW("dom0-iommu=no-passthrough,none", U8, iommu.dom0_passthrough, 1),
        ROW("dom0-iommu=map-inclusive,strict", U8, iommu.dom0_strict, 1),
        ROW("conswitch=bx", U8, conswitch, 'b'),
        ROW("conswitch=bx", U8, conswitch_stay, 1),
        ROW("conswitch=`", U8, conswitch, 0),
        ROW("gnttab_max_frames=128", U32, gnttab_max_frames, 128),
        ROW("gnttab_max_maptrack_frames=256", U32, gnttab_max_maptrack_frames, 256),
        ROW("gnttab=max-ver:1,no-transitive", U32, gnttab_max_version, 1),
        ROW("mem=2G", U64, mem, 2ll << 30),
        ROW("mem=4096", U64, mem, 4 << 20),
        ROW("mem=7b", U64, mem, 7),
        ROW("mem=1T", U64, mem, 1ll << 40),
        ROW("dom0_max_vcpus=4", U32, dom0_vcpus_min, 4),
        ROW("dom0_max_vcpus=4", U32, dom0_vcpus_max, 4),
        ROW("dom0_max_vcpus=2-", U32, dom0_vcpus_min, 2),
        ROW("dom0_max_vcpus=2-", U32, dom0_vcpus_max, 0),
        ROW("dom0_max_vcpus=-8", U32, dom0_vcpus_min, 0),
        ROW("dom0_max_vcpus=-8", U32, dom0_vcpus_max, 8),
        ROW("dom0_mem=512M", U64, dom0_mem.bytes, 512 << 20),
        ROW("dom0_mem=1048576", U64, dom0_mem.bytes, 1 << 30),
        ROW("dom0_mem=1G,max:2G", U64, dom0_mem_max.bytes, 2ll << 30),
        ROW("dom0_mem=min:64M,-256M", U64, dom0_mem_min.bytes, 64 << 20),
        ROW("dom0_mem=min:64M,-256M", U8, dom0_mem.negative, 1),
        ROW("dom0_mem=512M,max:1G dom0_mem=2G", U8, dom0_mem_max.set, 0),
        ROW("dom0_mem=0", U8, dom0_mem.set, 0),
        ROW("dom0_mem=0xfffffffffffffK", U64, dom0_mem.bytes, (s64)0x3ffffffffffffc00),
        ROW("\"maxcpus=7\"", U32, maxcpus, 7),
        ROW("max\"cpus=7 ", U8, dom0_vcpus_pin, 0),
        ROW("wirt/boot.elf maxcpus=2", U32, maxcpus, 2),
        ROW("maxcpus=2\nsmep=0\r\n", U32, maxcpus, 2),
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        parse(rows[i].line);
        if (member(rows[i].width, rows[i].at) != rows[i].value)
            fail_msg("'%s' led to %ld", rows[i].line, member(rows[i].width, rows[i].at));
        if (strstr(fake_log, "malformed") && rows[i].line[3] != '"')
            fail_msg("'%s': %s", rows[i].line, fake_log);
    }
}

// ---- Complaints ----

static void test_malformed(void **state)
{
    static const struct {
        const char *line;
        const char *says;
    } rows[] = {
        {"dom0_mem=1Q", "command line: ignoring malformed option 'dom0_mem=1Q': "
                        "[-]SIZE,min:[-]SIZE,max:[-]SIZE, e.g. 1024M, expected\n"},
        {"dom0_mem", "malformed option 'dom0_mem'"},
        {"spec-ctrl=ibpb,gds-mit", "ignoring 'gds-mit' in option 'spec-ctrl'"},
        {"spec-ctrl=bti-thunk=x", "malformed"},
        {"dom0_mem=", "malformed"},
        {"dom0_mem=1G,", "malformed"},
        {"dom0_mem=1G,max:", "malformed"},
        {"dom0_mem=min:max:1G", "malformed"},
        {"dom0_mem=--1G", "malformed"},
        {"dom0_mem=1GB", "malformed"},
        {"dom0_mem=0x", "malformed"},
        {"dom0_mem=18446744073709551616", "malformed"},
        {"dom0_mem=18014398509481984K", "malformed"},
        {"dom0_mem=16777216T", "malformed"},
        {"no-dom0_mem=1G", "cannot be negated"},
        {"maxcpus=4097", "malformed"},
        {"maxcpus=-1", "malformed"},
        {"maxcpus=two", "malformed"},
        {"maxcpus=99999999999999999999999", "malformed"},
        {"dom0_max_vcpus=4-2", "malformed"},
        {"dom0_max_vcpus=-", "malformed"},
        {"dom0_max_vcpus=1-2-3", "malformed"},
        {"dom0_max_vcpus=4294967296", "malformed"},
        {"dom0_vcpus_pin=maybe", "'dom0_vcpus_pin=maybe': boolean expected"},
        {"dom0_vcpus_pin=", "malformed"},
        {"no-dom0_vcpus_pin=maybe", "malformed"},
        {"loglvl=loud", "malformed"},
        {"loglvl=all/", "malformed"},
        {"loglvl", "malformed"},
        {"clocksource", "malformed"},
        {"clocksource=1", "malformed"},
        {"console=com3", "malformed option 'console=com3'"},
        {"console=com1X", "malformed"},
        {"console=co", "malformed"},
        {"console=", "malformed"},
        {"console", "malformed"},
        {"console=com3,vga", "ignoring 'com3' in option 'console'"},
        {"console=vga,pv", "no console 'pv' here"},
        {"iommu=on,fast", "ignoring 'fast' in option 'iommu'"},
        {"iommu=force=maybe", "malformed"},
        {"com1=0", "malformed"},
        {"com1", "malformed"},
        {"com1=", "malformed"},
        {"com1=115200,9n1", "malformed"},
        {"com1=115200,8n", "malformed"},
        {"com1=115200,8n1,port", "malformed"},
        {"com1=115200,8n1,0x3f8,4,1", "malformed"},
        {"com1=115200/0", "malformed"},
        {"reboot=x", "malformed"},
        {"reboot", "malformed"},
        {"sched=a-name-that-is-longer-than-31-letters", "malformed"},
        {"sched=", "malformed"},
        {"conswitch=abc", "malformed"},
        {"gnttab=max-ver:3", "malformed"},
        {"gnttab=transitive", "no transitive grants"},
        {"mem=", "malformed"},
        {"colour=blue", "unknown option 'colour=blue'"},
        {"no", "unknown option 'no'"},
        {"=1", "unknown option '=1'"},
        {"no-colour", "unknown option"},
        {"bad\x1b[2Jescape", "'bad?[2Jescape'"},
        {"xsave dom0_mem=1Q", "dom0_mem"},
        {"no-xsave", "option 'xsave' has no effect"},
        {"noapic", "option 'apic' has no effect"},
        {"sync_console", "option 'sync_console' has no effect"},
        {"dom0=pvh", "'pvh' in option 'dom0' has no effect"},
        {"dom0=pvx", "malformed"},
        {"crashkernel=256M", "option 'crashkernel' has no effect"},
        {"smt", "option 'smt' has no effect"},
        {"iommu=snoop,quarantine=0", "'snoop' in option 'iommu' has no effect"},
        {"iommu=snoop,quarantine=0", "'quarantine' in option 'iommu' has no effect"},
        {"iommu=no-intremap", "'no-intremap' in option 'iommu' has no effect"},
        {"dom0-iommu=map-reserved", "'map-reserved' in option 'dom0-iommu' has no effect"},
        {"dom0=verbose", "'verbose' in option 'dom0' has no effect"},
        {"hpet=broadcast", "'broadcast' in option 'hpet' has no effect"},
        {"acpi=noirq", "'noirq' in option 'acpi' has no effect"},
        {"no-smt", "option 'smt' has no effect"},
        {"pv_linear_pt=no", "option 'pv_linear_pt' has no effect"},
    };
    struct options clean;

    (void)state;
    parse("");
    clean = o;
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        parse(rows[i].line);
        if (!strstr(fake_log, rows[i].says))
            fail_msg("'%s': %s", rows[i].line, fake_log);
        if (strstr(fake_log, "malformed") || strstr(fake_log, "unknown"))
            assert_memory_equal(&o, &clean, sizeof(o));
    }
}

static void test_rest_takes_effect(void **state)
{
    (void)state;
    parse("placeholder dom0_mem=1Q maxcpus=3 fancy iommu=fast,force crashkernel=1M crashkernel=2M "
          "console=com9,com2H,com1L,vga com2=9600,7e2");
    assert_int_equal(o.maxcpus, 3);
    assert_true(o.iommu.wanted);
    assert_int_equal(o.consoles, CONSOLE_COM1 | CONSOLE_COM2 | CONSOLE_VGA);
    assert_false(o.dom0_mem.set);
    assert_non_null(strstr(fake_log, "crashkernel"));
    assert_null(strstr(strstr(fake_log, "crashkernel") + 1, "crashkernel")); // named once
}

static void test_console(void **state)
{
    (void)state;
    parse("console=vga,none");
    assert_int_equal(o.consoles, 0);
    assert_string_equal(fake_log, "");
    parse("console=none,vga");
    assert_int_equal(o.consoles, CONSOLE_VGA);
    parse("console=com1L,com1,com1");
    assert_int_equal(o.consoles, CONSOLE_COM1);
    parse("console=vga,xhci");
    assert_int_equal(o.consoles, CONSOLE_VGA);
    parse("console=vgaH");
    assert_int_equal(o.consoles, CONSOLE_COM1 | CONSOLE_VGA);
}

static void test_uart(void **state)
{
    static const struct {
        const char *line;
        struct uart16550_config com1;
    } rows[] = {
        {"com1=115200,8n1", {0x3f8, 115200, 8, 'n', 1}},
        {"com1=115200", {0x3f8, 115200, 8, 'n', 1}},
        {"com1=auto", {0x3f8, 0, 8, 'n', 1}},
        {"com1=9600/460800,7e2,0x2f8,0", {0x2f8, 9600, 7, 'e', 2}},
        {"com1=115200,,0xfe034000,msi", {0x3f8, 115200, 8, 'n', 1}},
        {"com1=115200,8n1,pci,11", {0x3f8, 115200, 8, 'n', 1}},
        {"com1=,8o1", {0x3f8, 0, 8, 'o', 1}},
        {"com1=9600,7e2 com1=auto", {0x3f8, 0, 8, 'n', 1}},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct uart16550_config *want = &rows[i].com1, *got = &o.com[0];

        parse(rows[i].line);
        if (got->port != want->port || got->baud != want->baud ||
            got->data_bits != want->data_bits || got->parity != want->parity ||
            got->stop_bits != want->stop_bits)
            fail_msg("'%s' is misunderstood", rows[i].line);
        assert_int_equal(o.com[1].port, 0x2f8);
    }
}

static void test_text_and_extra(void **state)
{
    (void)state;
    parse("\"sched=my own\" tsc=stable:socket --   root=/dev/sda1  ro ");
    assert_string_equal(o.sched, "my own");
    assert_string_equal(o.tsc, "stable:socket");
    assert_string_equal(o.dom0_extra, "root=/dev/sda1  ro ");
    assert_string_equal(fake_log, "");
    parse("sched=\"unfinished line");
    assert_string_equal(o.sched, "unfinished line");
    parse("maxcpus=2 --");
    assert_null(o.dom0_extra);
}

static void test_long(void **state)
{
    enum { BYTES = 100000 };
    char *line = malloc(BYTES + 1);

    (void)state;
    assert_non_null(line);
    memset(line, 'x', BYTES);
    line[BYTES] = '\0';
    memcpy(line + BYTES - 10, " maxcpus=2", 10);
    parse(line);
    assert_int_equal(o.maxcpus, 2);
    assert_non_null(strstr(fake_log, "too long option 'xxxx"));

    for (u32 i = 0; i < BYTES; i++)
        line[i] = i % 2 ? ' ' : 'q';
    parse(line);
    memset(line, '"', BYTES);
    parse(line);
    assert_string_equal(fake_log, "");
    free(line);
}

// ---- Resolving ----

static void test_dom0_mem(void **state)
{
    static const struct {
        const char *line;
        u64 avail, want; // bytes
    } rows[] = {
        {"", 8 * GIB, 8 * GIB - 128 * MIB},
        {"", 1 * GIB, 1 * GIB - 64 * MIB},
        {"dom0_mem=512M", 8 * GIB, 512 * MIB},
        {"dom0_mem=512M", 256 * MIB, 256 * MIB},
        {"dom0_mem=-256M", 1 * GIB, 768 * MIB},
        {"dom0_mem=-2G", 1 * GIB, 0},
        {"dom0_mem=-2G,min:128M", 1 * GIB, 128 * MIB},
        {"dom0_mem=min:1G,max:2G", 8 * GIB, 2 * GIB},
        {"dom0_mem=1G,max:2G", 8 * GIB, 1 * GIB},
        {"dom0_mem=4G,max:2G", 8 * GIB, 2 * GIB},
        {"dom0_mem=max:-1G", 8 * GIB, 7 * GIB},
        {"dom0_mem=min:16G", 8 * GIB, 8 * GIB},
        {"dom0_mem=16777215T", 8 * GIB, 8 * GIB},
        {"dom0_mem=4", 8 * GIB, 4 * KIB},
        {"", 0, 0},
        {"dom0_mem=-1M", 0, 0},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        parse(rows[i].line);
        if (dom0_mem_resolve(&o, rows[i].avail >> PAGE_SHIFT) != rows[i].want >> PAGE_SHIFT)
            fail_msg("row %u: '%s'", i, rows[i].line);
    }
    parse("");
    assert_int_equal(dom0_mem_limit(&o, 1000), ~(u64)0);
    parse("dom0_mem=1G,max:2G");
    assert_int_equal(dom0_mem_limit(&o, 1000), 2 * GIB >> PAGE_SHIFT);
}

static void test_dom0_vcpus(void **state)
{
    static const struct {
        const char *line;
        u32 cpus, want;
    } rows[] = {
        {"", 4, 4},
        {"", 0, 1},
        {"", 1000, OPTIONS_VCPUS_MAX},
        {"dom0_max_vcpus=2", 4, 2},
        {"dom0_max_vcpus=8", 4, 8},
        {"dom0_max_vcpus=0", 4, 4},
        {"dom0_max_vcpus=2-6", 4, 4},
        {"dom0_max_vcpus=2-6", 1, 2},
        {"dom0_max_vcpus=2-6", 9, 6},
        {"dom0_max_vcpus=-3", 9, 3},
        {"dom0_max_vcpus=3-", 1, 3},
        {"dom0_max_vcpus=4294967295", 4, OPTIONS_VCPUS_MAX},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        parse(rows[i].line);
        if (dom0_vcpus_resolve(&o, rows[i].cpus) != rows[i].want)
            fail_msg("row %u: '%s'", i, rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_values),
        cmocka_unit_test(test_malformed),      cmocka_unit_test(test_rest_takes_effect),
        cmocka_unit_test(test_console),        cmocka_unit_test(test_uart),
        cmocka_unit_test(test_text_and_extra), cmocka_unit_test(test_long),
        cmocka_unit_test(test_dom0_mem),       cmocka_unit_test(test_dom0_vcpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
