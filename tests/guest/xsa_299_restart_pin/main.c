// SPDX-License-Identifier: MIT
// XSA-299, XSA-310, XSA-264, XSA-290 (CVE-2019-18421, -19580, CVE-2018-12891, CVE-2019-17345):
// validation that stops half-way.
//
// Class: validating or letting go of a tree takes long, stops for events and goes on; the state
// kept in between is miscounted when something else happens to the same pages. What must hold: with
// a timer event every millisecond and updates in between, pins come to an end and at last every
// page is an ordinary one.
#include "lib/guest.h"

const char test_title[] = "interrupted pinning of large trees";

#define L1S 120
#define L2S 30

static uint64_t *l4, *l3, *l2[L2S], *l1[L1S];

static void build(void)
{
    uint64_t data = va_to_mfn(page_alloc());

    l4 = page_alloc();
    l3 = page_alloc();
    for (int i = 0; i < L1S; i++) {
        l1[i] = page_alloc();
        for (int k = 0; k < 512; k++)
            l1[i][k] = mfn_pte(data, PTE_RO);
        REQUIRE(page_protect(l1[i], PTE_RO) == 0);
    }
    for (int i = 0; i < L2S; i++) {
        l2[i] = page_alloc();
        for (int k = 0; k < 512; k++)
            l2[i][k] = mfn_pte(va_to_mfn(l1[(i * 5 + k) % L1S]), PTE_RW);
        REQUIRE(page_protect(l2[i], PTE_RO) == 0);
    }
    for (int k = 0; k < 512; k++)
        l3[k] = mfn_pte(va_to_mfn(l2[k % L2S]), PTE_RW);
    REQUIRE(page_protect(l3, PTE_RO) == 0);
    for (int k = 0; k < 200; k++)
        l4[k] = mfn_pte(va_to_mfn(l3), PTE_RW);
    REQUIRE(page_protect(l4, PTE_RO) == 0);
}

static void round(int i)
{
    uint64_t mfn = va_to_mfn(l4);

    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, mfn), 0);
    CHECK_RC(pte_write(&l4[i], 0), 0);
    CHECK_RC(pte_write(&l3[i], mfn_pte(va_to_mfn(l2[(i + 1) % L2S]), PTE_RW)), 0);
    CHECK_RC(page_protect(l1[i], PTE_RW), -EBUSY);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, mfn), 0);
    // One bad entry deep down, at the end: all of it is undone again.
    CHECK_RC(page_protect(l1[L1S - 1], PTE_RW), 0);
    l1[L1S - 1][511] = mfn_pte(mfn, PTE_RW);
    CHECK_RC(page_protect(l1[L1S - 1], PTE_RO), 0);
    CHECK(mmuext(MMUEXT_PIN_L4_TABLE, mfn) < 0);
    CHECK_RC(page_protect(l1[L1S - 1], PTE_RW), 0);
    l1[L1S - 1][511] = 0;
    CHECK_RC(page_protect(l1[L1S - 1], PTE_RO), 0);
}

void test_main(void)
{
    struct vcpu_set_periodic_timer period = {.period_ns = 1000000};
    evtchn_port_t port;

    build();
    REQUIRE(bind_virq(VIRQ_TIMER, 0, &port) == 0);
    port_unmask(port);
    events_enable();
    REQUIRE(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &period) == 0);
    for (int i = 0; i < 6; i++)
        round(i);
    // What the last refusal left half undone is settled by a pin that succeeds.
    CHECK_RC(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(l4)), 0);
    CHECK_RC(mmuext(MMUEXT_UNPIN_TABLE, va_to_mfn(l4)), 0);
    CHECK_RC(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    CHECK(event_count[port] > 0);
    CHECK_RC(page_protect(l4, PTE_RW), 0);
    CHECK_RC(page_protect(l3, PTE_RW), 0);
    for (int i = 0; i < L2S; i++)
        CHECK_RC(page_protect(l2[i], PTE_RW), 0);
    for (int i = 0; i < L1S; i++)
        CHECK_RC(page_protect(l1[i], PTE_RW), 0);
}
