// SPDX-License-Identifier: MIT
// Reads the static ACPI tables into struct acpi_info.
//
//  1. A table's bytes are read only by get(), which knows the table's end and reads zero beyond it;
//     ACPI defines zero as "not there" for the fields that later revisions added.
//  2. Only one mapping is in use at a time.
//  3. Work is bounded: at most ROOT_ENTRIES_MAX tables of at most TABLE_BYTES_MAX each; every step
//     through a table's entries is at least two bytes.
// Table layouts: ACPI 6.4, "ACPI System Description Tables".
#include "boot/acpi.h"
#include "lib/printk.h"
#include "lib/string.h"

enum {
    TABLE_BYTES_MAX = 16 << 20, // ten times the largest DSDT known
    ROOT_ENTRIES_MAX = 1024,
};

// "System Description Table Header" and "Root System Description Pointer (RSDP)"
enum {
    HDR_LENGTH = 4,
    HDR_BYTES = 36,
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_V1_BYTES = 20,
    RSDP_LENGTH = 20,
    RSDP_XSDT = 24,
    RSDP_V2_BYTES = 36,
};

// "Multiple APIC Description Table (MADT)"
enum { MADT_LAPIC_ADDR = 36, MADT_ENTRIES = 44, MADT_CPU_ENABLED = 1 };

// "Fixed ACPI Description Table (FADT)"
enum {
    FADT_SCI_INT = 46,
    FADT_PM1A_CNT = 64,
    FADT_PM1B_CNT = 68,
    FADT_PM_TMR = 76,
    FADT_PM1_CNT_LEN = 89,
    FADT_PM_TMR_LEN = 91,
    FADT_FLAGS = 112,
    FADT_RESET_REG = 116,
    FADT_RESET_VALUE = 128,
    FADT_X_PM1A_CNT = 172,
    FADT_X_PM1B_CNT = 184,
    FADT_X_PM_TMR = 208,
    FADT_SLEEP_CONTROL = 244,
    FLAG_RESET_REG_SUP = 1 << 10,
    FLAG_HW_REDUCED = 1 << 20,
};

enum {
    HPET_BASE = 40,    // IA-PC HPET Specification 1.0a, "ACPI 2.0 HPET Description Table"
    MCFG_ENTRIES = 44, // PCI Firmware Specification 3.0, "MCFG Table Description"
    MCFG_ENTRY_BYTES = 16,
};

struct view {
    const u8 *p;
    u32 len; // bytes
};

// The little-endian number of `bytes` bytes at `off`; zero unless all of it lies inside.
static u64 get(struct view v, u32 off, u32 bytes)
{
    u64 n = 0;

    if (off > v.len || bytes > v.len - off)
        return 0;
    for (u32 i = 0; i < bytes; i++)
        n |= (u64)v.p[off + i] << (8 * i);
    return n;
}

static struct acpi_gas get_gas(struct view v, u32 off)
{
    return (struct acpi_gas){(u8)get(v, off, 1), (u8)get(v, off + 1, 1), get(v, off + 4, 8)};
}

// An empty view if the memory cannot be read.
static struct view view_map(const struct acpi_io *io, maddr_t a, u32 len)
{
    const u8 *p = NULL;

    if (a.v != 0 && a.v + len >= a.v)
        p = io->map(io->ctx, a, len);
    return (struct view){p, p ? len : 0};
}

static bool checksum_ok(struct view v)
{
    u8 sum = 0;

    for (u32 i = 0; i < v.len; i++)
        sum = (u8)(sum + v.p[i]);
    return sum == 0;
}

// ---- Root pointer ----

// "RSDP Structure": the first checksum covers the ACPI 1.0 part, the second everything.
static const char *rsdp_map(const struct acpi_io *io, maddr_t a, struct view *out)
{
    struct view v = view_map(io, a, RSDP_V1_BYTES);

    if (!v.p)
        return "ACPI root pointer cannot be read";
    if (memcmp(v.p, "RSD PTR ", 8) != 0)
        return "ACPI root pointer has no signature";
    if (!checksum_ok(v))
        return "ACPI root pointer has a bad checksum";
    if (get(v, RSDP_REVISION, 1) >= 2) {
        u64 len = get(view_map(io, a, RSDP_V2_BYTES), RSDP_LENGTH, 4);

        if (len < RSDP_V2_BYTES || len > PAGE_SIZE)
            return "ACPI root pointer has a bad length";
        v = view_map(io, a, (u32)len);
        if (!v.p || !checksum_ok(v))
            return "ACPI root pointer has a bad extended checksum";
    }
    *out = v;
    return NULL;
}

