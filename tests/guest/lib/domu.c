// SPDX-License-Identifier: MIT
// The life of another domain: see domu.h.
#include "lib/domu.h"
#include "lib/internal.h"

struct xen_domctl dc;
struct xen_sysctl sc;
evtchn_port_t dom_exc_port;

static struct domu domus[DOMU_MAX];
[[gnu::section(".bss.dom0")]] static xen_pfn_t p2m_lists[DOMU_MAX][DOMU_FRAMES];
static struct vcpu_guest_context start_context;

extern char _start[];

// ---- calls -----------------------------------------------------------------------------------

long domctl(uint32_t cmd, unsigned int dom)
{
    dc.cmd = cmd;
    dc.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    dc.domain = (domid_t)dom;
    return HC1(__HYPERVISOR_domctl, &dc);
}

long sysctl(uint32_t cmd)
{
    sc.cmd = cmd;
    sc.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return HC1(__HYPERVISOR_sysctl, &sc);
}

uint64_t free_pages(void)
{
    REQUIRE(sysctl(XEN_SYSCTL_physinfo) == 0);
    return sc.u.physinfo.free_pages;
}

// The oracle frees the last pages of a domain up to a second late.
uint64_t free_pages_settled(void)
{
    uint64_t free = free_pages(), now = system_time(), end = now + 6 * SECOND;

    for (uint64_t since = now; now < since + 3 * SECOND / 2 && now < end; now = system_time()) {
        dom0_rest(0);
        if (free_pages() != free) {
            free = free_pages();
            since = now;
        }
    }
    return free;
}

bool free_pages_back(uint64_t want)
{
    return REST_UNTIL(free_pages() == want, 5 * SECOND);
}

const struct xen_domctl_getdomaininfo *domain_info(unsigned int dom)
{
    long rc = domctl(XEN_DOMCTL_getdomaininfo, dom);

    return rc == 0 && dc.domain == dom ? &dc.u.getdomaininfo : NULL;
}

bool domain_exists(unsigned int dom)
{
    return domain_info(dom) != NULL;
}

long domain_kill(unsigned int dom)
{
    long rc;

    do
        rc = domctl(XEN_DOMCTL_destroydomain, dom);
    while (rc == -EAGAIN);
    return rc;
}

// ---- waiting -----------------------------------------------------------------------------------

void dom0_rest(evtchn_port_t port)
{
    struct sched_poll poll = {.nr_ports = port != 0, .timeout = system_time() + 2000000};

    set_xen_guest_handle(poll.ports, &port);
    hc_sched_op(SCHEDOP_poll, &poll);
}

bool port_wait(evtchn_port_t port, uint64_t ns)
{
    uint64_t end = system_time() + ns;

    while (!port_pending(port)) {
        if (system_time() > end)
            return false;
        dom0_rest(port);
    }
    port_clear(port);
    return true;
}

// ---- steps -------------------------------------------------------------------------------------

void domu_create_args(unsigned int vcpus)
{
    memset(&dc, 0, sizeof(dc));
    dc.u.createdomain = (struct xen_domctl_createdomain){.handle = "wirt test domU",
                                                         .max_vcpus = vcpus,
                                                         .max_evtchn_port = 1023,
                                                         .max_grant_frames = 4,
                                                         .max_maptrack_frames = 4,
                                                         .grant_opts = 1};
}

static unsigned int or_default(unsigned int value, unsigned int usual)
{
    return value ? value : usual;
}

struct domu *domu_new(const struct domu_config *config)
{
    struct domu *d = domus;

