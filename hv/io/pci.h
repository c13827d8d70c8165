// SPDX-License-Identifier: MIT
// PCI configuration space, and the devices that are known. The control domain drives the devices;
// the hypervisor touches their message-signalled interrupts only. Source: PCI Local Bus 3.0; PCI
// Firmware 3.2 (MCFG).
#ifndef WIRT_IO_PCI_H
#define WIRT_IO_PCI_H

#include "lib/compiler.h"

struct acpi_info;

struct pci_addr {
    u16 segment;
    u8 bus;
    u8 devfn;
};

enum pci_reg {
    PCI_COMMAND = 0x04,
    PCI_COMMAND_MEMORY = 1 << 1,
    PCI_STATUS = 0x06,
    PCI_STATUS_CAPS = 1 << 4,
    PCI_HEADER = 0x0e,
    PCI_HEADER_TYPE = 0x7f, // 0: a device with six BARs
    PCI_BAR0 = 0x10,
    PCI_CAPS = 0x34,
    PCI_CAP_MSI = 0x05,
    PCI_CAP_MSIX = 0x11,
};

struct msi;

// A device that the control domain told us about. Never freed. All [P]: LOCK_PHYSDEV
// serialises.
struct pci_dev {
    struct pci_addr addr;
    bool present;
    struct msi *msi;   // its messages in use, or NULL
    bool msix_active;  // they are MSI-X
    maddr_t table;     // MSI-X table as mapped last; 0: never
    u32 table_entries; // as mapped
    u8 *table_map;
    struct pci_dev *next;
};

// Notes where the memory-mapped configuration space is. Boot.
void pci_init(const struct acpi_info *acpi);

// Reads or writes `bytes` (1, 2, 4, naturally aligned) at register `reg`. Where there is nothing,
// reads give all ones. The high registers (256 up) and segments other than 0 need memory-mapped
// access: LOCK_PHYSDEV must then be held. Takes LOCK_PCI.
u32 pci_read(struct pci_addr a, u32 reg, u32 bytes);
void pci_write(struct pci_addr a, u32 reg, u32 bytes, u32 value);
// The offset of the first capability with that id, or 0. The device's word is not trusted.
u32 pci_find_cap(struct pci_addr a, u8 id);

// LOCK_PHYSDEV must be held for these.
// Makes the device known: 0; -ENOSPC: too many; -ENOMEM.
NODISCARD int pci_add(struct pci_addr a);
// Forgets it: 0; -ENODEV: not known; -EBUSY: its messages are in use.
NODISCARD int pci_remove(struct pci_addr a);
// The device if it is known; NULL.
struct pci_dev *pci_get(struct pci_addr a);
// The control domain tells whether the firmware reserves this memory-mapped configuration space:
// if not, it isn't used. -ENODEV: ACPI names no such space.
NODISCARD int pci_mmcfg_reserved(maddr_t base, u16 segment, u8 first_bus, u8 last_bus,
                                 bool reserved);

// The control domain's access to port 0xcf8-0xcff: its last address is kept for it, so that it and
// the hypervisor do not disturb each other. Takes LOCK_PCI.
void pci_guest_cfg_port_access(u16 port, u32 bytes, bool write, u32 *value);

#endif