static bool rsdp_scan(const struct acpi_io *io, u64 start, u64 end, maddr_t *rsdp)
{
    struct view v;

    for (u64 a = start; a + RSDP_V1_BYTES <= end; a += 16) {
        if (!rsdp_map(io, MADDR(a), &v)) {
            *rsdp = MADDR(a);
            return true;
        }
    }
    return false;
}

// The BIOS data area names the segment of the Extended BIOS Data Area here.
static u64 ebda_base(const struct acpi_io *io)
{
    u64 base = get(view_map(io, MADDR(0x40e), 2), 0, 2) << 4;

    return base >= 0x500 && base < 0xa0000 ? base : 0;
}

// "Finding the RSDP on IA-PC Systems"
const char *acpi_find_rsdp(const struct acpi_io *io, maddr_t hint, maddr_t *rsdp)
{
    struct view v;
    const char *wrong = hint.v ? rsdp_map(io, hint, &v) : NULL;
    u64 ebda;

    if (hint.v && !wrong) {
        *rsdp = hint;
        return NULL;
    }
    if (wrong)
        printk(LOG_WARN, "%s at 0x%lx where the loader pointed: searching", wrong, hint.v);
    ebda = ebda_base(io);
    if (ebda && rsdp_scan(io, ebda, ebda + 1024, rsdp))
        return NULL;
    if (rsdp_scan(io, 0xe0000, 0x100000, rsdp))
        return NULL;
    return "no ACPI root pointer found";
}

// ---- MADT ----

// Some firmware lists a CPU in both forms, or a disabled stub with the same ID.
static void cpu_add(struct acpi_info *info, u64 apic_id, u64 acpi_id, u64 flags)
{
    if (!(flags & MADT_CPU_ENABLED))
        return;
    for (u32 i = 0; i < info->cpu_count; i++)
        if (info->cpu[i].apic_id == apic_id)
            return;
    if (info->cpu_count < ACPI_CPUS_MAX)
        info->cpu[info->cpu_count++] = (struct acpi_cpu){(u32)apic_id, (u32)acpi_id};
    else
        info->cpus_dropped++;
}

// "Processor Local APIC Structure". The broadcast ID marks a slot without processor.
static void madt_lapic(struct acpi_info *info, struct view e)
{
    if (get(e, 3, 1) != 0xff)
        cpu_add(info, get(e, 3, 1), get(e, 2, 1), get(e, 4, 4));
}

// "Processor Local x2APIC Structure"
static void madt_x2apic(struct acpi_info *info, struct view e)
{
    if (get(e, 4, 4) != 0xffffffff)
        cpu_add(info, get(e, 4, 4), get(e, 12, 4), get(e, 8, 4));
}

// "I/O APIC Structure"
static void madt_ioapic(struct acpi_info *info, struct view e)
{
    struct acpi_ioapic io = {(u32)get(e, 2, 1), (u32)get(e, 8, 4), MADDR(get(e, 4, 4))};

    if (io.addr.v == 0) {
        printk(LOG_WARN, "ACPI: IO-APIC %u has no address: ignored", io.id);
        return;
    }
    for (u32 i = 0; i < info->ioapic_count; i++)
        if (info->ioapic[i].addr.v == io.addr.v)
            return;
    if (info->ioapic_count < ACPI_IOAPICS_MAX)
        info->ioapic[info->ioapic_count++] = io;
    else
        printk(LOG_WARN, "ACPI: more than %d IO-APICs: %u ignored", ACPI_IOAPICS_MAX, io.id);
}

// "Interrupt Source Override Structure"
static void madt_override(struct acpi_info *info, struct view e)
{
    struct acpi_override o = {(u8)get(e, 3, 1), (u8)get(e, 8, 1), (u32)get(e, 4, 4)};

    for (u32 i = 0; i < info->override_count; i++)
        if (info->override[i].source == o.source)
            return;
    if (info->override_count < ACPI_OVERRIDES_MAX)
        info->override[info->override_count++] = o;
    else
        printk(LOG_WARN, "ACPI: more than %d interrupt overrides: IRQ %u ignored",
               ACPI_OVERRIDES_MAX, o.source);
}

// "Local APIC Address Override Structure"
static void madt_lapic_addr(struct acpi_info *info, struct view e)
{
    u64 a = get(e, 4, 8);

    if (a)
        info->lapic_addr = MADDR(a);
}

static const struct madt_entry {
    u8 type;
    u8 bytes; // the entry's size; a shorter one is malformed
    void (*parse)(struct acpi_info *info, struct view e);
} madt_entries[] = {
    {0, 8, madt_lapic},       {1, 12, madt_ioapic}, {2, 10, madt_override},
    {5, 12, madt_lapic_addr}, {9, 16, madt_x2apic},
};

