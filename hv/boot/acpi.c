// SPDX-License-Identifier: MIT
// Reads the static ACPI tables into struct acpi_info.
//
//  1. A table's bytes are read only by get(), which knows the table's end and reads zero beyond it;
//     ACPI defines zero as "not there" for the fields that later revisions added.
//  2. Only one mapping is in use at a time.
//  3. Work is bounded: at most ACPI_TABLES_MAX tables of at most TABLE_BYTES_MAX each; every step
//     through a table's entries is at least two bytes.
// Table layouts: ACPI 6.4, "ACPI System Description Tables".
#include "boot/acpi.h"
#include "lib/printk.h"
#include "lib/string.h"

enum {
    TABLE_BYTES_MAX = 16 << 20, // ten times the largest DSDT known
    ROOT_ENTRIES_MAX = 1024,
};

// "System Description Table Header"
enum {
    HDR_LENGTH = 4,
    HDR_REVISION = 8,
    HDR_BYTES = 36,
};

// "Root System Description Pointer (RSDP)"
enum {
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_V1_BYTES = 20,
    RSDP_LENGTH = 20,
    RSDP_XSDT = 24,
    RSDP_V2_BYTES = 36,
};

// "Multiple APIC Description Table (MADT)"
enum {
    MADT_LAPIC_ADDR = 36,
    MADT_FLAGS = 40,
    MADT_ENTRIES = 44,
    MADT_PCAT_COMPAT = 1,
    MADT_CPU_ENABLED = 1,
    MADT_CPU_ONLINE_CAPABLE = 2,
};

// "Fixed ACPI Description Table (FADT)"
enum {
    FADT_FACS = 36,
    FADT_DSDT = 40,
    FADT_SCI_INT = 46,
    FADT_SMI_CMD = 48,
    FADT_ACPI_ENABLE = 52,
    FADT_ACPI_DISABLE = 53,
    FADT_PM1A_EVT = 56,
    FADT_PM1B_EVT = 60,
    FADT_PM1A_CNT = 64,
    FADT_PM1B_CNT = 68,
    FADT_PM_TMR = 76,
    FADT_PM1_EVT_LEN = 88,
    FADT_PM1_CNT_LEN = 89,
    FADT_PM_TMR_LEN = 91,
    FADT_BOOT_ARCH = 109,
    FADT_FLAGS = 112,
    FADT_RESET_REG = 116,
    FADT_RESET_VALUE = 128,
    FADT_X_FACS = 132,
    FADT_X_DSDT = 140,
    FADT_X_PM1A_EVT = 148,
    FADT_X_PM1B_EVT = 160,
    FADT_X_PM1A_CNT = 172,
    FADT_X_PM1B_CNT = 184,
    FADT_X_PM_TMR = 208,
    FADT_SLEEP_CONTROL = 244,
    FADT_SLEEP_STATUS = 256,
};

enum {
    FACS_BYTES_MIN = 64, // "Firmware ACPI Control Structure (FACS)"
    HPET_BASE = 40,      // IA-PC HPET Specification 1.0a, "ACPI 2.0 HPET Description Table"
    HPET_MIN_TICK = 53,
    MCFG_ENTRIES = 44, // PCI Firmware Specification 3.0, "MCFG Table Description"
    MCFG_ENTRY_BYTES = 16,
};

struct view {
    const u8 *p;
    u32 len; // bytes
};

static const struct view no_view;

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

static u8 get8(struct view v, u32 off)
{
    return (u8)get(v, off, 1);
}

static u16 get16(struct view v, u32 off)
{
    return (u16)get(v, off, 2);
}

static u32 get32(struct view v, u32 off)
{
    return (u32)get(v, off, 4);
}

static u64 get64(struct view v, u32 off)
{
    return get(v, off, 8);
}

static struct acpi_gas get_gas(struct view v, u32 off)
{
    return (struct acpi_gas){
        .space = get8(v, off),
        .bit_width = get8(v, off + 1),
        .bit_offset = get8(v, off + 2),
        .access_size = get8(v, off + 3),
        .address = get64(v, off + 4),
    };
}

// The caller keeps off + len inside v.
static struct view view_part(struct view v, u32 off, u32 len)
{
    return (struct view){v.p + off, len};
}

// An empty view if the memory cannot be read.
static struct view view_map(const struct acpi_io *io, maddr_t a, u32 len)
{
    const u8 *p = NULL;

    if (a.v != 0 && a.v + len >= a.v)
        p = io->map(io->ctx, a, len);
    return p ? (struct view){p, len} : no_view;
}

