// SPDX-License-Identifier: MIT
// XSA-218, XSA-228, XSA-234 (CVE-2017-10913, 12136): the same handles from several vCPUs.
//
// Class: two unmappings of one handle both count, or the list of free handles breaks when vCPUs use
// it at the same time. What must hold: each handle is undone exactly once, all entries are unused
// in the end, and handles do not run out.
//
// SMP: 4
#include "lib/grant.h"

const char test_title[] = "grant handles under races";

enum { REF = 20, ROUNDS = 300 };
static volatile unsigned int won[4], mapped[4], up, done, stop;
static volatile grant_handle_t shared_handle;
static volatile unsigned int turn;
static char *page;

static int take_back(grant_handle_t h)
{
    struct gnttab_unmap_grant_ref op = {.dev_bus_addr = va_to_mfn(page) << 12, .handle = h};

    return hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1) ? 77 : op.status;
}

// Everybody tries to undo the handle of this turn, and does mappings of its own.
static void race(unsigned int id)
{
    unsigned int last = 0;

    while (!stop) {
        struct gnttab_map_grant_ref op = {.flags = GNTMAP_device_map, .ref = REF + id};

        if (turn != last) {
            last = turn;
            won[id] += take_back(shared_handle) == GNTST_okay;
        }
        hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1);
        if (op.status == GNTST_okay && take_back(op.handle) == GNTST_okay)
            mapped[id]++;
    }
}

static void secondary(void)
{
    __atomic_fetch_add(&up, 1, __ATOMIC_SEQ_CST);
    race(this_cpu()->id);
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
    smp_park();
}

void test_main(void)
{
    unsigned int sum = 0, rounds = 0;
    uint64_t end;

    grant_setup();
    page = page_alloc();
    for (unsigned int i = 0; i < 5; i++)
        grant_give(REF + i, 0, page, i == 4 ? GTF_readonly : 0);
    for (unsigned int id = 1; id < 4; id++)
        REQUIRE(smp_start(id, secondary) == 0);
    end = system_time() + 10000000000ul;
    while (up < 3 && system_time() < end)
        hc_sched_op(SCHEDOP_yield, NULL);
    REQUIRE(up == 3);
    for (; rounds < ROUNDS && system_time() < end; rounds++) {
        struct gnttab_map_grant_ref op =
            grant_map(0, REF + 4, GNTMAP_device_map | GNTMAP_readonly, NULL);
        grant_handle_t h = op.handle;

        if (op.status != GNTST_okay)
            break;
        shared_handle = h;
        turn++;
        while (GRANT_TABLE[REF + 4].flags & GTF_reading && system_time() < end + 10000000000ul)
            hc_sched_op(SCHEDOP_yield, NULL);
    }
    stop = 1;
    end = system_time() + 10000000000ul;
    while (done < 3 && system_time() < end)
        hc_sched_op(SCHEDOP_yield, NULL);
    REQUIRE(done == 3);
    for (unsigned int id = 1; id < 4; id++) {
        printk("vCPU %u: won %u, mapped %u\n", id, won[id], mapped[id]);
        CHECK(mapped[id] > 0);
        sum += won[id];
    }
    CHECK(rounds > 10);
    CHECK(sum >= rounds); // a number may come again at once: another's own mapping has it then
    for (unsigned int i = 0; i < 5; i++)
        CHECK_EQ(GRANT_TABLE[REF + i].flags & GRANT_SHOWN, 0);
    CHECK_RC(grant_version(2), 0); // nothing is in use
}
