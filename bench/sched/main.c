// SPDX-License-Identifier: MIT
// What scheduling costs, measured by a PV kernel of our own that is started as domain 0 and makes
// the domains it needs (tests/guest/lib/domu.h), the same file on Xen and on Wirt. It prints
//   "HC name value"    TSC ticks, with QEMU's -icount shift=0 instructions; names: bench/table.py
//   "HC tsc_khz n"     turns ticks into time
// With one CPU: switches, wake-ups and weights; with two: wake-ups across CPUs, and how much of the
// CPUs guests get. The word "shares" on its command line asks for what makes sense only where time
// is instructions; "latency" and "caps" for what stands in latency.c, and nothing else. Domain 0
// sleeps while the others are measured.
#include "bench/sched/common.h"
#include "abi/wirt.h"

const char test_title[] = "what scheduling costs";

enum { ROUNDS = 600, WARM_UP = 100, CHUNKS = 20, CHUNK = 100, WEIGHTS = 4, HOGS = 8 };

// What dom0 tells a domU before it starts.
static struct plan {
    domid_t peer;
    evtchn_port_t port;
} plan;

// What a domU leaves for dom0.
static uint64_t stamp[ROUNDS];
static volatile uint64_t woken; // when the last upcall began

// ---- in the domUs ----------------------------------------------------------------------------

extern char wake_entry[];
asm(".text\n"
    "wake_entry: push %rax; push %rdx\n"
    "rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, woken\n"
    "pop %rdx; pop %rax; jmp event_entry\n");

static void yielder(void)
{
    for (unsigned int i = 0; i < CHUNKS * CHUNK; i++) {
        if (i % CHUNK == 0)
            stamp[i / CHUNK] = rdtsc();
        hc_sched_op(SCHEDOP_yield, NULL);
    }
    tell_dom0();
}

static void pong(void)
{
    evtchn_port_t port;

    CHECK_RC(register_callback(CALLBACKTYPE_event, 0, wake_entry), 0);
    CHECK_RC(bind_interdomain(plan.peer, plan.port, &port), 0);
    port_unmask(port);
    tell_dom0();
    for (unsigned int i = 0; i < ROUNDS; i++) {
        wait_events(port, i + 1);
        stamp[i] = woken;
        evtchn_send(port);
    }
    for (;;)
        hc_sched_op(SCHEDOP_block, NULL);
}

static void ping(void)
{
    port_unmask(plan.port);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        stamp[i] = rdtsc();
        evtchn_send(plan.port);
        wait_events(plan.port, i + 1);
    }
    tell_dom0();
}

// Sets timers 100 to 355 us ahead; how late after its time each one's upcall is done.
static void setter(void)
{
    evtchn_port_t port;

    CHECK_RC(bind_virq(VIRQ_TIMER, 0, &port), 0);
    port_unmask(port);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t when = system_time() + 100000 + i * 7919 % 256 * 1000;

        CHECK_RC(hc_set_timer_op(when), 0);
        wait_events(port, i + 1);
        stamp[i] = system_time() - when;
    }
    tell_dom0();
}

// ---- in dom0 ---------------------------------------------------------------------------------

// xen ABI: xen.h, vcpu_time_info: ns = (ticks << tsc_shift) * tsc_to_system_mul >> 32.
static uint64_t tsc_khz(void)
{
    const volatile struct vcpu_time_info *t = &vcpu_info()->time;
    uint64_t khz = (1000000ul << 32) / t->tsc_to_system_mul;

    return t->tsc_shift < 0 ? khz << -t->tsc_shift : khz >> t->tsc_shift;
}

static void measure_yield(void)
{
    struct domu *d = start(yielder, 0);
    uint64_t spans[CHUNKS - 1];

    go(d);
    await(d);
    domu_fetch(d, &stamp);
    for (unsigned int i = 0; i < CHUNKS - 1; i++)
        spans[i] = (stamp[i + 1] - stamp[i]) / CHUNK;
    sort(spans, CHUNKS - 1);
    figure("yield", "", spans[CHUNKS / 2]);
    end(d);
}

