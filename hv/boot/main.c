// SPDX-License-Identifier: MIT
// The boot, from the first line of C to the first domain: a table of contents.
#include "boot/console.h"
#include "boot/globals.h"
#include "boot/keys.h"
#include "cpu/policy.h"
#include "cpu/apic.h"
#include "cpu/cpu.h"
#include "cpu/irq.h"
#include "cpu/power.h"
#include "cpu/smp.h"
#include "cpu/spec.h"
#include "cpu/time.h"
#include "cpu/traps.h"
#include "cpu/watchdog.h"
#include "cpu/x86.h"
#include "dom0/build.h"
#include "io/ioapic.h"
#include "io/pci.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/boot_alloc.h"
#include "mm/frame.h"
#include "mm/map.h"
#include "sched/pool.h"
#include "sched/sched.h"

#ifndef WIRT_VERSION
#define WIRT_VERSION "?"
#endif

struct boot_info boot_info;
struct acpi_info acpi;
struct options options;

NORETURN void wirt_main(u32 magic, u32 info);

// Options whose machinery does not exist are named, so that nobody relies on them.
static void note_options(const struct options *o)
{
    if (o->iommu.wanted || o->iommu.dom0_strict || !o->iommu.dom0_passthrough)
        printk(LOG_WARN, "iommu: no effect; there is no driver, dom0's devices reach all memory");
    if (strcmp(o->tsc, "stable:socket") == 0)
        printk(LOG_WARN, "tsc=stable:socket: no effect; TSCs are compared at boot");
}

static void note_x2apic(const struct options *o)
{
    if (o->x2apic == 0 && apic_is_x2apic())
        printk(LOG_WARN, "x2apic=0: no effect; the firmware has switched to x2APIC mode");
    if (o->x2apic == 1 && !apic_is_x2apic())
        printk(LOG_WARN, "x2apic: no effect; the CPU has only xAPIC mode");
}

static void print_memory(void)
{
    u64 ram = 0;
    for (u32 i = 0; i < boot_info.e820_count; i++)
        if (boot_info.e820[i].type == E820_RAM)
            ram += boot_info.e820[i].size;
    printk(LOG_INFO, "memory: %lu MiB, %lu MiB free", ram >> 20, frames_free_count() >> 8);
}

static const void *map_firmware(void *ctx, maddr_t a, u64 bytes)
{
    return bytes > 0 && bytes < (u64)16 << 20 ? ioremap(a, bytes, true) : NULL;
}

static void find_acpi(void)
{
    const struct acpi_io io = {map_firmware, NULL};
    maddr_t rsdp;
    const char *error = "switched off on the command line";
    if (options.acpi) {
        error = acpi_find_rsdp(&io, boot_info.rsdp, &rsdp);
        if (!error)
            error = acpi_parse(&io, rsdp, &acpi);
    }
    if (error)
        printk(LOG_WARN, "ACPI: %s; one CPU, legacy interrupts", error);
}

// For what a person got wrong: one line, and it stays readable. A restart would end here again.
static NORETURN void give_up(const char *what, const char *why)
{
    printk(LOG_ERR, "panic: %s: %s", what, why);
    machine_halt();
}

static void reserve_apics(maddr_t lapic)
{
    e820_reserve(&boot_info, lapic, PAGE_SIZE);
    for (u32 i = 0; i < acpi.ioapic_count; i++)
        e820_reserve(&boot_info, acpi.ioapic[i].addr, PAGE_SIZE);
}

// From here on there are CPUs, with stacks of their own.
static void start(void)
{
    cpu_count = 1;
    cpus[0].online = 1;
    cpu_setup();
    cpu_policy_init();
    spec_report();
    timers_init();
    sched_init();
    irqs_init();
    find_acpi();
    time_init(&acpi);
    pic_disable();
    maddr_t lapic = acpi.lapic_addr.v ? acpi.lapic_addr : MADDR(0xfee00000);
    apic_init(lapic, options.x2apic != 0);
    note_x2apic(&options);
    apic_setup();
    cpus[0].apic_id = apic_id();
    apic_timer_calibrate();
    ioapic_init(&acpi);
    reserve_apics(lapic);
    pci_init(&acpi);
    keys_init();
    console_start_input();
    smp_start(&acpi, options.maxcpus);
    pools_init(options.sched);
    print_memory();
    const char *error = dom0_build(&boot_info);
    if (error)
        give_up("cannot start dom0", error);
    printk(LOG_INFO, "%lu MiB free; starting dom0", frames_free_count() >> 8);
    console_release_vga();
    watchdog_run();
    sched_clear(dom0->vcpu[0], VCPU_DOWN);
    enter_guest_first();
}

void wirt_main(u32 magic, u32 info)
{
    const char *error = boot_info_read(magic, info, &boot_info);
    options_parse(boot_info.cmdline, &options);
    console_open(&options);
    printk(LOG_INFO, "Wirt " WIRT_VERSION ", by %s", boot_info.protocol ? boot_info.protocol : "?");
    if (error)
        give_up("cannot boot", error);
    printk(LOG_INFO, "command line: %s", boot_info.cmdline);
    note_options(&options);
    cpu_probe();
    cpu_features.smep &= options.smep;
    cpu_features.smap &= options.smap;
    spec_init(&options.spec);
    memory_init(&boot_info);
    spec_patch();
    if (cpu_area_create(0) != 0)
        panic("not enough memory for the boot CPU; give the machine more");
    call_on_stack((u64)&cpus[0].info->regs, start);
}
