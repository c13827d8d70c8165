// SPDX-License-Identifier: MIT
// The IO-APICs (io/ioapic.h).
#include "io/ioapic.h"
#include "abi/errno.h"
#include "boot/acpi.h"
#include "cpu/io.h"
#include "cpu/irq.h"
#include "hc/guest_access.h"
#include "io/mmio.h"
#include "io/reg.h"
#include "lib/printk.h"
#include "mm/heap.h"
#include "mm/map.h"

enum { // offsets in the page, and register numbers
    WINDOW_SELECT = 0x00,
    WINDOW_DATA = 0x10,
    REG_VERSION = 1,
    REG_RTE = 0x10, // two per pin
    REG_MAX = 0xff,
    PINS_MAX = (REG_MAX + 1 - REG_RTE) / 2,
    ISA_IRQS = 16,
};
enum { PIC1 = 0x20, PIC2 = 0xa0, PIC_INIT = 0x11, PIC_8086 = 1, PIC_CASCADE = 2 };

struct pin {
    struct ioapic *io; // [i]
    u32 number;        // [i]
    struct irq *irq;   // [l] of io; NULL: not in use
    bool level, low;   // [l]
    bool settled;      // [l] how it is signalled has been said, or is in use
};

struct ioapic {
    spinlock_t lock; // one above LOCK_IRQ: the register window and the pins
    maddr_t base;    // [i]
    u8 *regs;        // [i]
    u32 gsi_base;    // [i]
    u32 pin_count;   // [i]
    struct pin *pin; // [i]
};

static struct ioapic ioapics[ACPI_IOAPICS_MAX]; // [i] after boot
static u32 ioapic_count;

static u32 reg_get(struct ioapic *io, u32 reg)
{
    reg_write32(io->regs + WINDOW_SELECT, reg);
    return reg_read32(io->regs + WINDOW_DATA);
}

static void reg_set(struct ioapic *io, u32 reg, u32 value)
{
    reg_write32(io->regs + WINDOW_SELECT, reg);
    reg_write32(io->regs + WINDOW_DATA, value);
}

static struct ioapic *find_gsi(u32 gsi)
{
    for (u32 i = 0; i < ioapic_count; i++) {
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].pin_count)
            return &ioapics[i];
    }
    return NULL;
}

bool ioapic_has_gsi(u32 gsi)
{
    return find_gsi(gsi) != NULL;
}

u32 ioapic_gsi_end(void)
{
    u32 end = 0;
    for (u32 i = 0; i < ioapic_count; i++)
        end = MAX(end, ioapics[i].gsi_base + ioapics[i].pin_count);
    return end;
}

// ---- A pin as a source of interrupts; under irq->lock ----

static void write_low(struct irq *irq, u32 masked)
{
    struct pin *p = irq->data;
    reg_set(p->io, REG_RTE + 2 * p->number,
            irq->vector | (p->low ? RTE_ACTIVE_LOW : 0u) | (p->level ? RTE_LEVEL : 0u) | masked);
}

static void write_high(struct irq *irq)
{
    struct pin *p = irq->data;
    reg_set(p->io, REG_RTE + 2 * p->number + 1, irq->dest << 24);
}

static void pin_mask(struct irq *irq)
{
    struct pin *p = irq->data;
    spin_lock(&p->io->lock);
    write_low(irq, RTE_MASKED);
    spin_unlock(&p->io->lock);
}

static void pin_unmask(struct irq *irq)
{
    struct pin *p = irq->data;
    spin_lock(&p->io->lock);
    p->settled = true;
    irq->level = p->level;
    write_high(irq);
    write_low(irq, 0);
    spin_unlock(&p->io->lock);
}

static void pin_route(struct irq *irq)
{
    struct pin *p = irq->data;
    spin_lock(&p->io->lock);
    write_high(irq);
    spin_unlock(&p->io->lock);
}

static const struct irq_source pin_source = {pin_mask, pin_unmask, pin_route};

static struct pin *find_pin(u32 gsi)
{
    struct ioapic *io = find_gsi(gsi);
    return io ? &io->pin[guest_index(gsi - io->gsi_base, io->pin_count)] : NULL;
}

int ioapic_attach(u32 gsi, struct irq **irq)
{
    struct pin *p = find_pin(gsi);
    if (!p)
        return -EINVAL;
    if (p->irq)
        return -EBUSY;
    *irq = irq_alloc(1, &pin_source, p);
    if (!*irq)
        return -ENOSPC;
    p->irq = *irq;
    return 0;
}

void ioapic_detach(u32 gsi)
{
    struct pin *p = find_pin(gsi);
    irq_free(p->irq, 1);
    p->irq = NULL;
}

int ioapic_setup(u32 gsi, bool level, bool active_low)
{
    struct pin *p = find_pin(gsi);
    int ret = -EEXIST;
    if (!p)
        return -EINVAL;
    spin_lock(&p->io->lock);
    if (!p->settled) {
        p->settled = true;
        p->level = level;
        p->low = active_low;
        ret = 0;
    }
    spin_unlock(&p->io->lock);
    return ret;
}

