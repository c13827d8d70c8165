// SPDX-License-Identifier: MIT
// Direct paging: page tables that a guest owns and the hypervisor validates (docs/memory.md).
// All functions are for the domain whose tables they are, unless they say otherwise.
#ifndef WIRT_PV_MMU_H
#define WIRT_PV_MMU_H

#include "dom/domain.h"
#include "mm/frame.h"

// Bits of a page-table entry (SDM 3A "4-Level Paging").
enum pte_bits {
    PTE_P = 1u << 0,
    PTE_W = 1u << 1,
    PTE_U = 1u << 2,
    PTE_PWT = 1u << 3,
    PTE_PCD = 1u << 4,
    PTE_A = 1u << 5,
    PTE_D = 1u << 6,
    PTE_PS = 1u << 7, // L2, L3; in an L1 entry it is PAT
    PTE_G = 1u << 8,
};
#define PTE_NX   ((u64)1 << 63)
#define PTE_ADDR 0x000ffffffffff000

static inline mfn_t pte_mfn(u64 pte)
{
    return MFN((pte & PTE_ADDR) >> PAGE_SHIFT);
}

// Long operations return -ERESTART_HC with all state consistent; the same call again goes on.

// A use of the frame as `type` (tables, FT_DESC), validating it if it is the first. The caller
// holds a reference on the frame and mmu_lock. -EINVAL: in use as something else;
// -EINVAL and others: what an entry was refused with.
NODISCARD int mmu_get_type(struct domain *d, mfn_t m, enum frame_type type);
// Ends a use; the invalidation that the last one causes may be deferred (mmu_drain). mmu_lock.
void mmu_put_type(struct domain *d, mfn_t m);
// Goes on with deferred invalidations: 0 when none is left. mmu_lock.
NODISCARD int mmu_drain(struct domain *d);

// Reference and type at once; both are given back by mmu_put. mmu_lock.
NODISCARD int mmu_get(struct domain *d, mfn_t m, enum frame_type type);
void mmu_put(struct domain *d, mfn_t m);

// Writes one entry of a page table (or a word of an ordinary frame) of d; `fd` owns the frames
// that an L1 entry may map. 0, -EINVAL, -EPERM, -ERESTART_HC. mmu_lock.
NODISCARD int mmu_write(struct domain *d, struct domain *fd, maddr_t where, u64 val,
                        bool preserve_ad);
// The L1 entry that maps va in the current address space: machine address, or 0 when there is no
// L1 table. mmu_lock or the current vCPU.
maddr_t mmu_l1_entry(struct vcpu *v, u64 va);
// Replaces an L1 entry if it still reads *old; false: *old is what is there. mmu_lock.
NODISCARD int mmu_cmpxchg_l1(struct domain *d, maddr_t where, u64 *old, u64 val, bool *swapped);

// Makes an L1 entry for a frame that somebody has granted to d; the caller has a use of the grant
// with the entry's rights. -EINVAL: that is no entry of an L1 table of d's that is in use, or the
// frame has too many. mmu_lock.
NODISCARD int mmu_map_grant(struct domain *d, maddr_t where, u64 pte);
// Takes an entry away that maps the frame of `pte` with its rights; what stands at `with` (0:
// nothing) moves to its place. -EINVAL: one of them is no such entry, nothing has changed. The
// caller flushes d->dirty's TLBs before anything relies on it. mmu_lock.
NODISCARD int mmu_unmap_grant(struct domain *d, maddr_t where, u64 pte, maddr_t with);

// MMUEXT_PIN_*_TABLE, MMUEXT_UNPIN_TABLE. mmu_lock.
NODISCARD int mmu_pin(struct domain *d, mfn_t m, enum frame_type type);
NODISCARD int mmu_unpin(struct domain *d, mfn_t m);

// Ends what keeps a table of a dying domain alive by itself: its pin, or a validation that nobody
// resumed. The caller holds a reference on the frame. Takes mmu_lock.
void mmu_forget(struct domain *d, mfn_t m);

// The hypervisor's L4 entries, which every L4 table gets.
extern u64 hv_l4_slots[HV_L4_END - HV_L4_FIRST];

// Recounts the references and types of all of d's frames from everything that uses them, compares
// (pv/audit.c), and prints each contradiction and the sum. No vCPU of d may run meanwhile on
// another CPU. Returns the number of contradictions. Takes mmu_lock.
u32 mmu_audit(struct domain *d);

#endif
