// SPDX-License-Identifier: MIT
// Many lives leave nothing behind: as many free pages after as before.
//
// xen ABI: domctl.h createdomain, destroydomain; sysctl.h physinfo free_pages. Domains are
// destroyed at every stage of their making, while they run and after they ended; those that get
// as far have open channels and grant dom0 a page, which it maps, copies, and may keep beyond
// their end. "lives=N" on the command line says how many with one vCPU, and how many with several.
// LONG: lives=10000
#include "lib/domu.h"
#include "lib/grant.h"

const char test_title[] = "domains leave nothing behind";

#define STAGES 6
enum { REF = 20, PORTS = 70 };
static bool many_vcpus;

static void ends(void)
{
}

static void spins(void)
{
    evtchn_port_t port;

    bind_virq(VIRQ_TIMER, 0, &port);
    alloc_unbound(DOMID_SELF, 0, &port);
    for (;;)
        hc_sched_op(SCHEDOP_yield, NULL);
}

// More channels than the domain has room for at first.
static void open_channels(struct domu *d)
{
    evtchn_port_t port, mine;

    for (unsigned int i = 0; i < PORTS; i++)
        REQUIRE(alloc_unbound(d->id, 0, &port) == 0);
    REQUIRE(bind_interdomain(d->id, port, &mine) == 0);
    REQUIRE(evtchn_send(mine) == 0);
    REQUIRE(evtchn_close(mine) == 0);
}

// An entry in the domain's table, written as the tools do.
static void give_page(struct domu *d)
{
    static xen_pfn_t frame;
    struct xen_mem_acquire_resource r = {.domid = d->id,
                                         .type = XENMEM_resource_grant_table,
                                         .id = XENMEM_resource_grant_table_id_shared,
                                         .nr_frames = 1};
    grant_entry_v1_t *table;

    set_xen_guest_handle(r.frame_list, &frame);
    REQUIRE(hc_memory_op(XENMEM_acquire_resource, &r) == 0);
    table = foreign_map(d->id, frame, PTE_RW);
    REQUIRE(table);
    table[REF] = (grant_entry_v1_t){
        .flags = GTF_permit_access, .domid = 0, .frame = (uint32_t)d->p2m[DOMU_XENSTORE]};
    REQUIRE(foreign_unmap(table) == 0);
}

// The handle of a mapping of it.
static grant_handle_t use_page(struct domu *d)
{
    static char mine[PAGE_SIZE] __attribute__((aligned(4096)));
    struct gnttab_copy c = {.flags = GNTCOPY_source_gref, .len = 100};
    struct gnttab_map_grant_ref op;

    c.source.u.ref = REF;
    c.source.domid = d->id;
    c.dest.u.gmfn = va_to_mfn(mine);
    c.dest.domid = DOMID_SELF;
    REQUIRE(grant_copy(&c) == GNTST_okay);
    op = grant_map(d->id, REF, GNTMAP_host_map, GRANT_AREA);
    REQUIRE(op.status == GNTST_okay);
    return op.handle;
}

static void run(struct domu *d, bool to_its_end)
{
    static struct vcpu_guest_context ctx;

    domu_context(d, &ctx);
    REQUIRE(domu_set_context(d, 0, &ctx) == 0);
    REQUIRE(domu_unpause(d) == 0);
    if (to_its_end)
        REQUIRE(domu_wait(d) == SHUTDOWN_poweroff);
    else
        dom0_rest(0);
}

// The domain dies while dom0 still has its page.
static void outlive(struct domu *d, grant_handle_t handle)
{
    REQUIRE(foreign_unmap(d->console) == 0);
    REQUIRE(evtchn_close(d->port) == 0);
    d->console = NULL;
    d->port = 0;
    REQUIRE(domain_kill(d->id) == 0);
    REQUIRE(domain_exists(d->id));
    REQUIRE(grant_unmap(GRANT_AREA, handle) == GNTST_okay);
    domu_destroy(d); // forgets it
}

static void live(unsigned int stage)
{
    grant_handle_t handle = 0;
    struct domu *d;

    if (stage == 0) {
        domu_create_args(4);
        REQUIRE(domctl(XEN_DOMCTL_createdomain, 0) == 0);
        REQUIRE(domain_kill(dc.domain) == 0);
        return;
    }
    d = domu_new(&(struct domu_config){
        .main = stage == 5 ? spins : ends, .vcpus = many_vcpus ? 1 + stage % 3 : 1, .arena = 2});
    if (stage >= 2)
        domu_populate(d);
    if (stage >= 3) {
        domu_build(d);
        open_channels(d);
        give_page(d);
        handle = use_page(d);
    }
    if (stage == 3) {
        outlive(d, handle);
        return;
    }
    if (stage >= 4) {
        run(d, stage == 4);
        REQUIRE(grant_unmap(GRANT_AREA, handle) == GNTST_okay);
    }
    REQUIRE(domu_destroy(d) == 0);
}

static unsigned int lives_wanted(void)
{
    const char *arg = (const char *)start_info->cmd_line;
    unsigned int n = 0;

    while (*arg && !str_starts(arg, "lives="))
        arg++;
    for (arg += *arg ? 6 : 0; *arg >= '0' && *arg <= '9'; arg++)
        n = n * 10 + (unsigned int)(*arg - '0');
    return n ? n : vcpu_count() == 1 ? 240 : 60; // several CPUs are slow in the emulator
}

// How many pages fewer there are after n lives.
static uint64_t lost(unsigned int n)
{
    uint64_t before, after, start;

    for (unsigned int i = 0; i < 2 * STAGES; i++)
        live(i % STAGES);
    before = free_pages_settled();
    start = system_time();
    for (unsigned int i = 0; i < n; i++)
        live(i % STAGES);
    printk("%u lives, %lu us each\n", n, (system_time() - start) / 1000 / n);
    if (REST_UNTIL(free_pages() == before, SECOND))
        return 0;
    after = free_pages_settled();
    printk("%lu pages before, %lu after\n", before, after);
    return after < before ? before - after : 0;
}

void test_main(void)
{
    unsigned int n = lives_wanted();
    char version[XEN_EXTRAVERSION_LEN] = "";

    hc_xen_version(XENVER_extraversion, version);
    bool is_wirt = str_starts(version, ".wirt");
    grant_setup();
    // The oracle may lose one for each other CPU, once.
    CHECK(lost(n) <= (is_wirt ? 0 : vcpu_count() - 1));
    // There it also loses some hundred bytes for each vCPU but the first; a page from one of the
    // stages would be n / STAGES of them.
    many_vcpus = true;
    CHECK(lost(n) <= (is_wirt ? 0 : n / STAGES - 1));
}
