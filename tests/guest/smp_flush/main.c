// SPDX-License-Identifier: MIT
// TLB flushes reach other vCPUs.
//
// xen ABI: xen.h MMUEXT_TLB_FLUSH_MULTI, INVLPG_MULTI, _ALL and UVMF_MULTI, UVMF_ALL: once the
// hypercall returns no vCPU in the mask uses the old entry. A secondary vCPU reads a window all the
// time while vCPU 0 points it at other frames.
//
// SMP: 4
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "TLB flushes on other vCPUs";

static volatile unsigned int up, generation, seen_generation;
static volatile uint64_t seen;
static volatile uint64_t *window;

// Reports what it sees after each new generation number.
static void reader(void)
{
    uint64_t v;

    up = 1;
    for (;;) {
        unsigned int g = generation;

        asm volatile("" : : : "memory");
        v = *window;
        if (g != seen_generation) {
            seen = v;
            seen_generation = g;
        }
    }
}

static uint64_t ask(void)
{
    uint64_t end = system_time() + 2000000000;
    unsigned int g = generation + 1;

    generation = g;
    while (seen_generation != g && system_time() < end)
        asm volatile("pause");
    CHECK_EQ(seen_generation, g);
    return seen;
}

static long flush(unsigned int how)
{
    static uint64_t mask = 2; // vCPU 1

    switch (how) {
    case 0:
        return mmuext2(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&mask);
    case 1:
        return mmuext2(MMUEXT_INVLPG_MULTI, (uint64_t)window, (uint64_t)&mask);
    case 2:
        return mmuext(MMUEXT_TLB_FLUSH_ALL, 0);
    default:
        return mmuext(MMUEXT_INVLPG_ALL, (uint64_t)window);
    }
}

static const unsigned long uvm_flags[] = {UVMF_TLB_FLUSH | UVMF_ALL, UVMF_INVLPG | UVMF_ALL};

void test_main(void)
{
    uint64_t *page[8];

    for (unsigned int i = 0; i < 8; i++) {
        page[i] = page_alloc();
        *page[i] = 100 + i;
    }
    window = page[0];
    CHECK_RC(smp_start(1, reader), 0);
    CHECK(wait_for(&up, 2000000000));
    CHECK_EQ(ask(), 100);
    for (unsigned int how = 0; how < 4; how++) {
        CHECK_RC(
            pte_write(pte_of(kernel_l4(), page[0], 1), mfn_pte(va_to_mfn(page[1 + how]), PTE_RW)),
            0);
        CHECK_RC(flush(how), 0);
        CHECK_EQ(ask(), 101 + how);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(uvm_flags); i++) {
        CHECK_RC(
            hc_update_va_mapping(page[0], mfn_pte(va_to_mfn(page[5 + i]), PTE_RW), uvm_flags[i]),
            0);
        CHECK_EQ(ask(), 105 + i);
    }
}
