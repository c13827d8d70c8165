// SPDX-License-Identifier: MIT
#include "bench/sched/common.h"

enum { TSC_NATIVE = 2 }; // xl.cfg(5), tsc_mode

volatile uint64_t units;

void tell_dom0(void)
{
    CHECK_RC(evtchn_send(start_info->store_evtchn), 0);
}

// Checked with upcalls off: none is lost between check and block.
void wait_events(evtchn_port_t port, unsigned int n)
{
    events_disable();
    while (event_count[port] < n) {
        hc_sched_op(SCHEDOP_block, NULL);
        events_disable();
    }
}

void hog(void)
{
    asm volatile("1: .rept %c0; nop; .endr; incq units; jmp 1b" : : "i"(HOG_NOPS) : "memory");
}

void calculate(uint64_t rounds)
{
    while (rounds--)
        asm volatile(".rept %c0; nop; .endr; incq units" : : "i"(HOG_NOPS) : "memory");
}

void figure(const char *name, const char *suffix, uint64_t value)
{
    printk("HC %s%s %lu\n", name, suffix, value);
}

void sleep_for(uint64_t ns, evtchn_port_t port)
{
    struct sched_poll poll = {.nr_ports = port != 0, .timeout = system_time() + ns};

    set_xen_guest_handle(poll.ports, &port);
    hc_sched_op(SCHEDOP_poll, &poll);
}

static void pin(const struct domu *d, int cpu)
{
    static uint8_t map;

    map = cpu == CPU_ANY ? 0xff : (uint8_t)(1 << cpu);
    memset(&dc, 0, sizeof(dc));
    dc.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    set_xen_guest_handle(dc.u.vcpuaffinity.cpumap_hard.bitmap, &map);
    dc.u.vcpuaffinity.cpumap_hard.nr_bits = 8;
    REQUIRE(domctl(XEN_DOMCTL_setvcpuaffinity, d->id) == 0);
}

// Its time stamp counter is the machine's, so that stamps of two domains compare and none traps.
struct domu *start(void (*main)(void), int cpu)
{
    struct domu *d = domu_create(main);

    memset(&dc, 0, sizeof(dc));
    dc.u.tsc_info.tsc_mode = TSC_NATIVE;
    REQUIRE(domctl(XEN_DOMCTL_settscinfo, d->id) == 0);
    pin(d, cpu);
    return d;
}

void go(struct domu *d)
{
    REQUIRE(domu_unpause(d) == 0);
}

void await(struct domu *d)
{
    uint64_t end = system_time() + 60 * SECOND;

    while (!port_pending(d->port) && system_time() < end)
        sleep_for(60 * SECOND, d->port);
    REQUIRE(port_pending(d->port));
    port_clear(d->port);
}

void end(struct domu *d)
{
    domu_pause(d);
    REQUIRE(domu_destroy(d) == 0);
}

void sort(uint64_t *values, unsigned int count)
{
    for (unsigned int i = 1; i < count; i++) {
        for (unsigned int j = i; j > 0 && values[j - 1] > values[j]; j--) {
            uint64_t swap = values[j];

            values[j] = values[j - 1];
            values[j - 1] = swap;
        }
    }
}

uint64_t units_of(struct domu *d)
{
    uint64_t n;

    domu_peek(d, (void *)&units, &n, sizeof(n));
    return n;
}

uint32_t scheduler(void)
{
    memset(&sc, 0, sizeof(sc));
    REQUIRE(sysctl(XEN_SYSCTL_sched_id) == 0);
    return sc.u.sched_id.sched_id;
}