    if (!dom_exc_port)
        REQUIRE(bind_virq(VIRQ_DOM_EXC, 0, &dom_exc_port) == 0);
    while (d < domus + DOMU_MAX && d->in_use)
        d++;
    REQUIRE(d < domus + DOMU_MAX);
    *d = (struct domu){.config = *config, .in_use = true, .p2m = p2m_lists[d - domus]};
    d->config.vcpus = or_default(config->vcpus, 1);
    d->config.arena = or_default(config->arena, 32);
    d->config.extra = or_default(config->extra, 16);
    d->nr_pfns = (unsigned int)va_to_pfn(image_end) + d->config.extra;
    REQUIRE(d->nr_pfns <= DOMU_FRAMES);
    if (!d->config.max_kb)
        d->config.max_kb = d->nr_pfns * 4ul;
    domu_create_args(d->config.vcpus);
    if (config->limits)
        config->limits(&dc.u.createdomain);
    REQUIRE(domctl(XEN_DOMCTL_createdomain, config->id) == 0);
    d->id = dc.domain;
    dc.u.max_vcpus.max = d->config.vcpus;
    REQUIRE(domctl(XEN_DOMCTL_max_vcpus, d->id) == 0);
    dc.u.max_mem.max_memkb = d->config.max_kb;
    REQUIRE(domctl(XEN_DOMCTL_max_mem, d->id) == 0);
    return d;
}

static unsigned int l1_count(void)
{
    return (unsigned int)(va_to_pfn(image_end) + 511) / 512;
}

static unsigned int p2m_count(const struct domu *d)
{
    return (d->nr_pfns + 511) / 512;
}

static bool is_hole(const struct domu *d, unsigned int pfn)
{
    const char *va = pfn_to_va(pfn);

    if (pfn < DOMU_P2M)
        return pfn != DOMU_START_INFO && (pfn < DOMU_CONSOLE || pfn >= DOMU_L4 + 3 + l1_count());
    if (va < (char *)GUEST_LOAD_ADDR)
        return pfn >= DOMU_P2M + p2m_count(d);
    if (va >= cpu_blocks[0] && va < cpu_blocks[CPU_MAX])
        return va >= cpu_blocks[d->config.vcpus];
    return va >= (char *)kit_arena[d->config.arena] && va < image_end;
}

static bool is_table(unsigned int pfn)
{
    return pfn >= DOMU_L4 && pfn < DOMU_L4 + 3 + l1_count();
}

void domu_populate(struct domu *d)
{
    static xen_pfn_t list[256];
    unsigned int pfn = 0, n;

    for (unsigned int i = 0; i < d->nr_pfns; i++)
        d->p2m[i] = INVALID_PFN;
    do {
        struct xen_memory_reservation r = {.domid = d->id};

        for (n = 0; n < 256 && pfn < d->nr_pfns; pfn++) {
            if (!is_hole(d, pfn))
                list[n++] = pfn;
        }
        r.nr_extents = n;
        set_xen_guest_handle(r.extent_start, list);
        unsigned int first = pfn;
        REQUIRE(n == 0 || hc_memory_op(XENMEM_populate_physmap, &r) == n);
        for (unsigned int i = n; i--; d->p2m[first] = list[i]) {
            do
                first--;
            while (is_hole(d, first));
        }
    } while (n);
}

// ---- contents ----------------------------------------------------------------------------------

static void fill_start_info(struct domu *d, struct start_info *si)
{
    memset(si, 0, sizeof(*si));
    memcpy(si->magic, "xen-3.0-x86_64", 15);
    si->nr_pages = d->nr_pfns;
    si->shared_info = d->shared_info << 12;
    si->store_mfn = d->p2m[DOMU_XENSTORE];
    si->store_evtchn = d->store_evtchn;
    si->console.domU.mfn = d->p2m[DOMU_CONSOLE];
    si->console.domU.evtchn = d->console_evtchn;
    si->pt_base = (unsigned long)pfn_to_va(DOMU_L4);
    si->nr_pt_frames = 3 + l1_count();
    si->mfn_list = (unsigned long)pfn_to_va(DOMU_P2M);
    memcpy(si->cmd_line, start_info->cmd_line, MAX_GUEST_CMDLINE);
}

