// SPDX-License-Identifier: MIT
// The world around device interrupts for their unit tests: an IO-APIC behind its register window,
// PCI devices behind the configuration ports and behind MMCONFIG, the memory of one device's MSI-X
// table, the pair of 8259s, two domains, and event channels that note what they are sent.
#ifndef WIRT_TESTS_IO_IRQ_WORLD_H
#define WIRT_TESTS_IO_IRQ_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/xen.h"
#include "boot/acpi.h"
#include "cpu/cpu.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "dom/domain.h"
#include "fake/host.h"
#include "hc/table.h"
#include "io/ioapic.h"
#include "io/mmio.h"
#include "io/pci.h"
#include "io/pirq.h"
#include "io/reg.h"
#include "mm/frame.h"
#include "mm/map.h"
#include <xen/physdev.h>

enum {
    PINS = 24,
    IOAPIC_BASE = 0xfec00000u,
    LAPIC_BASE = 0xfee00000u,
    MMCFG_BASE = 0xb0000000u,
    TABLE_BAR = 0xfe000000u,
    TABLE_OFFSET = 0x2000,
    TABLE_ENTRIES = 8,
    // Devices on bus 0
    DEV_MSI = 8,   // MSI: 64-bit, maskable, 4 messages
    DEV_PLAIN = 9, // MSI: 32-bit, not maskable, 1 message; another MSI-X table in an I/O BAR
    DEV_MSIX = 10, // MSI-X in BAR 1
    DEVS = 16,
    PCI_VENDOR = 0,
    CAP = 0x50,
    CAP2 = 0x70,
};

static struct {
    u32 ioapic_select, ioapic_reg[256];
    u8 pic_mask[2];
    u32 pci_address;
    u8 config[DEVS][4096];
    u8 table[4096];
    u8 port_0xcf9;
    unsigned ioremaps, config_writes;

    struct domain dom[2];
    struct vcpu vcpu[2][2];
    u32 port_of[EVTCHN_PIRQ_END];
    unsigned sent[EVTCHN_PIRQ_END], eois, unmasked, frames_mapped;
    unsigned mask_when_sent; // of the GSI in the low byte's pin
    u8 guest_page[4096] ALIGNED(4096);
    struct acpi_info acpi;
} w;

struct cpu_features cpu_features = {.phys_bits = 36};
struct cpu cpus[CPUS_MAX];
u64 frame_count; // no RAM, hence no frame table

// ---- The machine ----

static u8 ioapic_page[32];
static u8 mmcfg_page[1 << 20];

void apic_eoi(void)
{
    w.eois++;
}

void *ioremap(maddr_t a, u64 bytes, bool cached)
{
    assert_false(cached);
    w.ioremaps++;
    if (a.v == IOAPIC_BASE)
        return ioapic_page;
    if (a.v == MMCFG_BASE) {
        assert_int_equal(bytes, sizeof(mmcfg_page));
        return mmcfg_page;
    }
    assert_int_equal(a.v, TABLE_BAR + TABLE_OFFSET);
    assert_true(bytes <= sizeof(w.table));
    return w.table;
}

static u32 config_access(u32 address, u16 port, u32 bytes, const u32 *write)
{
    u32 devfn = address >> 8 & 0xff, reg = (address & 0xfc) + port - 0xcfc, v = ~0u;
    assert_true(address & 0x80000000);
    if (address >> 16 & 0xff || devfn >= DEVS)
        return v;
    assert_true(reg % bytes == 0);
    if (write)
        memcpy(&w.config[devfn][reg], write, bytes);
    else
        memcpy(&v, &w.config[devfn][reg], bytes);
    w.config_writes += write != NULL;
    return v;
}

u8 inb(u16 port)
{
    return port == 0xcf9 ? w.port_0xcf9 : (u8)config_access(w.pci_address, port, 1, NULL);
}

u16 inw(u16 port)
{
    return (u16)config_access(w.pci_address, port, 2, NULL);
}

u32 inl(u16 port)
{
    return config_access(w.pci_address, port, 4, NULL);
}

void outb(u16 port, u8 v)
{
    u32 value = v;
    if (port == 0x21 || port == 0xa1)
        w.pic_mask[port == 0xa1] = v;
    else if (port == 0xcf9)
        w.port_0xcf9 = v;
    else if (port >= 0xcfc)
        config_access(w.pci_address, port, 1, &value);
}

void outw(u16 port, u16 v)
{
    u32 value = v;
    config_access(w.pci_address, port, 2, &value);
}

