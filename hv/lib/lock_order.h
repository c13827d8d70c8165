// SPDX-License-Identifier: MIT
// Every lock of the hypervisor, in the order in which they may be nested. docs/locks.md explains
// what each one protects.
#ifndef WIRT_LIB_LOCK_ORDER_H
#define WIRT_LIB_LOCK_ORDER_H

enum lock_order {
    LOCK_DOMAIN = 20,    // life cycle of one domain: pause counts, vCPU creation, reservations
    LOCK_PHYSDEV = 30,   // PIRQ and MSI tables
    LOCK_GRANT = 40,     // one domain's grant table
    LOCK_MMU = 50,       // one domain's page tables, frame types, handles of grants it has mapped
    LOCK_EVTCHN = 60,    // one domain's port table
    LOCK_FIFO = 65,      // one vCPU's FIFO queues
    LOCK_IO_RANGES = 66, // what I/O one domain has been granted
    LOCK_PIRQ = 67,      // one PIRQ
    LOCK_MMIO = 68,      // the list of device pages that are kept
    LOCK_VECTOR = 69,    // which vectors are free
    LOCK_IRQ = 70,       // one interrupt descriptor
    LOCK_IRQ_CHIP = 71,  // one IO-APIC's registers, one device's messages
    LOCK_PCI = 72,       // configuration space access through ports
    LOCK_MAP = 73,       // the hypervisor's own mappings
    LOCK_POOLS = 76,     // CPU pools
    LOCK_SCHED = 80,     // one CPU's run queue
    LOCK_CAP = 82,       // what is left of one domain's CPU time
    LOCK_TIMER = 85,     // one CPU's timer queue
    LOCK_CLAIM = 86,     // memory set aside for domains
    LOCK_DOMLIST = 87,   // the list of domains, and that of dead ones
    LOCK_OWNED = 88,     // the list of one domain's frames
    LOCK_HEAP = 90,      // small-object heap
    LOCK_FRAMES = 92,    // frame allocator
    LOCK_CONSOLE = 99,   // console ring and devices
};

#endif
