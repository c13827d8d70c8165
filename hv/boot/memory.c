// SPDX-License-Identifier: MIT
// Memory at boot: from the firmware's map to the final address space, frame table, M2P and a filled
// frame allocator.
#include "abi/errno.h"
#include "boot/globals.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "io/vga.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/boot_alloc.h"
#include "mm/frame.h"
#include "mm/map.h"
#include "pv/mmu.h"

enum { REGION_MAX = E820_MAX + 64 };
#define VGA_BYTES 0x8000 /* the text screen, which the console may be using already */
#define SIZE_1M   ((u64)1 << 20)
#define SIZE_2M   ((u64)1 << 21)
#define SIZE_1G   ((u64)1 << 30)
#define SIZE_4G   ((u64)1 << 32)

extern u8 image_start[], text_end[], rodata_end[], image_end[];

// Free RAM, in rising order; boot_alloc eats it from the front of each region.
static struct region {
    u64 start, end;
} regions[REGION_MAX];
static u32 region_count;
static u64 reach =
    SIZE_4G; // boot_alloc's memory must be mapped: all of it is once idle_cr3 is loaded
static bool allocator_runs;

static void add_region(u64 start, u64 end)
{
    if (start < end && region_count < REGION_MAX)
        regions[region_count++] = (struct region){start, end};
}

// Takes [start, end) out of the free regions.
static void reserve(u64 start, u64 end)
{
    start = align_down(start, PAGE_SIZE);
    end = align_up(end, PAGE_SIZE);
    for (u32 i = 0; i < region_count; i++) {
        struct region r = regions[i];
        if (end <= r.start || start >= r.end)
            continue;
        regions[i].end = MAX(r.start, MIN(start, r.end));
        add_region(MAX(end, r.start), r.end);
    }
}

// From the top of low memory down: the low end stays whole for large aligned blocks.
static maddr_t alloc_aligned(u64 bytes, u64 align)
{
    struct region *best = NULL;
    for (u32 i = 0; i < region_count; i++) {
        struct region *r = &regions[i];
        if (r->end <= reach && r->end >= bytes && align_down(r->end - bytes, align) >= r->start &&
            r->start < r->end && (!best || r->end > best->end))
            best = r;
    }
    if (!best)
        panic("not enough memory for the hypervisor's tables (%lu KiB wanted); give "
              "the machine more",
              bytes >> 10);
    u64 start = align_down(best->end - bytes, align), end = best->end;
    best->end = start;
    add_region(start + bytes, end);
    memset(maddr_virt(MADDR(start)), 0, bytes);
    return MADDR(start);
}

maddr_t boot_alloc(u64 bytes)
{
    return alloc_aligned(align_up(bytes, PAGE_SIZE), PAGE_SIZE);
}

void *boot_or_frame_alloc(void)
{
    return allocator_runs ? frame_alloc_zeroed() : maddr_virt(boot_alloc(PAGE_SIZE));
}

static void must(int rc)
{
    if (rc != 0)
        panic("not enough memory for the hypervisor's page tables");
}

static void map_direct(u64 start, u64 end)
{
    for (u64 a = start; a < end;) {
        u64 va = DIRECTMAP_BASE + a;
        if (cpu_features.gib_pages && !(a & (SIZE_1G - 1)) && end - a >= SIZE_1G) {
            must(map_page_1g(va, MFN(a >> PAGE_SHIFT), MAP_RW));
            a += SIZE_1G;
        } else if (!(a & (SIZE_2M - 1)) && end - a >= SIZE_2M) {
            must(map_page_2m(va, MFN(a >> PAGE_SHIFT), MAP_RW));
            a += SIZE_2M;
        } else {
            must(map_page(va, MFN(a >> PAGE_SHIFT), MAP_RW));
            a += PAGE_SIZE;
        }
    }
}

static void map_image_part(const u8 *start, const u8 *end, u64 flags)
{
    for (u64 va = (u64)start; va < (u64)end; va += PAGE_SIZE)
        must(map_page(va, MFN((va - VIRT_BASE) >> PAGE_SHIFT), flags));
}

// Zeroed memory for a table at va, in 2 MiB pages; `alias`, if any, shows it to guests.
static void map_big(u64 va, u64 alias, u64 bytes)
{
    for (u64 off = 0; off < bytes; off += SIZE_2M) {
        mfn_t m = maddr_to_mfn(alloc_aligned(SIZE_2M, SIZE_2M));
        must(map_page_2m(va + off, m, MAP_RW));
        if (alias)
            must(map_page_2m(alias + off, m, MAP_RO | MAP_USER));
    }
}

