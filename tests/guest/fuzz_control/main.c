// SPDX-License-Identifier: MIT
// Every vCPU of dom0 works on the same domain at the same time: controls it, fills it, maps it,
// binds channels to it, and destroys it, while it makes random hypercalls itself.
//
// Nothing is said of what the single calls answer. What must hold: the hypervisor lives, no call
// hangs, no domain stays when it is destroyed, and all frames come back. The interleavings are the
// test, so a seed does not repeat a run; it is printed all the same. "ms=N" says how long.
//
// SMP: 4
// LONG: ms=600000
#include "fuzz_hypercalls/generate.h"

const char test_title[] = "control operations on one domain from all vCPUs";

enum { NOBODY = 0x7fe0, WORDS = PAGE_SIZE / 8 };

static volatile unsigned int victim = NOBODY; // whom the attackers work on
static volatile uint64_t attacks[CPU_MAX], good[CPU_MAX];
static struct vcpu_guest_context context; // of its start
static uint64_t *pages[CPU_MAX];          // a page each, the one behind is not mapped
static char *windows[CPU_MAX];

static bool go_on(struct frame *f)
{
    struct sched_shutdown s = {.reason = SHUTDOWN_crash};

    if (f->vector == X86_DB || f->vector == X86_NM)
        return true;
    if (f->vector >= 32)
        return false;
    hc_sched_op(SCHEDOP_shutdown, &s);
    return true;
}

static void guest(void)
{
    trap_hook = go_on;
    generate_setup();
    for (long rc;;) {
        if (pick(16) == 0)
            generate_batch(&rc);
        else
            generate_call();
        vcpu_info()->evtchn_upcall_mask = 1;
    }
}

// ---- the attackers -------------------------------------------------------------------------

static long call(struct xen_domctl *c, uint32_t cmd, unsigned int dom)
{
    c->cmd = cmd;
    c->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    c->domain = (domid_t)dom;
    return HC1(__HYPERVISOR_domctl, c);
}

static uint64_t small_word(uint64_t *page)
{
    switch (pick(5)) {
    case 0:
        return pick(5);
    case 1:
        return pick(64) | pick(4) << 32;
    case 2:
        return 1ul << pick(64);
    case 3:
        return targets[pick(TARGETS)];
    default:
        return (uint64_t)&page[pick(WORDS)];
    }
}

static long noise(struct xen_domctl *c, uint64_t *page)
{
    uint64_t *u = (uint64_t *)&c->u;
    uint32_t cmd = 2 + (uint32_t)pick(90); // no createdomain, and destroydomain has its own place

    for (unsigned int i = 0; i < sizeof(c->u) / 8; i++)
        u[i] = small_word(page);
    for (unsigned int i = 0; i < 8; i++)
        page[pick(WORDS)] = small_word(page);
    return cmd == XEN_DOMCTL_destroydomain ? 0 : call(c, cmd, victim);
}

static long memory(unsigned int dom)
{
    static const uint8_t cmd[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                  XENMEM_populate_physmap, XENMEM_populate_physmap};
    xen_pfn_t frame = targets[pick(TARGETS)];
    struct xen_memory_reservation r = {.nr_extents = 1,
                                       .extent_order = pick(4) ? 0 : (unsigned int)pick(4),
                                       .domid = (domid_t)dom};

    set_xen_guest_handle(r.extent_start, &frame);
    return hc_memory_op(cmd[pick(ARRAY_SIZE(cmd))], &r);
}

static long channel(unsigned int dom)
{
    struct evtchn_alloc_unbound theirs = {.dom = (domid_t)dom, .remote_dom = 0};
    struct evtchn_bind_interdomain bind = {.remote_dom = (domid_t)dom};
    struct evtchn_reset reset = {.dom = (domid_t)dom};
    long rc = hc_event_channel_op(EVTCHNOP_alloc_unbound, &theirs);

    if (pick(8) == 0)
        hc_event_channel_op(EVTCHNOP_reset, &reset);
    bind.remote_port = theirs.port;
    if (rc == 0 && hc_event_channel_op(EVTCHNOP_bind_interdomain, &bind) == 0) {
        evtchn_send(bind.local_port);
        rc = evtchn_close(bind.local_port);
    }
    return rc;
}

static long map(unsigned int dom)
{
    char *va = windows[this_cpu()->id];
    long rc = HC4(__HYPERVISOR_update_va_mapping_otherdomain, va,
                  mfn_pte(targets[pick(TARGETS)], pick(2) ? PTE_RW : PTE_RO), UVMF_INVLPG, dom);

    hc_update_va_mapping(va, 0, UVMF_INVLPG);
    return rc;
}

static long tables(unsigned int dom)
{
    uint64_t frame = targets[pick(TARGETS)];
    struct mmuext_op op = {.cmd = pick(2) ? MMUEXT_UNPIN_TABLE : (unsigned int)pick(4),
                           .arg1.mfn = frame};
    struct mmu_update u = {.ptr = frame << 12 | pick(512) * 8,
                           .val = mfn_pte(targets[pick(TARGETS)], pick(2) ? PTE_RW : 0)};

    if (pick(2))
        return HC4(__HYPERVISOR_mmuext_op, &op, 1, NULL, dom);
    return hc_mmu_update(&u, 1, NULL, (dom + 1) << 16);
}

static long grants(unsigned int dom)
{
    xen_pfn_t frames[4];
    struct gnttab_setup_table setup = {.dom = (domid_t)dom, .nr_frames = 1 + (uint32_t)pick(4)};
    struct gnttab_map_grant_ref m = {.host_addr = (uint64_t)windows[this_cpu()->id],
                                     .flags = GNTMAP_host_map,
                                     .ref = (grant_ref_t)pick(2048),
                                     .dom = (domid_t)dom};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = m.host_addr};

    set_xen_guest_handle(setup.frame_list, frames);
    if (pick(2))
        return hc_grant_table_op(GNTTABOP_setup_table, &setup, 1);
    hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1);
    if (m.status)
        return m.status;
    unmap.handle = m.handle;
    return hc_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
}

