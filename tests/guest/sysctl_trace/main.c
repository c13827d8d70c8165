// SPDX-License-Identifier: MIT
// sysctl: trace buffers. They are allocated once, dom0 maps them, reads well-formed records out of
// them and makes room by moving `cons`; what had no room is counted.
//
// xen ABI: trace.h (struct t_info, t_buf, t_rec), sysctl.h XEN_SYSCTL_tbuf_op. The list of a CPU's
// frames begins mfn_offset 32-bit words into t_info, which is for reading only.
#include "lib/domu.h"
#include <xen/trace.h>

const char test_title[] = "sysctl: trace buffers";

enum { PAGES = 2, RING = PAGES * 4096 - sizeof(struct t_buf), CPUS = 4 };
static struct xen_sysctl_tbuf_op *const t = &sc.u.tbuf_op;
static uint16_t *info;
static struct t_buf *ring[CPUS];
static const uint32_t *page[CPUS][PAGES];

static struct { // records since they were last counted
    unsigned int all, hypercalls, switches, runstates, lost, missing;
} seen;

static long tbuf(uint32_t cmd, uint32_t arg)
{
    memset(&sc, 0, sizeof(sc));
    t->cmd = cmd;
    t->size = t->evt_mask = arg;
    return sysctl(XEN_SYSCTL_tbuf_op);
}

static uint32_t word(unsigned int cpu, uint32_t at)
{
    uint32_t pos = at % RING + sizeof(struct t_buf);

    return page[cpu][pos / 4096][pos % 4096 / 4];
}

static void count_record(unsigned int cpu, uint32_t at, uint32_t event, uint32_t first)
{
    seen.all++;
    if (event == TRC_PV_HYPERCALL_V2)
        seen.hypercalls += (word(cpu, first) & 0xfffff) == __HYPERVISOR_xen_version;
    else if (event == TRC_SCHED_SWITCH)
        seen.switches++;
    else if ((event & 0x0ffff00f) == TRC_SCHED_RUNSTATE_CHANGE)
        seen.runstates++;
    else if (event == TRC_LOST_RECORDS) {
        seen.lost++;
        seen.missing += word(cpu, first);
    }
    CHECK(event != TRC_TRACE_WRAP_BUFFER || at % RING > RING - 48);
}

// Reads all that is there, and makes room for as much.
static void consume(unsigned int cpu)
{
    uint32_t prod = READ_ONCE(ring[cpu]->prod), at = ring[cpu]->cons;

    REQUIRE(prod < 2 * RING && at < 2 * RING);
    CHECK((prod + 2 * RING - at) % (2 * RING) <= RING);
    while (at != prod) {
        uint32_t head = word(cpu, at), extra = TRC_HD_EXTRA(head);
        uint32_t cycles = TRC_HD_INCLUDES_CYCLE_COUNT(head) ? 2 : 0, next;

        next = at + 4 * (1 + cycles + extra);
        REQUIRE((at % RING) + (next - at) <= RING); // none goes round the end
        REQUIRE((prod + 2 * RING - at) % (2 * RING) >= next - at);
        count_record(cpu, at, TRC_HD_TO_EVENT(head), at + 4 * (1 + cycles));
        at = next % (2 * RING);
    }
    WRITE_ONCE(ring[cpu]->cons, prod);
}

static void consume_all(void)
{
    memset(&seen, 0, sizeof(seen));
    for (unsigned int cpu = 0; cpu < vcpu_count(); cpu++)
        consume(cpu);
}

static void check_setup(void)
{
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_get_info, 0), 0);
    CHECK_EQ(t->buffer_mfn, 0);
    CHECK_EQ(t->size, 0);
    CHECK_EQ(t->evt_mask, TRC_ALL);
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_disable, 0), 0);
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_enable, 0), -EINVAL);
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_set_size, 0), -EINVAL);
    CHECK_RC(tbuf(6, 0), -EINVAL);
    REQUIRE(tbuf(XEN_SYSCTL_TBUFOP_set_size, PAGES) == 0);
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_set_size, PAGES), -EBUSY);
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_set_size, PAGES + 1), -EINVAL);
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_disable, 0), 0);
}

