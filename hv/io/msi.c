// SPDX-License-Identifier: MIT
// Message-signalled interrupts (io/msi.h).
//
// A device's message goes to the address of a CPU's APIC and carries the vector. Vectors are the
// same everywhere, so a moved interrupt changes its address only, in one write.
//
// Limits: the table of an SR-IOV virtual function, whose BARs read as zero, is refused. A register
// on the same page as an MSI-X table is read-only for the control domain while the table is in use;
// mappings made before stay writable, as a device can send any message by DMA anyway.
#include "io/msi.h"
#include "abi/errno.h"
#include "cpu/irq.h"
#include "io/mmio.h"
#include "io/reg.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/map.h"

enum { // registers of the MSI capability, from its start
    MSI_CONTROL = 2,
    MSI_CONTROL_ENABLE = 1 << 0,
    MSI_CONTROL_CAPABLE_SHIFT = 1, // log2 of messages it can send
    MSI_CONTROL_COUNT_SHIFT = 4,   // log2 of messages it may send
    MSI_CONTROL_64 = 1 << 7,
    MSI_CONTROL_MASKABLE = 1 << 8,
    MSI_ADDRESS = 4,
    MSI_ADDRESS_HIGH = 8, // if 64-bit; data and mask are then 4 further on
    MSI_DATA = 8,
    MSI_MASK = 12,
};
enum { // of the MSI-X capability
    MSIX_CONTROL = 2,
    MSIX_CONTROL_LAST = 0x7ff,
    MSIX_CONTROL_MASK_ALL = 1 << 14,
    MSIX_CONTROL_ENABLE = 1 << 15,
    MSIX_TABLE = 4, // BAR number and offset
    MSIX_TABLE_BAR = 7,
};
enum { // of an MSI-X table entry
    ENTRY_ADDRESS = 0,
    ENTRY_ADDRESS_HIGH = 4,
    ENTRY_DATA = 8,
    ENTRY_CONTROL = 12,
    ENTRY_MASKED = 1,
    ENTRY_BYTES = 16,
};
enum { BAR_IO = 1, BAR_TYPE = 6, BAR_64 = 4, BAR_FLAGS = 15, BARS = 6, BRIDGE_BARS = 2 };
#define MSI_ADDRESS_BASE 0xfee00000u

// The messages of one map request: one MSI-X entry, or all of a device's MSI.
struct msi {
    struct pci_dev *dev; // [i]
    struct msi *next;    // [P] of the same device
    struct irq *irq;     // [i] first of count
    u32 count;           // [i]
    u32 entry;           // [i] MSI-X
    u32 cap;             // [i] offset of the MSI capability
    u32 control;         // [i] what it said of itself
    spinlock_t lock;     // one above LOCK_IRQ: mask register shared by the messages
    u32 mask;            // [lock]
};

static u32 message_address(u32 dest)
{
    return MSI_ADDRESS_BASE | dest << 12;
}

static u32 log2_of(u32 power)
{
    return 31 - (u32)__builtin_clz(power);
}

static u32 round_up_power(u32 n)
{
    return n == 1 ? 1 : 1u << (log2_of(n - 1) + 1);
}

// ---- MSI: registers in configuration space ----

static void msi_write_mask(struct msi *m, u32 set, u32 clear)
{
    if (!(m->control & MSI_CONTROL_MASKABLE))
        return;
    spin_lock(&m->lock);
    m->mask = (m->mask | set) & ~clear;
    pci_write(m->dev->addr, m->cap + MSI_MASK + (m->control & MSI_CONTROL_64 ? 4 : 0), 4, m->mask);
    spin_unlock(&m->lock);
}

static void msi_mask(struct irq *irq)
{
    msi_write_mask(irq->data, 1u << irq->index, 0);
}

static void msi_unmask(struct irq *irq)
{
    msi_write_mask(irq->data, 0, 1u << irq->index);
}

// All messages of the device share the address.
static void msi_route(struct irq *irq)
{
    const struct msi *m = irq->data;
    pci_write(m->dev->addr, m->cap + MSI_ADDRESS, 4, message_address(irq->dest));
}

static const struct irq_source msi_source = {msi_mask, msi_unmask, msi_route};

static void msi_set_control(struct msi *m, bool enable)
{
    u32 control = pci_read(m->dev->addr, m->cap + MSI_CONTROL, 2) & ~(u32)MSI_CONTROL_ENABLE;
    control &= ~(7u << MSI_CONTROL_COUNT_SHIFT);
    control |= log2_of(round_up_power(m->count)) << MSI_CONTROL_COUNT_SHIFT;
    pci_write(m->dev->addr, m->cap + MSI_CONTROL, 2, control | (enable ? MSI_CONTROL_ENABLE : 0));
}

