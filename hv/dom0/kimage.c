// SPDX-License-Identifier: MIT
// bzImage header, ELF segments and Xen notes; see kimage.h.
#include "dom0/kimage.h"

#include <elf.h>

#include "abi/xen.h"
#include <xen/elfnote.h>
#include <xen/features.h>

#include "lib/string.h"

enum {
    // Documentation/x86/boot.rst, "The Real-Mode Kernel Header"
    BZ_SETUP_SECTS = 0x1f1,
    BZ_BOOT_FLAG = 0x1fe,
    BZ_MAGIC = 0x202,
    BZ_VERSION = 0x206,
    BZ_PAYLOAD_OFFSET = 0x248,
    BZ_PAYLOAD_LENGTH = 0x24c,
    BZ_HEADER_END = 0x250,
    BZ_SECTOR_BYTES = 512,
    BZ_SETUP_SECTS_OLD = 4, // what 0 stands for
    BZ_VERSION_PAYLOAD = 0x0208,
    // Same place, payload_length: the unpacked size, little-endian, ends the payload.
    TRAILER_BYTES = 4,
    GZIP_MIN_BYTES = 18, // header and trailer of RFC 1952

    ELF_TABLE_MAX = 4096,         // program or section headers we are ready to look at
    L1_MFN_VALID_PAIR_BYTES = 16, // mask and value of the size of a 64-bit page table entry
};
#define KIMAGE_SPAN_MAX ((u64)1 << 30)
#define CANONICAL_LOW   ((u64)1 << 47)

static const char bz_truncated[] = "kernel (bzImage) is truncated; copy it again";
static const char elf_truncated[] = "kernel ELF image is truncated; copy the kernel again";
static const char elf_corrupt[] = "kernel ELF image is corrupt; copy the kernel again";

static bool in_range(u64 offset, u64 bytes, u64 len)
{
    return offset <= len && bytes <= len - offset;
}

static u32 read_le(const u8 *p, int bytes)
{
    u32 v = 0;

    while (bytes--)
        v = v << 8 | p[bytes];
    return v;
}

static bool is_elf(const u8 *p, u64 len)
{
    return len >= SELFMAG && memcmp(p, ELFMAG, SELFMAG) == 0;
}

// The module

static const char *set_payload(const u8 *data, u64 bytes, struct kimage_payload *out)
{
    *out = (struct kimage_payload){COMPRESSION_NONE, data, bytes, bytes};
    if (is_elf(data, bytes))
        return NULL;
    if (!unpack_identify(data, bytes, &out->kind))
        return "kernel is packed in a way Wirt does not know; use gzip, xz, zstd or lz4";
    if (bytes < GZIP_MIN_BYTES)
        return "compressed kernel is truncated; copy the kernel again";
    out->unpacked_bytes = read_le(data + bytes - TRAILER_BYTES, TRAILER_BYTES);
    if (out->kind != COMPRESSION_GZIP) // gzip's own trailer serves
        out->bytes -= TRAILER_BYTES;
    if (out->unpacked_bytes > KIMAGE_UNPACKED_MAX)
        return "kernel claims to unpack to more than 512 MiB; copy the kernel again";
    if (out->unpacked_bytes == 0)
        return "kernel claims to unpack to nothing; copy the kernel again";
    return NULL;
}

static bool is_bzimage(const u8 *img, u64 len)
{
    return len >= BZ_VERSION && read_le(img + BZ_BOOT_FLAG, 2) == 0xaa55 &&
           memcmp(img + BZ_MAGIC, "HdrS", 4) == 0;
}