// Whether the entry is as long as its type asks for; of others nothing is known.
static bool madt_entry_parse(struct acpi_info *info, struct view e)
{
    for (u32 i = 0; i < ARRAY_SIZE(madt_entries); i++) {
        if (madt_entries[i].type != e.p[0])
            continue;
        if (e.len < madt_entries[i].bytes)
            return false;
        madt_entries[i].parse(info, e);
    }
    return true;
}

static void parse_madt(struct acpi_info *info, struct view v)
{
    u32 off = MADT_ENTRIES, bad = 0;

    info->lapic_addr = MADDR(get(v, MADT_LAPIC_ADDR, 4));
    while (off < v.len && v.len - off >= 2) {
        u32 len = v.p[off + 1];

        if (len < 2 || len > v.len - off) {
            printk(LOG_WARN, "ACPI: MADT entry at offset %u has bad length %u: rest ignored", off,
                   len);
            break;
        }
        bad += !madt_entry_parse(info, (struct view){v.p + off, len});
        off += len;
    }
    if (bad)
        printk(LOG_WARN, "ACPI: %u MADT entries are too short: ignored", bad);
    if (info->cpus_dropped)
        printk(LOG_WARN, "ACPI: more than %d CPUs: %u ignored", ACPI_CPUS_MAX, info->cpus_dropped);
}

// ---- FADT, HPET, MCFG ----

// The 64-bit form counts unless its address is zero ("FADT Format": X_PM1a_EVT_BLK and the like).
// Firmware exists that fills the form and forgets the width.
static struct acpi_gas fadt_block(struct view v, u32 x_off, u32 off, u32 len_off)
{
    struct acpi_gas x = get_gas(v, x_off);
    u8 bits = (u8)MIN(get(v, len_off, 1) * 8, (u64)248);

    if (x.address && x.space <= ACPI_SPACE_IO) {
        if (x.bit_width == 0)
            x.bit_width = bits;
        return x;
    }
    return (struct acpi_gas){ACPI_SPACE_IO, bits, get(v, off, 4)};
}

static void parse_fadt(struct acpi_info *info, struct view v)
{
    struct acpi_fadt *f = &info->fadt;
    u64 flags = get(v, FADT_FLAGS, 4);
    struct acpi_gas reset = get_gas(v, FADT_RESET_REG);

    if (flags & FLAG_RESET_REG_SUP && reset.space <= ACPI_SPACE_PCI)
        f->reset_reg = reset;
    f->reset_value = (u8)get(v, FADT_RESET_VALUE, 1);
    f->sleep_control = get_gas(v, FADT_SLEEP_CONTROL);
    if (flags & FLAG_HW_REDUCED)
        return;
    f->sci_int = (u16)get(v, FADT_SCI_INT, 2);
    f->pm1a_cnt = fadt_block(v, FADT_X_PM1A_CNT, FADT_PM1A_CNT, FADT_PM1_CNT_LEN);
    f->pm1b_cnt = fadt_block(v, FADT_X_PM1B_CNT, FADT_PM1B_CNT, FADT_PM1_CNT_LEN);
    if (get(v, FADT_PM_TMR_LEN, 1) == 4) // otherwise the timer does not exist
        f->pm_tmr = fadt_block(v, FADT_X_PM_TMR, FADT_PM_TMR, FADT_PM_TMR_LEN);
}

static void parse_hpet(struct acpi_info *info, struct view v)
{
    struct acpi_gas base = get_gas(v, HPET_BASE);

    if (base.space == ACPI_SPACE_MEMORY && base.address != 0)
        info->hpet = MADDR(base.address);
    else
        printk(LOG_WARN, "ACPI: the HPET has no memory address: ignored");
}

static void parse_mcfg(struct acpi_info *info, struct view v)
{
    for (u32 off = MCFG_ENTRIES; off < v.len && v.len - off >= MCFG_ENTRY_BYTES;
         off += MCFG_ENTRY_BYTES) {
        struct acpi_mcfg m = {MADDR(get(v, off, 8)), (u16)get(v, off + 8, 2),
                              (u8)get(v, off + 10, 1), (u8)get(v, off + 11, 1)};

        if (m.base.v == 0 || m.bus_end < m.bus_start) {
            printk(LOG_WARN, "ACPI: MCFG entry at offset %u is malformed: ignored", off);
        } else if (info->mcfg_count == ACPI_MCFG_MAX) {
            printk(LOG_WARN, "ACPI: more than %d MCFG entries: rest ignored", ACPI_MCFG_MAX);
            break;
        } else {
            info->mcfg[info->mcfg_count++] = m;
        }
    }
}

// ---- All tables ----

