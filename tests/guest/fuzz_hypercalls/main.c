// SPDX-License-Identifier: MIT
// Random hypercalls with nearly right arguments: the hypervisor survives all of them.
//
// Each argument is drawn from what an attacker would try: pointers into writable, read-only,
// unmapped, non-canonical and hypervisor memory and to the ends of pages; frames of our own, of
// nobody and beyond memory; small numbers, powers of two and noise. Structures are pages of such
// words. Left out is what ends or stops the domain lawfully (shutdown, block, iret, its own
// tables). The seed is printed; a command line "seed=N" repeats a run.
//
// XEN: skip its initial domain is trusted: PHYSDEVOP_pci_device_add with noise faults in the oracle
#include "fuzz_hypercalls/generate.h"

const char test_title[] = "random hypercalls";

#define CALLS   300000
#define TIME_NS 8000000000ul

static unsigned int traps;
static uint64_t answers[2];

static bool count_trap(struct frame *f)
{
    if (f->vector != X86_DB && f->vector != X86_NM)
        return false;
    traps++;
    return true;
}

static void batch(void)
{
    static struct multicall_entry call[8];
    unsigned int n = 1 + (unsigned int)pick(8);

    for (unsigned int i = 0; i < n; i++) {
        unsigned int nr;
        uint64_t a[5];

        rw = arena + 2 * PAGE_SIZE * i;
        generate(&nr, a);
        call[i].op = pick(30) ? nr : __HYPERVISOR_multicall;
        for (unsigned int k = 0; k < 5; k++)
            call[i].args[k] = a[k];
    }
    rw = arena + 14 * PAGE_SIZE;
    answers[hc_multicall(call, n) != 0]++;
}

static void tidy(void)
{
    hc_set_debugreg(7, 0x400);
    hc_fpu_taskswitch(0);
    mmuext2(MMUEXT_SET_LDT, 0, 0);
    vcpu_info()->evtchn_upcall_mask = 1;
}

void test_main(void)
{
    const char *arg = (const char *)start_info->cmd_line;
    uint64_t seed = rdtsc(), end = system_time() + TIME_NS, i;

    for (; *arg; arg++) {
        if (str_starts(arg, "seed=")) {
            seed = 0;
            for (arg += 5; *arg >= '0' && *arg <= '9'; arg++)
                seed = seed * 10 + (uint64_t)(*arg - '0');
            break;
        }
    }
    rng = seed | 1;
    printk("seed=%lu\n", seed | 1);
    trap_hook = count_trap;
    arena = page_alloc(); // sixteen pages and a hole
    for (i = 1; i < 16; i++)
        page_alloc();
    rw = arena + 14 * PAGE_SIZE;
    REQUIRE(hc_update_va_mapping(page_alloc(), 0, UVMF_INVLPG) == 0);
    ro = table_alloc();
    window = page_alloc();
    for (i = 0; i < 7; i++)
        page_alloc();
    for (i = 0; i < start_info->nr_pages; i++)
        own[pfn_to_mfn(i) % FRAMES / 64] |= 1ul << (pfn_to_mfn(i) % 64);
    for (i = 0; i < POOL; i++)
        pool[i] = pfn_to_mfn(pfn_alloc_unmapped());
    for (i = 0; i < CALLS && system_time() < end; i++) {
        unsigned int nr;
        uint64_t a[5];

        if (pick(16) == 0) {
            batch();
        } else {
            generate(&nr, a);
            answers[hypercall(nr > 63 ? 63 : nr, a[0], a[1], a[2], a[3], a[4]) < 0]++;
        }
        if (i % 64 == 0)
            tidy();
    }
    tidy();
    hc_set_trap_table(trap_table);
    printk("%lu calls: %lu good, %lu refused, %u traps\n", i, answers[0], answers[1], traps);
    CHECK(answers[0] > 0 && answers[1] > 0);
    CHECK_EQ(hc_xen_version(XENVER_version, NULL) >> 16, 4);
}
