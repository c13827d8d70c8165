// SPDX-License-Identifier: MIT
// The hypervisor's own page tables (mm/map.h).
#include "mm/map.h"
#include "abi/errno.h"
#include "cpu/spinlock.h"
#include "lib/printk.h"
#include "mm/boot_alloc.h"
#include "mm/frame.h"

enum { PRESENT = 1, TABLE = 0x63, USER = 4, LARGE = 0x80 };
#define ADDR 0x000ffffffffff000

u64 idle_cr3;
static u64 io_next = IOREMAP_BASE;
static spinlock_t lock = SPINLOCK_INIT(LOCK_MAP);

// The slot of va at `level` (1: 4 KiB page). Only the way to the guests' M2P is open to ring 3, so
// that a recursive mapping does not show our tables.
static u64 *slot_at(u64 va, u32 level)
{
    u64 *table = maddr_virt(MADDR(idle_cr3));
    for (u32 l = 4;; l--) {
        u64 *slot = &table[va >> (12 + 9 * (l - 1)) & 511];
        if (l == level)
            return slot;
        if (!(*slot & PRESENT)) {
            void *t = boot_or_frame_alloc();
            if (!t)
                return NULL;
            *slot = mfn_to_maddr(virt_mfn(t)).v | TABLE | (va < VIRT_BASE ? USER : 0);
        }
        BUG_ON(*slot & LARGE);
        table = maddr_virt(MADDR(*slot & ADDR));
    }
}

static int map_at(u64 va, mfn_t m, u64 flags, u32 level)
{
    u64 *slot = slot_at(va, level);
    if (!slot)
        return -ENOMEM;
    *slot = mfn_to_maddr(m).v | flags;
    return 0;
}

int map_page(u64 va, mfn_t m, u64 flags)
{
    return map_at(va, m, flags, 1);
}

int map_page_2m(u64 va, mfn_t m, u64 flags)
{
    return map_at(va, m, flags | LARGE, 2);
}

int map_page_1g(u64 va, mfn_t m, u64 flags)
{
    return map_at(va, m, flags | LARGE, 3);
}

int map_table(u64 va, u64 **slot)
{
    *slot = slot_at(va, 1);
    return *slot ? 0 : -ENOMEM;
}

mfn_t map_lookup(u64 va)
{
    u64 *slot = slot_at(va, 1);
    return slot && (*slot & PRESENT) ? MFN((*slot & ADDR) >> PAGE_SHIFT) : MFN_NONE;
}

mfn_t map_lookup_2m(u64 va)
{
    u64 *slot = slot_at(va, 2);
    return slot && (*slot & LARGE) ? MFN((*slot & ADDR) >> PAGE_SHIFT) : MFN_NONE;
}

void *ioremap(maddr_t a, u64 bytes, bool cached)
{
    u64 first = a.v >> PAGE_SHIFT;
    u64 pages = ((a.v + bytes - 1) >> PAGE_SHIFT) - first + 1;
    spin_lock(&lock);
    u64 va = io_next;
    void *p = (void *)(va + (a.v & ~PAGE_MASK));
    if (pages > (IOREMAP_END - va) >> PAGE_SHIFT)
        p = NULL;
    for (u64 i = 0; p && i < pages; i++)
        if (map_page(va + i * PAGE_SIZE, MFN(first + i), MAP_RW | (cached ? 0 : MAP_UC)) != 0)
            p = NULL;
    if (p)
        io_next += (pages + 1) * PAGE_SIZE; // one unmapped page between
    spin_unlock(&lock);
    return p;
}
