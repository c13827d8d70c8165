// SOURCES: hv/dom0/kimage.c hv/dom0/unpack.c $(UNXZ_SOURCES)
// LIBS: -llzma -lzstd -lz -llz4 -llzo2
// SPDX-License-Identifier: MIT
// Kernel images, good and broken: built here byte by byte, packed with each library's own
// compressor, cut at every length, and damaged at every byte of their headers.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <elf.h>
#include <lz4.h>
#include <lzma.h>
#include <lzo/lzo1x.h>
#include <zlib.h>
#include <zstd.h>

#include "abi/xen.h"
#include <xen/elfnote.h>

#include "dom0/kimage.h"

#define BASE 0xffffffff80000000

// The sample kernel

enum {
    TEXT_AT = 0x1000,
    TEXT_BYTES = 0x2000,
    DATA_BYTES = 0x100,
    BSS_BYTES = 0x1234,
    PHYS = 0x100000,
    NOTES_AT = 0x400,
    FILE_BYTES = TEXT_AT + TEXT_BYTES + DATA_BYTES,
    SECTIONS_AT = 0xd00,
    NAMES_AT = 0xf00,
    SEGMENTS = 3,
    SECTIONS = 3,
};

struct sample {
    Elf64_Ehdr head;
    Elf64_Phdr segments[SEGMENTS];
    u8 pad[SECTIONS_AT - sizeof(Elf64_Ehdr) - SEGMENTS * sizeof(Elf64_Phdr)];
    Elf64_Shdr sections[SECTIONS];
    u8 rest[FILE_BYTES - SECTIONS_AT - SECTIONS * sizeof(Elf64_Shdr)];
};
STATIC_ASSERT(sizeof(struct sample) == FILE_BYTES);

static u8 *sample_bytes(struct sample *s)
{
    return (u8 *)s;
}

static void add_named_note(struct sample *s, const char *name, u32 type, const void *desc,
                           u32 bytes)
{
    Elf64_Phdr *ph = &s->segments[2];
    u8 *p = sample_bytes(s) + NOTES_AT + ph->p_filesz;
    Elf64_Nhdr n = {4, bytes, type};

    memcpy(p, &n, sizeof(n));
    memcpy(p + sizeof(n), name, 4);
    memcpy(p + sizeof(n) + 4, desc, bytes);
    ph->p_filesz += sizeof(n) + 4 + align_up(bytes, 4);
    ph->p_memsz = ph->p_filesz;
    s->sections[1].sh_size = ph->p_filesz;
}

static void add_note(struct sample *s, u32 type, const void *desc, u32 bytes)
{
    add_named_note(s, "Xen", type, desc, bytes);
}

static void add_number(struct sample *s, u32 type, u64 v)
{
    add_note(s, type, &v, 8);
}

static void add_text(struct sample *s, u32 type, const char *text)
{
    add_note(s, type, text, (u32)strlen(text) + 1);
}

// An image without notes: text and data segments, empty note segment, empty note section.
static void sample_empty(struct sample *s)
{
    memset(s, 0, sizeof(*s));
    s->head = (Elf64_Ehdr){
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = BASE + PHYS + 0x40,
        .e_phoff = offsetof(struct sample, segments),
        .e_shoff = SECTIONS_AT,
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = SEGMENTS,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = SECTIONS,
        .e_shstrndx = 2,
    };
    s->segments[0] = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, TEXT_AT,    BASE + PHYS,
                                  PHYS,    TEXT_BYTES,  TEXT_BYTES, PAGE_SIZE};
    s->segments[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                                  .p_flags = PF_R | PF_W,
                                  .p_offset = TEXT_AT + TEXT_BYTES,
                                  .p_vaddr = 0, // like Linux's per-CPU data: only p_paddr counts
                                  .p_paddr = PHYS + 0x4000,
                                  .p_filesz = DATA_BYTES,
                                  .p_memsz = DATA_BYTES + BSS_BYTES,
                                  .p_align = PAGE_SIZE};
    s->segments[2] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = NOTES_AT, .p_align = 4};
    s->sections[1] =
        (Elf64_Shdr){.sh_name = 1, .sh_type = SHT_NOTE, .sh_offset = NOTES_AT, .sh_addralign = 4};
    s->sections[2] = (Elf64_Shdr){.sh_name = 7, .sh_type = SHT_STRTAB, .sh_offset = NAMES_AT};
    s->sections[2].sh_size = 32;
    memcpy(sample_bytes(s) + NAMES_AT, "\0.note\0.shstrtab", 17);
    for (u32 i = TEXT_AT; i < FILE_BYTES; i++)
        sample_bytes(s)[i] = (u8)(i * 7 + i / 256);
}