void outl(u16 port, u32 v)
{
    if (port == 0xcf8)
        w.pci_address = v;
    else
        config_access(w.pci_address, port, 4, &v);
}

u8 reg_read8(const volatile void *p)
{
    return *(const volatile u8 *)p;
}

u16 reg_read16(const volatile void *p)
{
    return *(const volatile u16 *)p;
}

u32 reg_read32(const volatile void *p)
{
    if (p == ioapic_page + 0x10)
        return w.ioapic_reg[w.ioapic_select];
    return *(const volatile u32 *)p;
}

void reg_write8(volatile void *p, u8 v)
{
    *(volatile u8 *)p = v;
}

void reg_write16(volatile void *p, u16 v)
{
    *(volatile u16 *)p = v;
}

void reg_write32(volatile void *p, u32 v)
{
    if (p == ioapic_page)
        w.ioapic_select = v & 0xff;
    else if (p == ioapic_page + 0x10)
        w.ioapic_reg[w.ioapic_select] = v;
    else
        *(volatile u32 *)p = v;
}

// ---- Domains and event channels ----

bool domain_may_use(UNUSED struct domain *d, UNUSED const struct ranges *set, UNUSED u64 first,
                    UNUSED u64 n)
{
    return false;
}

struct domain *domain_get(dom_id_t id, struct domain *self)
{
    return id.v == DOMID_SELF ? self : id.v < 2 ? &w.dom[id.v] : NULL;
}

void domain_put(struct domain *d)
{
}

void *domain_map_guest_frame(struct domain *d, gfn_t gfn, mfn_t *mfn)
{
    assert_int_equal(fake_locks_held(), 0);
    if (gfn.v != 1)
        return NULL;
    w.frames_mapped++;
    *mfn = MFN(1);
    return w.guest_page;
}

void domain_unmap_guest_frame(struct domain *d, void *map)
{
    assert_int_equal(fake_locks_held(), 0);
    w.frames_mapped--;
}

static u32 rte(u32 gsi)
{
    return w.ioapic_reg[0x10 + 2 * gsi];
}

bool evtchn_send_pirq(struct domain *d, u32 pirq)
{
    assert_int_equal(fake_locks_held(), 0);
    w.sent[pirq]++;
    if (pirq < PINS)
        w.mask_when_sent = rte(pirq) & RTE_MASKED;
    return w.port_of[pirq] != 0;
}

port_t evtchn_pirq_port(struct domain *d, u32 pirq)
{
    return PORT(w.port_of[pirq]);
}

int evtchn_unmask(struct domain *d, port_t port)
{
    w.unmasked++;
    return 0;
}

#define HV_ADDRESS 0xffff800000000000

int guest_copy_in(void *dst, guest_ptr src, u64 bytes)
{
    if (!src.v)
        return -EFAULT;
    memcpy(dst, (const void *)src.v, bytes);
    return 0;
}

int guest_copy_out(guest_ptr dst, const void *src, u64 bytes)
{
    memcpy((void *)dst.v, src, bytes);
    return 0;
}

// What dom/evtchn.c does around pirq_bind and pirq_unbind.
static int world_bind(u32 dom, u32 pirq)
{
    int ret = pirq_bind(&w.vcpu[dom][0], pirq, true);
    if (!ret)
        w.port_of[pirq] = 1;
    return ret;
}

static void world_unbind(u32 dom, u32 pirq)
{
    w.port_of[pirq] = 0;
    pirq_unbind(&w.dom[dom], pirq);
}

static long call(u32 dom, u32 cmd, void *arg)
{
    return hc_physdev_op(&w.vcpu[dom][0], cmd, (u64)arg, 0, 0, 0);
}

// ---- Life ----

UNUSED static void config_set(u32 devfn, u32 reg, u32 bytes, u32 value)
{
    memcpy(&w.config[devfn][reg], &value, bytes);
}

UNUSED static u32 config_get(u32 devfn, u32 reg, u32 bytes)
{
    u32 value = 0;
    memcpy(&value, &w.config[devfn][reg], bytes);
    return value;
}