// Everything but the vectors' masks is written while the capability is off.
static void msi_program(struct msi *m)
{
    struct pci_addr a = m->dev->addr;
    u32 wide = m->control & MSI_CONTROL_64 ? 4 : 0;
    msi_set_control(m, false);
    msi_write_mask(m, 0, 0);
    pci_write(a, m->cap + MSI_ADDRESS, 4, message_address(READ_ONCE(m->irq->dest)));
    if (wide)
        pci_write(a, m->cap + MSI_ADDRESS_HIGH, 4, 0);
    pci_write(a, m->cap + MSI_DATA + wide, 2, m->irq->vector);
    msi_set_control(m, true);
}

// ---- MSI-X: a table in the device's memory ----

static u8 *entry_of(const struct msi *m)
{
    return m->dev->table_map + m->entry * ENTRY_BYTES;
}

static void msix_mask(struct irq *irq)
{
    reg_write32(entry_of(irq->data) + ENTRY_CONTROL, ENTRY_MASKED);
}

static void msix_unmask(struct irq *irq)
{
    reg_write32(entry_of(irq->data) + ENTRY_CONTROL, 0);
}

// The entry may be live: a device that reads it while it changes sees either address.
static void msix_route(struct irq *irq)
{
    reg_write32(entry_of(irq->data) + ENTRY_ADDRESS, message_address(irq->dest));
}

static const struct irq_source msix_source = {msix_mask, msix_unmask, msix_route};

static void msix_program(struct msi *m)
{
    u8 *e = entry_of(m);
    reg_write32(e + ENTRY_CONTROL, ENTRY_MASKED);
    reg_write32(e + ENTRY_ADDRESS, message_address(READ_ONCE(m->irq->dest)));
    reg_write32(e + ENTRY_ADDRESS_HIGH, 0);
    reg_write32(e + ENTRY_DATA, m->irq->vector);
    if (READ_ONCE(m->irq->enabled))
        reg_write32(e + ENTRY_CONTROL, 0);
}

// The machine address in a memory BAR, or 0.
static u64 bar_address(struct pci_addr a, u32 bar)
{
    u32 bars = pci_read(a, PCI_HEADER, 1) & PCI_HEADER_TYPE ? BRIDGE_BARS : BARS;
    if (bar >= bars)
        return 0;
    u64 low = pci_read(a, PCI_BAR0 + 4 * bar, 4), high = 0;
    if (low & BAR_IO)
        return 0;
    if ((low & BAR_TYPE) == BAR_64 && bar + 1 < bars)
        high = pci_read(a, PCI_BAR0 + 4 * bar + 4, 4);
    return high << 32 | (low & ~(u64)BAR_FLAGS);
}

static u64 table_frames(maddr_t table, u32 entries)
{
    return align_up((table.v & ~PAGE_MASK) + entries * ENTRY_BYTES, PAGE_SIZE) >> PAGE_SHIFT;
}

// A device can be told to decode any address, but we write only where no memory is and nothing of
// our own.
static bool table_is_device(maddr_t table, u32 entries)
{
    u64 frames = table_frames(table, entries);
    for (u64 i = 0; i < frames; i++) {
        mfn_t m = mfn_add(maddr_to_mfn(table), i);
        if ((mfn_valid(m) && frame_of(m)->owner != OWNER_IO) || !mmio_usable(m))
            return false;
    }
    return true;
}