static void sample_linux(struct sample *s)
{
    sample_empty(s);
    add_named_note(s, "GNU", XEN_ELFNOTE_ENTRY, "other", 5);
    add_text(s, XEN_ELFNOTE_GUEST_OS, "linux");
    add_text(s, XEN_ELFNOTE_GUEST_VERSION, "2.6");
    add_text(s, XEN_ELFNOTE_XEN_VERSION, "xen-3.0");
    add_text(s, XEN_ELFNOTE_LOADER, "generic");
    add_text(s, XEN_ELFNOTE_PAE_MODE, "yes");
    add_text(s, XEN_ELFNOTE_BSD_SYMTAB, "yes");
    add_text(s, XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb|from_tomorrow");
    add_number(s, XEN_ELFNOTE_VIRT_BASE, BASE);
    add_number(s, XEN_ELFNOTE_ENTRY, BASE + PHYS + 0x20);
    add_number(s, XEN_ELFNOTE_HYPERCALL_PAGE, BASE + PHYS + 0x1000);
    add_number(s, XEN_ELFNOTE_INIT_P2M, 0x8000000000);
    add_number(s, XEN_ELFNOTE_HV_START_LOW, 0xffff800000000000);
    add_number(s, XEN_ELFNOTE_PHYS32_ENTRY, 0x100040);
    add_note(s, XEN_ELFNOTE_MOD_START_PFN, &(u32){1}, 4);
    add_note(s, XEN_ELFNOTE_SUSPEND_CANCEL, &(u32){1}, 4); // of no use here
}

// Parses an exact-size copy, so that the sanitizer sees each byte read too far.
static const char *parse_copy(const void *bytes, u64 len, struct kimage *k)
{
    void *copy = malloc(len ? len : 1);
    const char *error;

    memcpy(copy, bytes, len);
    error = kimage_parse(copy, len, k);
    free(copy);
    return error;
}

static const char *parse(struct sample *s, struct kimage *k)
{
    return parse_copy(s, sizeof(*s), k);
}

static void assert_says(const char *error, const char *part, const char *row)
{
    if (part ? error && strstr(error, part) : !error)
        return;
    fail_msg("%s: wanted \"%s\", got \"%s\"", row, part ? part : "no error",
             error ? error : "no error");
}

// Notes

static void test_linux_notes(void **state)
{
    struct sample s;
    struct kimage k;

    (void)state;
    sample_linux(&s);
    assert_says(parse(&s, &k), NULL, "linux");
    assert_string_equal(k.guest_os, "linux");
    assert_string_equal(k.xen_version, "xen-3.0");
    assert_int_equal(k.virt_base, BASE);
    assert_int_equal(k.paddr_offset, 0);
    assert_int_equal(k.entry, BASE + PHYS + 0x20);
    assert_int_equal(k.hypercall_page, BASE + PHYS + 0x1000);
    assert_int_equal(k.init_p2m, 0x8000000000);
    assert_int_equal(k.hv_start_low, 0xffff800000000000);
    assert_int_equal(k.phys32_entry, 0x100040);
    assert_int_equal(k.mod_start_pfn, 1);
    assert_int_equal(k.virt_start, BASE + PHYS);
    assert_int_equal(k.virt_end, BASE + PHYS + 0x6000);
}

static void test_notes_in_section_only(void **state)
{
    struct sample s;
    struct kimage k;

    (void)state;
    sample_linux(&s);
    s.segments[2].p_type = PT_NULL;
    assert_says(parse(&s, &k), NULL, "section");
    assert_int_equal(k.entry, BASE + PHYS + 0x20);
}

static void test_defaults(void **state)
{
    struct sample s;
    struct kimage k;

    (void)state;
    sample_empty(&s);
    add_number(&s, XEN_ELFNOTE_ENTRY, PHYS);
    assert_says(parse(&s, &k), NULL, "entry only");
    assert_int_equal(k.virt_base, 0);
    assert_int_equal(k.virt_start, PHYS);
    assert_int_equal(k.hypercall_page, KIMAGE_NONE);
    assert_int_equal(k.init_p2m, KIMAGE_NONE);
    assert_int_equal(k.phys32_entry, KIMAGE_NONE);
}

static const struct {
    const char *row;
    u32 type;
    const char *desc;
    u32 bytes;
    const char *says;
} note_rows[] = {
    {"no note", 0, NULL, 0, "no Xen PV note"},
    {"unknown note only", 77, "x", 1, "name no PV entry"},
    {"PVH only", XEN_ELFNOTE_PHYS32_ENTRY, "\0\0\x10\0", 4, "PVH but no PV"},
    {"odd number", XEN_ELFNOTE_ENTRY, "abcde", 5, "no number"},
    {"entry below", XEN_ELFNOTE_ENTRY, "\xff\xff\x0f\0", 4, "entry point is outside"},
    {"first byte", XEN_ELFNOTE_ENTRY, "\0\0\x10\0", 4, NULL},
    {"last byte", XEN_ELFNOTE_ENTRY, "\xff\x5f\x10\0", 4, NULL},
    {"entry above", XEN_ELFNOTE_ENTRY, "\0\x60\x10\0", 4, "entry point is outside"},
    {"last known", XEN_ELFNOTE_FEATURES, "!direct_mapped", 15, "name no PV entry"},
    {"a part of one", XEN_ELFNOTE_FEATURES, "!direct", 8, "does not know"},
    {"required unknown", XEN_ELFNOTE_FEATURES, "dom0|!warp", 11, "does not know"},
    {"lone mark", XEN_ELFNOTE_FEATURES, "!", 2, "does not know"},
    {"empty names", XEN_ELFNOTE_FEATURES, "||", 3, "name no PV entry"},
};

static void test_note_rows(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(note_rows); i++) {
        struct sample s;
        struct kimage k;

        sample_empty(&s);
        if (note_rows[i].desc)
            add_note(&s, note_rows[i].type, note_rows[i].desc, note_rows[i].bytes);
        assert_says(parse(&s, &k), note_rows[i].says, note_rows[i].row);
    }
}

