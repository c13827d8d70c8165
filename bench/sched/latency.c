// SPDX-License-Identifier: MIT
// How late a guest that waits for its timer runs beside guests that want the CPU all the time, and
// what of a CPU is left to a domain with a cap. On one CPU; a nanosecond is an instruction.
//
// A task waits for a random while, then calculates: `brief` like a key press, `burst` like a frame
// to be drawn; both want less than their share. Its neighbours, three of them, are `spin`, who
// never stop, or `nap`, who sleep 0.1 ms after each 2 ms, which makes them sleepers like the task.
// Variants:
//   plain  as domains are created        warp     the task may warp (Wirt only)
//   r100   with a rate limit of 100 us   warp100  both
// "HC late_TASK_NEIGHBOURS_VARIANT_Q" is the time from the timer's deadline to the first
// instruction after the wait, "took" from the deadline to the end of the calculation: Q-th
// percentile in ns; "h" N: how many samples of `late` are below edges[N].
#include "abi/wirt.h"
#define hog spin_hog // ours counts
#include "lib/hogs.h"
#include "lib/random.h"
#undef hog
#include "bench/sched/common.h"

enum { SAMPLES = 400, NEIGHBOURS = 3, SHORT_ALLOWANCE_US = 100 };
enum { WARP_US = 10000, WARP_LIMIT_US = 5000, UNWARP_US = 10000 };

static const struct task {
    const char *name;
    uint64_t pause, work; // ns: on average, and exactly
} tasks[] = {{"brief", 20 * MS, MS / 10}, {"burst", 25 * MS, 4 * MS}};

static struct task task; // dom0 tells
static struct sample {
    uint64_t late, took;
} samples[SAMPLES];

static const uint64_t edges[] = {10000,   100000,  500000,   1000000,   1500000,
                                 2000000, 4000000, 10000000, UINT64_MAX};

// ---- in the domUs ----------------------------------------------------------------------------

static void interactive(void)
{
    evtchn_port_t port;

    rng = 1;
    CHECK_RC(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    CHECK_RC(bind_virq(VIRQ_TIMER, 0, &port), 0);
    port_unmask(port);
    for (unsigned int i = 0; i < SAMPLES; i++) {
        uint64_t due = system_time() + task.pause / 2 + pick(task.pause);
        struct vcpu_set_singleshot_timer timer = {.timeout_abs_ns = due};

        CHECK_RC(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer), 0);
        wait_events(port, i + 1);
        samples[i].late = system_time() - due;
        calculate(task.work / HOG_INSTRUCTIONS);
        samples[i].took = system_time() - due;
    }
    tell_dom0();
}

static void nap(void)
{
    for (;;) {
        struct sched_poll poll = {0};

        calculate(2 * MS / HOG_INSTRUCTIONS);
        poll.timeout = system_time() + MS / 10;
        hc_sched_op(SCHEDOP_poll, &poll);
    }
}

// ---- in dom0 ---------------------------------------------------------------------------------

static char *append(char *to, const char *from)
{
    while (*from)
        *to++ = *from++;
    *to = 0;
    return to;
}

static void print_percentiles(const char *what, const char *suffix, const uint64_t *sorted)
{
    static const struct {
        const char *name;
        unsigned int permille;
    } wanted[] = {{"_50", 500}, {"_90", 900}, {"_99", 990}, {"_100", 1000}};
    char name[64];

    for (unsigned int i = 0; i < 4; i++) {
        append(append(append(name, what), suffix), wanted[i].name);
        figure(name, "", sorted[(SAMPLES - 1) * wanted[i].permille / 1000]);
    }
}

static void print_samples(const char *suffix)
{
    static uint64_t late[SAMPLES], took[SAMPLES];
    char name[64];

    for (unsigned int i = 0; i < SAMPLES; i++) {
        late[i] = samples[i].late;
        took[i] = samples[i].took;
    }
    sort(late, SAMPLES);
    sort(took, SAMPLES);
    print_percentiles("late", suffix, late);
    print_percentiles("took", suffix, took);
    for (unsigned int i = 0, n = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        char bin[] = "_h0";

        while (n < SAMPLES && late[n] < edges[i])
            n++;
        bin[2] = (char)('0' + i);
        append(append(append(name, "late"), suffix), bin);
        figure(name, "", n);
    }
}

