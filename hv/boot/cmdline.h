// SPDX-License-Identifier: MIT
// The boot command line, spelled as Xen users know it (Xen's public "Xen Hypervisor Command Line
// Options"), parsed into one struct options.
//
// Grammar: words separated by white space; "..." protects white space and disappears. A first word
// with a '/' before any '=' is the image's name. A word is name[=value]; '-' and '_' in names are
// the same. Boolean options take no value or one of 1/yes/on/true/enable, 0/no/off/false/disable;
// no-name and noname mean name=no. The word -- ends the hypervisor's part.
//
// What cannot be understood is named with LOG_WARN and has no effect; the rest has. Of two equal
// options the later one wins; in lists of flags, flag by flag.
#ifndef WIRT_BOOT_CMDLINE_H
#define WIRT_BOOT_CMDLINE_H

#include "cpu/spec.h"
#include "io/uart16550.h"
#include "lib/compiler.h"

enum {
    OPTIONS_TEXT_BYTES = 32,
    OPTIONS_VCPUS_MAX = 128, // VCPUS_MAX of dom/domain.h, which is more than we want to know
    OPTION_AUTO = -1,        // tri-state options: not given, the hypervisor decides
};

enum console_bits {
    CONSOLE_COM1 = 1,
    CONSOLE_COM2 = 2,
    CONSOLE_VGA = 4,
};

// Values of enum log_level; -1 is none, LOG_GUEST all.
struct log_options {
    s8 always;
    s8 limited; // up to here if not too many; at least `always`
};

struct mem_option {
    bool set;
    bool negative; // all but this
    u64 bytes;
};

enum watchdog_mode {
    WATCHDOG_OFF,
    WATCHDOG_ON,
    WATCHDOG_FORCE, // although the CPU's counter looks unusable
};

enum reboot_method {
    REBOOT_AUTO,
    REBOOT_ACPI,
    REBOOT_TRIPLE,
    REBOOT_KEYBOARD,
    REBOOT_PCI,   // port 0xcf9
    REBOOT_POWER, // port 0xcf9, power cycle
    REBOOT_EFI,
    REBOOT_NO,
};

enum clock_source {
    CLOCK_AUTO,
    CLOCK_PIT,
    CLOCK_HPET,
    CLOCK_ACPI,
    CLOCK_TSC,
};

// There is no IOMMU driver: only what tells whether somebody counts on one.
struct iommu_options {
    bool wanted;
    bool dom0_passthrough, dom0_strict; // dom0's devices reach all memory; its own memory only
};

struct options {
    u8 consoles; // enum console_bits
    struct uart16550_config com[2];
    char conswitch;      // with Ctrl, three times: switches the input; 0: never
    bool conswitch_stay; // the input stays with the hypervisor at boot
    struct log_options loglvl, guest_loglvl;

    // The first domain.
    struct mem_option dom0_mem, dom0_mem_min, dom0_mem_max;
    u32 dom0_vcpus_min, dom0_vcpus_max; // 0: no limit
    bool dom0_vcpus_pin;
    const char *dom0_extra; // the part of the line after --, or NULL

    // CPUs, memory, interrupts, clocks.
    u32 maxcpus; // 0: all; 1 after nosmp
    u64 mem;     // bytes of the machine's memory to be used, from 0 on; 0: all
    bool smp, acpi, smep, smap;
    s8 x2apic;
    struct spec_options spec;
    bool hpet;
    u8 clocksource;               // enum clock_source
    char tsc[OPTIONS_TEXT_BYTES]; // "", "unstable", "skewed", "stable:socket"
    struct iommu_options iommu;

    // Running.
    char sched[OPTIONS_TEXT_BYTES]; // "": the default one
    u32 gnttab_max_frames, gnttab_max_maptrack_frames, gnttab_max_version;
    bool noreboot;
    u8 reboot; // enum reboot_method
    bool reboot_warm;
    u8 watchdog;          // enum watchdog_mode
    u32 watchdog_timeout; // seconds
};

// Sets *out to the defaults and then to what the line says. `line` may be NULL and must live as
// long as out->dom0_extra is used.
void options_parse(const char *line, struct options *out);

// How many of `avail_pages` dom0 gets at the start: what dom0_mem= says, or all but 1/16 (at most
// 128 MiB of it), then at least min:, then at most max: and at most avail_pages.
u64 dom0_mem_resolve(const struct options *o, u64 avail_pages);
// How many pages dom0 may have later: max:, or no limit (~0).
u64 dom0_mem_limit(const struct options *o, u64 avail_pages);
// One vCPU for each of `cpu_count` CPUs, within the limits given and within what a domain can have.
u32 dom0_vcpus_resolve(const struct options *o, u32 cpu_count);

#endif