// Demands on top of a good kernel.
static const struct {
    const char *row;
    u32 type;
    u64 value;
    const char *says;
} demand_rows[] = {
    {"hypercall page off", XEN_ELFNOTE_HYPERCALL_PAGE, BASE + PHYS + 0x10, "hypercall page"},
    {"hypercall page below", XEN_ELFNOTE_HYPERCALL_PAGE, BASE + PHYS - 0x1000, "hypercall page"},
    {"hypercall page last", XEN_ELFNOTE_HYPERCALL_PAGE, BASE + PHYS + 0x5000, NULL},
    {"hypercall page above", XEN_ELFNOTE_HYPERCALL_PAGE, BASE + PHYS + 0x6000, "hypercall page"},
    {"p2m off", XEN_ELFNOTE_INIT_P2M, 0x8000000001, "P2M"},
    {"p2m in the hole", XEN_ELFNOTE_INIT_P2M, 0xffff800000000000, "P2M"},
    {"p2m not canonical", XEN_ELFNOTE_INIT_P2M, 0x800000000000, "P2M"},
    {"hole too high", XEN_ELFNOTE_HV_START_LOW, 0xffff800000001000, "address range"},
    {"base in the hole", XEN_ELFNOTE_VIRT_BASE, 0xffff800000000000, "no PV kernel can have"},
    {"base not canonical", XEN_ELFNOTE_VIRT_BASE, 0x800000000000, "no PV kernel can have"},
    {"base at the top", XEN_ELFNOTE_VIRT_BASE, -(u64)PHYS - 0x5000, "no PV kernel can have"},
    {"span to the top", XEN_ELFNOTE_VIRT_BASE, -(u64)PHYS - 0x6000, "last page"},
    {"other base", XEN_ELFNOTE_VIRT_BASE, 0xffffffff90000000, "entry point is outside"},
    {"offset", XEN_ELFNOTE_PADDR_OFFSET, PHYS / 2, "entry point is outside"},
};

static void test_demand_rows(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(demand_rows); i++) {
        struct sample s;
        struct kimage k;

        sample_linux(&s);
        add_number(&s, demand_rows[i].type, demand_rows[i].value);
        assert_says(parse(&s, &k), demand_rows[i].says, demand_rows[i].row);
    }
}

static void test_xen_version(void **state)
{
    struct sample s;
    struct kimage k;

    (void)state;
    sample_linux(&s);
    add_text(&s, XEN_ELFNOTE_XEN_VERSION, "xen-2.0");
    assert_says(parse(&s, &k), "another Xen interface", "xen-2.0");
}

static void test_long_text_is_cut(void **state)
{
    char text[100];
    struct sample s;
    struct kimage k;

    (void)state;
    memset(text, 'x', sizeof(text)); // not terminated either
    sample_linux(&s);
    add_note(&s, XEN_ELFNOTE_GUEST_OS, text, sizeof(text));
    assert_says(parse(&s, &k), NULL, "long text");
    assert_int_equal(strlen(k.guest_os), KIMAGE_TEXT_BYTES - 1);
}

// ELF

#define PH(n, field) (offsetof(struct sample, segments[n]) + offsetof(Elf64_Phdr, field))
#define SH(n, field) (offsetof(struct sample, sections[n]) + offsetof(Elf64_Shdr, field))
#define EH(field)    offsetof(Elf64_Ehdr, field)

