// SPDX-License-Identifier: MIT
// Boot information: multiboot 1 ("Multiboot Specification 0.6.96"), multiboot 2 ("Multiboot2
// Specification 2.0") and PVH (<xen/arch-x86/hvm/start_info.h>). All of it is copied out before
// memory is reused, and so is what dom0 may want from UEFI ("UEFI Specification 2.10", "EFI System
// Table" and "Boot Services", GetMemoryMap).
#include "boot/info.h"
#include <xen/arch-x86/hvm/start_info.h>
#include "lib/string.h"
#include "mm/layout.h"

enum { MB1_MAGIC = 0x2badb002, MB2_MAGIC = 0x36d76289 };

struct mb1_info {
    u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    u32 syms[4];
    u32 mmap_length, mmap_addr;
    u32 drives_length, drives_addr, config_table, loader_name;
};
enum { MB1_CMDLINE = 1 << 2, MB1_MODS = 1 << 3, MB1_MMAP = 1 << 6, MB1_LOADER_NAME = 1 << 9 };

struct mb1_mod {
    u32 start, end, string, reserved;
};

struct mb1_mmap {
    u32 size;
    u64 addr, len;
    u32 type;
} PACKED;

struct mb2_tag {
    u32 type, size;
};
enum mb2_type {
    MB2_END = 0,
    MB2_CMDLINE = 1,
    MB2_MODULE = 3,
    MB2_MMAP = 6,
    MB2_FRAMEBUFFER = 8,
    MB2_EFI64 = 12,
    MB2_ACPI_OLD = 14,
    MB2_ACPI_NEW = 15,
    MB2_EFI_MMAP = 17,
};

static const void *low(u64 addr)
{
    return (const void *)(DIRECTMAP_BASE + addr);
}

static void add_range(struct boot_info *bi, u64 addr, u64 size, u32 type)
{
    if (bi->e820_count < E820_MAX && size != 0)
        bi->e820[bi->e820_count++] = (struct e820_entry){addr, size, type};
}

static void add_module(struct boot_info *bi, u64 start, u64 size, const char *args)
{
    if (bi->module_count == MODULES_MAX)
        return;
    struct boot_module *m = &bi->module[bi->module_count++];
    m->start = MADDR(start);
    m->size = size;
    strlcpy(m->args, args, sizeof(m->args));
}

// The boot loader may put the file's name before a command line: QEMU always does, of others it is
// known by its '/' or '('.
static const char *skip_name(const char *line, bool always)
{
    if (!always && *line != '/' && *line != '(')
        return line;
    const char *space = strchr(line, ' ');
    return space ? space + 1 : line + strlen(line);
}

static const char *read_mb1(u32 addr, struct boot_info *bi)
{
    const struct mb1_info *mi = low(addr);
    bool named = (mi->flags & MB1_LOADER_NAME) && strcmp(low(mi->loader_name), "qemu") == 0;
    bi->protocol = "multiboot 1";
    if (mi->flags & MB1_CMDLINE)
        strlcpy(bi->cmdline, skip_name(low(mi->cmdline), named), sizeof(bi->cmdline));
    if (!(mi->flags & MB1_MMAP))
        return "the boot loader gave no memory map; use one that passes the firmware's (GRUB, "
               "QEMU)";
    for (u32 off = 0; off + sizeof(struct mb1_mmap) <= mi->mmap_length;) {
        const struct mb1_mmap *e = low((u64)mi->mmap_addr + off);
        add_range(bi, e->addr, e->len, e->type);
        if (e->size < sizeof(*e) - 4)
            break;
        off += e->size + 4;
    }
    const struct mb1_mod *mod = low(mi->mods_addr);
    for (u32 i = 0; (mi->flags & MB1_MODS) && i < mi->mods_count; i++)
        add_module(bi, mod[i].start, mod[i].end - mod[i].start,
                   mod[i].string ? skip_name(low(mod[i].string), named) : "");
    return NULL;
}

static void read_mb2_mmap(const u8 *tag, u32 size, struct boot_info *bi)
{
    u32 entry_size;
    memcpy(&entry_size, tag + 8, 4);
    if (entry_size < 20)
        return;
    for (u32 off = 16; off + entry_size <= size; off += entry_size) {
        struct e820_entry e;
        memcpy(&e, tag + off, sizeof(e));
        add_range(bi, e.addr, e.size, e.type);
    }
}

// --- UEFI ---

#define EFI_SIGNATURE  0x5453595320494249 // "IBI SYST"
#define EFI_PAGE_SHIFT 12

struct efi_header {
    u64 signature;
    u32 revision, bytes, crc, reserved;
};

