// SPDX-License-Identifier: MIT
// Performance counters: how often what costs time has happened, per CPU. xenperf shows them
// (XEN_SYSCTL_perfc_op, hc/perfc.c).
#ifndef WIRT_CPU_PERFC_H
#define WIRT_CPU_PERFC_H

#include "lib/types.h"

// What is counted, with the name that the tools get.
#define PERFC_ALL(X)                                         \
    X(PERFC_TRAPS, "exceptions of guests")                   \
    X(PERFC_INJECTED, "exceptions that guests were given")   \
    X(PERFC_EMULATED, "privileged instructions carried out") \
    X(PERFC_PTWRITES, "writes to page tables carried out")   \
    X(PERFC_RESTARTS, "calls that gave way and go on later") \
    X(PERFC_IRQS, "device interrupts")                       \
    X(PERFC_IPIS, "inter-processor interrupts sent")         \
    X(PERFC_FLUSHES, "TLB flushes on other CPUs")            \
    X(PERFC_TIMERS, "timers that fired")                     \
    X(PERFC_SCHEDULES, "looks of the scheduler")             \
    X(PERFC_SWITCHES, "switches to another vCPU")            \
    X(PERFC_PULLS, "vCPUs taken from another CPU")

enum perfc {
#define PERFC_ENUM(name, text) name,
    PERFC_ALL(PERFC_ENUM)
#undef PERFC_ENUM
        PERFC_COUNT
};

enum { PERFC_HYPERCALLS = 64 };

// [c] others only read and clear them.
struct perfc_cpu {
    u32 count[PERFC_COUNT];
    u32 hypercall[PERFC_HYPERCALLS];
};

#endif