static void fill_table(struct domu *d, unsigned int pfn, uint64_t *table)
{
    memset(table, 0, PAGE_SIZE);
    if (pfn == DOMU_L4) {
        table[511] = mfn_pte(d->p2m[DOMU_L4 + 1], PTE_RW);
    } else if (pfn == DOMU_L4 + 1) {
        table[510] = mfn_pte(d->p2m[DOMU_L4 + 2], PTE_RW);
    } else if (pfn == DOMU_L4 + 2) {
        for (unsigned int i = 0; i < l1_count(); i++)
            table[i] = mfn_pte(d->p2m[DOMU_L4 + 3 + i], PTE_RW);
    } else {
        unsigned int first = (pfn - DOMU_L4 - 3) * 512, end = (unsigned int)va_to_pfn(image_end);

        for (unsigned int i = 0; i < 512 && first + i < end; i++) {
            if (d->p2m[first + i] != INVALID_PFN)
                table[i] = mfn_pte(d->p2m[first + i], is_table(first + i) ? PTE_RO : PTE_RW);
        }
    }
}

static void fill_page(struct domu *d, unsigned int pfn, void *page)
{
    const char *va = pfn_to_va(pfn);

    if (pfn == DOMU_START_INFO)
        fill_start_info(d, page);
    else if (is_table(pfn))
        fill_table(d, pfn, page);
    else if (pfn >= DOMU_P2M && pfn < DOMU_P2M + p2m_count(d))
        memcpy(page, d->p2m + (pfn - DOMU_P2M) * 512ul, PAGE_SIZE);
    else if (va < (char *)GUEST_LOAD_ADDR || va >= (char *)kit_arena || va == hypercall_page ||
             (va >= cpu_blocks[0] && va < cpu_blocks[CPU_MAX]))
        memset(page, 0, PAGE_SIZE);
    else
        memcpy(page, va, PAGE_SIZE);
}

static void fill_shared_info(struct domu *d)
{
    struct shared_info *si = foreign_map(d->id, d->shared_info, PTE_RW);

    REQUIRE(si);
    memset(si, 0, PAGE_SIZE);
    for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        si->vcpu_info[i].evtchn_upcall_mask = 1;
    REQUIRE(foreign_unmap(si) == 0);
}

void domu_build(struct domu *d)
{
    static const struct verdict none;

    REQUIRE(domain_exists(d->id));
    d->shared_info = dc.u.getdomaininfo.shared_info_frame;
    REQUIRE(alloc_unbound(d->id, 0, &d->store_evtchn) == 0);
    REQUIRE(alloc_unbound(d->id, 0, &d->console_evtchn) == 0);
    REQUIRE(bind_interdomain(d->id, d->store_evtchn, &d->port) == 0);
    port_clear(d->port); // a new channel is pending
    domu_main = d->config.main;
    for (unsigned int pfn = 0; pfn < d->nr_pfns; pfn++) {
        if (d->p2m[pfn] == INVALID_PFN)
            continue;
        REQUIRE(mfn_to_pfn(d->p2m[pfn]) == pfn);
        if (pfn >= va_to_pfn(image_end))
            continue;
        void *page = foreign_map(d->id, d->p2m[pfn], PTE_RW);
        REQUIRE(page);
        fill_page(d, pfn, page);
        REQUIRE(foreign_unmap(page) == 0);
    }
    domu_poke(d, &verdict, &none, sizeof(none));
    fill_shared_info(d);
    d->console = foreign_map(d->id, d->p2m[DOMU_CONSOLE], PTE_RW);
    REQUIRE(d->console);
    dc.u.hypercall_init.gmfn = domu_mfn(d, hypercall_page);
    REQUIRE(domctl(XEN_DOMCTL_hypercall_init, d->id) == 0);
    REQUIRE(mmuext_foreign(MMUEXT_PIN_L4_TABLE, d->p2m[DOMU_L4], d->id) == 0);
}

void domu_context(struct domu *d, struct vcpu_guest_context *ctx)
{
    memset(ctx, 0, sizeof(*ctx));
    ctx->flags = VGCF_in_kernel | VGCF_online;
    ctx->user_regs.rip = (uint64_t)_start;
    ctx->user_regs.rsi = (uint64_t)pfn_to_va(DOMU_START_INFO);
    ctx->user_regs.rsp = (uint64_t)cpu_blocks[0] + CPU_BLOCK_SIZE;
    ctx->user_regs.rflags = 1 << 9;
    ctx->user_regs.cs = FLAT_KERNEL_CS;
    ctx->user_regs.ss = FLAT_KERNEL_SS;
    ctx->user_regs.ds = ctx->user_regs.es = FLAT_KERNEL_DS;
    ctx->kernel_ss = FLAT_KERNEL_SS;
    ctx->kernel_sp = (uint64_t)cpu_blocks[0] + CPU_ENTRY_SP;
    ctx->ctrlreg[3] = xen_pfn_to_cr3(d->p2m[DOMU_L4]);
}