static bool checksum_ok(struct view v, u32 len)
{
    u8 sum = 0;

    for (u32 i = 0; i < len; i++)
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
    if (!checksum_ok(v, RSDP_V1_BYTES))
        return "ACPI root pointer has a bad checksum";
    if (get8(v, RSDP_REVISION) >= 2) {
        v = view_map(io, a, RSDP_V2_BYTES);
        u32 len = get32(v, RSDP_LENGTH);

        if (len < RSDP_V2_BYTES || len > PAGE_SIZE)
            return "ACPI root pointer has a bad length";
        v = view_map(io, a, len);
        if (!v.p || !checksum_ok(v, len))
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
    u64 base = (u64)get16(view_map(io, MADDR(0x40e), 2), 0) << 4;

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

// ---- Table list ----

const struct acpi_table *acpi_table_find(const struct acpi_info *info, const char *sig)
{
    for (u32 i = 0; i < info->table_count; i++) {
        const struct acpi_table *t = &info->table[i];

        if (t->valid && strncmp(t->sig, sig, sizeof(t->sig)) == 0)
            return t;
    }
    return NULL;
}

static bool table_known(const struct acpi_info *info, maddr_t a)
{
    for (u32 i = 0; i < info->table_count; i++)
        if (info->table[i].addr.v == a.v)
            return true;
    return false;
}

static void table_describe(struct acpi_table *t, maddr_t a, struct view header)
{
    *t = (struct acpi_table){
        .revision = get8(header, HDR_REVISION),
        .length = get32(header, HDR_LENGTH),
        .addr = a,
    };
    for (u32 i = 0; i < 4; i++) {
        u8 c = get8(header, i);

        t->sig[i] = c >= ' ' && c <= '~' ? (char)c : '?';
    }
}

// Maps the table at `a` and describes it; t->valid and the view are set if it can be used.
static struct view table_map(const struct acpi_io *io, maddr_t a, struct acpi_table *t)
{
    struct view v = view_map(io, a, HDR_BYTES);
    const char *wrong = NULL;

    table_describe(t, a, v);
    if (!v.p)
        wrong = "cannot be read";
    else if (t->length < HDR_BYTES || t->length > TABLE_BYTES_MAX)
        wrong = "has a bad length";
    else if (!(v = view_map(io, a, t->length)).p)
        wrong = "cannot be read to its end";
    else if (!checksum_ok(v, t->length))
        wrong = "has a bad checksum";
    if (wrong) {
        printk(LOG_WARN, "ACPI: table %s at 0x%lx %s: ignored", t->sig, a.v, wrong);
        return no_view;
    }
    t->valid = true;
    return v;
}

static void table_add(struct acpi_info *info, const struct acpi_table *t)
{
    if (info->table_count < ACPI_TABLES_MAX)
        info->table[info->table_count++] = *t;
}

// ---- MADT ----

static void cpu_add(struct acpi_info *info, struct acpi_cpu cpu)
{
    struct acpi_cpu *spare = NULL;

    for (u32 i = 0; i < info->cpu_count; i++) {
        struct acpi_cpu *c = &info->cpu[i];

        // Some firmware lists a CPU in both forms, or a disabled stub with the same ID.
        if (c->apic_id == cpu.apic_id) {
            if (!c->enabled && (cpu.enabled || (cpu.online_capable && !c->online_capable)))
                *c = cpu;
            return;
        }
        if (!c->enabled && !c->online_capable)
            spare = c;
    }
    if (info->cpu_count < ACPI_CPUS_MAX)
        info->cpu[info->cpu_count++] = cpu;
    else if (spare && (cpu.enabled || cpu.online_capable))
        *spare = cpu; // a CPU that can run goes before a stub that cannot
    else if (cpu.enabled || cpu.online_capable)
        info->cpus_dropped++;
}

static void cpu_add_flagged(struct acpi_info *info, struct acpi_cpu cpu, u32 flags, u32 no_id)
{
    cpu.enabled = flags & MADT_CPU_ENABLED;
    cpu.online_capable = !cpu.enabled && (flags & MADT_CPU_ONLINE_CAPABLE);
    // The broadcast ID marks a slot without processor.
    if (cpu.apic_id != no_id)
        cpu_add(info, cpu);
}

// "Processor Local APIC Structure"
static void madt_lapic(struct acpi_info *info, struct view e)
{
    struct acpi_cpu cpu = {.acpi_id = get8(e, 2), .apic_id = get8(e, 3)};

    cpu_add_flagged(info, cpu, get32(e, 4), 0xff);
}

// "Processor Local x2APIC Structure"
static void madt_x2apic(struct acpi_info *info, struct view e)
{
    struct acpi_cpu cpu = {.apic_id = get32(e, 4), .acpi_id = get32(e, 12), .x2apic = true};

    cpu_add_flagged(info, cpu, get32(e, 8), 0xffffffff);
}

// "I/O APIC Structure"
static void madt_ioapic(struct acpi_info *info, struct view e)
{
    struct acpi_ioapic io = {get8(e, 2), get32(e, 8), MADDR(get32(e, 4))};

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

// "Interrupt Source Override Structure", table "MPS INTI Flags". Value 2 is reserved: bus default.
static u8 inti_mode(u16 flags, u32 shift)
{
    u8 mode = (flags >> shift) & 3;

    return mode == 2 ? 0 : mode;
}

static u8 inti_polarity(u16 flags)
{
    return inti_mode(flags, 0);
}

static u8 inti_trigger(u16 flags)
{
    return inti_mode(flags, 2);
}

static void madt_override(struct acpi_info *info, struct view e)
{
    u16 flags = get16(e, 8);
    struct acpi_override o = {get8(e, 3), inti_polarity(flags), inti_trigger(flags), get32(e, 4)};

    for (u32 i = 0; i < info->override_count; i++)
        if (info->override[i].source == o.source)
            return;
    if (info->override_count < ACPI_OVERRIDES_MAX)
        info->override[info->override_count++] = o;
    else
        printk(LOG_WARN, "ACPI: more than %d interrupt overrides: IRQ %u ignored",
               ACPI_OVERRIDES_MAX, o.source);
}

// "Non-Maskable Interrupt (NMI) Source Structure"
static void madt_nmi_source(struct acpi_info *info, struct view e)
{
    u16 flags = get16(e, 2);

    if (info->nmi_source_count < ACPI_NMI_SOURCES_MAX)
        info->nmi_source[info->nmi_source_count++] =
            (struct acpi_nmi_source){get32(e, 4), inti_polarity(flags), inti_trigger(flags)};
}

static void lapic_nmi_add(struct acpi_info *info, u32 acpi_id, u8 lint, u16 flags)
{
    if (info->lapic_nmi_count < ACPI_LAPIC_NMIS_MAX)
        info->lapic_nmi[info->lapic_nmi_count++] =
            (struct acpi_lapic_nmi){acpi_id, lint, inti_polarity(flags), inti_trigger(flags)};
}

// "Local APIC NMI Structure"
static void madt_lapic_nmi(struct acpi_info *info, struct view e)
{
    u8 id = get8(e, 2);

    lapic_nmi_add(info, id == 0xff ? ACPI_ID_ALL : id, get8(e, 5), get16(e, 3));
}

// "Local x2APIC NMI Structure"
static void madt_x2apic_nmi(struct acpi_info *info, struct view e)
{
    lapic_nmi_add(info, get32(e, 4), get8(e, 8), get16(e, 2));
}

// "Local APIC Address Override Structure"
static void madt_lapic_addr(struct acpi_info *info, struct view e)
{
    u64 a = get64(e, 4);

    if (a)
        info->lapic_addr = MADDR(a);
}

static const struct madt_entry {
    u8 type;
    u8 bytes; // the entry's size; a shorter one is malformed
    void (*parse)(struct acpi_info *info, struct view e);
} madt_entries[] = {
    {0, 8, madt_lapic},      {1, 12, madt_ioapic},      {2, 10, madt_override},
    {3, 8, madt_nmi_source}, {4, 6, madt_lapic_nmi},    {5, 12, madt_lapic_addr},
    {9, 16, madt_x2apic},    {10, 12, madt_x2apic_nmi},
};

static const struct madt_entry *madt_entry_find(u8 type)
{
    for (u32 i = 0; i < ARRAY_SIZE(madt_entries); i++)
        if (madt_entries[i].type == type)
            return &madt_entries[i];
    return NULL;
}

static void parse_madt(struct acpi_info *info, struct view v)
{
    u32 off = MADT_ENTRIES, bad = 0;

    info->lapic_addr = MADDR(get32(v, MADT_LAPIC_ADDR));
    info->pcat_compat = get32(v, MADT_FLAGS) & MADT_PCAT_COMPAT;
    while (off < v.len && v.len - off >= 2) {
        const struct madt_entry *entry = madt_entry_find(get8(v, off));
        u8 len = get8(v, off + 1);

        if (len < 2 || len > v.len - off) {
            printk(LOG_WARN, "ACPI: MADT entry at offset %u has bad length %u: rest ignored", off,
                   len);
            break;
        }
        if (entry && len >= entry->bytes)
            entry->parse(info, view_part(v, off, len));
        else if (entry)
            bad++;
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
    u8 bits = (u8)MIN(get8(v, len_off) * 8, 248);

    if (x.address && x.space <= ACPI_SPACE_IO) {
        if (x.bit_width == 0)
            x.bit_width = bits;
        return x;
    }
    return (struct acpi_gas){
        .space = ACPI_SPACE_IO,
        .bit_width = bits,
        .address = get32(v, off),
    };
}

static void parse_fadt_hardware(struct acpi_fadt *f, struct view v)
{
    f->sci_int = get16(v, FADT_SCI_INT);
    f->smi_cmd = get32(v, FADT_SMI_CMD);
    f->acpi_enable = get8(v, FADT_ACPI_ENABLE);
    f->acpi_disable = get8(v, FADT_ACPI_DISABLE);
    f->pm1a_evt = fadt_block(v, FADT_X_PM1A_EVT, FADT_PM1A_EVT, FADT_PM1_EVT_LEN);
    f->pm1b_evt = fadt_block(v, FADT_X_PM1B_EVT, FADT_PM1B_EVT, FADT_PM1_EVT_LEN);
    f->pm1a_cnt = fadt_block(v, FADT_X_PM1A_CNT, FADT_PM1A_CNT, FADT_PM1_CNT_LEN);
    f->pm1b_cnt = fadt_block(v, FADT_X_PM1B_CNT, FADT_PM1B_CNT, FADT_PM1_CNT_LEN);
    if (get8(v, FADT_PM_TMR_LEN) == 4) // otherwise the timer does not exist
        f->pm_tmr = fadt_block(v, FADT_X_PM_TMR, FADT_PM_TMR, FADT_PM_TMR_LEN);
    f->pm_tmr_32bit = f->flags & ACPI_FADT_TMR_VAL_EXT;
}

static u64 fadt_pointer(struct view v, u32 x_off, u32 off)
{
    u64 x = get64(v, x_off);

    return x ? x : get32(v, off);
}

static void parse_fadt(struct acpi_info *info, struct view v)
{
    struct acpi_fadt *f = &info->fadt;

    f->present = true;
    f->revision = get8(v, HDR_REVISION);
    f->flags = get32(v, FADT_FLAGS);
    f->boot_arch_flags = get16(v, FADT_BOOT_ARCH);
    f->hw_reduced = f->flags & ACPI_FADT_HW_REDUCED;
    f->facs = MADDR(fadt_pointer(v, FADT_X_FACS, FADT_FACS));
    f->dsdt = MADDR(fadt_pointer(v, FADT_X_DSDT, FADT_DSDT));
    f->reset_reg = get_gas(v, FADT_RESET_REG);
    f->reset_value = get8(v, FADT_RESET_VALUE);
    f->reset_supported = (f->flags & ACPI_FADT_RESET_REG_SUP) && f->reset_reg.address &&
                         f->reset_reg.space <= ACPI_SPACE_PCI;
    f->sleep_control = get_gas(v, FADT_SLEEP_CONTROL);
    f->sleep_status = get_gas(v, FADT_SLEEP_STATUS);
    if (!f->hw_reduced)
        parse_fadt_hardware(f, v);
}

static void parse_hpet(struct acpi_info *info, struct view v)
{
    struct acpi_gas base = get_gas(v, HPET_BASE);

    if (base.space != ACPI_SPACE_MEMORY || base.address == 0) {
        printk(LOG_WARN, "ACPI: the HPET has no memory address: ignored");
        return;
    }
    info->hpet = (struct acpi_hpet){true, MADDR(base.address), get16(v, HPET_MIN_TICK)};
}

static void parse_mcfg(struct acpi_info *info, struct view v)
{
    for (u32 off = MCFG_ENTRIES; off < v.len && v.len - off >= MCFG_ENTRY_BYTES;
         off += MCFG_ENTRY_BYTES) {
        struct acpi_mcfg m = {MADDR(get64(v, off)), get16(v, off + 8), get8(v, off + 10),
                              get8(v, off + 11)};

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

static void table_parse(struct acpi_info *info, const struct acpi_table *t, struct view v)
{
    for (u32 i = 0; i < ARRAY_SIZE(parsers); i++) {
        if (strncmp(t->sig, parsers[i].sig, sizeof(t->sig)) != 0)
            continue;
        if (acpi_table_find(info, t->sig))
            printk(LOG_WARN, "ACPI: another %s at 0x%lx: ignored", t->sig, t->addr.v);
        else
            parsers[i].parse(info, v);
    }
}

static void table_visit(const struct acpi_io *io, maddr_t a, struct acpi_info *info)
{
    struct acpi_table t;
    struct view v;

    // A null entry is common; a repeated one, or the root itself, has nothing new to say.
    if (a.v == 0 || a.v == info->root.v || table_known(info, a))
        return;
    v = table_map(io, a, &t);
    if (t.valid)
        table_parse(info, &t, v);
    table_add(info, &t);
}

// The FACS alone has neither checksum nor the common header beyond signature and length.
static void facs_visit(const struct acpi_io *io, struct acpi_info *info)
{
    struct view v = view_map(io, info->fadt.facs, FACS_BYTES_MIN);
    struct acpi_table t;

    if (info->fadt.facs.v == 0 || table_known(info, info->fadt.facs))
        return;
    if (!v.p || memcmp(v.p, "FACS", 4) != 0 || get32(v, HDR_LENGTH) < FACS_BYTES_MIN) {
        printk(LOG_WARN, "ACPI: no FACS at 0x%lx: ignored", info->fadt.facs.v);
        info->fadt.facs = MADDR(0);
        return;
    }
    table_describe(&t, info->fadt.facs, v);
    t.revision = 0; // the header's place for it holds the hardware signature here
    t.valid = true;
    table_add(info, &t);
}

// "Extended System Description Table (XSDT)" and "Root System Description Table (RSDT)"
static bool root_open(const struct acpi_io *io, maddr_t a, const char *sig, struct acpi_table *t)
{
    if (a.v == 0)
        return false;
    (void)table_map(io, a, t);
    if (t->valid && strncmp(t->sig, sig, sizeof(t->sig)) != 0) {
        printk(LOG_WARN, "ACPI: %s expected at 0x%lx, found %s: ignored", sig, a.v, t->sig);
        return false;
    }
    return t->valid;
}

static void root_walk(const struct acpi_io *io, const struct acpi_table *root,
                      struct acpi_info *info)
{
    u32 entry_bytes = info->root_is_xsdt ? 8 : 4;
    u32 count = (root->length - HDR_BYTES) / entry_bytes;

    for (u32 i = 0; i < count; i++) {
        u64 at = root->addr.v + HDR_BYTES + (u64)i * entry_bytes;

        if (i == ROOT_ENTRIES_MAX || info->table_count == ACPI_TABLES_MAX) {
            printk(LOG_WARN, "ACPI: too many tables: %u ignored", count - i);
            break;
        }
        // Mapped anew each time, because visiting a table took the mapping away.
        table_visit(io, MADDR(get(view_map(io, MADDR(at), entry_bytes), 0, entry_bytes)), info);
    }
}

const char *acpi_parse(const struct acpi_io *io, maddr_t rsdp, struct acpi_info *out)
{
    struct acpi_table root = {.valid = false};
    maddr_t xsdt, rsdt;
    struct view v;
    const char *wrong;

    memset(out, 0, sizeof(*out));
    wrong = rsdp_map(io, rsdp, &v);
    if (wrong)
        return wrong;
    xsdt = MADDR(v.len >= RSDP_V2_BYTES ? get64(v, RSDP_XSDT) : 0);
    rsdt = MADDR(get32(v, RSDP_RSDT));
    out->rsdp = rsdp;
    out->root_is_xsdt = root_open(io, xsdt, "XSDT", &root);
    if (!out->root_is_xsdt && !root_open(io, rsdt, "RSDT", &root)) {
        out->rsdp = MADDR(0);
        return "neither XSDT nor RSDT can be used";
    }
    out->root = root.addr;
    root_walk(io, &root, out);
    table_visit(io, out->fadt.dsdt, out);
    facs_visit(io, out);
    return NULL;
}

struct acpi_isa_irq acpi_isa_irq(const struct acpi_info *info, u8 source)
{
    const struct acpi_fadt *f = &info->fadt;
    bool sci = f->present && !f->hw_reduced && f->sci_int == source;
    struct acpi_isa_irq irq = {.gsi = source, .level = sci, .active_low = sci};

    for (u32 i = 0; i < info->override_count; i++) {
        const struct acpi_override *o = &info->override[i];

        if (o->source != source)
            continue;
        irq.gsi = o->gsi;
        if (o->trigger != ACPI_TRIGGER_BUS)
            irq.level = o->trigger == ACPI_TRIGGER_LEVEL;
        if (o->polarity != ACPI_POLARITY_BUS)
            irq.active_low = o->polarity == ACPI_POLARITY_LOW;
    }
    return irq;
}
