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

static void tidy(void)
{
    hc_set_debugreg(7, 0x400);
    hc_fpu_taskswitch(0);
    mmuext2(MMUEXT_SET_LDT, 0, 0);
    vcpu_info()->evtchn_upcall_mask = 1;
}

void test_main(void)
{
    uint64_t end = system_time() + TIME_NS, i;

    random_seed();
    trap_hook = count_trap;
    generate_setup();
    for (i = 0; i < start_info->nr_pages; i++)
        own[pfn_to_mfn(i) % FRAMES / 64] |= 1ul << (pfn_to_mfn(i) % 64);
    for (i = 0; i < CALLS && system_time() < end; i++) {
        long rc;

        if (pick(16) == 0)
            generate_batch(&rc);
        else
            rc = generate_call();
        answers[rc < 0]++;
        if (i % 64 == 0)
            tidy();
    }
    tidy();
    hc_set_trap_table(trap_table);
    printk("%lu calls: %lu good, %lu refused, %u traps\n", i, answers[0], answers[1], traps);
    CHECK(answers[0] > 0 && answers[1] > 0);
    CHECK_EQ(hc_xen_version(XENVER_version, NULL) >> 16, 4);
}