static const struct {
    const char *row;
    u64 at;
    u32 bytes;
    u64 value;
    const char *says;
} elf_rows[] = {
    {"magic", 0, 1, 0, "not an ELF"},
    {"class", EI_CLASS, 1, ELFCLASS32, "32-bit"},
    {"endian", EI_DATA, 1, ELFDATA2MSB, "not for x86-64"},
    {"machine", EH(e_machine), 2, EM_AARCH64, "not for x86-64"},
    {"object file", EH(e_type), 2, ET_REL, "not a linked"},
    {"phentsize", EH(e_phentsize), 2, 32, "corrupt"},
    {"phnum 0", EH(e_phnum), 2, 0, "nothing to load"},
    {"phnum many", EH(e_phnum), 2, 60000, "too many headers"},
    {"phnum over the end", EH(e_phnum), 2, 4000, "truncated"},
    {"phoff end", EH(e_phoff), 8, FILE_BYTES, "truncated"},
    {"phoff huge", EH(e_phoff), 8, ~(u64)0 - 8, "truncated"},
    {"shoff is not needed", EH(e_shoff), 8, ~(u64)0 - 8, NULL},
    {"text offset", PH(0, p_offset), 8, FILE_BYTES, "truncated"},
    {"text offset wraps", PH(0, p_offset), 8, ~(u64)0, "truncated"},
    {"text size wraps", PH(0, p_filesz), 8, ~(u64)0, "corrupt"},
    {"text size over memory", PH(0, p_filesz), 8, TEXT_BYTES + 1, "corrupt"},
    {"memory huge", PH(1, p_memsz), 8, ~(u64)0, "no PV kernel can have"},
    {"memory over 1 GiB", PH(1, p_memsz), 8, (1 << 30) + 1, "no PV kernel can have"},
    {"physical far", PH(1, p_paddr), 8, 0x60000000, "more than 1 GiB"},
    {"physical wraps", PH(1, p_paddr), 8, 0x80000000, "more than 1 GiB"},
    {"data empty", PH(1, p_memsz), 8, 0, NULL},
    {"note offset", PH(2, p_offset), 8, FILE_BYTES, "truncated"},
    {"note size", PH(2, p_filesz), 8, ~(u64)0, "truncated"},
    {"note align 8", PH(2, p_align), 8, 8, "outside"},
    {"namesz huge", NOTES_AT, 4, UINT32_MAX, "note of the kernel is truncated"},
    {"descsz huge", NOTES_AT + 4, 4, UINT32_MAX, "note of the kernel is truncated"},
};

static void test_elf_rows(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(elf_rows); i++) {
        struct sample s;
        struct kimage k;
        const char *error;

        sample_linux(&s);
        memcpy(sample_bytes(&s) + elf_rows[i].at, &elf_rows[i].value, elf_rows[i].bytes);
        error = parse(&s, &k);
        if (elf_rows[i].at == PH(2, p_align)) // misread notes: any sentence will do
            assert_non_null(error);
        else
            assert_says(error, elf_rows[i].says, elf_rows[i].row);
    }
}

// The same without a note segment, so that the section table counts.
static const struct {
    const char *row;
    u64 at;
    u32 bytes;
    u64 value;
    const char *says;
} section_rows[] = {
    {"shentsize", EH(e_shentsize), 2, 32, "corrupt"},
    {"shoff wraps", EH(e_shoff), 8, ~(u64)0 - 8, "truncated"},
    {"shnum many", EH(e_shnum), 2, 60000, "too many headers"},
    {"note section offset", SH(1, sh_offset), 8, ~(u64)0, "truncated"},
    {"note section size", SH(1, sh_size), 8, ~(u64)0, "truncated"},
    {"shstrndx", EH(e_shstrndx), 2, 60000, NULL},
    {"no section table", EH(e_shnum), 2, 0, "no Xen PV note"},
};

static void test_section_rows(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(section_rows); i++) {
        struct sample s;
        struct kimage k;

        sample_linux(&s);
        s.segments[2].p_type = PT_NULL;
        memcpy(sample_bytes(&s) + section_rows[i].at, &section_rows[i].value,
               section_rows[i].bytes);
        assert_says(parse(&s, &k), section_rows[i].says, section_rows[i].row);
    }
}

static void test_too_many_segments(void **state)
{
    struct sample s, notes;
    struct kimage k;

    (void)state;
    sample_linux(&s);
    notes = s;
    // 18 headers reach into the notes: move these behind them.
    for (u32 i = SEGMENTS; i < KIMAGE_SEGMENTS_MAX + 2; i++)
        memcpy(sample_bytes(&s) + offsetof(struct sample, segments) + i * sizeof(Elf64_Phdr),
               &s.segments[0], sizeof(Elf64_Phdr));
    s.segments[2].p_offset = NOTES_AT + 0x400;
    memcpy(sample_bytes(&s) + NOTES_AT + 0x400, sample_bytes(&notes) + NOTES_AT, 0x400);
    s.head.e_phnum = KIMAGE_SEGMENTS_MAX + 2; // one of them is the notes
    assert_says(parse(&s, &k), "more than 16", "17 segments");
    s.head.e_phnum--;
    assert_says(parse(&s, &k), NULL, "16 segments");
    assert_int_equal(k.segments_count, KIMAGE_SEGMENTS_MAX);
}

// Loading

struct load {
    const struct kimage *k;
    u8 memory[0x6000];
    u32 puts;
    u32 refuse_at;
};

static const char *put(void *ctx, u64 virt, const void *src, u64 bytes)
{
    struct load *l = ctx;

    if (++l->puts == l->refuse_at)
        return "no";
    assert_true(virt >= l->k->virt_start && bytes <= l->k->virt_end - virt);
    assert_true(virt - l->k->virt_start + bytes <= sizeof(l->memory));
    if (src)
        memcpy(l->memory + (virt - l->k->virt_start), src, bytes);
    else
        memset(l->memory + (virt - l->k->virt_start), 0, bytes);
    return NULL;
}

