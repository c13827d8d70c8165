// SPDX-License-Identifier: MIT
// bzImage header, ELF segments and Xen notes; see kimage.h.
#include "dom0/kimage.h"

#include <elf.h>

#include "abi/xen.h"
#include <xen/elfnote.h>

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

    ELF_TABLE_MAX = 4096, // program or section headers we are ready to look at
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

// Notes without a row here say nothing that a 64-bit domain 0 needs (PAE_MODE is about x86-32).
static const struct {
    u32 type;
    u32 field; // a u64
} number_notes[] = {
    {XEN_ELFNOTE_ENTRY, offsetof(struct kimage, entry)},
    {XEN_ELFNOTE_HYPERCALL_PAGE, offsetof(struct kimage, hypercall_page)},
    {XEN_ELFNOTE_VIRT_BASE, offsetof(struct kimage, virt_base)},
    {XEN_ELFNOTE_PADDR_OFFSET, offsetof(struct kimage, paddr_offset)},
    {XEN_ELFNOTE_HV_START_LOW, offsetof(struct kimage, hv_start_low)},
    {XEN_ELFNOTE_INIT_P2M, offsetof(struct kimage, init_p2m)},
    {XEN_ELFNOTE_MOD_START_PFN, offsetof(struct kimage, mod_start_pfn)},
    {XEN_ELFNOTE_PHYS32_ENTRY, offsetof(struct kimage, phys32_entry)},
};

// What a kernel may require, as features.h has it.
static const char features[] =
    "writable_page_tables|writable_descriptor_tables|auto_translated_physmap|"
    "supervisor_mode_kernel|pae_pgdir_above_4gb|mmu_pt_update_preserve_ad|highmem_assist|"
    "gnttab_map_avail_bits|hvm_callback_vector|hvm_safe_pvclock|hvm_pirqs|dom0|"
    "memory_op_vnode_supported|linux_rsdp_unrestricted|not_direct_mapped|direct_mapped";

// Text that need not be terminated.
struct text {
    const char *start;
    u64 len;
};

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

static bool feature_known(struct text name)
{
    struct text list = {features, sizeof(features) - 1};

    while (list.len) {
        struct text known = text_split(&list, '|');

        if (known.len == name.len && memcmp(known.start, name.start, name.len) == 0)
            return true;
    }
    return false;
}

// "a|!b|c": a name we do not know is fine unless the kernel cannot do without.
static const char *check_features(struct text list)
{
    while (list.len) {
        struct text name = text_split(&list, '|');

        if (name.len && name.start[0] == '!' &&
            !feature_known((struct text){name.start + 1, name.len - 1}))
            return "kernel requires a Xen feature that Wirt does not know; use another kernel";
    }
    return NULL;
}

static const char *note_apply(struct kimage *k, u32 type, const u8 *desc, u64 bytes)
{
    struct text whole = {(const char *)desc, bytes}, t = text_split(&whole, 0);
    u64 number = 0;

    if (type == XEN_ELFNOTE_FEATURES)
        return check_features(t);
    if (type == XEN_ELFNOTE_GUEST_OS)
        text_copy(t, k->guest_os);
    if (type == XEN_ELFNOTE_XEN_VERSION)
        text_copy(t, k->xen_version);
    for (u32 i = 0; i < ARRAY_SIZE(number_notes); i++) {
        if (number_notes[i].type != type)
            continue;
        if (bytes != 4 && bytes != 8)
            return "a Xen note of the kernel holds no number of 4 or 8 bytes; copy it again";
        memcpy(&number, desc, bytes);
        memcpy((u8 *)k + number_notes[i].field, &number, sizeof(number));
    }
    return NULL;
}

// One segment or section of notes. Counts the ones named "Xen".
static const char *parse_notes(const struct elf *e, struct kimage *k, u64 offset, u64 len,
                               u64 align, u32 *xen_notes)
{
    const char *error = NULL;
    const u8 *p;

    if (!in_range(offset, len, e->len))
        return elf_truncated;
    p = e->bytes + offset;
    align = align == 8 ? 8 : 4;
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

// Note segments are what the ABI asks for; some linkers leave the sections only.
static const char *find_notes(const struct elf *e, struct kimage *k)
{
    u32 xen_notes = 0;
    const char *error = NULL;

    for (u32 i = 0; i < e->head.e_phnum && !error; i++) {
        Elf64_Phdr ph = elf_segment(e, i);

        if (ph.p_type == PT_NOTE)
            error = parse_notes(e, k, ph.p_offset, ph.p_filesz, ph.p_align, &xen_notes);
    }
    if (error || xen_notes)
        return error;
    error = elf_check_table(e, e->head.e_shoff, e->head.e_shnum, e->head.e_shentsize,
                            sizeof(Elf64_Shdr));
    for (u32 i = 0; i < e->head.e_shnum && !error; i++) {
        Elf64_Shdr sh = elf_section(e, i);

        if (sh.sh_type == SHT_NOTE)
            error = parse_notes(e, k, sh.sh_offset, sh.sh_size, sh.sh_addralign, &xen_notes);
    }
    if (error || xen_notes)
        return error;
    return "no Xen PV note in the kernel (CONFIG_XEN_PV is off?); use a kernel with PV support";
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

    *out = (struct kimage){
        .entry = KIMAGE_NONE,
        .hypercall_page = KIMAGE_NONE,
        .init_p2m = KIMAGE_NONE,
        .phys32_entry = KIMAGE_NONE,
    };
    return elf_open(&e, elf, len)
               ?: elf_check_table(&e, e.head.e_phoff, e.head.e_phnum, e.head.e_phentsize,
                                  sizeof(Elf64_Phdr))
               ?: find_notes(&e, out)
               ?: parse_segments(&e, out)
               ?: find_span(out)
               ?: check_addresses(out)
               ?: check_demands(out);
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
