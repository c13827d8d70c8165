// SPDX-License-Identifier: MIT
// The IO-APICs: which pin each global system interrupt (GSI) arrives at, how it is signalled, and
// the pin as a source of interrupts. Source: Intel 82093AA data sheet.
#ifndef WIRT_IO_IOAPIC_H
#define WIRT_IO_IOAPIC_H

#include "lib/compiler.h"

struct acpi_info;
struct irq;

enum ioapic_rte { // the low half of a redirection entry; fixed delivery, physical destination
    RTE_VECTOR = 0xff,
    RTE_DELIVERY = 7 << 8,
    RTE_DELIVERY_SMI = 2 << 8,
    RTE_ACTIVE_LOW = 1 << 13,
    RTE_LEVEL = 1 << 15,
    RTE_MASKED = 1 << 16,
};

// Finds and masks the IO-APICs, notes how ISA interrupts are signalled, and keeps the pages of all
// APICs for the hypervisor: dom0 may read an IO-APIC's. Boot CPU, once.
void ioapic_init(const struct acpi_info *acpi);
// Silences the pair of 8259s. Boot, before apic_setup.
void pic_disable(void);

// One more than the highest GSI that any IO-APIC serves.
u32 ioapic_gsi_end(void);
bool ioapic_has_gsi(u32 gsi);

// Says how a GSI is signalled, once: 0; -EINVAL: no such GSI; -EEXIST: it was said before, or the
// interrupt is enabled already. Nothing has changed then. Takes LOCK_IRQ.
NODISCARD int ioapic_setup(u32 gsi, bool level, bool active_low);

// Allocates the interrupt of a GSI, disabled: 0; -EINVAL: no such GSI; -EBUSY: somebody has it;
// -ENOSPC: no vector. To be given back with ioapic_detach. The caller serialises them
// (LOCK_PHYSDEV, or boot).
NODISCARD int ioapic_attach(u32 gsi, struct irq **irq);
void ioapic_detach(u32 gsi);

// Register `reg` (its low byte) of the IO-APIC at machine address `base`, as the hardware has it.
// -EINVAL: no such IO-APIC.
NODISCARD int ioapic_read(maddr_t base, u32 reg, u32 *value);
// What the control domain wants written there. Only how the pin is signalled is taken from it, as
// by ioapic_setup; the rest is the hypervisor's affair and is ignored. Errors as above.
NODISCARD int ioapic_write(maddr_t base, u32 reg, u32 value);

#endif