// Two domains that yield to each other: the middle half of the one's time, and how far the other
// came meanwhile.
static void measure_switch(void)
{
    struct domu *d[2] = {start(yielder, 0), start(yielder, 0)};
    uint64_t first, last, from = 0, to = 0;

    go(d[0]);
    go(d[1]);
    await(d[0]);
    await(d[1]);
    domu_fetch(d[0], &stamp);
    first = stamp[CHUNKS / 4];
    last = stamp[CHUNKS * 3 / 4];
    domu_fetch(d[1], &stamp);
    for (unsigned int i = 0; i < CHUNKS; i++) {
        from += stamp[i] < first;
        to += stamp[i] < last;
    }
    figure("switch_others", "", to - from); // CHUNKS / 2 when they take turns
    figure("switch", "", (last - first) / ((CHUNKS / 2 + to - from) * CHUNK));
    end(d[0]);
    end(d[1]);
}

static void measure_events(const char *suffix, int cpu_ping, int cpu_pong, bool beside_hog)
{
    static uint64_t sent[ROUNDS], late[ROUNDS];
    struct domu *a = start(ping, cpu_ping), *b, *h = NULL;
    struct plan p = {.peer = a->id};
    struct evtchn_alloc_unbound channel = {.dom = a->id};

    b = start(pong, cpu_pong);
    channel.remote_dom = b->id;
    REQUIRE(hc_event_channel_op(EVTCHNOP_alloc_unbound, &channel) == 0);
    p.port = channel.port;
    domu_poke(a, &plan, &p, sizeof(p));
    domu_poke(b, &plan, &p, sizeof(p));
    go(b);
    await(b);
    if (beside_hog)
        go(h = start(hog, cpu_pong));
    go(a);
    await(a);
    domu_fetch(a, &stamp);
    memcpy(sent, stamp, sizeof(sent));
    domu_fetch(b, &stamp);
    for (unsigned int i = WARM_UP; i < ROUNDS; i++)
        late[i - WARM_UP] = stamp[i] - sent[i];
    sort(late, ROUNDS - WARM_UP);
    figure("pingpong", suffix, (sent[ROUNDS - 1] - sent[WARM_UP]) / (ROUNDS - 1 - WARM_UP));
    figure("wake_p50", suffix, late[(ROUNDS - WARM_UP) / 2]);
    figure("wake_p99", suffix, late[(ROUNDS - WARM_UP) * 99 / 100]);
    end(a);
    end(b);
    if (h)
        end(h);
}

// One that came too early would be a very large number.
static void measure_timers(const char *suffix, bool beside_hog)
{
    struct domu *d = start(setter, 0), *h = NULL;

    if (beside_hog)
        go(h = start(hog, 0));
    go(d);
    await(d);
    domu_fetch(d, &stamp);
    sort(stamp, ROUNDS);
    figure("timer_p50", suffix, stamp[ROUNDS / 2]);
    figure("timer_p99", suffix, stamp[ROUNDS * 99 / 100]);
    figure("timer_max", suffix, stamp[ROUNDS - 1]);
    end(d);
    if (h)
        end(h);
}

// All of them run for so long; their units meanwhile.
static uint64_t run_hogs(struct domu **d, unsigned int count, uint64_t ns)
{
    uint64_t n = 0;

    for (unsigned int i = 0; i < count; i++)
        n -= units_of(d[i]);
    for (unsigned int i = 0; i < count; i++)
        go(d[i]);
    sleep_for(ns, 0);
    for (unsigned int i = 0; i < count; i++)
        REQUIRE(domu_pause(d[i]) == 0);
    for (unsigned int i = 0; i < count; i++)
        n += units_of(d[i]);
    return n;
}

// How many of a million instructions are not those of `count` guests that only calculate.
static void measure_hogs(const char *name, unsigned int count)
{
    struct domu *d[HOGS];
    uint64_t start_ticks, ticks, theirs;

    for (unsigned int i = 0; i < count; i++)
        d[i] = start(hog, CPU_ANY);
    run_hogs(d, count, 200 * MS);
    start_ticks = rdtsc();
    theirs = run_hogs(d, count, SECOND) * HOG_INSTRUCTIONS;
    ticks = rdtsc() - start_ticks;
    figure(name, "", (ticks - theirs) * 1000000 / ticks);
    for (unsigned int i = 0; i < count; i++)
        end(d[i]);
}

