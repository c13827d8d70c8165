// SPDX-License-Identifier: MIT
// dom0's windows into other domains' memory, and calls on their behalf.
#include "lib/domu.h"
#include "lib/internal.h"

#define WINDOW ((char *)0xffffc90040000000) // one page for each bit of window_used
static uint64_t window_used;

static long window_set(unsigned int slot, uint64_t pte, unsigned int dom)
{
    return HC4(__HYPERVISOR_update_va_mapping_otherdomain, WINDOW + slot * PAGE_SIZE, pte,
               UVMF_INVLPG | UVMF_ALL, dom);
}

long foreign_map_rc(unsigned int dom, uint64_t mfn, uint64_t flags, void **va)
{
    static bool ready;

    if (!ready) {
        REQUIRE(map_page(kernel_l4(), WINDOW, 0));
        ready = true;
    }
    REQUIRE(~window_used != 0);
    unsigned int slot = (unsigned int)__builtin_ctzl(~window_used);
    long rc = window_set(slot, mfn_pte(mfn, flags), dom);

    *va = NULL;
    if (rc == 0) {
        window_used |= 1ul << slot;
        *va = WINDOW + slot * PAGE_SIZE;
    }
    return rc;
}

void *foreign_map(unsigned int dom, uint64_t mfn, uint64_t flags)
{
    void *va;

    foreign_map_rc(dom, mfn, flags, &va);
    return va;
}

long foreign_unmap(void *va)
{
    unsigned int slot = (unsigned int)(((char *)va - WINDOW) / PAGE_SIZE);
    long rc = window_set(slot, 0, DOMID_SELF);

    if (rc == 0)
        window_used &= ~(1ul << slot);
    return rc;
}

uint64_t domu_mfn(const struct domu *d, const void *va)
{
    uint64_t pfn = va_to_pfn(va);

    return pfn < d->nr_pfns ? d->p2m[pfn] : INVALID_PFN;
}

static void transfer(struct domu *d, const void *va, void *mine, size_t n, bool to_domu)
{
    for (size_t part; n; n -= part, va = (const char *)va + part, mine = (char *)mine + part) {
        size_t offset = (uint64_t)va & (PAGE_SIZE - 1);
        char *page = foreign_map(d->id, domu_mfn(d, va), to_domu ? PTE_RW : PTE_RO);

        REQUIRE(page);
        part = n < PAGE_SIZE - offset ? n : PAGE_SIZE - offset;
        if (to_domu)
            memcpy(page + offset, mine, part);
        else
            memcpy(mine, page + offset, part);
        REQUIRE(foreign_unmap(page) == 0);
    }
}

void domu_peek(struct domu *d, const void *va, void *into, size_t n)
{
    transfer(d, va, into, n, false);
}

void domu_poke(struct domu *d, const void *va, const void *from, size_t n)
{
    transfer(d, va, (void *)from, n, true);
}

long mmuext_foreign(unsigned int cmd, uint64_t mfn, unsigned int dom)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

    return hc_mmuext_op(&op, 1, NULL, dom);
}

long memory_extent(unsigned int cmd, unsigned int dom, xen_pfn_t *frame, unsigned int order)
{
    struct xen_memory_reservation r = {
        .nr_extents = 1, .extent_order = order, .domid = (domid_t)dom};

    set_xen_guest_handle(r.extent_start, frame);
    return hc_memory_op(cmd, &r);
}
