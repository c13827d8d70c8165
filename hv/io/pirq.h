// SPDX-License-Identifier: MIT
// PIRQs: the numbers by which a domain knows the device interrupts it may handle, each mapped to a
// GSI or a message and bound to an event channel. Source: <xen/physdev.h>.
//
//   free -> reserved (get_free_pirq) -> GSI | own | MSI -> free  bound or not: by event channels
//
// 1. A PIRQ that is mapped owns a struct irq. It is enabled exactly while the PIRQ is bound. Not so
//    one for a GSI of the hypervisor's own: it exists so that a domain may map what ACPI names,
//    and is never bound (test pirq_own).
// 2. Mapping is serialised by physdev_lock; p->lock makes it visible to event channels, whose
//    locks are higher, and to the interrupt handler.
// 3. A struct pirq lives until its domain's table is freed, whatever becomes of the mapping.
// 4. After a level interrupt of a bound PIRQ the pin stays masked until the guest's EOI.
//
// pirq_bind, pirq_unbind and pirq_set_affinity are declared in dom/evtchn.h; a PIRQ that is not
// mapped cannot be bound: -EPERM; nor one of the hypervisor's own GSIs: -EBUSY.
//
// Letters: [P] LOCK_PHYSDEV, [l] p->lock, [i] immutable, [a] atomic.
#ifndef WIRT_IO_PIRQ_H
#define WIRT_IO_PIRQ_H

#include "dom/domain.h"
#include "io/msi.h"

enum pirq_kind { PIRQ_FREE, PIRQ_RESERVED, PIRQ_GSI, PIRQ_OWN, PIRQ_MSI };

enum pirq_wanted { PIRQ_ANY = -1 }; // any number will do

extern spinlock_t physdev_lock; // LOCK_PHYSDEV

struct pirq {
    spinlock_t lock;    // LOCK_PIRQ
    struct domain *dom; // [i]
    u32 number;         // [i]
    u8 kind;            // [P] enum pirq_kind
    bool bound;         // [l] an event channel is bound to it
    bool eoi_pending;   // [l] masked until the guest's EOI
    u32 gsi;            // [P] PIRQ_GSI, PIRQ_OWN
    struct msi *msi;    // [P] PIRQ_MSI
    struct irq *irq;    // [P] and [l] to write, either to read; NULL: not mapped, or own
};

struct pirq_table {
    u64 *eoi_map;       // [a] guest memory: bit set, the PIRQ needs an EOI; NULL: not registered
    bool eoi_unmasks;   // [i] once eoi_map is set: the EOI unmasks the event channel, too
    struct pirq **pirq; // [a] EVTCHN_PIRQ_END pointers; NULL until the first is used
};

// All functions take LOCK_PHYSDEV or p->lock; errors are for map, unmap and the like:
//   -EINVAL no such PIRQ, GSI, or not in the state for it; -EEXIST: the GSI or message is mapped
//   already; -ENOSPC: no number or vector left; -ENOMEM
// d is referenced. No lock may be held.

// Maps a GSI to PIRQ number *pirq, or to one of the hypervisor's choice (PIRQ_ANY), which is the
// GSI's own number if that is free. A GSI that has a PIRQ already gives that one, if it is the one
// wanted. -EPERM: another domain has it: a line is not shared between domains.
NODISCARD int pirq_map_gsi(struct domain *d, u32 gsi, int *pirq);
// Maps the messages that `want` describes to consecutive PIRQs from *pirq on. Or what msi_create
// says. want->count is 1 to MSI_VECTORS_MAX.
NODISCARD int pirq_map_msi(struct domain *d, const struct msi_wanted *want, int *pirq);
// A PIRQ that is bound loses its interrupt, the port stays.
NODISCARD int pirq_unmap(struct domain *d, u32 pirq);
bool pirq_is_mapped(struct domain *d, u32 pirq);
// Reserves a number for a later map.
NODISCARD int pirq_reserve(struct domain *d, enum pirq_kind kind, u32 *pirq);

// The guest has handled the interrupt. -EINVAL: neither mapped nor bound.
NODISCARD int pirq_eoi(struct domain *d, u32 pirq);
// Registers the guest's page of PIRQs that need EOIs. -EBUSY: there is one; -EINVAL: not usable.
NODISCARD int pirq_set_eoi_map(struct domain *d, gfn_t gfn, bool eoi_unmasks);

// Unmaps everything and frees the table. Nobody else uses the domain, and its ports are closed.
void pirq_domain_free(struct domain *d);

#endif
