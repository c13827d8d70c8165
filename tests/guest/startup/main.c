// SPDX-License-Identifier: MIT
// Start of day: the registers, the start_info page and the initial mapping a PV kernel finds.
//
// xen ABI: xen.h "Start-of-day memory layout" and struct start_info; arch-x86/xen-x86_64.h for the
// selectors. What is asserted: rsi holds start_info; the kernel runs on the flat ring-3 selectors;
// the magic is "xen-3.0-x86_64"; dom0 has SIF_PRIVILEGED and SIF_INITDOMAIN and no store; the
// elements lie in the documented order, page aligned, mapped RW except the page tables, with 512
// KiB of padding and an end aligned to 4 MiB.
#include "lib/guest.h"

const char test_title[] = "start-of-day registers, start_info and mapping";

static void check_registers(void)
{
    CHECK_EQ(boot_state.rsi, start_info);
    CHECK_EQ(boot_state.cs, FLAT_KERNEL_CS);
    CHECK_EQ(boot_state.ss, FLAT_KERNEL_SS);
    CHECK_EQ(boot_state.rflags & 0x400, 0); // DF clear
    CHECK_EQ(boot_state.rsp & 7, 0);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1); // events masked at entry
}

static void check_start_info(void)
{
    CHECK(str_starts(start_info->magic, "xen-3.0-x86_64"));
    CHECK(start_info->nr_pages > 1024);
    CHECK_EQ(start_info->shared_info & 0xfff, 0);
    CHECK(start_info->shared_info != 0);
    CHECK_EQ(start_info->flags & (SIF_PRIVILEGED | SIF_INITDOMAIN),
             SIF_PRIVILEGED | SIF_INITDOMAIN);
    CHECK_EQ(start_info->flags & SIF_MOD_START_PFN, 0); // only with the ELF note
    CHECK_EQ(start_info->store_mfn, 0);
    CHECK_EQ(start_info->store_evtchn, 0);
    CHECK_EQ(start_info->mod_len, 0);
    CHECK(start_info->nr_pt_frames >= 4);
}

static void check_order(void)
{
    uint64_t p2m = start_info->mfn_list, si = (uint64_t)start_info, pt = start_info->pt_base;
    uint64_t p2m_end = p2m + start_info->nr_pages * 8;
    uint64_t pt_end = pt + start_info->nr_pt_frames * PAGE_SIZE;
    extern char image_end[];

    CHECK_EQ((p2m | si | pt) & 0xfff, 0);
    CHECK(p2m >= (uint64_t)image_end);
    CHECK(si >= p2m_end);
    CHECK(pt > si);
    CHECK(boot_state.rsp > pt_end - 8);
    CHECK(boot_state.rsp <= pt_end + PAGE_SIZE);
}

// The last mapped page: walk up from the stack until the mapping ends.
static void check_end(void)
{
    uint64_t stack_end = (boot_state.rsp + PAGE_SIZE - 1) & PAGE_MASK;
    uint64_t va = stack_end;

    while (try_read((void *)va, NULL)->count == 0)
        va += PAGE_SIZE;
    CHECK_EQ(va & (4ul * 1024 * 1024 - 1), 0);
    CHECK(va - stack_end >= 512 * 1024);
}

static void check_protection(void)
{
    uint64_t pt = start_info->pt_base;
    unsigned long writable = 0;

    for (unsigned long i = 0; i < start_info->nr_pt_frames; i++)
        writable += *pte_of(kernel_l4(), (void *)(pt + i * PAGE_SIZE), 1) & PTE_W ? 1 : 0;
    CHECK_EQ(writable, 0);
    CHECK(*pte_of(kernel_l4(), start_info, 1) & PTE_W);
    CHECK(*pte_of(kernel_l4(), (void *)start_info->mfn_list, 1) & PTE_W);
    CHECK(*pte_of(kernel_l4(), (void *)(boot_state.rsp - 8), 1) & PTE_W);
}

void test_main(void)
{
    check_registers();
    check_start_info();
    check_order();
    check_end();
    check_protection();
}