// ---- Registers for the control domain ----

static struct ioapic *find_base(maddr_t base)
{
    for (u32 i = 0; i < ioapic_count; i++) {
        if (ioapics[i].base.v == base.v)
            return &ioapics[i];
    }
    return NULL;
}

int ioapic_read(maddr_t base, u32 reg, u32 *value)
{
    struct ioapic *io = find_base(base);
    if (!io)
        return -EINVAL;
    spin_lock(&io->lock);
    *value = reg_get(io, reg & REG_MAX);
    spin_unlock(&io->lock);
    return 0;
}

int ioapic_write(maddr_t base, u32 reg, u32 value)
{
    struct ioapic *io = find_base(base);
    if (!io)
        return -EINVAL;
    u32 pin = (reg - REG_RTE) / 2;
    if (reg < REG_RTE || reg % 2 || pin >= io->pin_count || value & RTE_MASKED)
        return 0;
    // Said before or in use: it stays as it is.
    (void)!ioapic_setup(io->gsi_base + pin, value & RTE_LEVEL, value & RTE_ACTIVE_LOW);
    return 0;
}

// ---- Boot ----

// Vectors out of the way of exceptions, then all masked. Before the local APIC's LINT0 is masked:
// an interrupt that the firmware's timer has raised by then must be withdrawn, or TCG delivers it
// as vector -1 later.
void pic_disable(void)
{
    static const struct {
        u8 port, value;
    } init[] = {
        {PIC1, PIC_INIT},
        {PIC1 + 1, VECTOR_FIRST_DEVICE},
        {PIC1 + 1, 1 << PIC_CASCADE},
        {PIC1 + 1, PIC_8086},
        {PIC1 + 1, 0xff},
        {PIC2, PIC_INIT},
        {PIC2 + 1, VECTOR_FIRST_DEVICE + 8},
        {PIC2 + 1, PIC_CASCADE},
        {PIC2 + 1, PIC_8086},
        {PIC2 + 1, 0xff},
    };
    for (u32 i = 0; i < ARRAY_SIZE(init); i++)
        outb(init[i].port, init[i].value);
}

// How a pin is signalled unless told otherwise: as an ISA interrupt if one arrives there, else as
// PCI interrupts are. An override counts more than the identity of a number nobody overrode.
static void pin_default(const struct acpi_info *acpi, struct pin *p, u32 gsi)
{
    bool overridden = false;
    p->level = p->low = gsi >= ISA_IRQS;
    for (u32 source = 0; source < ISA_IRQS; source++) {
        struct acpi_isa_irq isa = acpi_isa_irq(acpi, (u8)source);
        if (isa.gsi != gsi || overridden)
            continue;
        overridden = source != gsi;
        p->level = isa.level;
        p->low = isa.active_low;
    }
}

// SMIs are the firmware's: their pins stay as they are.
static void pin_init(const struct acpi_info *acpi, struct ioapic *io, u32 number)
{
    struct pin *p = &io->pin[number];
    *p = (struct pin){.io = io, .number = number};
    pin_default(acpi, p, io->gsi_base + number);
    if ((reg_get(io, REG_RTE + 2 * number) & RTE_DELIVERY) != RTE_DELIVERY_SMI)
        reg_set(io, REG_RTE + 2 * number, RTE_MASKED);
}

static void ioapic_add(const struct acpi_info *acpi, const struct acpi_ioapic *a)
{
    struct ioapic *io = &ioapics[ioapic_count];
    *io = (struct ioapic){.base = a->addr, .gsi_base = a->gsi_base};
    spin_lock_init(&io->lock, LOCK_IRQ_CHIP);
    io->regs = ioremap(a->addr, PAGE_SIZE, false);
    if (!io->regs)
        panic("no memory to map an IO-APIC");
    io->pin_count = MIN((reg_get(io, REG_VERSION) >> 16 & 0xff) + 1, (u32)PINS_MAX);
    io->pin = heap_alloc(io->pin_count * sizeof(*io->pin));
    if (!io->pin)
        panic("no memory for an IO-APIC");
    for (u32 i = 0; i < io->pin_count; i++)
        pin_init(acpi, io, i);
    mmio_reserve(maddr_to_mfn(a->addr), 1, true);
    ioapic_count++;
    printk(LOG_INFO, "IO-APIC at 0x%lx: GSIs %u-%u", a->addr.v, a->gsi_base,
           a->gsi_base + io->pin_count - 1);
}

void ioapic_init(const struct acpi_info *acpi)
{
    mmio_reserve(maddr_to_mfn(acpi->lapic_addr), 1, false);
    for (u32 i = 0; i < acpi->ioapic_count; i++)
        ioapic_add(acpi, &acpi->ioapic[i]);
}