static void test_load(void **state)
{
    struct sample s;
    struct kimage k;
    struct load l = {.k = &k};

    (void)state;
    sample_linux(&s);
    memset(l.memory, 0xee, sizeof(l.memory));
    assert_null(kimage_parse(&s, sizeof(s), &k));
    assert_null(kimage_load(&s, &k, put, &l));
    assert_int_equal(l.puts, 3);
    assert_memory_equal(l.memory, sample_bytes(&s) + TEXT_AT, TEXT_BYTES);
    assert_int_equal(l.memory[TEXT_BYTES], 0xee);
    assert_memory_equal(l.memory + 0x4000, sample_bytes(&s) + TEXT_AT + TEXT_BYTES, DATA_BYTES);
    for (u32 i = 0; i < BSS_BYTES; i++)
        assert_int_equal(l.memory[0x4000 + DATA_BYTES + i], 0);
    assert_int_equal(l.memory[0x4000 + DATA_BYTES + BSS_BYTES], 0xee);
    for (u32 i = 1; i <= 3; i++) {
        l = (struct load){.k = &k, .refuse_at = i};
        assert_string_equal(kimage_load(&s, &k, put, &l), "no");
        assert_int_equal(l.puts, i);
    }
}

static const char *put_checks(void *ctx, u64 virt, const void *src, u64 bytes)
{
    const struct kimage *k = ctx;

    assert_true(virt >= k->virt_start && virt < k->virt_end && bytes <= k->virt_end - virt);
    for (u64 i = 0; src && i < bytes; i += 64)
        (void)((const volatile u8 *)src)[i];
    return NULL;
}

static void parse_and_load_anything(const u8 *bytes, u64 len)
{
    u8 *copy = malloc(len ? len : 1);
    struct kimage k;

    memcpy(copy, bytes, len);
    if (!kimage_parse(copy, len, &k))
        assert_null(kimage_load(copy, &k, put_checks, &k));
    free(copy);
}

static void damage_all(struct sample *s, u64 from, u64 to)
{
    static const u8 masks[] = {0xff, 0x80, 0x01, 0x10};

    for (u64 at = from; at < to; at++) {
        u8 old = sample_bytes(s)[at];

        for (u32 m = 0; m < ARRAY_SIZE(masks); m++) {
            sample_bytes(s)[at] = old ^ masks[m];
            parse_and_load_anything(sample_bytes(s), sizeof(*s));
        }
        sample_bytes(s)[at] = old;
    }
}

static void test_damaged_everywhere(void **state)
{
    struct sample s;

    (void)state;
    sample_linux(&s);
    damage_all(&s, 0, sizeof(Elf64_Ehdr) + sizeof(s.segments));
    damage_all(&s, NOTES_AT, NOTES_AT + s.segments[2].p_filesz);
    s.segments[2].p_type = PT_NULL;
    damage_all(&s, 0, sizeof(Elf64_Ehdr));
    damage_all(&s, SECTIONS_AT, NAMES_AT + 32);
}

static void test_cut_everywhere(void **state)
{
    struct sample s;
    struct kimage k;

    (void)state;
    sample_linux(&s);
    for (u64 len = 0; len < sizeof(s); len += len < TEXT_AT ? 1 : 61)
        assert_non_null(parse_copy(&s, len, &k));
}

// Packed kernels

enum { PLAIN_BYTES = 300000, PACKED_MAX = 2 * PLAIN_BYTES };

static u8 plain[PLAIN_BYTES], packed[PACKED_MAX], unpacked[PLAIN_BYTES];

// Runs, near and far repeats and noise, so that each kind of match occurs.
static void fill_plain(void)
{
    u32 seed = 1;

    for (u32 at = 0; at < PLAIN_BYTES;) {
        u32 bytes, mode, distance;

        seed = seed * 1103515245 + 12345;
        mode = seed >> 28;
        bytes = 1 + (seed >> 8) % (mode < 4 ? 700 : 12);
        distance = 1 + (seed >> 4) % (mode & 1 ? 45000 : mode & 2 ? 3000 : 20);
        for (; bytes && at < PLAIN_BYTES; bytes--, at++)
            plain[at] = mode < 10 && distance <= at ? plain[at - distance] : (u8)(seed >> 16 ^ at);
    }
    memcpy(plain, ELFMAG, SELFMAG);
}