static const char *bzimage_payload(const u8 *img, u64 len, struct kimage_payload *out)
{
    u64 setup_sects, offset, bytes;

    if (len < BZ_HEADER_END)
        return bz_truncated;
    if (read_le(img + BZ_VERSION, 2) < BZ_VERSION_PAYLOAD)
        return "kernel (bzImage) is of a boot protocol before 2.08; use Linux 2.6.24 or later";
    setup_sects = img[BZ_SETUP_SECTS] ? img[BZ_SETUP_SECTS] : BZ_SETUP_SECTS_OLD;
    offset = (setup_sects + 1) * BZ_SECTOR_BYTES + read_le(img + BZ_PAYLOAD_OFFSET, 4);
    bytes = read_le(img + BZ_PAYLOAD_LENGTH, 4);
    if (bytes == 0)
        return "kernel (bzImage) has no payload; copy it again";
    if (!in_range(offset, bytes, len))
        return bz_truncated;
    return set_payload(img + offset, bytes, out);
}

const char *kimage_find_payload(const void *img, u64 len, struct kimage_payload *out)
{
    enum compression kind;

    if (is_bzimage(img, len))
        return bzimage_payload(img, len, out);
    // Of the packed kinds only gzip says its unpacked size by itself.
    if (is_elf(img, len) || (unpack_identify(img, len, &kind) && kind == COMPRESSION_GZIP))
        return set_payload(img, len, out);
    return "kernel is neither a bzImage nor an ELF image; check the module's file";
}

const char *kimage_unpack(const struct kimage_payload *p, void *dst, void *scratch, u64 scratch_len)
{
    u64 bytes;
    const char *error =
        unpack(p->kind, p->data, p->bytes, dst, p->unpacked_bytes, &bytes, scratch, scratch_len);

    if (!error && bytes != p->unpacked_bytes)
        error = "kernel unpacks to fewer bytes than its header says; copy the kernel again";
    return error;
}

// ELF

struct elf {
    const u8 *bytes;
    u64 len;
    Elf64_Ehdr head;
};

static const char *elf_open(struct elf *e, const void *bytes, u64 len)
{
    const u8 *ident = bytes;

    e->bytes = bytes;
    e->len = len;
    if (!is_elf(bytes, len))
        return "kernel is not an ELF image; check the module's file";
    if (len < sizeof(e->head))
        return elf_truncated;
    if (ident[EI_CLASS] != ELFCLASS64)
        return "kernel is 32-bit; Wirt needs a 64-bit PV kernel";
    memcpy(&e->head, bytes, sizeof(e->head));
    if (ident[EI_DATA] != ELFDATA2LSB || e->head.e_machine != EM_X86_64)
        return "kernel is not for x86-64; use one for this machine";
    if (e->head.e_type != ET_EXEC && e->head.e_type != ET_DYN)
        return "kernel is not a linked ELF image; use vmlinux or a bzImage";
    return NULL;
}

// Checks a table's bounds; after that its entries can be read. An empty table is fine.
static const char *elf_check_table(const struct elf *e, u64 offset, u64 count, u64 entry_bytes,
                                   u64 entry_bytes_wanted)
{
    if (count == 0)
        return NULL;
    if (entry_bytes != entry_bytes_wanted)
        return elf_corrupt;
    if (count > ELF_TABLE_MAX)
        return "kernel ELF image has too many headers; use a stripped one";
    return in_range(offset, count * entry_bytes, e->len) ? NULL : elf_truncated;
}

static Elf64_Phdr elf_segment(const struct elf *e, u32 i)
{
    Elf64_Phdr ph;

    memcpy(&ph, e->bytes + e->head.e_phoff + i * sizeof(ph), sizeof(ph));
    return ph;
}

static Elf64_Shdr elf_section(const struct elf *e, u32 i)
{
    Elf64_Shdr sh;

    memcpy(&sh, e->bytes + e->head.e_shoff + i * sizeof(sh), sizeof(sh));
    return sh;
}

// Notes

enum note_kind {
    NOTE_TEXT,       // char[KIMAGE_TEXT_BYTES]
    NOTE_NUMBER,     // u64
    NOTE_PAGE,       // u64; an address in the note, a page number in the legacy string
    NOTE_YES,        // bool; "yes" in the note, mere presence in the legacy string
    NOTE_MASK_VALUE, // two u64
    NOTE_FEATURES,   // names for features_supported and features_required
    NOTE_BITMAP,     // u32, added to
};

