// SPDX-License-Identifier: MIT
// Frames, page-table entries and mappings of the test kernel. All memory it uses lies inside the
// image, where virtual address, pseudo-physical frame and machine frame are tied by the boot
// mapping and the p2m list.
#include "lib/internal.h"

#define ARENA_PAGES 384

// At the image's end: a domU has only the first pages of it.
[[gnu::section(".bss.arena")]] _Alignas(4096) uint8_t kit_arena[ARENA_PAGES][4096];
static unsigned int arena_used;
static uint64_t unmapped_next;
static _Alignas(4096) uint8_t shared_info_page[4096];

uint64_t pfn_to_mfn(uint64_t pfn)
{
    return ((const uint64_t *)start_info->mfn_list)[pfn];
}

uint64_t mfn_to_pfn(uint64_t mfn)
{
    return machine_to_phys_mapping[mfn];
}

void *pfn_to_va(uint64_t pfn)
{
    return (void *)(GUEST_VIRT_BASE + (pfn << 12));
}

uint64_t va_to_pfn(const void *va)
{
    return ((uint64_t)va - GUEST_VIRT_BASE) >> 12;
}

uint64_t va_to_mfn(const void *va)
{
    return pfn_to_mfn(va_to_pfn(va));
}

void *page_alloc(void)
{
    if (arena_used >= ARENA_PAGES || va_to_mfn(kit_arena[arena_used]) == INVALID_PFN)
        REQUIRE(!"arena is large enough");
    return memset(kit_arena[arena_used++], 0, PAGE_SIZE);
}

uint64_t pfn_alloc_unmapped(void)
{
    return --unmapped_next;
}

uint64_t *kernel_l4(void)
{
    return (uint64_t *)start_info->pt_base;
}

uint64_t *pte_of(uint64_t *l4, const void *va, int level)
{
    uint64_t *table = l4;

    for (int l = 4;; l--) {
        uint64_t *entry = &table[(uint64_t)va >> (12 + 9 * (l - 1)) & 511];

        if (l == level)
            return entry;
        if (!(*entry & PTE_P))
            return NULL;
        table = pfn_to_va(mfn_to_pfn(pte_mfn(*entry)));
    }
}

uint64_t pte_maddr(const uint64_t *pte)
{
    return va_to_mfn(pte) << 12 | ((uint64_t)pte & 0xfff);
}

long pte_write(const uint64_t *pte, uint64_t value)
{
    struct mmu_update req = {.ptr = pte_maddr(pte) | MMU_NORMAL_PT_UPDATE, .val = value};

    return hc_mmu_update(&req, 1, NULL, DOMID_SELF);
}

long page_protect(void *page, uint64_t flags)
{
    return hc_update_va_mapping(page, mfn_pte(va_to_mfn(page), flags), UVMF_INVLPG | UVMF_ALL);
}

void *table_alloc(void)
{
    void *page = page_alloc();

    REQUIRE(page_protect(page, PTE_RO) == 0);
    return page;
}

long mmuext(unsigned int cmd, uint64_t arg1)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.linear_addr = arg1};

    return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

long mmuext2(unsigned int cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.linear_addr = arg1, .arg2.src_mfn = arg2};

    return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

bool map_page(uint64_t *l4, void *va, uint64_t pte)
{
    for (int level = 4; level > 1; level--) {
        uint64_t *entry = pte_of(l4, va, level);

        if (*entry & PTE_P)
            continue;
        if (pte_write(entry, mfn_pte(va_to_mfn(table_alloc()), PTE_RW)))
            return false;
    }
    return pte_write(pte_of(l4, va, 1), pte) == 0;
}

void mm_init(void)
{
    unmapped_next = start_info->nr_pages;
    arena_used = 0;
    REQUIRE(hc_update_va_mapping(shared_info_page, start_info->shared_info | PTE_RW, UVMF_INVLPG) ==
            0);
    shared_info = (struct shared_info *)shared_info_page;
    for (unsigned int i = 0; i < CPU_MAX; i++)
        vcpu_info_of[i] = &shared_info->vcpu_info[i];
}
