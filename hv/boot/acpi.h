// SPDX-License-Identifier: MIT
// What the firmware's static ACPI tables say about the machine: CPUs, interrupt controllers, HPET,
// PCI configuration space, power-management registers, and where every table lies. No AML.
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
    ACPI_NMI_SOURCES_MAX = 8,
    ACPI_LAPIC_NMIS_MAX = ACPI_CPUS_MAX,
    ACPI_MCFG_MAX = 16,
    ACPI_TABLES_MAX = 192,
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
    u8 bit_offset;
    u8 access_size; // 0 undefined, 1 byte, 2 word, 3 dword, 4 qword
    u64 address;
};

struct acpi_cpu {
    u32 apic_id;
    u32 acpi_id; // processor UID, as AML knows it
    bool enabled;
    bool online_capable; // may be hot-added although it is not enabled
    bool x2apic;         // described by an x2APIC entry
};

struct acpi_ioapic {
    u32 id;
    u32 gsi_base;
    maddr_t addr;
};

// Polarity and trigger mode as in the MPS INTI flags; BUS is the bus's own default, which is
// edge/high for ISA.
enum acpi_polarity {
    ACPI_POLARITY_BUS = 0,
    ACPI_POLARITY_HIGH = 1,
    ACPI_POLARITY_LOW = 3,
};
enum acpi_trigger {
    ACPI_TRIGGER_BUS = 0,
    ACPI_TRIGGER_EDGE = 1,
    ACPI_TRIGGER_LEVEL = 3,
};

struct acpi_override {
    u8 source; // ISA interrupt
    u8 polarity;
    u8 trigger;
    u32 gsi;
};

struct acpi_nmi_source {
    u32 gsi;
    u8 polarity;
    u8 trigger;
};

#define ACPI_ID_ALL 0xffffffffu // struct acpi_lapic_nmi: holds for every CPU

struct acpi_lapic_nmi {
    u32 acpi_id;
    u8 lint; // which LINT pin of the local APIC carries the NMI
    u8 polarity;
    u8 trigger;
};

struct acpi_mcfg {
    maddr_t base; // of bus 0, even if bus_start is greater
    u16 segment;
    u8 bus_start;
    u8 bus_end; // inclusive
};

struct acpi_hpet {
    bool present;
    maddr_t addr;
    u16 min_tick; // periodic mode's smallest comparator step without lost interrupts
};

enum acpi_fadt_flags {
    ACPI_FADT_TMR_VAL_EXT = 1 << 8,
    ACPI_FADT_RESET_REG_SUP = 1 << 10,
    ACPI_FADT_FORCE_APIC_CLUSTER = 1 << 18,
    ACPI_FADT_FORCE_APIC_PHYSICAL = 1 << 19,
    ACPI_FADT_HW_REDUCED = 1 << 20,
};

enum acpi_boot_arch {
    ACPI_BOOT_LEGACY_DEVICES = 1 << 0,
    ACPI_BOOT_8042 = 1 << 1,
    ACPI_BOOT_NO_VGA = 1 << 2,
    ACPI_BOOT_NO_MSI = 1 << 3,
    ACPI_BOOT_NO_ASPM = 1 << 4,
    ACPI_BOOT_NO_CMOS_RTC = 1 << 5,
};

// "Fixed ACPI Description Table". On hardware-reduced machines the SCI, SMI and PM fields are zero.
struct acpi_fadt {
    bool present;
    bool hw_reduced;
    u8 revision;
    u8 acpi_enable; // written to smi_cmd
    u8 acpi_disable;
    u16 sci_int;
    u16 boot_arch_flags;
    u32 smi_cmd; // I/O port
    u32 flags;
    struct acpi_gas pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt;
    struct acpi_gas pm_tmr;
    bool pm_tmr_32bit; // otherwise it counts 24 bits
    struct acpi_gas sleep_control, sleep_status;
    bool reset_supported;
    u8 reset_value;
    struct acpi_gas reset_reg;
    maddr_t facs; // the firmware waking vector lies in it
    maddr_t dsdt;
};

struct acpi_table {
    char sig[5]; // terminated; unprintable bytes read '?'
    bool valid;  // length and checksum were right
    u8 revision;
    u32 length; // bytes, as the table claims
    maddr_t addr;
};

struct acpi_info {
    maddr_t rsdp;
    maddr_t root; // XSDT or RSDT, whichever was used
    bool root_is_xsdt;

    // From the MADT. No CPU at all means that there was no usable MADT.
    u32 cpu_count;
    u32 cpus_dropped; // usable CPUs beyond ACPI_CPUS_MAX
    struct acpi_cpu cpu[ACPI_CPUS_MAX];
    maddr_t lapic_addr;
    bool pcat_compat; // there is a pair of 8259s to be masked
    u32 ioapic_count;
    struct acpi_ioapic ioapic[ACPI_IOAPICS_MAX];
    u32 override_count;
    struct acpi_override override[ACPI_OVERRIDES_MAX];
    u32 nmi_source_count;
    struct acpi_nmi_source nmi_source[ACPI_NMI_SOURCES_MAX];
    u32 lapic_nmi_count;
    struct acpi_lapic_nmi lapic_nmi[ACPI_LAPIC_NMIS_MAX];

    struct acpi_hpet hpet;
    u32 mcfg_count;
    struct acpi_mcfg mcfg[ACPI_MCFG_MAX];
    struct acpi_fadt fadt;

    // Everything the root table lists, in its order, then DSDT and FACS; no address twice. Includes
    // the broken ones, because dom0 may look at those nevertheless.
    u32 table_count;
    struct acpi_table table[ACPI_TABLES_MAX];
};

// Finds the root pointer: at `hint` (0: the loader gave none), else where a BIOS leaves it. Returns
// NULL and sets *rsdp, or says what is wrong.
NODISCARD const char *acpi_find_rsdp(const struct acpi_io *io, maddr_t hint, maddr_t *rsdp);

// Fills *out from the tables that hang on `rsdp`. Returns NULL, or what is wrong with the root; out
// is then as for a machine without any table. Broken tables are named with LOG_WARN and left out.
NODISCARD const char *acpi_parse(const struct acpi_io *io, maddr_t rsdp, struct acpi_info *out);

// The first valid table with this four-letter signature, or NULL.
const struct acpi_table *acpi_table_find(const struct acpi_info *info, const char *sig);

struct acpi_isa_irq {
    u32 gsi;
    bool level;
    bool active_low;
};

// Where ISA interrupt `source` arrives and how it is signalled: identity, edge and high unless an
// override says otherwise; the SCI is level and low unless an override says otherwise.
struct acpi_isa_irq acpi_isa_irq(const struct acpi_info *info, u8 source);

#endif