static void set_warp(const struct domu *d)
{
    struct wirt_sched_bvt *bvt = WIRT_SCHED_ARGUMENT(&dc);

    memset(&dc, 0, sizeof(dc));
    dc.u.scheduler_op.sched_id = WIRT_SCHEDULER_BVT;
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    *bvt = (struct wirt_sched_bvt){.mcu_advance = WIRT_MCU_ADVANCE_DEFAULT,
                                   .warpback = 1,
                                   .warp_us = WARP_US,
                                   .warp_limit_us = WARP_LIMIT_US,
                                   .unwarp_us = UNWARP_US};
    REQUIRE(domctl(XEN_DOMCTL_scheduler_op, d->id) == 0);
}

// In us; what it was.
static unsigned int set_allowance(unsigned int us)
{
    uint32_t id = scheduler(), was;

    memset(&sc, 0, sizeof(sc));
    sc.u.scheduler_op.sched_id = id;
    sc.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
    REQUIRE(sysctl(XEN_SYSCTL_scheduler_op) == 0);
    uint32_t *limit = id == XEN_SCHEDULER_CREDIT ? &sc.u.scheduler_op.u.sched_credit.ratelimit_us
                                                 : &sc.u.scheduler_op.u.sched_credit2.ratelimit_us;
    was = *limit;
    *limit = us;
    sc.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_putinfo;
    REQUIRE(sysctl(XEN_SYSCTL_scheduler_op) == 0);
    return was;
}

static void measure(const struct task *t, const char *neighbours, void (*main)(void),
                    const char *variant, bool warp)
{
    struct domu *d[NEIGHBOURS], *it = start(interactive, 0);
    char suffix[48];

    domu_poke(it, &task, t, sizeof(*t));
    if (warp)
        set_warp(it);
    for (unsigned int i = 0; i < NEIGHBOURS; i++)
        go(d[i] = start(main, 0));
    sleep_for(100 * MS, 0);
    go(it);
    await(it);
    domu_fetch(it, &samples);
    append(append(append(append(append(append(suffix, "_"), t->name), "_"), neighbours), "_"),
           variant);
    print_samples(suffix);
    end(it);
    for (unsigned int i = 0; i < NEIGHBOURS; i++)
        end(d[i]);
}

static bool warp_is_known(void)
{
    memset(&dc, 0, sizeof(dc));
    dc.u.scheduler_op.sched_id = WIRT_SCHEDULER_BVT;
    dc.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    return domctl(XEN_DOMCTL_scheduler_op, 0) == 0;
}

void measure_latency(void)
{
    bool warps = warp_is_known();

    for (unsigned int i = 0; i < 2; i++) {
        for (unsigned int naps = 0; naps < 2; naps++) {
            void (*main)(void) = naps ? nap : hog;
            const char *who = naps ? "nap" : "spin";

            measure(&tasks[i], who, main, "plain", false);
            if (warps)
                measure(&tasks[i], who, main, "warp", true);
            unsigned int allowance = set_allowance(SHORT_ALLOWANCE_US);
            measure(&tasks[i], who, main, "r100", false);
            if (warps)
                measure(&tasks[i], who, main, "warp100", true);
            set_allowance(allowance);
        }
    }
}

// Three domains with caps and one without, all on one CPU: what each gets, as the hypervisor counts
// it and in the domain's own instructions, in 1/10000 of the CPU.
void measure_caps(void)
{
    static const uint16_t caps[] = {10, 20, 30, 0};
    static const char *const names[] = {"_10", "_20", "_30", "_none"};
    struct domu *d[4];
    uint64_t time[4], work[4], from, ns;

    for (unsigned int i = 0; i < 4; i++) {
        d[i] = start(hog, 0);
        REQUIRE(params(scheduler(), XEN_DOMCTL_SCHEDOP_putinfo, d[i], 256, caps[i]) == 0);
    }
    for (unsigned int i = 0; i < 4; i++)
        go(d[i]);
    sleep_for(SECOND, 0);
    from = system_time();
    for (unsigned int i = 0; i < 4; i++) {
        time[i] = ran(d[i]->id);
        work[i] = units_of(d[i]);
    }
    sleep_for(3 * SECOND, 0);
    ns = system_time() - from;
    for (unsigned int i = 0; i < 4; i++) {
        figure("cap_time", names[i], (ran(d[i]->id) - time[i]) * 10000 / ns);
        figure("cap_work", names[i], (units_of(d[i]) - work[i]) * HOG_INSTRUCTIONS * 10000 / ns);
    }
    for (unsigned int i = 0; i < 4; i++)
        end(d[i]);
}
