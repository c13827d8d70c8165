// SPDX-License-Identifier: MIT
// Descriptors of PV guests: GDT and LDT frames are FT_DESC, so the guest can change them only
// through us, and no descriptor in them can harm (SDM 3A "Segment Descriptors"): code and data of
// ring 3 only, no system segments, no gates.
#include "pv/pv.h"
#include "abi/errno.h"
#include "dom/domain.h"
#include "hc/guest_access.h"
#include "lib/string.h"
#include "pv/mmu.h"

enum { DESC_PER_FRAME = 512 };
#define DESC_P    ((u64)1 << 47)
#define DESC_S    ((u64)1 << 44) // code or data, not system
#define DESC_DPL  ((u64)3 << 45)
#define DESC_CODE ((u64)1 << 43)
#define DESC_LONG ((u64)1 << 53)
#define DESC_DB   ((u64)1 << 54)

// True when the descriptor may stand in a guest's table.
static bool desc_ok(u64 d)
{
    if (!(d & DESC_P))
        return true;
    if (!(d & DESC_S))
        return false;
    if ((d & DESC_DPL) == 0)
        return false;
    // L and D together are reserved.
    if ((d & DESC_CODE) && (d & DESC_LONG) && (d & DESC_DB))
        return false;
    return true;
}

// A guest kernel believes that it runs in ring 0 and writes descriptors for it; all run in ring 3.
static u64 desc_adjust(u64 d)
{
    return (d & DESC_P) && (d & DESC_S) ? d | DESC_DPL : d;
}

bool pv_desc_page_ok(mfn_t m)
{
    u64 *d = mfn_virt(m);
    for (u32 i = 0; i < DESC_PER_FRAME; i++) {
        u64 fixed = desc_adjust(READ_ONCE(d[i]));
        if (!desc_ok(fixed))
            return false;
        WRITE_ONCE(d[i], fixed);
    }
    return true;
}

void pv_put_frames(struct domain *d, mfn_t *frames, u32 count)
{
    for (u32 i = 0; i < count; i++)
        if (!mfn_eq(frames[i], MFN_NONE)) {
            mmu_put(d, frames[i]);
            frames[i] = MFN_NONE;
        }
}

long pv_set_gdt(struct vcpu *v, const u64 *frames, u32 entries)
{
    struct domain *d = v->dom;
    mfn_t new[PV_GDT_FRAMES];
    u32 count = (entries + DESC_PER_FRAME - 1) / DESC_PER_FRAME;
    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -EINVAL;
    for (u32 i = 0; i < PV_GDT_FRAMES; i++)
        new[i] = MFN_NONE;
    long rc = 0;
    spin_lock(&d->mmu_lock);
    for (u32 i = 0; i < count && rc == 0; i++) {
        rc = mmu_get(d, MFN(frames[i]), FT_DESC);
        if (rc == 0)
            new[i] = MFN(frames[i]);
    }
    if (rc != 0) {
        pv_put_frames(d, new, count);
    } else {
        // The old frames are let go when no window maps them any more.
        mfn_t old[PV_GDT_FRAMES];
        memcpy(old, v->pv.gdt_frame, sizeof(old));
        memcpy(v->pv.gdt_frame, new, sizeof(new));
        v->pv.gdt_entries = entries;
        pv_windows_changed(v);
        pv_put_frames(d, old, PV_GDT_FRAMES);
    }
    spin_unlock(&d->mmu_lock);
    return rc;
}

long pv_set_ldt(struct vcpu *v, u64 base, u64 entries)
{
    if (entries > 8192 || base & ~PAGE_MASK || !guest_range_ok(base, entries * 8))
        return -EINVAL;
    if (v->pv.ldt_base == base && v->pv.ldt_entries == entries)
        return 0;
    mfn_t old[PV_LDT_FRAMES];
    memcpy(old, v->pv.ldt_frame, sizeof(old));
    for (u32 i = 0; i < PV_LDT_FRAMES; i++)
        v->pv.ldt_frame[i] = MFN_NONE;
    v->pv.ldt_base = entries ? base : 0;
    v->pv.ldt_entries = (u32)entries;
    pv_windows_changed(v);
    pv_put_frames(v->dom, old, PV_LDT_FRAMES);
    return 0;
}

bool pv_ldt_fault(struct vcpu *v, u64 offset)
{
    struct domain *d = v->dom;
    u32 page = (u32)(offset >> PAGE_SHIFT);
    if (offset >= (u64)v->pv.ldt_entries * 8 || !mfn_eq(v->pv.ldt_frame[page], MFN_NONE))
        return false;
    spin_lock(&d->mmu_lock);
    maddr_t slot = mmu_l1_entry(v, v->pv.ldt_base + (offset & PAGE_MASK));
    u64 pte = slot.v ? READ_ONCE(*(u64 *)maddr_virt(slot)) : 0;
    bool ok = (pte & PTE_P) && mfn_valid(pte_mfn(pte)) && mmu_get(d, pte_mfn(pte), FT_DESC) == 0;
    if (ok)
        v->pv.ldt_frame[page] = pte_mfn(pte);
    spin_unlock(&d->mmu_lock);
    if (ok)
        pv_windows_changed(v);
    return ok;
}

long pv_update_descriptor(struct vcpu *v, u64 maddr, u64 desc)
{
    struct domain *d = v->dom;
    mfn_t m = MFN(maddr >> PAGE_SHIFT);
    desc = desc_adjust(desc);
    if (maddr & 7 || !desc_ok(desc) || !frame_get(m, d))
        return -EINVAL;
    spin_lock(&d->mmu_lock);
    u64 word = READ_ONCE(frame_of(m)->type);
    bool used = (word & FT_COUNT) && (word >> FT_SHIFT) == FT_DESC;
    long rc = 0;
    if (used)
        WRITE_ONCE(*(u64 *)maddr_virt(MADDR(maddr)), desc);
    else if ((rc = frame_get_writable(m)) == 0) {
        WRITE_ONCE(*(u64 *)maddr_virt(MADDR(maddr)), desc);
        frame_put_type(m);
    }
    spin_unlock(&d->mmu_lock);
    frame_put(m);
    return rc;
}
