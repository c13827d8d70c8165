// SPDX-License-Identifier: MIT
// Long lists are done whole, however often the hypervisor gives the CPU away in between.
//
// xen ABI: mmu_update, mmuext_op and multicall may be continued; done counts and results are those
// of an uninterrupted call. Timer interrupts come in meanwhile.
#include "lib/guest.h"

const char test_title[] = "long lists and continuations";

#define N 3000

static struct mmu_update reqs[N];
static struct multicall_entry calls[N];
static struct mmuext_op ops[N];

static void check_mmu(uint64_t *pte, uint64_t mfn)
{
    unsigned int done = 0;

    for (unsigned int i = 0; i < N; i++) {
        reqs[i].ptr = pte_maddr(pte);
        reqs[i].val = mfn_pte(mfn, i & 1 ? PTE_RW : PTE_RO);
    }
    CHECK_RC(hc_mmu_update(reqs, N, &done, DOMID_SELF), 0);
    CHECK_EQ(done, N);
    CHECK_PTE(*pte, mfn_pte(mfn, PTE_RW));
    reqs[N - 10].val = mfn_pte(va_to_mfn(kernel_l4()), PTE_RW);
    CHECK_RC(hc_mmu_update(reqs, N, &done, DOMID_SELF), -EBUSY);
    CHECK_EQ(done, N - 10);
}

static void check_multicall(uint64_t mfn, char *page)
{
    unsigned int wrong = 0;

    for (unsigned int i = 0; i < N; i++) {
        calls[i] = (struct multicall_entry){
            .op = __HYPERVISOR_update_va_mapping,
            .result = 1,
            .args = {(uint64_t)page, mfn_pte(mfn, i & 1 ? PTE_RW : PTE_RO), UVMF_INVLPG}};
    }
    CHECK_RC(hc_multicall(calls, N), 0);
    for (unsigned int i = 0; i < N; i++)
        wrong += calls[i].result != 0;
    CHECK_EQ(wrong, 0);
}

static void check_mmuext(char *page)
{
    unsigned int done = 0;

    for (unsigned int i = 0; i < N; i++) {
        ops[i].cmd = MMUEXT_INVLPG_LOCAL;
        ops[i].arg1.linear_addr = (uint64_t)page;
    }
    CHECK_RC(hc_mmuext_op(ops, N, &done, DOMID_SELF), 0);
    CHECK_EQ(done, N);
}

void test_main(void)
{
    struct vcpu_set_periodic_timer timer = {.period_ns = 1000000};
    char *page = page_alloc();
    evtchn_port_t port;

    REQUIRE(bind_virq(VIRQ_TIMER, 0, &port) == 0);
    port_unmask(port);
    CHECK_RC(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &timer), 0);
    events_enable();
    for (unsigned int round = 0; round < 5; round++) {
        check_mmu(pte_of(kernel_l4(), page, 1), va_to_mfn(page));
        check_multicall(va_to_mfn(page), page);
        check_mmuext(page);
    }
    CHECK(event_count[port] > 0);
}
