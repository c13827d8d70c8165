// SPDX-License-Identifier: MIT
// Domain 0's start of day (xen ABI: xen.h, "Start-of-day memory layout"): kernel, p2m list,
// start_info, page tables and stack in one virtual region, the initrd behind it or in it, all in
// frames of the domain's own; then the tables are validated like any guest's.
//
//   v_start   kernel image
//             initrd                      unless it is handed over by frame number
//             p2m list                    unless the kernel wants it elsewhere
//             start_info
//             page tables                 mapped read-only
//             stack
//   v_end     4 MiB boundary, at least 512 KiB behind the stack
//   pfns of v_end on:  initrd (by frame number); p2m list with its page tables
#include "dom0/build.h"
#include "abi/xen.h"
#include "boot/globals.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "dom/domain.h"
#include "dom0/kimage.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/m2p.h"
#include "pv/mmu.h"

#define SIZE_4M    ((u64)4 << 20)
#define SIZE_512K  ((u64)512 << 10)
#define KEEP_BYTES ((u64)8 << 20)
enum { GIVE_ORDER = 18 };
#define PT_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

struct build {
    struct domain *d;
    const struct boot_module *kernel, *initrd;
    struct kimage k;
    const u8 *unpacked; // the kernel, where its whole pages can become dom0's; or NULL
    u64 nr_pages;
    mfn_t *p2m; // [pfn], the hypervisor's copy while building
    u64 v_start, v_end;
    u64 v_initrd, v_p2m, v_start_info, v_tables, v_stack;
    u64 table_frames; // of the region
    pfn_t initrd_pfn, p2m_pfn;
    u64 initrd_pages;
    u64 p2m_pages;        // list frames only
    u64 p2m_table_frames; // page tables of a p2m list elsewhere
    pfn_t next_table;     // the next unused page-table frame
};