static void map_all(void)
{
    void *va;

    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_get_info, 0), 0);
    REQUIRE(t->buffer_mfn != 0 && t->size >= 4096 && t->size % 4096 == 0);
    uint64_t mfn = t->buffer_mfn;
    CHECK_RC(foreign_map_rc(DOMID_XEN, mfn, PTE_RW, &va), -EBUSY);
    info = foreign_map(DOMID_XEN, mfn, PTE_RO);
    REQUIRE(info);
    CHECK_EQ(info[0], PAGES);
    for (unsigned int cpu = 0; cpu < vcpu_count(); cpu++) {
        const uint32_t *list = (uint32_t *)info + info[1 + cpu];

        for (unsigned int i = 0; i < PAGES; i++) {
            page[cpu][i] = foreign_map(DOMID_XEN, list[i], PTE_RW);
            REQUIRE(page[cpu][i]);
        }
        ring[cpu] = (struct t_buf *)(uintptr_t)page[cpu][0];
    }
}

static void hypercalls(unsigned int n)
{
    while (n--)
        hc_xen_version(XENVER_version, NULL);
}

static void guest(void)
{
}

static void check_records(void)
{
    consume_all();
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_enable, 0), 0);
    hypercalls(5);
    consume_all();
    CHECK(seen.hypercalls >= 5);
    // Round and round, nothing is lost.
    for (unsigned int i = 0; i < 100; i++) {
        hypercalls(50);
        consume_all();
        CHECK(seen.hypercalls >= 50);
        CHECK_EQ(seen.lost, 0);
    }
    // Much too many.
    hypercalls(3000);
    consume_all();
    CHECK(seen.hypercalls < 3000);
    hypercalls(5);
    consume_all();
    CHECK(seen.lost >= 1);
    CHECK(seen.missing > 100);
    // Only the scheduler's.
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_set_evt_mask, 0x0002f000), 0);
    consume_all();
    hypercalls(50);
    consume_all();
    CHECK_EQ(seen.hypercalls, 0);
    CHECK_EQ(domu_run(guest), SHUTDOWN_poweroff);
    consume_all();
    CHECK(seen.switches >= 2);
    CHECK(seen.runstates >= 4);
    // No CPU, then off.
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_set_evt_mask, TRC_ALL), 0);
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_set_cpu_mask, 0), 0);
    consume_all();
    hypercalls(50);
    consume_all();
    CHECK_EQ(seen.all, 0);
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_disable, 0), 0);
}

static uint8_t all_cpus[8] = {255, 255, 255, 255, 255, 255, 255, 255};

// The consumer's word is not trusted.
static void check_nonsense(void)
{
    static const uint32_t cons[] = {0xffffffff, 2 * RING, 0x80000001, 1};

    memset(&sc, 0, sizeof(sc));
    t->cmd = XEN_SYSCTL_TBUFOP_set_cpu_mask;
    t->cpu_mask.nr_bits = 64;
    set_xen_guest_handle(t->cpu_mask.bitmap, all_cpus);
    CHECK_RC(sysctl(XEN_SYSCTL_tbuf_op), 0);
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_enable, 0), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(cons); i++) {
        for (unsigned int cpu = 0; cpu < vcpu_count(); cpu++)
            WRITE_ONCE(ring[cpu]->cons, cons[i]);
        hypercalls(1000);
    }
    CHECK_RC(tbuf(XEN_SYSCTL_TBUFOP_disable, 0), 0);
    for (unsigned int cpu = 0; cpu < vcpu_count(); cpu++) {
        CHECK(ring[cpu]->prod < 2 * RING);
        WRITE_ONCE(ring[cpu]->cons, ring[cpu]->prod);
    }
}

void test_main(void)
{
    check_setup();
    map_all();
    check_records();
    check_nonsense();
}
