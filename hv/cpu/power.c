// SPDX-License-Identifier: MIT
// Off, restart, halt. Source: ACPI 6.4, "ACPI Hardware Specification" (sleep and reset registers).
#include "cpu/power.h"
#include "boot/globals.h"
#include "cpu/io.h"
#include "cpu/smp.h"
#include "cpu/time.h"
#include "cpu/x86.h"
#include "lib/printk.h"
#include "mm/frame.h"
#include "mm/map.h"

enum {
    PM1_SLP_EN = 1u << 13,
    SLEEP_CONTROL_EN = 1u << 5,
    KBD_COMMAND = 0x64,
    KBD_RESET = 0xfe,
    RESET_PORT = 0xcf9,
    RESET_PREPARE = 0x02,
    RESET_NOW = 0x06,
    RESET_POWER_CYCLE = 0x0e,
    PCI_ADDRESS = 0xcf8,
    PCI_DATA = 0xcfc,
    WARM_FLAG_ADDRESS = 0x472, // the BIOS's: 0x1234 skips its memory test
    WARM_FLAG = 0x1234,
    PATIENCE_US = 500000, // until the machine should be gone
};

// --- registers ---

static void write_port(u16 port, u32 bits, u32 value)
{
    if (bits <= 8)
        outb(port, (u8)value);
    else if (bits <= 16)
        outw(port, (u16)value);
    else
        outl(port, value);
}

static void write_memory(maddr_t a, u32 bits, u32 value)
{
    void *p = ioremap(a, sizeof(u32), false);
    if (!p)
        return;
    if (bits <= 8)
        *(volatile u8 *)p = (u8)value;
    else if (bits <= 16)
        *(volatile u16 *)p = (u16)value;
    else
        *(volatile u32 *)p = value;
}

// Bus 0; the address holds device, function and offset in words of 16 bits.
static void write_pci_byte(u64 address, u8 value)
{
    u32 device = (u32)(address >> 32) & 0x1f, function = (u32)(address >> 16) & 7;
    u32 offset = (u32)address & 0xff;
    outl(PCI_ADDRESS, 1u << 31 | device << 11 | function << 8 | (offset & ~3u));
    outb((u16)(PCI_DATA + (offset & 3)), value);
}

static void write_register(const struct acpi_gas *r, u32 value)
{
    if (r->address == 0)
        return;
    if (r->space == ACPI_SPACE_IO)
        write_port((u16)r->address, r->bit_width, value);
    else if (r->space == ACPI_SPACE_MEMORY)
        write_memory(MADDR(r->address), r->bit_width, value);
    else if (r->space == ACPI_SPACE_PCI)
        write_pci_byte(r->address, (u8)value);
}

// --- off ---

void machine_halt(void)
{
    smp_stop_others();
    printk(LOG_ERR, "the machine is halted");
    cpu_cli();
    for (;;)
        cpu_hlt();
}

static NORETURN void not_gone(void)
{
    time_delay(PATIENCE_US);
    printk(LOG_ERR, "the machine did not switch itself off");
    machine_halt();
}

void machine_poweroff(u16 pm1a, u16 pm1b)
{
    smp_stop_others();
    printk(LOG_INFO, "switching the machine off");
    cpu_wbinvd();
    // First the sleep type, then the same with the enable bit.
    for (u32 enable = 0; enable <= PM1_SLP_EN; enable += PM1_SLP_EN) {
        write_register(&acpi.fadt.pm1a_cnt, (pm1a & ~(u32)PM1_SLP_EN) | enable);
        write_register(&acpi.fadt.pm1b_cnt, (pm1b & ~(u32)PM1_SLP_EN) | enable);
    }
    not_gone();
}

void machine_poweroff_reduced(u8 control)
{
    smp_stop_others();
    printk(LOG_INFO, "switching the machine off");
    cpu_wbinvd();
    write_register(&acpi.fadt.sleep_control, control | (u32)SLEEP_CONTROL_EN);
    not_gone();
}

// --- restart ---

static void by_acpi(void)
{
    write_register(&acpi.fadt.reset_reg, acpi.fadt.reset_value);
}

static void by_keyboard(void)
{
    enum { TRIES = 10, INPUT_FULL = 2 };
    for (u32 i = 0; i < TRIES && (inb(KBD_COMMAND) & INPUT_FULL); i++)
        time_delay(50);
    outb(KBD_COMMAND, KBD_RESET);
}

static void reset_port(u8 how)
{
    outb(RESET_PORT, RESET_PREPARE);
    time_delay(50);
    outb(RESET_PORT, how);
}

static void by_port(void)
{
    reset_port(RESET_NOW);
}

static void by_power_cycle(void)
{
    reset_port(RESET_POWER_CYCLE);
}

// An exception without an IDT.
static void by_triple_fault(void)
{
    struct {
        u16 limit;
        u64 base;
    } PACKED none = {0, 0};
    __asm__ volatile("lidt %0" ::"m"(none));
    __asm__ volatile("int3");
}

void machine_reboot(void)
{
    static void (*const methods[])(void) = {
        [REBOOT_ACPI] = by_acpi,         [REBOOT_KEYBOARD] = by_keyboard,   [REBOOT_PCI] = by_port,
        [REBOOT_POWER] = by_power_cycle, [REBOOT_TRIPLE] = by_triple_fault,
    };
    static const u8 order[] = {REBOOT_ACPI, REBOOT_KEYBOARD, REBOOT_PCI, REBOOT_TRIPLE};

    if (options.reboot == REBOOT_NO)
        machine_halt();
    smp_stop_others();
    printk(LOG_INFO, "restarting the machine");
    *(volatile u16 *)maddr_virt(MADDR(WARM_FLAG_ADDRESS)) = options.reboot_warm ? WARM_FLAG : 0;
    if (options.reboot < ARRAY_SIZE(methods) && methods[options.reboot]) {
        methods[options.reboot]();
        time_delay(PATIENCE_US);
    }
    for (u32 i = 0; i < ARRAY_SIZE(order); i++) {
        methods[order[i]]();
        time_delay(PATIENCE_US);
    }
    machine_halt();
}