static u64 pack_gzip(u8 *out, u64 cap)
{
    z_stream z = {
        .next_in = plain, .avail_in = PLAIN_BYTES, .next_out = out, .avail_out = (u32)cap};

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

// Like Linux's scripts/xz_wrap.sh: x86 filter before LZMA2, CRC32.
static u64 pack_xz(u8 *out, u64 cap)
{
    lzma_options_lzma lzma2;
    lzma_filter filters[] = {
        {LZMA_FILTER_X86, NULL}, {LZMA_FILTER_LZMA2, &lzma2}, {LZMA_VLI_UNKNOWN, NULL}};
    size_t bytes = 0;

    assert_false(lzma_lzma_preset(&lzma2, 6));
    assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, plain, PLAIN_BYTES,
                                               out, &bytes, cap),
                     LZMA_OK);
    return bytes;
}

static u64 pack_lzma(u8 *out, u64 cap)
{
    lzma_options_lzma options;
    lzma_stream s = LZMA_STREAM_INIT;

    assert_false(lzma_lzma_preset(&options, 6));
    assert_int_equal(lzma_alone_encoder(&s, &options), LZMA_OK);
    s.next_in = plain;
    s.avail_in = PLAIN_BYTES;
    s.next_out = out;
    s.avail_out = cap;
    assert_int_equal(lzma_code(&s, LZMA_FINISH), LZMA_STREAM_END);
    lzma_end(&s);
    return s.total_out;
}

static u64 pack_zstd(u8 *out, u64 cap)
{
    return ZSTD_compress(out, cap, plain, PLAIN_BYTES, 6);
}

enum { BLOCK_BYTES = 128 << 10 };

static void put_number(u8 *out, u64 *at, u32 v, int bytes, bool big_endian)
{
    for (int i = 0; i < bytes; i++)
        out[(*at)++] = (u8)(v >> 8 * (big_endian ? bytes - 1 - i : i));
}

static u64 pack_lz4(u8 *out, u64 cap)
{
    u64 at = 0;

    put_number(out, &at, 0x184c2102, 4, false);
    for (u32 from = 0; from < PLAIN_BYTES; from += BLOCK_BYTES) {
        int bytes = LZ4_compress_default((char *)plain + from, (char *)out + at + 4,
                                         (int)MIN(PLAIN_BYTES - from, (u32)BLOCK_BYTES),
                                         (int)(cap - at - 4));
        assert_true(bytes > 0);
        put_number(out, &at, (u32)bytes, 4, false);
        at += (u32)bytes;
    }
    return at;
}

// lzop's file format with checksums of both sides; the last block is stored.
static u64 pack_lzo(u8 *out, u64 cap)
{
    static u8 work[LZO1X_1_MEM_COMPRESS];
    u64 at = 9;

    (void)cap;
    memcpy(out, "\x89LZO\0\r\n\x1a\n", 9);
    put_number(out, &at, 0x1030, 2, true); // version
    put_number(out, &at, 0x2080, 2, true); // library
    put_number(out, &at, 0x0940, 2, true); // needed
    put_number(out, &at, 0x0105, 2, true); // method, level
    put_number(out, &at, 0x303, 4, true);  // flags: all four checksums
    at += 12;                              // mode, time
    put_number(out, &at, 3, 1, true);
    memcpy(out + at, "abc", 3);
    at += 3 + 4; // name, header checksum
    for (u32 from = 0; from < PLAIN_BYTES; from += BLOCK_BYTES) {
        u32 bytes = MIN(PLAIN_BYTES - from, (u32)BLOCK_BYTES);
        bool stored = bytes < BLOCK_BYTES;
        lzo_uint size = bytes;
        u64 head = at;

        if (stored)
            memcpy(out + at + 16, plain + from, bytes);
        else
            assert_int_equal(lzo1x_1_compress(plain + from, bytes, out + at + 24, &size, work),
                             LZO_E_OK);
        put_number(out, &head, bytes, 4, true);
        put_number(out, &head, (u32)size, 4, true);
        at += (stored ? 16 : 24) + size;
    }
    put_number(out, &at, 0, 4, true);
    return at;
}

static u64 pack_none(u8 *out, u64 cap)
{
    (void)cap;
    memcpy(out, plain, PLAIN_BYTES);
    return PLAIN_BYTES;
}

static const struct {
    const char *row;
    enum compression kind;
    u64 (*pack)(u8 *out, u64 cap);
} pack_rows[] = {
    {"gzip", COMPRESSION_GZIP, pack_gzip}, {"xz", COMPRESSION_XZ, pack_xz},
    {"zstd", COMPRESSION_ZSTD, pack_zstd}, {"lz4", COMPRESSION_LZ4, pack_lz4},
    {"lzma", COMPRESSION_LZMA, pack_lzma}, {"lzo", COMPRESSION_LZO, pack_lzo},
    {"none", COMPRESSION_NONE, pack_none},
};

enum { BZ_PAYLOAD_AT = 3 * 512 + 40 };

static void bz_set(u8 *img, u32 at, u32 value, int bytes)
{
    u64 cursor = at;

    put_number(img, &cursor, value, bytes, false);
}

