// SPDX-License-Identifier: MIT
// System time and wall clock as the guest reads them without a trap.
//
// xen ABI: xen.h struct vcpu_time_info and shared_info.wc_*: the version protocol (even when
// stable), time that never goes back, agrees with the hypercall's idea of now (timers) and with the
// TSC frequency, and a wall clock after 2020. rdtsc is not refused and goes forward.
#include "lib/guest.h"

const char test_title[] = "system time, TSC and wall clock";

#define MS 1000000ul

static void check_monotonic(void)
{
    uint64_t last = system_time(), back = 0, now;
    uint64_t last_tsc = rdtsc(), tsc_back = 0;

    for (unsigned int i = 0; i < 100000; i++) {
        uint64_t tsc = rdtsc();

        now = system_time();
        back += now < last;
        tsc_back += tsc < last_tsc;
        last = now;
        last_tsc = tsc;
    }
    CHECK_EQ(back, 0);
    CHECK_EQ(tsc_back, 0);
}

static void check_info(void)
{
    const struct vcpu_time_info *t = &vcpu_info()->time;

    CHECK_EQ(READ_ONCE(t->version) & 1, 0); // this vCPU runs: nobody updates
    CHECK(t->version != 0);
    CHECK(t->tsc_to_system_mul != 0);
    CHECK(t->tsc_timestamp <= rdtsc());
    CHECK(system_time() > 0);
    CHECK(system_time() < 600000 * MS); // ns since boot
}

// The same interval by TSC frequency and by system time.
static void check_rate(void)
{
    const struct vcpu_time_info *t = &vcpu_info()->time;
    uint64_t hz = (1000000000ul << 32) / t->tsc_to_system_mul;
    uint64_t t0, c0, ns, cycles;

    hz = t->tsc_shift < 0 ? hz << -t->tsc_shift : hz >> t->tsc_shift;
    CHECK(hz > 10000000);
    t0 = system_time();
    c0 = rdtsc();
    wait_ns(100 * MS);
    ns = system_time() - t0;
    cycles = rdtsc() - c0;
    CHECK(cycles / (hz / 1000) * 100 > ns / MS * 95);
    CHECK(cycles / (hz / 1000) * 95 < ns / MS * 100);
}

static void check_wallclock(void)
{
    CHECK_EQ(shared_info->wc_version & 1, 0);
    CHECK(shared_info->wc_version != 0);
    CHECK(((uint64_t)shared_info->wc_sec_hi << 32 | shared_info->wc_sec) > 1577836800);
    CHECK_EQ(shared_info->wc_sec_hi, 0);
    CHECK(shared_info->wc_nsec < 1000000000);
}

void test_main(void)
{
    check_info();
    check_monotonic();
    check_rate();
    check_wallclock();
}
