// SPDX-License-Identifier: MIT
// XSA-52, XSA-165 (CVE-2013-2076, CVE-2015-8555): registers of the FPU, MMX and SSE kept another
// domain's values when a vCPU used them for the first time.
//
// What must hold: a new domU sees initial values, whatever dom0 and an earlier domU left there; and
// each keeps its own while they take turns.
#include "lib/domu.h"

const char test_title[] = "FPU registers of another domain";

#define PATTERN 0x5ec2e75ec2e75ec2

static uint64_t pattern;
static struct {
    uint64_t xmm[2], mm;
    uint32_t mxcsr;
    uint16_t control;
} first;

static void fill(uint64_t value)
{
    asm volatile("movq %0, %%xmm0; punpcklqdq %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm7;"
                 "movdqa %%xmm0, %%xmm15; movq %0, %%mm0; movq %0, %%mm7"
                 :
                 : "r"(value));
}

static uint64_t xmm15(void)
{
    uint64_t v;

    asm volatile("movq %%xmm15, %0" : "=r"(v));
    return v;
}

static void fresh(void)
{
    uint64_t v;

    asm volatile("movdqu %%xmm15, %0" : "=m"(first.xmm));
    asm volatile("stmxcsr %0; fnstcw %1" : "=m"(first.mxcsr), "=m"(first.control));
    CHECK_EQ(first.xmm[0], 0);
    CHECK_EQ(first.xmm[1], 0);
    asm volatile("movq %%xmm0, %0" : "=r"(v));
    CHECK_EQ(v, 0);
    asm volatile("movq %%mm7, %0" : "=r"(v));
    CHECK_EQ(v, 0);
    CHECK_EQ(first.mxcsr, 0x1f80);
    CHECK_EQ(first.control & 0x3f, 0x3f); // all exceptions masked
}

static void guest(void)
{
    fresh();
    fill(pattern);
    for (unsigned int i = 0; i < 300; i++) {
        hc_sched_op(SCHEDOP_yield, NULL);
        if (xmm15() != pattern)
            CHECK_EQ(xmm15(), pattern);
    }
}

void test_main(void)
{
    struct domu *d[3];

    fill(PATTERN);
    pattern = 0x1111;
    CHECK_EQ(domu_run(guest), SHUTDOWN_poweroff);
    CHECK_EQ(xmm15(), PATTERN);
    for (unsigned int i = 0; i < 3; i++) {
        pattern = 0x2222ul << i * 8;
        d[i] = domu_create(guest);
    }
    for (unsigned int i = 0; i < 3; i++)
        CHECK_RC(domu_unpause(d[i]), 0);
    for (unsigned int i = 0; i < 3; i++) {
        CHECK_EQ(domu_wait(d[i]), SHUTDOWN_poweroff);
        CHECK_RC(domu_destroy(d[i]), 0);
    }
    CHECK_EQ(xmm15(), PATTERN);
}