static long destroy(struct xen_domctl *c, unsigned int dom)
{
    long rc;

    do
        rc = call(c, XEN_DOMCTL_destroydomain, dom);
    while (rc == -EAGAIN);
    return rc;
}

// A domain of one's own, beside the others'.
static long short_life(struct xen_domctl *c)
{
    c->u.createdomain = (struct xen_domctl_createdomain){
        .max_vcpus = 2, .max_evtchn_port = 1023, .max_grant_frames = 4, .max_maptrack_frames = 4};
    c->u.createdomain.grant_opts = 1;
    long rc = call(c, XEN_DOMCTL_createdomain, 0);
    unsigned int dom = c->domain;

    if (rc)
        return rc;
    c->u.max_vcpus.max = 2;
    call(c, XEN_DOMCTL_max_vcpus, dom);
    c->u.max_mem.max_memkb = 256;
    call(c, XEN_DOMCTL_max_mem, dom);
    for (unsigned int i = 0; i < 4; i++)
        memory(dom);
    channel(dom);
    return destroy(c, dom);
}

static long attack(void)
{
    static struct xen_domctl calls[CPU_MAX];
    struct xen_domctl *c = &calls[this_cpu()->id];
    unsigned int dom = victim;

    switch (pick(20)) {
    case 0:
        return call(c, XEN_DOMCTL_pausedomain, dom);
    case 1:
    case 2:
        return call(c, XEN_DOMCTL_unpausedomain, dom);
    case 3:
        c->u.max_vcpus.max = 1 + (uint32_t)pick(4);
        return call(c, XEN_DOMCTL_max_vcpus, dom);
    case 4:
        c->u.max_mem.max_memkb = 4096 + pick(65536);
        return call(c, XEN_DOMCTL_max_mem, dom);
    case 5:
        c->u.vcpucontext.vcpu = (uint32_t)pick(3);
        set_xen_guest_handle(c->u.vcpucontext.ctxt, (void *)&context);
        return call(c, XEN_DOMCTL_setvcpucontext, dom);
    case 6:
    case 7:
        return memory(dom);
    case 8:
        return channel(dom);
    case 9:
    case 10:
        return map(dom);
    case 11:
    case 12:
        return tables(dom);
    case 13:
        return grants(dom);
    case 14:
        return pick(4) ? 0 : short_life(c);
    case 15:
        return pick(16) ? 0 : destroy(c, dom);
    default:
        return noise(c, pages[this_cpu()->id]);
    }
}

static void attacker(void)
{
    unsigned int id = this_cpu()->id;

    for (;;) {
        if (victim == NOBODY)
            dom0_rest(0); // let the next one be built
        else
            good[id] += attack() == 0;
        attacks[id]++;
    }
}

// Until nobody works on an earlier victim any more.
static void attackers_leave(unsigned int cpus)
{
    victim = NOBODY;
    for (unsigned int i = 1; i < cpus; i++) {
        uint64_t seen = attacks[i];

        REQUIRE(REST_UNTIL(attacks[i] > seen + 1, 10 * SECOND));
    }
}

static void life(unsigned int cpus)
{
    struct domu *d =
        domu_create_with(&(struct domu_config){.main = guest, .vcpus = 2, .arena = 64});

    for (unsigned int i = 0; i < TARGETS; i++)
        targets[i] = d->p2m[pick(d->nr_pfns)];
    targets[0] = d->p2m[DOMU_L4];
    targets[1] = d->p2m[DOMU_L4 + 3];
    targets[2] = d->shared_info;
    peer = 0;
    domu_context(d, &context);
    domu_unpause(d);
    victim = d->id;
    wait_ns((1 + pick(10)) * 1000000);
    REQUIRE(foreign_unmap(d->console) == 0);
    d->console = NULL;
    long rc = domain_kill(d->id);
    CHECK(rc == 0 || rc == -ESRCH);
    attackers_leave(cpus);
    domu_destroy(d);
    CHECK(!domain_exists(d->id));
}

void test_main(void)
{
    uint64_t before, end, after, total = 0, done = 0;
    unsigned int cpus = vcpu_count(), lives = 0;

    random_seed();
    wild = true;
    for (unsigned int i = 1; i < cpus; i++) {
        pages[i] = page_alloc();
        windows[i] = page_alloc();
        REQUIRE(hc_update_va_mapping(windows[i], 0, UVMF_INVLPG) == 0);
    }
    REQUIRE(domu_destroy(domu_create(guest)) == 0);
    before = free_pages_settled();
    end = system_time() + number("ms=", 3000) * 1000000;
    for (unsigned int i = 1; i < cpus; i++)
        REQUIRE(smp_start(i, attacker) == 0);
    for (; system_time() < end; lives++)
        life(cpus);
    for (unsigned int i = 1; i < cpus; i++) {
        total += attacks[i];
        done += good[i];
        CHECK_RC(hc_vcpu_op(VCPUOP_down, i, NULL), 0);
    }
    printk("%u lives, %lu attacks, %lu good\n", lives, total, done);
    CHECK(done > 0);
    for (unsigned int dom = 1; dom < 64 + lives * 8; dom++)
        if (domain_exists(dom))
            domain_kill(dom); // whose creator was stopped half way
    after = free_pages_settled();
    printk("%lu pages before, %lu after\n", before, after);
    CHECK(after + 16 + lives / 8 >= before);
}