// A bzImage of two setup sectors with its payload of row i; returns its length.
static u64 make_bzimage(u8 *img, u64 cap, u32 i)
{
    u64 bytes, end;

    memset(img, 0, BZ_PAYLOAD_AT);
    bytes = pack_rows[i].pack(img + BZ_PAYLOAD_AT, cap - BZ_PAYLOAD_AT - 4);
    end = BZ_PAYLOAD_AT + bytes;
    if (pack_rows[i].kind != COMPRESSION_GZIP && pack_rows[i].kind != COMPRESSION_NONE)
        put_number(img, &end, PLAIN_BYTES, 4, false);
    bz_set(img, 0x1f1, 2, 1);
    bz_set(img, 0x1fe, 0xaa55, 2);
    memcpy(img + 0x202, "HdrS", 4);
    bz_set(img, 0x206, 0x20f, 2);
    bz_set(img, 0x248, 40, 4);
    bz_set(img, 0x24c, (u32)(end - BZ_PAYLOAD_AT), 4);
    return end;
}

// With exactly the scratch memory that unpack_scratch_bytes() asks for.
static const char *unpack_all(const struct kimage_payload *p)
{
    u64 bytes = unpack_scratch_bytes(p->kind);
    void *scratch = malloc(bytes + 1);
    const char *error;

    memset(unpacked, 0, sizeof(unpacked));
    error = kimage_unpack(p, unpacked, scratch, bytes);
    free(scratch);
    return error;
}

static void test_bzimages(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(pack_rows); i++) {
        struct kimage_payload p;
        u64 len = make_bzimage(packed, PACKED_MAX, i);
        const char *row = pack_rows[i].row;

        assert_says(kimage_find_payload(packed, len, &p), NULL, row);
        assert_int_equal(p.kind, pack_rows[i].kind);
        assert_int_equal(p.unpacked_bytes, PLAIN_BYTES);
        assert_says(unpack_all(&p), NULL, row);
        assert_memory_equal(plain, unpacked, PLAIN_BYTES);
        assert_says(kimage_find_payload(packed, len - 1, &p), "truncated", row);
    }
}

static void test_wrong_size(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(pack_rows); i++) {
        struct kimage_payload p;
        u64 len = make_bzimage(packed, PACKED_MAX, i);

        if (pack_rows[i].kind == COMPRESSION_NONE)
            continue;
        bz_set(packed, (u32)len - 4, PLAIN_BYTES - 1, 4);
        assert_null(kimage_find_payload(packed, len, &p));
        assert_non_null(unpack_all(&p));
        // gzip's own check is the trailer that lies here.
        bz_set(packed, (u32)len - 4, PLAIN_BYTES, 4);
        assert_null(kimage_find_payload(packed, len, &p));
        p.unpacked_bytes--;
        assert_says(unpack_all(&p), "more bytes than", pack_rows[i].row);
    }
}

static void test_little_scratch(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(pack_rows); i++) {
        struct kimage_payload p;
        u64 len = make_bzimage(packed, PACKED_MAX, i);

        assert_null(kimage_find_payload(packed, len, &p));
        if (unpack_scratch_bytes(p.kind) == 0)
            continue;
        assert_says(kimage_unpack(&p, unpacked, NULL, 0), "too little memory", pack_rows[i].row);
        assert_says(kimage_unpack(&p, unpacked, &(u8[4096]){0}, 4096), "too little memory",
                    pack_rows[i].row);
    }
}

// Exact-size buffers for the sanitizer; a scratch buffer of 16 MiB serves all rows.
static const char *unpack_copy(enum compression kind, const u8 *src, u64 len, u8 *dst, u64 *out_len)
{
    static u8 scratch[16 << 20];
    u8 *copy = malloc(len ? len : 1);
    const char *error;

    memcpy(copy, src, len);
    error = unpack(kind, copy, len, dst, PLAIN_BYTES, out_len, scratch, sizeof(scratch));
    free(copy);
    return error;
}

static void test_cut_streams(void **state)
{
    u8 *dst = malloc(PLAIN_BYTES);

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(pack_rows); i++) {
        u64 len = pack_rows[i].pack(packed, PACKED_MAX), out_len;

        for (u64 cut = 0; cut < len; cut += cut < 100 || cut > len - 20 ? 1 : 4999)
            if (!unpack_copy(pack_rows[i].kind, packed, cut, dst, &out_len))
                assert_true(out_len < PLAIN_BYTES); // lz4 cannot tell; kimage_unpack() does
    }
    free(dst);
}

static void test_damaged_streams(void **state)
{
    u8 *dst = malloc(PLAIN_BYTES);
    u32 seed = 7;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(pack_rows); i++) {
        u64 len = pack_rows[i].pack(packed, PACKED_MAX), out_len;

        for (u32 n = 0; n < 160; n++) {
            u64 at = n < 64 ? n : (seed = seed * 1103515245 + 12345) % len;
            u8 old = packed[at];

            packed[at] ^= n & 1 ? 0xff : 0x10;
            if (!unpack_copy(pack_rows[i].kind, packed, len, dst, &out_len))
                assert_true(out_len <= PLAIN_BYTES);
            packed[at] = old;
        }
    }
    free(dst);
}