// Finds the table and checks it against what the caller believes. -EINVAL, -ENXIO.
static int table_locate(struct pci_addr a, u32 cap, u64 bar, maddr_t *table)
{
    u32 where = pci_read(a, cap + MSIX_TABLE, 4);
    u64 base = bar_address(a, where & MSIX_TABLE_BAR);
    u32 entries = (pci_read(a, cap + MSIX_CONTROL, 2) & MSIX_CONTROL_LAST) + 1;
    *table = MADDR(base + (where & ~(u32)MSIX_TABLE_BAR));
    if (base == 0 || base != bar || !table_is_device(*table, entries))
        return -EINVAL;
    return pci_read(a, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY ? 0 : -ENXIO;
}

// Maps the table before its first use; the mapping is kept for the next time. -ENOMEM.
static int table_map(struct pci_dev *d, u32 cap, maddr_t table)
{
    u32 entries = (pci_read(d->addr, cap + MSIX_CONTROL, 2) & MSIX_CONTROL_LAST) + 1;
    if (d->table_map && d->table.v == table.v && d->table_entries == entries)
        return 0;
    u8 *map = ioremap(table, (u64)entries * ENTRY_BYTES, false);
    if (!map)
        return -ENOMEM;
    d->table = table;
    d->table_entries = entries;
    d->table_map = map;
    return 0;
}

// Switches the table on with all entries masked. Whether the device as a whole is masked is the
// driver's choice if it has been here before us.
static void msix_enable(struct pci_dev *d, u32 cap)
{
    u32 control = pci_read(d->addr, cap + MSIX_CONTROL, 2);
    for (u32 i = 0; i < d->table_entries; i++)
        reg_write32(d->table_map + i * ENTRY_BYTES + ENTRY_CONTROL, ENTRY_MASKED);
    if (!(control & MSIX_CONTROL_ENABLE))
        control = (control | MSIX_CONTROL_ENABLE) & ~(u32)MSIX_CONTROL_MASK_ALL;
    pci_write(d->addr, cap + MSIX_CONTROL, 2, control);
    d->msix_active = true;
    mmio_reserve(maddr_to_mfn(d->table), table_frames(d->table, d->table_entries), true);
}

static void msix_disable(struct pci_dev *d)
{
    u32 cap = pci_find_cap(d->addr, PCI_CAP_MSIX);
    u32 control = pci_read(d->addr, cap + MSIX_CONTROL, 2);
    if (cap)
        pci_write(d->addr, cap + MSIX_CONTROL, 2, control & ~(u32)MSIX_CONTROL_ENABLE);
    mmio_release(maddr_to_mfn(d->table), table_frames(d->table, d->table_entries));
    d->msix_active = false;
}

// ---- Creation ----

// May this message be added to those in use?
static int check_free(const struct pci_dev *d, const struct msi_wanted *want)
{
    if (d->msi && (!want->msix || !d->msix_active))
        return -EEXIST;
    for (const struct msi *m = d->msi; m; m = m->next) {
        if (m->entry == want->entry)
            return -EEXIST;
    }
    return 0;
}

// Fills m with what the capability says; the device is not changed, except that an MSI-X table is
// switched on at its first entry.
static int prepare_msi(struct msi *m, const struct msi_wanted *want)
{
    m->cap = pci_find_cap(m->dev->addr, PCI_CAP_MSI);
    if (!m->cap)
        return -ENODEV;
    m->control = pci_read(m->dev->addr, m->cap + MSI_CONTROL, 2);
    m->mask = ~0u;
    return want->count <= 1u << (m->control >> MSI_CONTROL_CAPABLE_SHIFT & 7) ? 0 : -EINVAL;
}

static int prepare_msix(struct msi *m, const struct msi_wanted *want)
{
    struct pci_dev *d = m->dev;
    u32 cap = pci_find_cap(d->addr, PCI_CAP_MSIX);
    maddr_t table;
    if (!cap)
        return -ENODEV;
    if (want->entry > (pci_read(d->addr, cap + MSIX_CONTROL, 2) & MSIX_CONTROL_LAST))
        return -EINVAL;
    if (d->msix_active)
        return want->entry < d->table_entries ? 0 : -EINVAL;
    int ret = table_locate(d->addr, cap, want->bar, &table);
    if (!ret)
        ret = table_map(d, cap, table);
    if (!ret)
        msix_enable(d, cap);
    return ret;
}

static int build(struct msi *m, const struct msi_wanted *want)
{
    int ret = want->msix ? prepare_msix(m, want) : prepare_msi(m, want);
    if (ret)
        return ret;
    m->irq = irq_alloc(round_up_power(m->count), want->msix ? &msix_source : &msi_source, m);
    if (!m->irq && want->msix && !m->dev->msi)
        msix_disable(m->dev);
    return m->irq ? 0 : -ENOSPC;
}

static void program(struct msi *m)
{
    if (m->dev->msix_active)
        msix_program(m);
    else
        msi_program(m);
}

int msi_create(const struct msi_wanted *want, struct msi **msi, struct irq **irq)
{
    struct pci_dev *d = pci_get(want->dev);
    if (!d)
        return -ENODEV;
    int ret = check_free(d, want);
    if (ret)
        return ret;
    struct msi *m = heap_new(struct msi);
    if (!m)
        return -ENOMEM;
    m->dev = d;
    m->entry = want->entry;
    m->count = want->count;
    spin_lock_init(&m->lock, LOCK_IRQ_CHIP);
    ret = build(m, want);
    if (ret) {
        heap_free(m);
        return ret;
    }
    m->next = d->msi;
    d->msi = m;
    program(m);
    *msi = m;
    *irq = m->irq;
    return 0;
}

static void unlink_msi(struct msi *m)
{
    struct msi **link = &m->dev->msi;
    while (*link != m)
        link = &(*link)->next;
    *link = m->next;
}

void msi_destroy(struct msi *m)
{
    struct pci_dev *d = m->dev;
    if (!d->msix_active)
        msi_set_control(m, false);
    irq_free(m->irq, round_up_power(m->count));
    unlink_msi(m);
    if (d->msix_active && !d->msi)
        msix_disable(d);
    heap_free(m);
}

int msi_restore(struct pci_addr a)
{
    struct pci_dev *d = pci_get(a);
    if (!d)
        return -ENODEV;
    u32 cap = pci_find_cap(a, PCI_CAP_MSIX);
    if (d->msix_active && cap)
        pci_write(a, cap + MSIX_CONTROL, 2,
                  pci_read(a, cap + MSIX_CONTROL, 2) | MSIX_CONTROL_ENABLE);
    for (struct msi *m = d->msi; m; m = m->next)
        program(m);
    return 0;
}

bool msi_in_use(struct pci_addr a)
{
    const struct pci_dev *d = pci_get(a);
    return d && d->msi;
}
