// SPDX-License-Identifier: MIT
// What the firmware's static ACPI tables say about the machine: CPUs, interrupt controllers, HPET,
// PCI configuration space, power-management registers. No AML.
//
// Pure logic: memory is seen only through struct acpi_io, results go only to struct acpi_info.
// Tables are foreign bytes: a wrong one costs a warning and its own contents, never more.
// Source: ACPI 6.4, chapter "ACPI Software Programming Model", and the IA-PC HPET and PCI Firmware
// specifications for the HPET and MCFG tables.
#ifndef WIRT_BOOT_ACPI_H
#define WIRT_BOOT_ACPI_H

#include "lib/compiler.h"

enum {
    ACPI_CPUS_MAX = 256, // all limits are counts: how many we keep; the rest costs a warning
    ACPI_IOAPICS_MAX = 16,
    ACPI_OVERRIDES_MAX = 32,
    ACPI_MCFG_MAX = 16,
};

struct acpi_io {
    // A readable pointer to `bytes` bytes of physical memory at `a`, or NULL. It need stay valid
    // only until the next call.
    const void *(*map)(void *ctx, maddr_t a, u64 bytes);
    void *ctx;
};

enum acpi_space {
    ACPI_SPACE_MEMORY = 0,
    ACPI_SPACE_IO = 1,
    ACPI_SPACE_PCI = 2,
};

// A register ("Generic Address Structure"). Address 0 means that it does not exist.
struct acpi_gas {
    u8 space; // enum acpi_space
    u8 bit_width;
    u64 address;
};

// A CPU that can run.
struct acpi_cpu {
    u32 apic_id;
    u32 acpi_id; // processor UID, as AML knows it
};

struct acpi_ioapic {
    u32 id;
    u32 gsi_base;
    maddr_t addr;
};

struct acpi_override {
    u8 source; // ISA interrupt
    u8 flags;  // "MPS INTI Flags"
    u32 gsi;
};

struct acpi_mcfg {
    maddr_t base; // of bus 0, even if bus_start is greater
    u16 segment;
    u8 bus_start;
    u8 bus_end; // inclusive
};

// "Fixed ACPI Description Table". On hardware-reduced machines the SCI and the PM fields are zero.
struct acpi_fadt {
    u16 sci_int;
    struct acpi_gas pm1a_cnt, pm1b_cnt;
    struct acpi_gas pm_tmr;
    struct acpi_gas sleep_control;
    u8 reset_value;
    struct acpi_gas reset_reg;
};

struct acpi_info {
    u32 tables; // which there were, by bits

    // From the MADT. No CPU at all means that there was no usable MADT.
    u32 cpu_count;
    u32 cpus_dropped; // CPUs beyond ACPI_CPUS_MAX
    struct acpi_cpu cpu[ACPI_CPUS_MAX];
    maddr_t lapic_addr;
    u32 ioapic_count;
    struct acpi_ioapic ioapic[ACPI_IOAPICS_MAX];
    u32 override_count;
    struct acpi_override override[ACPI_OVERRIDES_MAX];

    maddr_t hpet; // 0: there is none
    u32 mcfg_count;
    struct acpi_mcfg mcfg[ACPI_MCFG_MAX];
    struct acpi_fadt fadt;
};

// Finds the root pointer: at `hint` (0: the loader gave none), else where a BIOS leaves it. Returns
// NULL and sets *rsdp, or says what is wrong.
NODISCARD const char *acpi_find_rsdp(const struct acpi_io *io, maddr_t hint, maddr_t *rsdp);

// Fills *out from the tables that hang on `rsdp`. Returns NULL, or what is wrong with the root; out
// is then as for a machine without any table. Broken tables are named with LOG_WARN and left out.
NODISCARD const char *acpi_parse(const struct acpi_io *io, maddr_t rsdp, struct acpi_info *out);

struct acpi_isa_irq {
    u32 gsi;
    bool level;
    bool active_low;
};

// Where ISA interrupt `source` arrives and how it is signalled: identity, edge and high unless an
// override says otherwise; the SCI is level and low unless an override says otherwise.
struct acpi_isa_irq acpi_isa_irq(const struct acpi_info *info, u8 source);

#endif