static void test_plain_and_gzip_elf(void **state)
{
    struct kimage_payload p;

    (void)state;
    assert_null(kimage_find_payload(plain, PLAIN_BYTES, &p));
    assert_int_equal(p.kind, COMPRESSION_NONE);
    assert_ptr_equal(p.data, plain);
    assert_int_equal(p.bytes, PLAIN_BYTES);
    u64 len = pack_gzip(packed, PACKED_MAX);
    assert_null(kimage_find_payload(packed, len, &p));
    assert_int_equal(p.kind, COMPRESSION_GZIP);
    assert_null(unpack_all(&p));
    assert_memory_equal(plain, unpacked, PLAIN_BYTES);
}

static const struct {
    const char *row;
    u32 at;
    int bytes;
    u32 value;
    const char *says;
} bz_rows[] = {
    {"good", 0x206, 2, 0x208, NULL},
    {"setup_sects beyond", 0x1f1, 1, 255, "truncated"},
    {"setup_sects 0 is 4", 0x1f1, 1, 0, "truncated"},
    {"boot flag", 0x1fe, 2, 0, "neither"},
    {"magic", 0x202, 1, 'h', "neither"},
    {"old protocol", 0x206, 2, 0x207, "before 2.08"},
    {"payload offset", 0x248, 4, UINT32_MAX, "truncated"},
    {"payload length", 0x24c, 4, UINT32_MAX, "truncated"},
    {"payload empty", 0x24c, 4, 0, "no payload"},
    {"payload tiny", 0x24c, 4, 8, "truncated"},
    {"payload unknown", BZ_PAYLOAD_AT, 1, 0, "does not know"},
    {"unpacked to nothing", 0, 4, 0, "nothing"},
    {"unpacked over the cap", 0, 4, (512u << 20) + 1, "512 MiB"},
};

static void test_bz_rows(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(bz_rows); i++) {
        struct kimage_payload p;
        u64 len = make_bzimage(packed, PACKED_MAX, 0);

        // Row address 0 stands for the size at the end of the payload.
        bz_set(packed, bz_rows[i].at ? bz_rows[i].at : (u32)len - 4, bz_rows[i].value,
               bz_rows[i].bytes);
        assert_says(kimage_find_payload(packed, len, &p), bz_rows[i].says, bz_rows[i].row);
    }
}

static void find_copy(const u8 *img, u64 len)
{
    u8 *copy = malloc(len ? len : 1);
    struct kimage_payload p;

    memcpy(copy, img, len);
    if (!kimage_find_payload(copy, len, &p))
        assert_true(p.data >= copy && p.bytes <= len - (u64)(p.data - copy));
    free(copy);
}

static void test_bz_cut_and_damaged(void **state)
{
    static u8 small[BZ_PAYLOAD_AT + 200];
    u64 len = make_bzimage(packed, PACKED_MAX, 0);

    (void)state;
    assert_true(len > sizeof(small));
    memcpy(small, packed, sizeof(small));
    bz_set(small, 0x24c, 200, 4);
    bz_set(small, sizeof(small) - 4, 1000, 4);
    for (u64 cut = 0; cut <= sizeof(small); cut++)
        find_copy(small, cut);
    for (u32 at = 0x1f0; at < 0x250; at++) {
        for (u32 bit = 0; bit < 8; bit++) {
            small[at] ^= (u8)(1 << bit);
            find_copy(small, sizeof(small));
            small[at] ^= (u8)(1 << bit);
        }
    }
}

static void test_bzip2_by_name(void **state)
{
    const u8 head[] = "BZh91AY&SY";
    u64 out_len = 1;

    (void)state;
    assert_says(unpack_copy(COMPRESSION_BZIP2, head, sizeof(head), unpacked, &out_len), "bzip2",
                "bzip2");
    assert_int_equal(out_len, 0);
}

static void test_identify_nothing(void **state)
{
    enum compression kind;

    (void)state;
    assert_false(unpack_identify("", 0, &kind));
    assert_false(unpack_identify("\x1f\x8b", 2, &kind));
    assert_false(unpack_identify("hello world", 11, &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux_notes),
        cmocka_unit_test(test_notes_in_section_only),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_note_rows),
        cmocka_unit_test(test_demand_rows),
        cmocka_unit_test(test_xen_version),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_elf_rows),
        cmocka_unit_test(test_section_rows),
        cmocka_unit_test(test_too_many_segments),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_damaged_everywhere),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_bzimages),
        cmocka_unit_test(test_wrong_size),
        cmocka_unit_test(test_little_scratch),
        cmocka_unit_test(test_cut_streams),
        cmocka_unit_test(test_damaged_streams),
        cmocka_unit_test(test_plain_and_gzip_elf),
        cmocka_unit_test(test_bz_rows),
        cmocka_unit_test(test_bz_cut_and_damaged),
        cmocka_unit_test(test_bzip2_by_name),
        cmocka_unit_test(test_identify_nothing),
    };

    fill_plain();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
