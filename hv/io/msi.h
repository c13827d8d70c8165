// SPDX-License-Identifier: MIT
// Message-signalled interrupts: MSI and MSI-X capabilities as sources of interrupts. Source: PCI
// Local Bus 3.0, 6.8; SDM 3A "Message Signalled Interrupts".
#ifndef WIRT_IO_MSI_H
#define WIRT_IO_MSI_H

#include "io/pci.h"

struct irq;
struct msi;

enum { MSI_VECTORS_MAX = 32 }; // of one device without MSI-X

// What a domain asks for.
struct msi_wanted {
    struct pci_addr dev;
    bool msix;
    u32 entry; // MSI-X: table index
    u32 count; // MSI: messages, 1 to MSI_VECTORS_MAX
    u64 bar;   // MSI-X: machine address in the BAR that holds the table
};

// Allocates vectors and programs the device with their messages, masked where it can mask. The
// descriptors are consecutive from *irq. Serialised by LOCK_PHYSDEV, which is held.
// -ENODEV: no such device, or without the capability; -EEXIST: that message is in use, or the other
// capability is; -EINVAL: entry, count or BAR do not fit the device; -ENXIO: it does not decode
// memory; -ENOSPC: no vectors; -ENOMEM.
NODISCARD int msi_create(const struct msi_wanted *want, struct msi **msi, struct irq **irq);
// Switches the message off and gives the vectors back; waits for running handlers.
void msi_destroy(struct msi *m);
// Programs all messages of the device again, e.g. after it lost power. -ENODEV. LOCK_PHYSDEV held.
NODISCARD int msi_restore(struct pci_addr dev);
// Is any message of the device in use? LOCK_PHYSDEV held.
bool msi_in_use(struct pci_addr dev);

#endif