static void set_weight(const struct domu *d, unsigned int weight)
{
    uint32_t id = scheduler();

    memset(&dc, 0, sizeof(dc));
    dc.u.scheduler_op.sched_id = id;
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    REQUIRE(domctl(XEN_DOMCTL_scheduler_op, d->id) == 0);
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    if (id == WIRT_SCHEDULER_BVT)
        ((struct wirt_sched_bvt *)WIRT_SCHED_ARGUMENT(&dc))->mcu_advance =
            WIRT_MCU_ADVANCE_MAX / weight;
    else if (id == XEN_SCHEDULER_CREDIT)
        dc.u.scheduler_op.u.credit.weight = (uint16_t)weight;
    else
        dc.u.scheduler_op.u.credit2.weight = (uint16_t)weight;
    REQUIRE(domctl(XEN_DOMCTL_scheduler_op, d->id) == 0);
}

// The largest relative distance of a domain's part from its weight's, in 1/10000.
static uint64_t share_error(const uint64_t *part)
{
    uint64_t sum = 0, worst = 0;

    for (unsigned int i = 0; i < WEIGHTS; i++)
        sum += part[i];
    for (unsigned int i = 0; i < WEIGHTS && sum; i++) {
        uint64_t due = sum * (1u << i) / ((1u << WEIGHTS) - 1);
        uint64_t off = part[i] > due ? part[i] - due : due - part[i];

        worst = off * 10000 / due > worst ? off * 10000 / due : worst;
    }
    return worst;
}

// Weights 1:2:4:8 on one CPU for 6 s: the mean of the error in each tenth of a second, and in each
// three seconds that begin with one. Of one window alone chance would decide: whose turn it ends
// in.
static void measure_shares(void)
{
    enum { LONG = 30, WINDOWS = 2 * LONG };
    static uint64_t seen[WINDOWS + 1][WEIGHTS];
    struct domu *d[WEIGHTS];
    uint64_t part[WEIGHTS], errors = 0, long_errors = 0;

    for (unsigned int i = 0; i < WEIGHTS; i++) {
        d[i] = start(hog, 0);
        set_weight(d[i], 64u << i);
    }
    for (unsigned int i = 0; i < WEIGHTS; i++)
        go(d[i]);
    sleep_for(500 * MS, 0);
    for (unsigned int n = 0; n <= WINDOWS; n++) {
        for (unsigned int i = 0; i < WEIGHTS; i++)
            seen[n][i] = units_of(d[i]);
        for (unsigned int i = 0; n && i < WEIGHTS; i++)
            part[i] = seen[n][i] - seen[n - 1][i];
        errors += n ? share_error(part) : 0;
        for (unsigned int i = 0; n > LONG && i < WEIGHTS; i++)
            part[i] = seen[n][i] - seen[n - LONG][i];
        long_errors += n > LONG ? share_error(part) : 0;
        sleep_for(100 * MS, 0);
    }
    figure("share_error", "", long_errors / LONG);
    figure("share_error_100ms", "", errors / WINDOWS);
    for (unsigned int i = 0; i < WEIGHTS; i++)
        end(d[i]);
}

void test_main(void)
{
    const char *words = (const char *)start_info->cmd_line;
    bool shares = str_contains(words, "shares"), latency = str_contains(words, "latency");

    figure("tsc_khz", "", tsc_khz());
    figure("scheduler", "", scheduler());
    REQUIRE(sysctl(XEN_SYSCTL_physinfo) == 0);
    if (latency || str_contains(words, "caps")) {
        if (latency)
            measure_latency();
        if (str_contains(words, "caps"))
            measure_caps();
    } else if (sc.u.physinfo.nr_cpus == 1) {
        measure_yield();
        measure_switch();
        measure_events("", 0, 0, false);
        measure_events("_hog", 0, 0, true);
        measure_timers("", false);
        measure_timers("_hog", true);
        if (shares) {
            measure_shares();
            measure_hogs("lost_8_1cpu", HOGS);
        }
    } else {
        measure_events("_2cpu", 0, 1, false);
        measure_events("_any", CPU_ANY, CPU_ANY, false);
        if (shares) {
            measure_hogs("lost_1", 1);
            measure_hogs("lost_8", HOGS);
        }
    }
    figure("end", "", 0);
}