// mem=: what lies above does not exist.
static void limit_ram(struct boot_info *bi, u64 limit)
{
    for (u32 i = 0; limit && i < bi->e820_count; i++) {
        struct e820_entry *e = &bi->e820[i];
        if (e->type == E820_RAM && e->addr + e->size > limit)
            e->size = e->addr < limit ? limit - e->addr : 0;
    }
}

static void find_ram(struct boot_info *bi)
{
    for (u32 i = 0; i < bi->e820_count; i++) {
        const struct e820_entry *e = &bi->e820[i];
        u64 start = align_up(e->addr, PAGE_SIZE), end = align_down(e->addr + e->size, PAGE_SIZE);
        if (e->type != E820_RAM || start >= end)
            continue;
        if (end > DIRECTMAP_BYTES) {
            printk(LOG_WARN, "memory above %lu GiB is ignored", DIRECTMAP_BYTES >> 30);
            end = MAX(start, DIRECTMAP_BYTES);
        }
        add_region(MAX(start, SIZE_1M), end);
        frame_count = MAX(frame_count, end >> PAGE_SHIFT);
    }
    reserve(LOAD_PHYS, (u64)image_end - VIRT_BASE);
    for (u32 i = 0; i < bi->module_count; i++)
        reserve(bi->module[i].start.v, bi->module[i].start.v + bi->module[i].size);
}

static void map_ram(const struct boot_info *bi)
{
    for (u32 i = 0; i < bi->e820_count; i++) {
        const struct e820_entry *e = &bi->e820[i];
        if (e->type == E820_RAM && e->addr < DIRECTMAP_BYTES)
            map_direct(align_up(e->addr, PAGE_SIZE),
                       align_down(MIN(e->addr + e->size, DIRECTMAP_BYTES), PAGE_SIZE));
    }
}

// Guests may map M2P frames, but never writable: they keep a type of their own.
static void show_m2p_piece(mfn_t first)
{
    for (u64 i = 0; i < SIZE_2M >> PAGE_SHIFT; i++) {
        struct frame *f = frame_of(mfn_add(first, i));
        f->owner = OWNER_SHOWN;
        f->type = (u64)FT_SHARED << FT_SHIFT | 1;
    }
}

static void fill_frame_table(const struct boot_info *bi)
{
    for (u64 i = 0; i < frame_count; i++)
        frame_table[i].owner = OWNER_IO;
    for (u32 i = 0; i < bi->e820_count; i++) {
        const struct e820_entry *e = &bi->e820[i];
        if (e->type != E820_RAM)
            continue;
        u64 end = MIN((e->addr + e->size) >> PAGE_SHIFT, frame_count);
        for (u64 f = MAX(align_up(e->addr, PAGE_SIZE), SIZE_1M) >> PAGE_SHIFT; f < end; f++) {
            frame_table[f].owner = OWNER_HV;
            frame_table[f].count = 1 | FRAME_ALLOCATED;
            ram_frames++;
        }
    }
    memset((void *)M2P_RW_BASE, 0xff, frame_count * 8);
    for (u64 off = 0; off < frame_count * 8; off += SIZE_2M)
        show_m2p_piece(map_lookup_2m(M2P_RW_BASE + off));
}

static void share_l4_slots(void)
{
    const u64 *l4 = maddr_virt(MADDR(idle_cr3));
    for (u32 i = HV_L4_FIRST; i < HV_L4_END; i++)
        hv_l4_slots[i - HV_L4_FIRST] = l4[i];
}

void memory_init(struct boot_info *bi)
{
    limit_ram(bi, options.mem);
    find_ram(bi);
    idle_cr3 = boot_alloc(PAGE_SIZE).v;
    // Every slot gets its L3 now, so that address spaces made later share what is added below.
    for (u32 i = HV_L4_FIRST; i < HV_L4_END; i++) {
        u64 *slot;
        must(map_table((u64)0xffff << 48 | (u64)i << 39, &slot));
    }
    map_ram(bi);
    for (u64 a = VGA_MADDR; a < VGA_MADDR + VGA_BYTES; a += PAGE_SIZE)
        must(map_page(DIRECTMAP_BASE + a, MFN(a >> PAGE_SHIFT), MAP_RW | MAP_UC));
    map_image_part(image_start, text_end, MAP_RX);
    map_image_part(text_end, rodata_end, MAP_RO);
    map_image_part(rodata_end, image_end, MAP_RW);
    write_cr3(idle_cr3);
    reach = ~(u64)0;
    map_big(FRAME_TABLE_BASE, 0, frame_count * sizeof(struct frame));
    map_big(M2P_RW_BASE, M2P_RO_BASE, frame_count * 8);
    fill_frame_table(bi);
    share_l4_slots();
    for (u32 i = 0; i < region_count; i++)
        frames_add(MFN(regions[i].start >> PAGE_SHIFT), MFN(regions[i].end >> PAGE_SHIFT));
    allocator_runs = true;
}
