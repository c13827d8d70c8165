// SPDX-License-Identifier: MIT
// The page tables that a guest runs on where the CPU is open to Meltdown (docs/traps.md). Each CPU
// has two roots, copies of the guest's for user and kernel mode (pv_guest_cr3 keeps them), whose
// slots 256-271 hold no more than an entry needs:
//
//   256  the M2P, as the guest's root has it
//   257  the text of entry.S, the IDT; of this CPU's area: the top page of the main stack, the IST
//        stacks, TSS, syscall stub, the GDT and LDT windows
//
// What is in the top page of the main stack is struct cpu_info only: guarded entries run C below.
#include "abi/errno.h"
#include "cpu/cpu.h"
#include "cpu/spec.h"
#include "mm/frame.h"
#include "mm/map.h"

enum { TABLE = 0x63, PRESENT = 1, LEVELS = 4 };
#define ADDR 0x000ffffffffff000

extern u8 entry_text_start[], entry_text_end[], idt[];

// The L1 slot of va below `root`, whose tables are made if needed. NULL: no memory.
static u64 *slot_of(u64 *root, u64 va)
{
    u64 *table = root;
    for (u32 l = LEVELS; l > 1; l--) {
        u64 *slot = &table[va >> (12 + 9 * (l - 1)) & 511];
        if (!(*slot & PRESENT)) {
            void *t = frame_alloc_zeroed();
            if (!t)
                return NULL;
            *slot = mfn_to_maddr(virt_mfn(t)).v | TABLE;
        }
        table = maddr_virt(MADDR(*slot & ADDR));
    }
    return &table[va >> 12 & 511];
}

// Shows the pages of [va, end) as our own tables have them.
static int show(u64 *root, u64 va, u64 end)
{
    for (; va < end; va += PAGE_SIZE) {
        u64 *to = slot_of(root, va), *from;
        int rc = to ? map_table(va, &from) : -ENOMEM;
        if (rc != 0)
            return rc;
        *to = *from;
    }
    return 0;
}

int xpti_cpu_create(struct cpu *c)
{
    static const u32 pages[] = {PERCPU_STACK_END - PAGE_SIZE,
                                PERCPU_NMI,
                                PERCPU_DF,
                                PERCPU_MC,
                                PERCPU_TSS,
                                PERCPU_STUB,
                                PERCPU_GDT + (HV_CS & 0xf000),
                                PERCPU_GDT + (HV_CS & 0xf000) + PAGE_SIZE};
    u64 *user = frame_alloc_zeroed(), *kernel = frame_alloc_zeroed();
    if (!user || !kernel)
        return -ENOMEM;
    int rc = show(user, align_down((u64)entry_text_start, PAGE_SIZE), (u64)entry_text_end);
    if (rc == 0)
        rc = show(user, (u64)idt, (u64)idt + PAGE_SIZE);
    for (u32 i = 0; rc == 0 && i < ARRAY_SIZE(pages); i++)
        rc = show(user, c->area + pages[i], c->area + pages[i] + PAGE_SIZE);
    c->guest_windows = slot_of(user, c->area + PERCPU_GDT);
    if (rc != 0 || !c->guest_windows)
        return -ENOMEM;
    kernel[HV_L4_FIRST + 1] = user[HV_L4_FIRST + 1];
    c->guest_root[0] = user;
    c->guest_root[1] = kernel;
    return 0;
}