static const struct {
    char sig[5];
    void (*parse)(struct acpi_info *info, struct view v);
} parsers[] = {
    {"APIC", parse_madt},
    {"FACP", parse_fadt},
    {"HPET", parse_hpet},
    {"MCFG", parse_mcfg},
};

// The table at `a`, or an empty view if it cannot be used.
static struct view table_map(const struct acpi_io *io, maddr_t a)
{
    struct view v = view_map(io, a, HDR_BYTES);
    u64 len = get(v, HDR_LENGTH, 4);
    const char *wrong = NULL;
    char sig[5] = "????";

    for (u32 i = 0; i < 4 && v.p; i++)
        if (v.p[i] >= ' ' && v.p[i] <= '~')
            sig[i] = (char)v.p[i];
    if (!v.p)
        wrong = "cannot be read";
    else if (len < HDR_BYTES || len > TABLE_BYTES_MAX)
        wrong = "has a bad length";
    else if (!(v = view_map(io, a, (u32)len)).p)
        wrong = "cannot be read to its end";
    else if (!checksum_ok(v))
        wrong = "has a bad checksum";
    if (!wrong)
        return v;
    printk(LOG_WARN, "ACPI: table %s at 0x%lx %s: ignored", sig, a.v, wrong);
    return (struct view){NULL, 0};
}

static void table_visit(const struct acpi_io *io, maddr_t a, struct acpi_info *info)
{
    struct view v = view_map(io, a, 4);

    if (!v.p && a.v) // null is common
        printk(LOG_WARN, "ACPI: table at 0x%lx cannot be read: ignored", a.v);
    for (u32 i = 0; i < ARRAY_SIZE(parsers) && v.p; i++) {
        if (memcmp(v.p, parsers[i].sig, 4) != 0)
            continue;
        if (info->tables & 1u << i)
            printk(LOG_WARN, "ACPI: another %s at 0x%lx: ignored", parsers[i].sig, a.v);
        else if ((v = table_map(io, a)).p) {
            info->tables |= 1u << i;
            parsers[i].parse(info, v);
        }
        return;
    }
}

// "Extended System Description Table (XSDT)" and "Root System Description Table (RSDT)". False if
// there is none, or it cannot be used.
static bool root_walk(const struct acpi_io *io, maddr_t root, const char *sig, u32 entry_bytes,
                      struct acpi_info *info)
{
    struct view v = root.v ? table_map(io, root) : (struct view){NULL, 0};
    u32 count = v.p ? (v.len - HDR_BYTES) / entry_bytes : 0;

    if (!v.p)
        return false;
    if (memcmp(v.p, sig, 4) != 0) {
        printk(LOG_WARN, "ACPI: %s expected at 0x%lx: ignored", sig, root.v);
        return false;
    }
    if (count > ROOT_ENTRIES_MAX)
        printk(LOG_WARN, "ACPI: too many tables: %u ignored", count - ROOT_ENTRIES_MAX);
    for (u32 i = 0; i < MIN(count, (u32)ROOT_ENTRIES_MAX); i++) {
        // Mapped anew each time, because visiting a table took the mapping away.
        v = view_map(io, MADDR(root.v + HDR_BYTES + (u64)i * entry_bytes), entry_bytes);
        table_visit(io, MADDR(get(v, 0, entry_bytes)), info);
    }
    return true;
}

const char *acpi_parse(const struct acpi_io *io, maddr_t rsdp, struct acpi_info *out)
{
    struct view v;
    const char *wrong = rsdp_map(io, rsdp, &v);

    memset(out, 0, sizeof(*out));
    if (wrong)
        return wrong;
    maddr_t xsdt = MADDR(v.len >= RSDP_V2_BYTES ? get(v, RSDP_XSDT, 8) : 0);
    maddr_t rsdt = MADDR(get(v, RSDP_RSDT, 4));
    if (root_walk(io, xsdt, "XSDT", 8, out) || root_walk(io, rsdt, "RSDT", 4, out))
        return NULL;
    return "neither XSDT nor RSDT can be used";
}

// "MPS INTI Flags" of an override: polarity in the lowest two bits (1 high, 3 low), trigger mode in
// the next (1 edge, 3 level); what is even means as the bus has it.
struct acpi_isa_irq acpi_isa_irq(const struct acpi_info *info, u8 source)
{
    bool sci = source && info->fadt.sci_int == source;
    struct acpi_isa_irq irq = {.gsi = source, .level = sci, .active_low = sci};

    for (u32 i = 0; i < info->override_count; i++) {
        const struct acpi_override *o = &info->override[i];

        if (o->source != source)
            continue;
        irq.gsi = o->gsi;
        if (o->flags & 4)
            irq.level = o->flags & 8;
        if (o->flags & 1)
            irq.active_low = o->flags & 2;
    }
    return irq;
}