static u64 pages_of(u64 bytes)
{
    return (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static pfn_t pfn_of(const struct build *b, u64 va)
{
    return PFN((va - b->k.virt_base) >> PAGE_SHIFT);
}

static mfn_t mfn_of(const struct build *b, pfn_t pfn)
{
    return b->p2m[pfn.v];
}

static void *pfn_virt(const struct build *b, pfn_t pfn)
{
    return mfn_virt(mfn_of(b, pfn));
}

static u64 pte_for(const struct build *b, pfn_t pfn)
{
    return mfn_of(b, pfn).v << PAGE_SHIFT | PT_FLAGS;
}

// --- temporary memory ---

static u32 order_of(u64 bytes)
{
    u32 order = 0;
    while ((PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

static void *temp_alloc(u64 bytes)
{
    mfn_t m = frames_alloc(order_of(bytes), MFN_NONE);
    return mfn_eq(m, MFN_NONE) ? NULL : mfn_virt(m);
}

static void temp_free(void *p, u64 bytes)
{
    if (p)
        frames_free(virt_mfn(p), order_of(bytes));
}

// A large block, of which only what is asked for is kept.
static void *temp_alloc_exactly(u64 bytes)
{
    void *p = temp_alloc(bytes);
    if (p)
        frames_add(mfn_add(virt_mfn(p), pages_of(bytes)),
                   mfn_add(virt_mfn(p), (u64)1 << order_of(bytes)));
    return p;
}

// Frees what has not become dom0's.
static void temp_free_rest(void *p, u64 bytes)
{
    for (u64 i = 0; p && i < pages_of(bytes); i++) {
        mfn_t m = mfn_add(virt_mfn(p), i);
        if (frame_of(m)->owner == OWNER_HV)
            frames_free(m, 0);
    }
}

// --- layout ---

// Tables that map [start, end): one for each 2 MiB, 1 GiB and 512 GiB touched.
static u64 tables_for(u64 start, u64 end)
{
    u64 n = 0;
    for (u32 shift = 21; shift <= 39; shift += 9)
        n += ((end - 1) >> shift) - (start >> shift) + 1;
    return n;
}

static void place_region(struct build *b)
{
    u64 at = b->k.virt_end;
    bool initrd_by_pfn = b->k.mod_start_pfn != 0;
    bool p2m_elsewhere = b->k.init_p2m != KIMAGE_NONE;
    b->v_start = b->k.virt_base; // pfn 0: Linux uses the mapping below its image, too
    b->v_initrd = at;
    at += initrd_by_pfn ? 0 : b->initrd_pages << PAGE_SHIFT;
    b->v_p2m = p2m_elsewhere ? b->k.init_p2m : at;
    at += p2m_elsewhere ? 0 : b->p2m_pages << PAGE_SHIFT;
    b->v_start_info = at;
    b->v_tables = at + PAGE_SIZE;
    for (b->table_frames = 1;; b->table_frames++) {
        b->v_stack = b->v_tables + (b->table_frames << PAGE_SHIFT);
        b->v_end = align_up(b->v_stack + PAGE_SIZE + SIZE_512K, SIZE_4M);
        if (1 + tables_for(b->v_start, b->v_end) <= b->table_frames)
            break;
    }
    pfn_t pfn = pfn_of(b, b->v_end);
    b->initrd_pfn = initrd_by_pfn ? pfn : pfn_of(b, b->v_initrd);
    pfn = pfn_add(pfn, initrd_by_pfn ? b->initrd_pages : 0);
    b->p2m_pfn = p2m_elsewhere ? pfn : pfn_of(b, b->v_p2m);
    b->p2m_table_frames =
        p2m_elsewhere ? tables_for(b->v_p2m, b->v_p2m + (b->p2m_pages << PAGE_SHIFT)) : 0;
}

// What can be dom0's: not the list of frames that this builder keeps meanwhile, nor what the
// hypervisor needs for its own pages later.
static u64 available_pages(void)
{
    u64 free = frames_free_count();
    u64 keep = ((u64)1 << order_of(free * sizeof(u64))) + (KEEP_BYTES >> PAGE_SHIFT);
    return free - MIN(free, keep);
}

static const char *plan(struct build *b)
{
    u64 avail = available_pages();
    b->nr_pages = dom0_mem_resolve(&options, avail);
    b->p2m_pages = pages_of(b->nr_pages * 8);
    b->initrd_pages = b->initrd ? pages_of(b->initrd->size) : 0;
    place_region(b);
    u64 need = b->p2m_pfn.v + b->p2m_pages + b->p2m_table_frames;
    need = MAX(need, pfn_of(b, b->v_end).v + b->initrd_pages);
    if (options.dom0_mem.set && !options.dom0_mem.negative &&
        options.dom0_mem.bytes >> PAGE_SHIFT > avail)
        printk(LOG_WARN, "dom0_mem asks for %lu MiB, only %lu MiB can be given: dom0 gets %lu MiB",
               options.dom0_mem.bytes >> 20, avail >> 8, b->nr_pages >> 8);
    if (need > b->nr_pages) {
        printk(LOG_ERR, "dom0 has %lu MiB; its kernel, initrd (%lu MiB) and tables need %lu MiB",
               b->nr_pages >> 8, b->initrd_pages >> 8, (need >> 8) + 1);
        return "dom0 memory is too small for its kernel and initrd; give dom0_mem= a larger size "
               "or "
               "the machine more";
    }
    return NULL;
}

// --- memory ---

static void give(struct build *b, pfn_t pfn, mfn_t m)
{
    b->p2m[pfn.v] = m;
    m2p_set(m, pfn);
    frame_assign(m, b->d);
}

static bool ranges_meet(u64 a, u64 a_bytes, u64 b, u64 b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

// Whether no byte, of the file or of the address space, belongs to two segments.
static bool segments_apart(const struct kimage *k)
{
    for (u32 i = 0; i < k->segments_count; i++)
        for (u32 j = 0; j < i; j++) {
            const struct kimage_segment *a = &k->segments[i], *b = &k->segments[j];
            if (ranges_meet(a->virt, a->mem_bytes, b->virt, b->mem_bytes) ||
                ranges_meet(a->file_offset, a->file_bytes, b->file_offset, b->file_bytes))
                return false;
        }
    return true;
}

// Pages that lie in the unpacked kernel as they will lie in dom0's memory become dom0's as they
// are: nothing is copied, and no memory is touched for the first time.
static void give_image(struct build *b)
{
    for (u32 i = 0; b->unpacked && segments_apart(&b->k) && i < b->k.segments_count; i++) {
        const struct kimage_segment *s = &b->k.segments[i];
        const u8 *src = b->unpacked + s->file_offset;
        if (((u64)src ^ s->virt) & ~PAGE_MASK)
            continue;
        u64 skip = -s->virt & ~PAGE_MASK;
        for (; skip + PAGE_SIZE <= s->file_bytes; skip += PAGE_SIZE)
            give(b, pfn_of(b, s->virt + skip), virt_mfn(src + skip));
    }
}

// The initrd's frames, as the boot loader left them, become the domain's.
static void give_initrd(struct build *b)
{
    if (!b->initrd)
        return;
    for (u64 i = 0; i < b->initrd_pages; i++)
        give(b, pfn_add(b->initrd_pfn, i), mfn_add(maddr_to_mfn(b->initrd->start), i));
    u64 tail = (b->initrd_pages << PAGE_SHIFT) - b->initrd->size;
    if (tail)
        memset((u8 *)maddr_virt(b->initrd->start) + b->initrd->size, 0, tail);
}

static const char *give_run(struct build *b, pfn_t pfn, pfn_t end)
{
    u32 order = GIVE_ORDER;
    while (pfn.v < end.v) {
        while ((u64)1 << order > end.v - pfn.v)
            order--;
        mfn_t m = frames_alloc(order, MFN_NONE);
        if (mfn_eq(m, MFN_NONE)) {
            if (order-- == 0)
                return "memory ran out while building dom0; lower dom0_mem=";
            continue;
        }
        for (u64 i = 0; i < (u64)1 << order; i++)
            give(b, pfn_add(pfn, i), mfn_add(m, i));
        pfn = pfn_add(pfn, (u64)1 << order);
        order = GIVE_ORDER;
    }
    return NULL;
}

// Gives frames to all pages that have none yet, a run of such pages at a time.
static const char *give_memory(struct build *b)
{
    const char *error = NULL;
    for (pfn_t pfn = PFN(0), end; pfn.v < b->nr_pages && !error; pfn = pfn_add(end, 1)) {
        for (end = pfn; end.v < b->nr_pages && mfn_eq(mfn_of(b, end), MFN_NONE); end.v++)
            ;
        error = give_run(b, pfn, end);
    }
    return error;
}

// --- contents ---

static const char *put_bytes(void *ctx, u64 virt, const void *src, u64 bytes)
{
    struct build *b = ctx;
    while (bytes > 0) {
        u64 n = MIN(bytes, PAGE_SIZE - (virt & ~PAGE_MASK));
        u8 *dst = (u8 *)pfn_virt(b, pfn_of(b, virt)) + (virt & ~PAGE_MASK);
        if (src) {
            if (src != dst) // else given as it is
                memcpy(dst, src, n);
            src = (const u8 *)src + n;
        } else {
            memset(dst, 0, n);
        }
        virt += n;
        bytes -= n;
    }
    return NULL;
}

static u64 *new_table(struct build *b, u64 *pte)
{
    pfn_t pfn = b->next_table;
    b->next_table = pfn_add(pfn, 1);
    u64 *t = memset(pfn_virt(b, pfn), 0, PAGE_SIZE);
    *pte = pte_for(b, pfn);
    return t;
}

static u64 *slot_for(struct build *b, u64 *l4, u64 va)
{
    u64 *table = l4;
    for (u32 shift = 39; shift > 12; shift -= 9) {
        u64 *slot = &table[va >> shift & 511];
        table = *slot & PTE_P ? mfn_virt(pte_mfn(*slot)) : new_table(b, slot);
    }
    return &table[va >> 12 & 511];
}

static bool is_table_va(const struct build *b, u64 va)
{
    return va >= b->v_tables && va < b->v_stack;
}

static void build_tables(struct build *b)
{
    u64 *l4 = memset(pfn_virt(b, pfn_of(b, b->v_tables)), 0, PAGE_SIZE);
    b->next_table = pfn_add(pfn_of(b, b->v_tables), 1);
    for (u64 va = b->v_start; va < b->v_end; va += PAGE_SIZE) {
        u64 pte = pte_for(b, pfn_of(b, va));
        *slot_for(b, l4, va) = is_table_va(b, va) ? pte & ~(u64)PTE_W : pte;
    }
    if (b->p2m_table_frames == 0)
        return;
    b->next_table = pfn_add(b->p2m_pfn, b->p2m_pages);
    for (u64 i = 0; i < b->p2m_pages; i++)
        *slot_for(b, l4, b->v_p2m + i * PAGE_SIZE) = pte_for(b, pfn_add(b->p2m_pfn, i));
}

static void write_p2m(const struct build *b)
{
    for (u64 i = 0; i < b->p2m_pages; i++) {
        u64 *page = pfn_virt(b, pfn_add(b->p2m_pfn, i));
        u64 left = b->nr_pages - i * 512;
        memcpy(page, b->p2m + i * 512, MIN(left, (u64)512) * 8);
        if (left < 512)
            memset(page + left, 0xff, (512 - left) * 8);
    }
}

// The screen as the boot loader left it: a frame buffer, else the BIOS's text mode, else none.
static bool describe_screen(struct dom0_vga_console_info *vga)
{
    const struct boot_framebuffer *f = &boot_info.framebuffer;
    if (f->width != 0) {
        u64 bytes = (u64)f->pitch * f->height;
        vga->video_type = boot_info.efi ? XEN_VGATYPE_EFI_LFB : XEN_VGATYPE_VESA_LFB;
        vga->u.vesa_lfb = (__typeof__(vga->u.vesa_lfb)){
            .width = (u16)f->width,
            .height = (u16)f->height,
            .bytes_per_line = (u16)f->pitch,
            .bits_per_pixel = f->bits_per_pixel,
            .lfb_base = (u32)f->addr,
            .ext_lfb_base = (u32)(f->addr >> 32),
            .lfb_size = (u32)((bytes + 0xffff) >> 16),
            .red_pos = f->red_pos,
            .red_size = f->red_size,
            .green_pos = f->green_pos,
            .green_size = f->green_size,
            .blue_pos = f->blue_pos,
            .blue_size = f->blue_size,
        };
        return true;
    }
    if (boot_info.efi)
        return false;
    vga->video_type = XEN_VGATYPE_TEXT_MODE_3;
    vga->u.text_mode_3 = (__typeof__(vga->u.text_mode_3)){
        .font_height = 16, .cursor_x = 0, .cursor_y = 24, .rows = 25, .columns = 80};
    return true;
}

static void write_start_info(struct build *b)
{
    struct start_info *si = memset(pfn_virt(b, pfn_of(b, b->v_start_info)), 0, PAGE_SIZE);
    bool initrd_by_pfn = b->k.mod_start_pfn != 0;
    strlcpy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
    si->nr_pages = b->nr_pages;
    si->shared_info = mfn_to_maddr(virt_mfn(b->d->shared)).v;
    si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    si->pt_base = b->v_tables;
    si->nr_pt_frames = b->table_frames;
    si->mfn_list = b->v_p2m;
    if (b->p2m_table_frames) {
        si->first_p2m_pfn = b->p2m_pfn.v;
        si->nr_p2m_frames = b->p2m_pages + b->p2m_table_frames;
    }
    if (b->initrd) {
        si->mod_start = initrd_by_pfn ? b->initrd_pfn.v : b->v_initrd;
        si->mod_len = b->initrd->size;
        si->flags |= initrd_by_pfn ? SIF_MOD_START_PFN : 0;
    }
    snprintf((char *)si->cmd_line, sizeof(si->cmd_line), "%s%s%s", b->kernel->args,
             options.dom0_extra ? " " : "", options.dom0_extra ? options.dom0_extra : "");
    struct dom0_vga_console_info *vga = (void *)(si + 1);
    if (describe_screen(vga)) {
        si->console.dom0.info_off = sizeof(*si);
        si->console.dom0.info_size = sizeof(*vga);
    }
}

// --- the vCPU ---

static const char *start_vcpu(struct build *b)
{
    struct vcpu_guest_context *c = temp_alloc(sizeof(*c));
    if (!c)
        return "no memory for dom0's first vCPU";
    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = b->k.entry;
    c->user_regs.rsp = b->v_stack + PAGE_SIZE;
    c->user_regs.rsi = b->v_start_info;
    c->user_regs.rflags = RFLAGS_IF;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = c->user_regs.rsp;
    c->ctrlreg[3] = mfn_to_maddr(mfn_of(b, pfn_of(b, b->v_tables))).v;
    struct vcpu *v = b->d->vcpu[0];
    int rc = pv_set_context(v, c);
    temp_free(c, sizeof(*c));
    if (rc != 0)
        return "dom0's own page tables were refused: this is a bug in the domain builder";
    return NULL;
}

static const char *create_domain(struct build *b)
{
    u32 vcpus = dom0_vcpus_resolve(&options, cpu_count);
    struct domain_config c = {
        .privileged = true,
        .vcpus = vcpus,
        .evtchn_max = ~0u,
        .grant_frames = options.gnttab_max_frames,
        .maptrack_frames = options.gnttab_max_maptrack_frames,
        .frames_max = dom0_mem_limit(&options, frames_free_count()),
    };
    if (domain_create(&c, DOM_ID(0), false, &b->d) != 0)
        return "no memory for dom0's structures";
    dom0 = b->d;
    for (u32 i = 0; i < vcpus; i++)
        if (!vcpu_create(b->d, i))
            return "no memory for dom0's vCPUs; lower dom0_max_vcpus=";
    return NULL;
}

static const char *pin_tables(struct build *b)
{
    mfn_t l4 = mfn_of(b, pfn_of(b, b->v_tables));
    spin_lock(&b->d->mmu_lock);
    int rc = mmu_pin(b->d, l4, FT_L4);
    spin_unlock(&b->d->mmu_lock);
    return rc ? "dom0's page tables were refused: this is a bug in the domain builder" : NULL;
}

static const char *build_from_elf(struct build *b, const void *elf)
{
    const char *error = plan(b);
    if (error)
        return error;
    u64 p2m_bytes = b->nr_pages * 8;
    b->p2m = temp_alloc(p2m_bytes);
    if (!b->p2m)
        return "no memory to build dom0; lower dom0_mem=";
    memset(b->p2m, 0xff, p2m_bytes);
    give_initrd(b);
    give_image(b);
    error = give_memory(b);
    if (!error)
        error = kimage_load(elf, &b->k, put_bytes, b);
    if (error)
        return error;
    if (b->k.hypercall_page != KIMAGE_NONE)
        pv_write_hypercall_page(pfn_virt(b, pfn_of(b, b->k.hypercall_page)));
    build_tables(b);
    write_p2m(b);
    write_start_info(b);
    printk(LOG_INFO, "dom0: %s, %lu MiB, %u vCPUs, kernel at %lx, entry %lx", b->k.guest_os,
           b->nr_pages >> 8, b->d->vcpu_count, b->k.virt_start, b->k.entry);
    error = pin_tables(b);
    if (!error)
        error = start_vcpu(b);
    temp_free(b->p2m, p2m_bytes);
    return error;
}

static void free_module(const struct boot_module *m)
{
    u64 first = (m->start.v + PAGE_SIZE - 1) >> PAGE_SHIFT;
    u64 end = (m->start.v + m->size) >> PAGE_SHIFT;
    if (first < end)
        frames_add(MFN(first), MFN(end));
}

// A module that does not begin on a page boundary moves to one that does.
static const char *align_module(struct boot_module *m)
{
    if (!(m->start.v & ~PAGE_MASK))
        return NULL;
    void *p = temp_alloc(m->size);
    if (!p)
        return "no memory to move the initrd to a page boundary";
    memcpy(p, maddr_virt(m->start), m->size);
    free_module(m);
    m->start = mfn_to_maddr(virt_mfn(p));
    return NULL;
}

// The packing libraries read their stack-protector canary at %fs:0x28 (dom0/unpack.h).
static void set_canary(void)
{
    static u64 canary[8];
    wrmsr(MSR_FS_BASE, (u64)canary);
}

static const char *unpack_kernel(const struct kimage_payload *p, void **elf)
{
    u64 scratch_bytes = unpack_scratch_bytes(p->kind);
    void *scratch = scratch_bytes ? temp_alloc(scratch_bytes) : NULL;
    *elf = temp_alloc_exactly(p->unpacked_bytes);
    const char *error = "not enough memory to unpack the dom0 kernel; give the machine more";
    if (*elf && (scratch || !scratch_bytes))
        error = kimage_unpack(p, *elf, scratch, scratch_bytes);
    temp_free(scratch, scratch_bytes);
    return error;
}

const char *dom0_build(struct boot_info *bi)
{
    static struct build b;
    struct kimage_payload p;
    void *elf = NULL;
    set_canary();
    if (bi->module_count == 0)
        return "no kernel module: pass dom0's kernel as the first module (QEMU: -initrd "
               "\"vmlinuz ARGS,initrd.img\"; GRUB: module2)";
    b.kernel = &bi->module[0];
    b.initrd = bi->module_count > 1 && bi->module[1].size ? &bi->module[1] : NULL;
    const char *error = kimage_find_payload(maddr_virt(b.kernel->start), b.kernel->size, &p);
    if (!error && p.kind != COMPRESSION_NONE)
        error = unpack_kernel(&p, &elf);
    b.unpacked = elf;
    const void *image = elf ? elf : p.data;
    u64 image_bytes = elf ? p.unpacked_bytes : p.bytes;
    if (!error)
        error = kimage_parse(image, image_bytes, &b.k);
    if (!error && b.initrd)
        error = align_module(&bi->module[1]);
    if (!error)
        error = create_domain(&b);
    if (!error)
        error = build_from_elf(&b, image);
    temp_free_rest(elf, p.unpacked_bytes);
    if (!error)
        free_module(b.kernel);
    return error;
}