// Notes without a row say nothing that a 64-bit domain 0 needs (PAE_MODE is about x86-32).
static const struct note_rule {
    u32 type;
    enum note_kind kind;
    size_t field;
    const char *legacy; // its name in the __xen_guest string
} note_rules[] = {
#define RULE(type, kind, field, legacy)                                         \
    {                                                                           \
        XEN_ELFNOTE_##type, NOTE_##kind, offsetof(struct kimage, field), legacy \
    }
    RULE(ENTRY, NUMBER, entry, "VIRT_ENTRY"),
    RULE(HYPERCALL_PAGE, PAGE, hypercall_page, "HYPERCALL_PAGE"),
    RULE(VIRT_BASE, NUMBER, virt_base, "VIRT_BASE"),
    RULE(PADDR_OFFSET, NUMBER, paddr_offset, "ELF_PADDR_OFFSET"),
    RULE(XEN_VERSION, TEXT, xen_version, "XEN_VER"),
    RULE(GUEST_OS, TEXT, guest_os, "GUEST_OS"),
    RULE(GUEST_VERSION, TEXT, guest_version, "GUEST_VER"),
    RULE(LOADER, TEXT, loader, "LOADER"),
    RULE(FEATURES, FEATURES, features_supported, "FEATURES"),
    RULE(BSD_SYMTAB, YES, bsd_symtab, "BSD_SYMTAB"),
    RULE(HV_START_LOW, NUMBER, hv_start_low, NULL),
    RULE(L1_MFN_VALID, MASK_VALUE, l1_mfn_valid_mask, NULL),
    RULE(SUSPEND_CANCEL, NUMBER, suspend_cancel, NULL),
    RULE(INIT_P2M, NUMBER, init_p2m, NULL),
    RULE(MOD_START_PFN, NUMBER, mod_start_pfn, NULL),
    RULE(SUPPORTED_FEATURES, BITMAP, features_supported, NULL),
    RULE(PHYS32_ENTRY, NUMBER, phys32_entry, NULL),
#undef RULE
};

static const struct {
    const char *name;
    u32 number;
} feature_names[] = {
#define FEATURE(name)         \
    {                         \
#name, XENFEAT_##name \
    }
    FEATURE(writable_page_tables),
    FEATURE(writable_descriptor_tables),
    FEATURE(auto_translated_physmap),
    FEATURE(supervisor_mode_kernel),
    FEATURE(pae_pgdir_above_4gb),
    FEATURE(mmu_pt_update_preserve_ad),
    FEATURE(highmem_assist),
    FEATURE(gnttab_map_avail_bits),
    FEATURE(hvm_callback_vector),
    FEATURE(hvm_safe_pvclock),
    FEATURE(hvm_pirqs),
    FEATURE(dom0),
    FEATURE(memory_op_vnode_supported),
    FEATURE(linux_rsdp_unrestricted),
    FEATURE(not_direct_mapped),
    FEATURE(direct_mapped),
#undef FEATURE
};

// Text that need not be terminated.
struct text {
    const char *start;
    u64 len;
};

static bool text_is(struct text t, const char *s)
{
    return t.len == strlen(s) && memcmp(t.start, s, t.len) == 0;
}

// Cuts off and returns what is before the first separator.
static struct text text_split(struct text *t, char separator)
{
    const char *end = t->len ? memchr(t->start, separator, t->len) : NULL;
    struct text first = {t->start, end ? (u64)(end - t->start) : t->len};
    u64 used = first.len + (end ? 1 : 0);

    t->start += used;
    t->len -= used;
    return first;
}

