// SPDX-License-Identifier: MIT
// A domU makes random hypercalls, all of them: it may crash itself, but neither the hypervisor nor
// dom0 nor the domain beside it, and when it is destroyed nothing is left.
//
// The calls are those of fuzz_hypercalls, aimed as well at frames and domains that are not its own.
// It is started again, with another seed, until "calls=N" were made (20000 if nothing is said).
// After each life dom0 looks at its own memory and at the neighbour's, and that all frames came
// back. The seed is printed; "seed=N" repeats a run, "life=N" begins with that one, "upto=N" ends
// each life after so many.
// LONG: calls=1000000
#include "fuzz_hypercalls/generate.h"

const char test_title[] = "random hypercalls of a domU";

#define CALLS_OF_ONE 4000

static volatile uint64_t calls, good;
static uint64_t seed;
static _Alignas(4096) char secret[4096];

static bool go_on(struct frame *f)
{
    if (f->vector == X86_DB || f->vector == X86_NM)
        return true;
    if (f->vector >= 32)
        return false;
    struct sched_shutdown s = {.reason = SHUTDOWN_crash}; // by a callback that leads nowhere, or so
    hc_sched_op(SCHEDOP_shutdown, &s);
    return true;
}

static void guest(void)
{
    trap_hook = go_on;
    generate_setup();
    for (uint64_t end = number("upto=", CALLS_OF_ONE); calls < end;) {
        if (pick(16) == 0) {
            long rc;

            calls += generate_batch(&rc);
            continue;
        }
        calls++;
        good += generate_call() >= 0;
        if (calls % 64 == 0) {
            hc_set_debugreg(7, 0x400);
            hc_fpu_taskswitch(0);
            vcpu_info()->evtchn_upcall_mask = 1;
        }
    }
}

static void neighbour(void)
{
    CHECK_EQ(memcmp(secret, "neighbour", 9), 0);
}

static uint64_t sum_of(struct domu *d)
{
    static uint64_t copy[512];
    uint64_t sum = 0;

    for (unsigned int pfn = 0; pfn < d->nr_pfns; pfn++) {
        if (d->p2m[pfn] == INVALID_PFN)
            continue;
        domu_peek(d, pfn_to_va(pfn), copy, sizeof(copy));
        for (unsigned int i = 0; i < 512; i++)
            sum = sum * 31 + copy[i];
    }
    return sum;
}

static void aim(struct domu *victim)
{
    unsigned int i = 0;

    peer = pick(2) ? victim->id : 0;
    targets[i++] = victim->p2m[DOMU_L4];
    targets[i++] = victim->p2m[DOMU_L4 + 3];
    targets[i++] = victim->p2m[victim->nr_pfns - 1];
    targets[i++] = victim->shared_info;
    targets[i++] = va_to_mfn(kernel_l4());
    targets[i++] = va_to_mfn(secret);
    targets[i++] = va_to_mfn((void *)guest);
    targets[i++] = start_info->shared_info >> 12;
    targets[i++] = 0xfee00; // the local APIC
    targets[i++] = 0xb8;
    while (i < TARGETS)
        targets[i++] = pick(FRAMES); // the hypervisor's, most likely
}

// Far from each other in the generator's sequence (splitmix64).
static void seed_for(unsigned int life)
{
    uint64_t z = seed + (life + 1) * 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    rng = (z ^ z >> 31) | 1;
}

void test_main(void)
{
    uint64_t want = number("calls=", 20000), total = 0, succeeded = 0, before, sum;
    unsigned int lives = (unsigned int)number("life=", 0), crashes = 0;
    struct domu *victim;

    random_seed();
    seed = rng;
    wild = true;
    memcpy(secret, "neighbour", 9);
    victim = domu_create(neighbour);
    memcpy(secret, "dom0's", 7);
    REQUIRE(domu_destroy(domu_create(neighbour)) == 0);
    before = free_pages_settled();
    sum = sum_of(victim);
    while (total < want) {
        seed_for(lives);
        aim(victim);
        calls = good = 0;
        struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .arena = 64});
        CHECK_RC(domu_unpause(d), 0);
        int reason = domu_wait(d);
        uint64_t n = 0, ok = 0;
        if (!CHECK(reason >= 0))
            printk("life %u did not end\n", lives);
        domu_peek(d, (void *)&calls, &n, sizeof(n));
        domu_peek(d, (void *)&good, &ok, sizeof(ok));
        if (n <= CALLS_OF_ONE + 8) {
            total += n;
            succeeded += ok;
        }
        lives++;
        crashes += reason == SHUTDOWN_crash;
        CHECK_RC(domu_destroy(d), 0);
        if (!CHECK(!domain_exists(d->id))) {
            printk("life %u left domain %u: flags %x, %lu pages\n", lives - 1, d->id,
                   dc.u.getdomaininfo.flags, (uint64_t)dc.u.getdomaininfo.tot_pages);
            break;
        }
        CHECK_EQ(memcmp(secret, "dom0's", 7), 0);
        CHECK_EQ(sum_of(victim), sum);
        if (lives > 100 + want / 50)
            break;
    }
    printk("%lu calls in %u lives: %lu good, %u crashes\n", total, lives, succeeded, crashes);
    CHECK(total >= want);
    CHECK(succeeded > 0);
    uint64_t after = free_pages_settled();
    printk("%lu pages before, %lu after\n", before, after);
    CHECK(after + 16 + lives / 8 >= before);
    CHECK_EQ(domu_finish(victim), SHUTDOWN_poweroff);
}