struct efi_system_table {
    struct efi_header header;
    u64 vendor;
    u32 vendor_revision, pad;
    u64 consoles[6];
    u64 runtime, boot;
    u64 table_count, tables;
};

struct efi_descriptor {
    u32 type, pad;
    u64 physical, virtual, pages, attributes;
};

// What the boot page tables reach.
static bool reachable(u64 addr, u64 bytes)
{
    return addr != 0 && addr < (u64)1 << 32 && bytes <= ((u64)1 << 32) - addr;
}

static void read_efi_system_table(u64 addr, struct boot_info *bi)
{
    struct efi_info *e = &bi->uefi;
    const struct efi_system_table *st = low(addr);
    bi->efi = true;
    if (!reachable(addr, sizeof(*st)) || st->header.signature != EFI_SIGNATURE)
        return;
    e->version = st->header.revision;
    e->tables = st->tables;
    e->table_count = (u32)st->table_count;
    if (reachable(st->runtime, sizeof(struct efi_header)))
        e->runtime_version = ((const struct efi_header *)low(st->runtime))->revision;
    if (!reachable(st->vendor, sizeof(e->vendor)))
        return;
    e->vendor_revision = st->vendor_revision;
    memcpy(e->vendor, low(st->vendor), sizeof(e->vendor));
    e->vendor[ARRAY_SIZE(e->vendor) - 1] = 0;
}

static void add_efi_range(struct efi_info *e, const struct efi_descriptor *d)
{
    struct efi_range *last = e->range_count ? &e->range[e->range_count - 1] : NULL;
    u64 size = d->pages << EFI_PAGE_SHIFT;
    if (last && last->addr + last->size == d->physical && last->type == d->type &&
        last->attributes == d->attributes)
        last->size += size;
    else if (e->range_count < EFI_RANGES_MAX)
        e->range[e->range_count++] = (struct efi_range){d->physical, size, d->attributes, d->type};
}

static void read_efi_mmap(const u8 *tag, u32 size, struct boot_info *bi)
{
    u32 bytes;
    memcpy(&bytes, tag + 8, 4);
    if (bytes < sizeof(struct efi_descriptor))
        return;
    for (u32 off = 16; off + bytes <= size; off += bytes) {
        struct efi_descriptor d;
        memcpy(&d, tag + off, sizeof(d));
        add_efi_range(&bi->uefi, &d);
    }
}

// Only direct colours can be handed to dom0.
static void read_framebuffer(const u8 *tag, u32 size, struct boot_framebuffer *out)
{
    enum { DIRECT_COLOUR = 1 };
    struct {
        u64 addr;
        u32 pitch, width, height;
        u8 bits_per_pixel, type;
        u16 reserved;
        u8 rgb[6];
    } PACKED f;
    if (size < 8 + sizeof(f))
        return;
    memcpy(&f, tag + 8, sizeof(f));
    if (f.type != DIRECT_COLOUR)
        return;
    *out = (struct boot_framebuffer){f.addr,           f.pitch,  f.width,  f.height,
                                     f.bits_per_pixel, f.rgb[0], f.rgb[1], f.rgb[2],
                                     f.rgb[3],         f.rgb[4], f.rgb[5]};
}

// --- multiboot 2 ---

static void keep_rsdp(const u8 *tag, u32 size, struct boot_info *bi)
{
    memset(bi->rsdp_copy, 0, sizeof(bi->rsdp_copy));
    memcpy(bi->rsdp_copy, tag + 8, MIN(size - 8, (u32)sizeof(bi->rsdp_copy)));
    bi->rsdp = MADDR((u64)bi->rsdp_copy - VIRT_BASE);
}

static const char *read_mb2(u32 addr, struct boot_info *bi)
{
    const u8 *base = low(addr);
    u32 total, off = 8;
    memcpy(&total, base, 4);
    bi->protocol = "multiboot 2";
    while (off + sizeof(struct mb2_tag) <= total) {
        const u8 *tag = base + off;
        struct mb2_tag t;
        u32 range[2];
        u64 efi;
        memcpy(&t, tag, sizeof(t));
        if (t.type == MB2_END || t.size < sizeof(t) || t.size > total - off)
            break;
        switch (t.type) {
        case MB2_CMDLINE:
            strlcpy(bi->cmdline, skip_name((const char *)tag + 8, false), sizeof(bi->cmdline));
            break;
        case MB2_MODULE:
            memcpy(range, tag + 8, 8);
            add_module(bi, range[0], range[1] - range[0], skip_name((const char *)tag + 16, false));
            break;
        case MB2_MMAP:
            read_mb2_mmap(tag, t.size, bi);
            break;
        case MB2_FRAMEBUFFER:
            read_framebuffer(tag, t.size, &bi->framebuffer);
            break;
        case MB2_EFI64:
            memcpy(&efi, tag + 8, 8);
            read_efi_system_table(efi, bi);
            break;
        case MB2_EFI_MMAP:
            read_efi_mmap(tag, t.size, bi);
            break;
        case MB2_ACPI_OLD:
        case MB2_ACPI_NEW: // a copy of the RSDP; the later (new) tag wins
            keep_rsdp(tag, t.size, bi);
            break;
        default:
            break;
        }
        off += (u32)align_up(t.size, 8);
    }
    if (bi->e820_count == 0)
        return "the boot loader gave no memory map; use one that passes the firmware's (GRUB)";
    return NULL;
}