static void text_copy(struct text t, char out[KIMAGE_TEXT_BYTES])
{
    u64 bytes = MIN(t.len, (u64)KIMAGE_TEXT_BYTES - 1);

    memcpy(out, t.start, bytes);
    out[bytes] = 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The legacy string writes all numbers as hexadecimal, with or without 0x.
static bool text_number(struct text t, u64 *out)
{
    u64 v = 0;

    if (t.len > 2 && t.start[0] == '0' && (t.start[1] | 0x20) == 'x') {
        t.start += 2;
        t.len -= 2;
    }
    if (t.len == 0 || t.len > 16)
        return false;
    for (u64 i = 0; i < t.len; i++) {
        int digit = hex_digit(t.start[i]);

        if (digit < 0)
            return false;
        v = v << 4 | (u64)digit;
    }
    *out = v;
    return true;
}

static u32 feature_bit(struct text name)
{
    for (u32 i = 0; i < ARRAY_SIZE(feature_names); i++)
        if (text_is(name, feature_names[i].name))
            return (u32)1 << feature_names[i].number;
    return 0;
}

// "a|!b|c": a name we do not know is fine unless the kernel cannot do without.
static const char *parse_features(struct text list, struct kimage *k)
{
    while (list.len) {
        struct text name = text_split(&list, '|');
        bool required = name.len && name.start[0] == '!';
        u32 bit;

        if (required)
            text_split(&name, '!');
        bit = feature_bit(name);
        if (required && !bit)
            return "kernel requires a Xen feature that Wirt does not know; use another kernel";
        k->features_supported |= bit;
        k->features_required |= required ? bit : 0;
    }
    return NULL;
}

static u64 *number_field(struct kimage *k, const struct note_rule *r)
{
    return (u64 *)(void *)((u8 *)k + r->field);
}

static const char *note_set_number(struct kimage *k, const struct note_rule *r, u64 v)
{
    if (r->kind == NOTE_BITMAP)
        k->features_supported |= (u32)v; // XENFEAT_NR_SUBMAPS is 1
    else
        *number_field(k, r) = v;
    return NULL;
}

static const char *note_set_text(struct kimage *k, const struct note_rule *r, struct text t)
{
    if (r->kind == NOTE_FEATURES)
        return parse_features(t, k);
    text_copy(t, (char *)k + r->field);
    return NULL;
}

static const char *note_set_mask_value(struct kimage *k, const struct note_rule *r, const u8 *desc,
                                       u64 bytes)
{
    if (bytes < L1_MFN_VALID_PAIR_BYTES)
        return "kernel's L1_MFN_VALID note is not 64-bit; use a 64-bit PV kernel";
    memcpy(number_field(k, r), desc, L1_MFN_VALID_PAIR_BYTES);
    return NULL;
}

static const char *note_set(struct kimage *k, const struct note_rule *r, const u8 *desc, u64 bytes)
{
    struct text whole = {(const char *)desc, bytes};
    struct text t = text_split(&whole, 0);
    u64 number = 0;

    switch (r->kind) {
    case NOTE_TEXT:
    case NOTE_FEATURES:
        return note_set_text(k, r, t);
    case NOTE_YES:
        k->bsd_symtab = text_is(t, "yes");
        return NULL;
    case NOTE_MASK_VALUE:
        return note_set_mask_value(k, r, desc, bytes);
    default:
        if (bytes != 4 && bytes != 8)
            return "a Xen note of the kernel holds no number of 4 or 8 bytes; copy it again";
        memcpy(&number, desc, bytes);
        return note_set_number(k, r, number);
    }
}

static const char *note_apply(struct kimage *k, u32 type, const u8 *desc, u64 bytes)
{
    for (u32 i = 0; i < ARRAY_SIZE(note_rules); i++)
        if (note_rules[i].type == type)
            return note_set(k, &note_rules[i], desc, bytes);
    return NULL;
}

// One segment or section of notes. Counts the ones named "Xen".
static const char *parse_notes(struct kimage *k, const u8 *p, u64 len, u64 align, u32 *xen_notes)
{
    const char *error = NULL;

    while (len >= sizeof(Elf64_Nhdr) && !error) {
        Elf64_Nhdr n;
        u64 desc_at, end;

        memcpy(&n, p, sizeof(n));
        desc_at = align_up(sizeof(n) + n.n_namesz, align);
        if (!in_range(desc_at, n.n_descsz, len))
            return "an ELF note of the kernel is truncated; copy the kernel again";
        if (n.n_namesz == 4 && memcmp(p + sizeof(n), "Xen", 4) == 0) {
            error = note_apply(k, n.n_type, p + desc_at, n.n_descsz);
            ++*xen_notes;
        }
        end = MIN(align_up(desc_at + n.n_descsz, align), len); // the last may be unpadded
        p += end;
        len -= end;
    }
    return error;
}

static u64 note_align(u64 align)
{
    return align == 8 ? 8 : 4;
}

static const char *parse_note_segments(const struct elf *e, struct kimage *k, u32 *xen_notes)
{
    const char *error = NULL;

    for (u32 i = 0; i < e->head.e_phnum && !error; i++) {
        Elf64_Phdr ph = elf_segment(e, i);

        if (ph.p_type != PT_NOTE)
            continue;
        if (!in_range(ph.p_offset, ph.p_filesz, e->len))
            return elf_truncated;
        error =
            parse_notes(k, e->bytes + ph.p_offset, ph.p_filesz, note_align(ph.p_align), xen_notes);
    }
    return error;
}

static const char *parse_note_sections(const struct elf *e, struct kimage *k, u32 *xen_notes)
{
    const char *error = NULL;

    for (u32 i = 0; i < e->head.e_shnum && !error; i++) {
        Elf64_Shdr sh = elf_section(e, i);

        if (sh.sh_type != SHT_NOTE)
            continue;
        if (!in_range(sh.sh_offset, sh.sh_size, e->len))
            return elf_truncated;
        error = parse_notes(k, e->bytes + sh.sh_offset, sh.sh_size, note_align(sh.sh_addralign),
                            xen_notes);
    }
    return error;
}

// The legacy string: "GUEST_OS=linux,VIRT_BASE=0xffffffff80000000,BSD_SYMTAB,..."

static const char *legacy_set(struct kimage *k, const struct note_rule *r, struct text value)
{
    u64 number;

    if (r->kind == NOTE_YES) {
        k->bsd_symtab = true;
        return NULL;
    }
    if (r->kind == NOTE_TEXT || r->kind == NOTE_FEATURES)
        return note_set_text(k, r, value);
    if (!text_number(value, &number))
        return "the kernel's __xen_guest string has a malformed number; use another kernel";
    return note_set_number(k, r, number);
}

static const char *legacy_apply(struct kimage *k, struct text pair)
{
    struct text key = text_split(&pair, '=');

    for (u32 i = 0; i < ARRAY_SIZE(note_rules); i++)
        if (note_rules[i].legacy && text_is(key, note_rules[i].legacy))
            return legacy_set(k, &note_rules[i], pair);
    return NULL;
}

static const char *parse_legacy(struct kimage *k, struct text list)
{
    const char *error = NULL;

    k->paddr_offset = KIMAGE_NONE;
    while (list.len && !error) {
        struct text pair = text_split(&list, ',');

        error = legacy_apply(k, pair);
    }
    if (k->paddr_offset == KIMAGE_NONE)
        k->paddr_offset = k->virt_base; // xen ABI: elfnote.h, XEN_ELFNOTE_PADDR_OFFSET
    if (k->hypercall_page != KIMAGE_NONE)
        k->hypercall_page = (k->hypercall_page << PAGE_SHIFT) + k->virt_base;
    return error;
}

static bool section_name_is(const struct elf *e, const Elf64_Shdr *names, u32 name, const char *s)
{
    u64 bytes = strlen(s) + 1;

    return in_range(names->sh_offset, names->sh_size, e->len) &&
           in_range(name, bytes, names->sh_size) &&
           memcmp(e->bytes + names->sh_offset + name, s, bytes) == 0;
}

static const char *find_legacy(const struct elf *e, struct kimage *k, bool *found)
{
    Elf64_Shdr names;

    if (e->head.e_shstrndx >= e->head.e_shnum)
        return NULL;
    names = elf_section(e, e->head.e_shstrndx);
    for (u32 i = 0; i < e->head.e_shnum; i++) {
        Elf64_Shdr sh = elf_section(e, i);

        if (!section_name_is(e, &names, sh.sh_name, "__xen_guest"))
            continue;
        if (!in_range(sh.sh_offset, sh.sh_size, e->len))
            return elf_truncated;
        struct text whole = {(const char *)e->bytes + sh.sh_offset, sh.sh_size};
        *found = true;
        return parse_legacy(k, text_split(&whole, 0));
    }
    return NULL;
}

// Note segments are what the ABI asks for; some linkers leave the sections only.
static const char *find_notes(const struct elf *e, struct kimage *k)
{
    u32 xen_notes = 0;
    bool legacy = false;
    const char *error = parse_note_segments(e, k, &xen_notes);

    if (error || xen_notes)
        return error;
    error = elf_check_table(e, e->head.e_shoff, e->head.e_shnum, e->head.e_shentsize,
                            sizeof(Elf64_Shdr));
    if (!error)
        error = parse_note_sections(e, k, &xen_notes);
    if (error || xen_notes)
        return error;
    error = find_legacy(e, k, &legacy);
    if (!error && !legacy)
        error =
            "no Xen PV note in the kernel (CONFIG_XEN_PV is off?); use a kernel with PV support";
    if (!error && k->entry == KIMAGE_NONE)
        k->entry = e->head.e_entry;
    return error;
}

// Segments

// Places [virt, virt + bytes) where a kernel may be: lower half, or above our hole in the upper.
static bool virt_is_guests(u64 virt, u64 bytes)
{
    u64 last;

    if (bytes == 0 || __builtin_add_overflow(virt, bytes - 1, &last))
        return false;
    return last < CANONICAL_LOW || virt >= HYPERVISOR_VIRT_END;
}

static const char *add_segment(struct kimage *k, const Elf64_Phdr *ph, u64 len)
{
    // Modulo 2^64 on purpose: paddr_offset may be as large as virt_base.
    u64 virt = ph->p_paddr - k->paddr_offset + k->virt_base;

    if (k->segments_count == KIMAGE_SEGMENTS_MAX)
        return "kernel has more than 16 loadable segments; link it with fewer";
    if (ph->p_filesz > ph->p_memsz)
        return elf_corrupt;
    if (!in_range(ph->p_offset, ph->p_filesz, len))
        return elf_truncated;
    if (ph->p_memsz > KIMAGE_SPAN_MAX || !virt_is_guests(virt, ph->p_memsz))
        return "a kernel segment is at an address no PV kernel can have; check VIRT_BASE and "
               "PADDR_OFFSET in its Xen notes";
    k->segments[k->segments_count++] =
        (struct kimage_segment){virt, ph->p_offset, ph->p_filesz, ph->p_memsz};
    return NULL;
}

static const char *parse_segments(const struct elf *e, struct kimage *k)
{
    const char *error = NULL;

    for (u32 i = 0; i < e->head.e_phnum && !error; i++) {
        Elf64_Phdr ph = elf_segment(e, i);

        if (ph.p_type == PT_LOAD && ph.p_memsz)
            error = add_segment(k, &ph, e->len);
    }
    if (!error && k->segments_count == 0)
        error = "kernel ELF image has nothing to load; use vmlinux or a bzImage";
    return error;
}

static const char *find_span(struct kimage *k)
{
    u64 last = 0;

    k->virt_start = KIMAGE_NONE;
    for (u32 i = 0; i < k->segments_count; i++) {
        const struct kimage_segment *s = &k->segments[i];

        k->virt_start = MIN(k->virt_start, align_down(s->virt, PAGE_SIZE));
        last = MAX(last, s->virt + s->mem_bytes - 1);
    }
    // 0 would be both the end of the address space and of nothing.
    if (last >= align_down(KIMAGE_NONE, PAGE_SIZE))
        return "kernel reaches into the last page of the address space; link it lower";
    k->virt_end = align_up(last + 1, PAGE_SIZE);
    if (k->virt_end - k->virt_start > KIMAGE_SPAN_MAX)
        return "kernel segments are spread over more than 1 GiB; link it more tightly";
    return NULL;
}

// What the notes promise must fit what will be loaded.

static bool loaded(const struct kimage *k, u64 virt, u64 bytes)
{
    return virt >= k->virt_start &&
           in_range(virt - k->virt_start, bytes, k->virt_end - k->virt_start);
}

static bool is_page(u64 virt)
{
    return (virt & ~PAGE_MASK) == 0;
}

static const char *check_addresses(const struct kimage *k)
{
    if (k->entry == KIMAGE_NONE && k->phys32_entry != KIMAGE_NONE)
        return "kernel has a PVH but no PV entry point; enable CONFIG_XEN_PV";
    if (k->entry == KIMAGE_NONE)
        return "kernel's Xen notes name no PV entry point; enable CONFIG_XEN_PV";
    if (!loaded(k, k->entry, 1))
        return "kernel's Xen entry point is outside of its segments; use another kernel";
    if (k->hypercall_page != KIMAGE_NONE &&
        !(is_page(k->hypercall_page) && loaded(k, k->hypercall_page, PAGE_SIZE)))
        return "kernel's hypercall page is outside of its segments; use another kernel";
    if (k->init_p2m != KIMAGE_NONE &&
        !(is_page(k->init_p2m) && virt_is_guests(k->init_p2m, PAGE_SIZE)))
        return "kernel wants its P2M list at an address no PV kernel can have; use another kernel";
    return NULL;
}

static const char *check_demands(const struct kimage *k)
{
    if (k->xen_version[0] && strncmp(k->xen_version, "xen-3.", 6) != 0)
        return "kernel is for another Xen interface than 3.x; use another kernel";
    if (k->hv_start_low > HYPERVISOR_VIRT_START)
        return "kernel forbids the hypervisor's address range; use another kernel";
    return NULL;
}

const char *kimage_parse(const void *elf, u64 len, struct kimage *out)
{
    struct elf e;
    const char *error = elf_open(&e, elf, len);

    *out = (struct kimage){
        .entry = KIMAGE_NONE,
        .hypercall_page = KIMAGE_NONE,
        .init_p2m = KIMAGE_NONE,
        .phys32_entry = KIMAGE_NONE,
    };
    if (!error)
        error = elf_check_table(&e, e.head.e_phoff, e.head.e_phnum, e.head.e_phentsize,
                                sizeof(Elf64_Phdr));
    if (!error)
        error = find_notes(&e, out);
    if (!error)
        error = parse_segments(&e, out);
    if (!error)
        error = find_span(out);
    if (!error)
        error = check_addresses(out);
    if (!error)
        error = check_demands(out);
    return error;
}

const char *kimage_load(const void *elf, const struct kimage *k, kimage_put_fn put, void *ctx)
{
    const char *error = NULL;

    for (u32 i = 0; i < k->segments_count && !error; i++) {
        const struct kimage_segment *s = &k->segments[i];

        if (s->file_bytes)
            error = put(ctx, s->virt, (const u8 *)elf + s->file_offset, s->file_bytes);
        if (!error && s->mem_bytes > s->file_bytes)
            error = put(ctx, s->virt + s->file_bytes, NULL, s->mem_bytes - s->file_bytes);
    }
    return error;
}
