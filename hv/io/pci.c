// SPDX-License-Identifier: MIT
// PCI configuration space and known devices (io/pci.h).
#include "io/pci.h"
#include "abi/errno.h"
#include "boot/acpi.h"
#include "cpu/io.h"
#include "cpu/spinlock.h"
#include "io/reg.h"
#include "mm/heap.h"
#include "mm/map.h"

enum {
    PORT_ADDRESS = 0xcf8,
    PORT_DATA = 0xcfc,
    PORTS_CONFIG_END = 256, // registers the ports reach
    CONFIG_END = 4096,
    BUS_SHIFT = 20,
    BUSES = 256,
    DEVICES_MAX = 8192, // so that memory is bounded
    CAPS_MAX = 48,      // as many as fit
};
#define ADDRESS_ENABLE 0x80000000u

struct region {
    struct acpi_mcfg mcfg; // [i]
    bool usable;           // [P]
    u8 **bus;              // [P] mappings by bus number; made when first needed
};

static spinlock_t port_lock = SPINLOCK_INIT(LOCK_PCI);
static u32 guest_address; // [port_lock] what dom0 wrote to PORT_ADDRESS
static struct region regions[ACPI_MCFG_MAX];
static u32 region_count; // [i]
static struct pci_dev *devices;
static u32 device_count;

void pci_init(const struct acpi_info *acpi)
{
    for (u32 i = 0; i < acpi->mcfg_count; i++)
        regions[region_count++] = (struct region){.mcfg = acpi->mcfg[i], .usable = true};
}

// ---- Access ----

static u32 all_ones(u32 bytes)
{
    return (u32)(((u64)1 << 8 * bytes) - 1);
}

static u32 port_read(u16 port, u32 bytes)
{
    return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

static void port_write(u16 port, u32 bytes, u32 value)
{
    if (bytes == 1)
        outb(port, (u8)value);
    else if (bytes == 2)
        outw(port, (u16)value);
    else
        outl(port, value);
}

static u32 port_address(struct pci_addr a, u32 reg)
{
    return ADDRESS_ENABLE | (u32)a.bus << 16 | (u32)a.devfn << 8 | (reg & 0xfc);
}

static bool by_port(struct pci_addr a, u32 reg)
{
    return a.segment == 0 && reg < PORTS_CONFIG_END;
}

static struct region *find_region(struct pci_addr a)
{
    for (u32 i = 0; i < region_count; i++) {
        const struct acpi_mcfg *m = &regions[i].mcfg;
        if (m->segment == a.segment && a.bus >= m->bus_start && a.bus <= m->bus_end)
            return regions[i].usable ? &regions[i] : NULL;
    }
    return NULL;
}

// Where the register is mapped, or NULL.
static u8 *mapped_reg(struct pci_addr a, u32 reg)
{
    struct region *r = find_region(a);
    if (!r || reg >= CONFIG_END)
        return NULL;
    if (!r->bus)
        r->bus = heap_alloc(BUSES * sizeof(*r->bus));
    if (!r->bus)
        return NULL;
    if (!r->bus[a.bus])
        r->bus[a.bus] =
            ioremap(MADDR(r->mcfg.base.v + ((u64)a.bus << BUS_SHIFT)), (u64)1 << BUS_SHIFT, false);
    return r->bus[a.bus] ? r->bus[a.bus] + ((u32)a.devfn << 12) + reg : NULL;
}

u32 pci_read(struct pci_addr a, u32 reg, u32 bytes)
{
    if (by_port(a, reg)) {
        spin_lock(&port_lock);
        outl(PORT_ADDRESS, port_address(a, reg));
        u32 v = port_read((u16)(PORT_DATA + (reg & 3)), bytes);
        spin_unlock(&port_lock);
        return v;
    }
    const u8 *p = mapped_reg(a, reg);
    if (!p)
        return all_ones(bytes);
    return bytes == 1 ? reg_read8(p) : bytes == 2 ? reg_read16(p) : reg_read32(p);
}

void pci_write(struct pci_addr a, u32 reg, u32 bytes, u32 value)
{
    if (by_port(a, reg)) {
        spin_lock(&port_lock);
        outl(PORT_ADDRESS, port_address(a, reg));
        port_write((u16)(PORT_DATA + (reg & 3)), bytes, value);
        spin_unlock(&port_lock);
        return;
    }
    u8 *p = mapped_reg(a, reg);
    if (p && bytes == 1)
        reg_write8(p, (u8)value);
    else if (p && bytes == 2)
        reg_write16(p, (u16)value);
    else if (p)
        reg_write32(p, value);
}

u32 pci_find_cap(struct pci_addr a, u8 id)
{
    if (!(pci_read(a, PCI_STATUS, 2) & PCI_STATUS_CAPS))
        return 0;
    u32 at = pci_read(a, PCI_CAPS, 1) & 0xfc;
    for (u32 i = 0; i < CAPS_MAX && at >= 0x40; i++) {
        u32 head = pci_read(a, at, 2);
        if ((head & 0xff) == id)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}

// ---- Devices ----

static bool same(struct pci_addr a, struct pci_addr b)
{
    return a.segment == b.segment && a.bus == b.bus && a.devfn == b.devfn;
}

static struct pci_dev *find(struct pci_addr a)
{
    struct pci_dev *d = devices;
    while (d && !same(d->addr, a))
        d = d->next;
    return d;
}

int pci_add(struct pci_addr a)
{
    struct pci_dev *d = find(a);
    if (!d && device_count == DEVICES_MAX)
        return -ENOSPC;
    if (!d) {
        d = heap_new(struct pci_dev);
        if (!d)
            return -ENOMEM;
        d->addr = a;
        d->next = devices;
        devices = d;
        device_count++;
    }
    d->present = true;
    return 0;
}

int pci_remove(struct pci_addr a)
{
    struct pci_dev *d = find(a);
    if (!d || !d->present)
        return -ENODEV;
    if (d->msi)
        return -EBUSY;
    d->present = false;
    return 0;
}

struct pci_dev *pci_get(struct pci_addr a)
{
    struct pci_dev *d = find(a);
    return d && d->present ? d : NULL;
}

int pci_mmcfg_reserved(maddr_t base, u16 segment, u8 first_bus, u8 last_bus, bool reserved)
{
    for (u32 i = 0; i < region_count; i++) {
        const struct acpi_mcfg *m = &regions[i].mcfg;
        if (m->base.v == base.v && m->segment == segment && m->bus_start == first_bus &&
            m->bus_end == last_bus) {
            regions[i].usable = reserved;
            return 0;
        }
    }
    return -ENODEV;
}

// ---- Ports for the control domain ----

// The data ports need the enable bit, or the access would be no configuration cycle. Narrow
// accesses next to the address register are other registers of the chip set, such as the reset
// control at 0xcf9.
void pci_guest_cfg_port_access(u16 port, u32 bytes, bool write, u32 *value)
{
    spin_lock(&port_lock);
    bool real = bytes < 4;
    if (port >= PORT_DATA) {
        real = guest_address & ADDRESS_ENABLE && port % bytes == 0;
        outl(PORT_ADDRESS, guest_address);
    }
    if (real && write)
        port_write(port, bytes, *value);
    else if (real)
        *value = port_read(port, bytes);
    else if (port == PORT_ADDRESS && write)
        guest_address = *value;
    else if (!write)
        *value = port == PORT_ADDRESS ? guest_address : all_ones(bytes);
    spin_unlock(&port_lock);
}
