// SPDX-License-Identifier: MIT
// What the parts of this kernel share: domains that are started and waited for, and figures.
#ifndef BENCH_SCHED_COMMON_H
#define BENCH_SCHED_COMMON_H

#include "lib/domu.h"

enum { HOG_NOPS = 400, HOG_INSTRUCTIONS = HOG_NOPS + 2 };
enum { CPU_ANY = -1, MS = 1000000 };

// ---- in the domUs ----------------------------------------------------------------------------

extern volatile uint64_t units; // rounds of HOG_INSTRUCTIONS that this domain has calculated

void calculate(uint64_t rounds);
void hog(void); // for ever
void tell_dom0(void);
// Until n events have come.
void wait_events(evtchn_port_t port, unsigned int n);

// ---- in dom0 ---------------------------------------------------------------------------------

void figure(const char *name, const char *suffix, uint64_t value); // one line "HC ..."
void sleep_for(uint64_t ns, evtchn_port_t port);                   // or until the port is pending
// Created, paused, on that CPU, with the machine's time stamp counter.
struct domu *start(void (*main)(void), int cpu);
void go(struct domu *d);
void await(struct domu *d); // until it tells us, 60 s at most
void end(struct domu *d);
uint64_t units_of(struct domu *d);
uint32_t scheduler(void); // its XEN_SCHEDULER_*
void sort(uint64_t *values, unsigned int count);

void measure_latency(void); // latency.c
void measure_caps(void);

#endif