long domu_set_context(struct domu *d, unsigned int vcpu, struct vcpu_guest_context *ctx)
{
    dc.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(dc.u.vcpucontext.ctxt, ctx);
    return domctl(XEN_DOMCTL_setvcpucontext, d->id);
}

long domu_get_context(struct domu *d, unsigned int vcpu, struct vcpu_guest_context *ctx)
{
    dc.u.vcpucontext.vcpu = vcpu;
    set_xen_guest_handle(dc.u.vcpucontext.ctxt, ctx);
    return domctl(XEN_DOMCTL_getvcpucontext, d->id);
}

// ---- a life ------------------------------------------------------------------------------------

struct domu *domu_create_with(const struct domu_config *config)
{
    struct domu *d = domu_new(config);

    domu_populate(d);
    domu_build(d);
    domu_context(d, &start_context);
    REQUIRE(domu_set_context(d, 0, &start_context) == 0);
    return d;
}

struct domu *domu_create(void (*main)(void))
{
    return domu_create_with(&(struct domu_config){.main = main});
}

long domu_unpause(struct domu *d)
{
    return domctl(XEN_DOMCTL_unpausedomain, d->id);
}

long domu_pause(struct domu *d)
{
    return domctl(XEN_DOMCTL_pausedomain, d->id);
}

void domu_console_drain(struct domu *d)
{
    XENCONS_RING_IDX cons = d->console->out_cons, prod = READ_ONCE(d->console->out_prod);
    char text[256];
    unsigned int n;

    for (n = 0; cons != prod; n = 0) {
        while (cons != prod && n < sizeof(text) - 1)
            text[n++] = d->console->out[MASK_XENCONS_IDX(cons++, d->console->out)];
        text[n] = '\0';
        printk("%s", text);
    }
    WRITE_ONCE(d->console->out_cons, cons);
}

static unsigned int shutdown_code(const struct xen_domctl_getdomaininfo *info)
{
    return info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

int domu_wait(struct domu *d)
{
    uint64_t end = system_time() + 10 * SECOND;

    do {
        const struct xen_domctl_getdomaininfo *info = domain_info(d->id);

        domu_console_drain(d);
        if (!info)
            return -1;
        if (info->flags & XEN_DOMINF_shutdown)
            return (int)shutdown_code(info);
        dom0_rest(0);
    } while (system_time() < end);
    return -1;
}

long domu_destroy(struct domu *d)
{
    if (d->console) {
        const struct xen_domctl_getdomaininfo *info = domain_info(d->id);
        struct verdict theirs = {0};

        domu_console_drain(d);
        if (info && shutdown_code(info) != SHUTDOWN_crash) // whose memory may be anything
            domu_peek(d, &verdict, &theirs, sizeof(theirs));
        verdict.checks += theirs.checks;
        verdict.failures += theirs.failures;
        REQUIRE(foreign_unmap(d->console) == 0);
    }
    if (d->port)
        REQUIRE(evtchn_close(d->port) == 0);
    long rc = domain_kill(d->id);

    d->in_use = false;
    REST_UNTIL(!domain_exists(d->id), 5 * SECOND);
    return rc;
}

int domu_finish(struct domu *d)
{
    CHECK_RC(domu_unpause(d), 0);
    int reason = domu_wait(d);
    CHECK_RC(domu_destroy(d), 0);
    CHECK(REST_UNTIL(!domain_exists(d->id), SECOND)); // the oracle's goes a little later
    return reason;
}

int domu_run(void (*main)(void))
{
    return domu_finish(domu_create(main));
}

void domu_lives(void (*life)(void))
{
    life(); // what the first one allocates for good
    uint64_t before = free_pages_settled();
    life();
    CHECK(free_pages_back(before));
}