static void device_init(u32 devfn, u32 cap_id, u32 control)
{
    memset(w.config[devfn], 0, sizeof(w.config[devfn]));
    config_set(devfn, PCI_VENDOR, 4, 0x10001234);
    config_set(devfn, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    config_set(devfn, PCI_STATUS, 2, PCI_STATUS_CAPS);
    config_set(devfn, PCI_CAPS, 1, CAP);
    config_set(devfn, CAP, 4, control << 16 | cap_id);
}

static void devices_init(void)
{
    memset(w.config, 0xff, sizeof(w.config));
    device_init(DEV_MSI, PCI_CAP_MSI, 1 << 8 | 1 << 7 | 2 << 1);
    device_init(DEV_PLAIN, PCI_CAP_MSI, 0);
    config_set(DEV_PLAIN, CAP + 1, 1, CAP2);
    config_set(DEV_PLAIN, CAP2, 4, PCI_CAP_MSIX);
    config_set(DEV_PLAIN, CAP2 + 4, 4, 0);
    config_set(DEV_PLAIN, PCI_BAR0, 4, 0xc001);
    device_init(DEV_MSIX, PCI_CAP_MSIX, TABLE_ENTRIES - 1);
    config_set(DEV_MSIX, PCI_BAR0 + 4, 4, TABLE_BAR | 4);
    config_set(DEV_MSIX, CAP + 4, 4, TABLE_OFFSET | 1);
    memset(w.table, 0, sizeof(w.table));
}

static void domains_init(void)
{
    for (u32 i = 0; i < 2; i++) {
        w.dom[i] = (struct domain){.id = DOM_ID((u16)i), .privileged = i == 0, .vcpu_count = 2};
        for (u32 j = 0; j < 2; j++) {
            w.vcpu[i][j] = (struct vcpu){.dom = &w.dom[i], .id = VCPU_ID(j), .cpu = j};
            w.dom[i].vcpu[j] = &w.vcpu[i][j];
        }
    }
}

// The machine boots once per program; the devices and domains are new for each test, and each test
// unmaps what it mapped.
static void world_boot(void)
{
    for (u32 i = 0; i < CPUS_MAX; i++)
        cpus[i] = (struct cpu){.id = i, .apic_id = i * 2};
    cpus[7].apic_id = 300; // out of reach
    devices_init();
    w.acpi.lapic_addr = MADDR(LAPIC_BASE);
    w.acpi.ioapic_count = 1;
    w.acpi.ioapic[0] = (struct acpi_ioapic){1, 0, MADDR(IOAPIC_BASE)};
    w.acpi.override_count = 2;
    w.acpi.override[0] = (struct acpi_override){0, 0, 2};
    w.acpi.override[1] = (struct acpi_override){9, 0x0d, 9};
    w.acpi.mcfg_count = 1;
    w.acpi.mcfg[0] = (struct acpi_mcfg){MADDR(MMCFG_BASE), 1, 0, 255};
    w.ioapic_reg[1] = (PINS - 1) << 16 | 0x20;
    w.ioapic_reg[0x10 + 2 * 23] = RTE_DELIVERY_SMI;
    pic_disable();
    irqs_init();
    ioapic_init(&w.acpi);
    pci_init(&w.acpi);
}

static int world_setup(void **state)
{
    devices_init();
    domains_init();
    memset(w.port_of, 0, sizeof(w.port_of));
    memset(w.sent, 0, sizeof(w.sent));
    memset(w.guest_page, 0, sizeof(w.guest_page));
    for (u8 devfn = DEV_MSI; devfn <= DEV_MSIX; devfn++)
        assert_int_equal(pci_add((struct pci_addr){0, 0, devfn}), 0);
    w.eois = w.unmasked = 0;
    return 0;
}

static int world_teardown(void **state)
{
    fake_heap_fail_after(-1);
    for (u32 i = 0; i < 2; i++)
        pirq_domain_free(&w.dom[i]);
    assert_int_equal(w.frames_mapped, 0);
    assert_int_equal(fake_locks_held(), 0);
    return 0;
}

// Maps for domain 0; the PIRQ or a negative errno.
static int map(struct physdev_map_pirq a)
{
    long ret = call(0, PHYSDEVOP_map_pirq, &a);
    return ret ? (int)ret : a.pirq;
}

static int map_gsi(int gsi, int pirq)
{
    return map((struct physdev_map_pirq){
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = gsi, .pirq = pirq});
}

static long unmap(u32 pirq)
{
    struct physdev_unmap_pirq a = {DOMID_SELF, (int)pirq};
    return call(0, PHYSDEVOP_unmap_pirq, &a);
}

UNUSED static long eoi(u32 pirq)
{
    struct physdev_eoi a = {pirq};
    return call(0, PHYSDEVOP_eoi, &a);
}

#endif