static const char *read_pvh(u32 addr, struct boot_info *bi)
{
    const struct hvm_start_info *si = low(addr);
    bi->protocol = "PVH";
    if (si->magic != XEN_HVM_START_MAGIC_VALUE)
        return "PVH start without its start-info structure; use QEMU -kernel or a Xen loader";
    if (si->version < 1 || si->memmap_entries == 0)
        return "the PVH loader gave no memory map; use one of start-info version 1";
    if (si->cmdline_paddr)
        strlcpy(bi->cmdline, low(si->cmdline_paddr), sizeof(bi->cmdline));
    bi->rsdp = MADDR(si->rsdp_paddr);
    const struct hvm_memmap_table_entry *e = low(si->memmap_paddr);
    for (u32 i = 0; i < si->memmap_entries; i++)
        add_range(bi, e[i].addr, e[i].size, e[i].type);
    const struct hvm_modlist_entry *m = low(si->modlist_paddr);
    for (u32 i = 0; i < si->nr_modules; i++)
        add_module(bi, m[i].paddr, m[i].size, m[i].cmdline_paddr ? low(m[i].cmdline_paddr) : "");
    return NULL;
}

const char *boot_info_read(u32 magic, u32 info, struct boot_info *out)
{
    const char *error;
    if (magic == MB1_MAGIC)
        error = read_mb1(info, out);
    else if (magic == MB2_MAGIC)
        error = read_mb2(info, out);
    else if (magic == XEN_HVM_START_MAGIC_VALUE)
        error = read_pvh(info, out);
    else
        error = "started by an unknown protocol; boot by multiboot 1, multiboot 2 or PVH";
    if (!error)
        e820_sanitise(out);
    return error;
}

static void sort(struct boot_info *bi)
{
    for (u32 i = 1; i < bi->e820_count; i++)
        for (u32 j = i; j > 0 && bi->e820[j - 1].addr > bi->e820[j].addr; j--) {
            struct e820_entry t = bi->e820[j];
            bi->e820[j] = bi->e820[j - 1];
            bi->e820[j - 1] = t;
        }
}

// Where two ranges overlap the part belongs to the one that is not RAM.
void e820_sanitise(struct boot_info *bi)
{
    for (u32 i = 0; i < bi->e820_count; i++) {
        struct e820_entry *e = &bi->e820[i];
        if (e->size > ~e->addr)
            e->size = ~e->addr;
        if (e->type == 0 || e->type > E820_UNUSABLE)
            e->type = E820_RESERVED;
    }
    sort(bi);
    for (u32 i = 0; i + 1 < bi->e820_count;) {
        struct e820_entry *a = &bi->e820[i], *b = a + 1;
        u64 a_end = a->addr + a->size, b_end = b->addr + b->size;
        if (a_end <= b->addr) {
            i++;
            continue;
        }
        if (a->type == E820_RAM || a->type == b->type) { // cut a before b, keep a's tail
            a->size = b->addr - a->addr;
            if (a_end > b_end && a->type != b->type)
                add_range(bi, b_end, a_end - b_end, a->type);
            else if (a_end > b_end)
                b->size = a_end - b->addr;
        } else if (b_end <= a_end) {
            b->size = 0;
            b->addr = a_end;
        } else {
            b->size = b_end - a_end;
            b->addr = a_end;
        }
        sort(bi);
        i = 0;
        u32 n = 0; // drop empty entries
        for (u32 k = 0; k < bi->e820_count; k++)
            if (bi->e820[k].size != 0)
                bi->e820[n++] = bi->e820[k];
        bi->e820_count = n;
    }
}

void e820_reserve(struct boot_info *bi, maddr_t start, u64 bytes)
{
    add_range(bi, start.v, bytes, E820_RESERVED);
    e820_sanitise(bi);
}
