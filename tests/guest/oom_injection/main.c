// SPDX-License-Identifier: MIT
// Memory that is out at any allocation of a call is an error of that call and nothing else.
//
// For each operation the first allocation is refused, then the second, and so on until it succeeds
// without a refusal; that it does says that what failed before left nothing in the way. After each
// refusal the errno is looked at, and that no page is missing. Where the ABI lets a call stop half
// way, what it has done stays (`keeps`): those pages are missed only if the domain's end does not
// bring them back. At the end the audit recounts all frames.
//
// xen ABI: sysctl.h debug_keys, readconsole. Keys of debug builds of Wirt: 'F' (pressed n times)
// refuses the n-th next allocation, 'f' tells whether that came and ends it.
// QEMU: -device edu
#include "lib/domu.h"
#include "lib/grant.h"

const char test_title[] = "no memory at any allocation";

enum { TRIES = 60, PORTS = 140, DOM0_REF = 20, COPY_REF = 300 };

// ---- the keys --------------------------------------------------------------------------------

static char text[32768];

static void press(const char *keys, unsigned int n)
{
    sc.u.debug_keys.nr_keys = n;
    set_xen_guest_handle(sc.u.debug_keys.keys, keys);
    REQUIRE(sysctl(XEN_SYSCTL_debug_keys) == 0);
}

// What the hypervisor has printed since the last call.
static const char *said(void)
{
    static uint32_t index;

    memset(&sc.u, 0, sizeof(sc.u));
    sc.u.readconsole.incremental = 1;
    sc.u.readconsole.index = index;
    sc.u.readconsole.count = sizeof(text) - 1;
    set_xen_guest_handle(sc.u.readconsole.buffer, text);
    REQUIRE(sysctl(XEN_SYSCTL_readconsole) == 0);
    index = sc.u.readconsole.index;
    text[sc.u.readconsole.count] = '\0';
    return text;
}

static void refuse(unsigned int n)
{
    static char keys[TRIES];

    memset(keys, 'F', sizeof(keys));
    press(keys, n);
}

// Was one refused?
static bool refused(void)
{
    press("f", 1);
    return str_contains(said(), "would have been refused: 0");
}

static bool have_keys(void)
{
    said();
    press("f", 1);
    return str_contains(said(), "would have been refused");
}

// ---- operations on a domain that is being made -----------------------------------------------

static unsigned int dom;
static xen_pfn_t list[8];

static long create(void)
{
    domu_create_args(2);
    dc.u.createdomain.max_grant_frames = 64;
    long rc = domctl(XEN_DOMCTL_createdomain, 0);

    dom = dc.domain;
    return rc;
}

static long max_vcpus(void)
{
    dc.u.max_vcpus.max = 2;
    return domctl(XEN_DOMCTL_max_vcpus, dom);
}

static long max_mem(void)
{
    dc.u.max_mem.max_memkb = 1024;
    return domctl(XEN_DOMCTL_max_mem, dom);
}

static long release(struct xen_memory_reservation r, unsigned long n)
{
    r.nr_extents = n;
    return hc_memory_op(XENMEM_decrease_reservation, &r) == (long)n ? -ENOMEM : -1;
}

// Populates 8 extents; what fewer were, goes back.
static long populate(unsigned int order)
{
    struct xen_memory_reservation r = {
        .domid = (domid_t)dom, .nr_extents = 8, .extent_order = order};

    for (unsigned int i = 0; i < 8; i++)
        list[i] = (xen_pfn_t)(64 * order + i) << order;
    set_xen_guest_handle(r.extent_start, list);
    long n = hc_memory_op(XENMEM_populate_physmap, &r);
    return n < 0 || n == 8 ? n : release(r, (unsigned long)n);
}

static long populate_single(void)
{
    return populate(0);
}

static long populate_large(void)
{
    return populate(3);
}

static long memory_map(void)
{
    static struct {
        uint64_t addr, size;
        uint32_t type;
    } __attribute__((packed)) map = {0, 1 << 20, 1};
    struct xen_foreign_memory_map m = {.domid = (domid_t)dom, .map.nr_entries = 1};

    set_xen_guest_handle(m.map.buffer, &map);
    return hc_memory_op(XENMEM_set_memory_map, &m);
}

static long cpu_policy(void)
{
    static xen_cpuid_leaf_t leaves[200];
    static xen_msr_entry_t msrs[8];
    long rc;

    memset(&dc.u, 0, sizeof(dc.u));
    dc.u.cpu_policy.nr_leaves = ARRAY_SIZE(leaves);
    dc.u.cpu_policy.nr_msrs = ARRAY_SIZE(msrs);
    set_xen_guest_handle(dc.u.cpu_policy.leaves, leaves);
    set_xen_guest_handle(dc.u.cpu_policy.msrs, msrs);
    rc = domctl(XEN_DOMCTL_get_cpu_policy, dom);
    return rc ? rc : domctl(XEN_DOMCTL_set_cpu_policy, dom);
}

// Ranges that do not touch.
static long frames_allowed(void)
{
    long rc = 0;

    for (unsigned int n = 0; n < 9 && rc == 0; n++) {
        dc.u.iomem_permission = (struct xen_domctl_iomem_permission){
            .first_mfn = 0xa0 + 2 * n, .nr_mfns = 1, .allow_access = 1};
        rc = domctl(XEN_DOMCTL_iomem_permission, dom);
    }
    return rc;
}

static long ports_allowed(void)
{
    long rc = 0;

    for (unsigned int n = 0; n < 9 && rc == 0; n++) {
        dc.u.ioport_permission = (struct xen_domctl_ioport_permission){
            .first_port = 0x200 + 2 * n, .nr_ports = 1, .allow_access = 1};
        rc = domctl(XEN_DOMCTL_ioport_permission, dom);
    }
    return rc;
}

static long grant_frames(void)
{
    struct xen_mem_acquire_resource r = {.domid = (domid_t)dom,
                                         .type = XENMEM_resource_grant_table,
                                         .id = XENMEM_resource_grant_table_id_shared,
                                         .nr_frames = 5};

    set_xen_guest_handle(r.frame_list, list);
    return hc_memory_op(XENMEM_acquire_resource, &r);
}

// Many ports between the domain and dom0; those that were opened are closed on an error.
static long channels(void)
{
    static evtchn_port_t theirs[PORTS], ours[PORTS];
    unsigned int n, bound = 0;
    long rc = 0;

    for (n = 0; n < PORTS && (rc = alloc_unbound(dom, 0, &theirs[n])) == 0; n++)
        ;
    while (rc == 0 && bound < n && (rc = bind_interdomain(dom, theirs[bound], &ours[bound])) == 0)
        bound++;
    while (bound)
        CHECK_RC(evtchn_close(ours[--bound]), 0);
    if (rc == 0)
        return 0;
    struct evtchn_reset reset = {.dom = (domid_t)dom};
    CHECK_RC(hc_event_channel_op(EVTCHNOP_reset, &reset), 0);
    return rc;
}

// ---- on a domain that could run ----------------------------------------------------------------

static struct domu *built;
static struct vcpu_guest_context context;

static long set_context(void)
{
    domu_context(built, &context);
    for (unsigned int i = 0; i < 256; i++)
        context.trap_ctxt[i] = (struct trap_info){
            .vector = (uint8_t)i, .cs = FLAT_KERNEL_CS, .address = (uint64_t)trap_stubs[i]};
    return domu_set_context(built, 0, &context);
}

static long get_context(void)
{
    return domu_get_context(built, 0, &context);
}

static bool traps_kept(void)
{
    REQUIRE(get_context() == 0);
    for (unsigned int i = 0; i < 256; i++)
        if (context.trap_ctxt[i].address != trap_stubs[i])
            return false;
    return true;
}

// ---- dom0's own
// ----------------------------------------------------------------------------------

static long table_grows(void)
{
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 5};

    set_xen_guest_handle(s.frame_list, list);
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    return s.status;
}

static long version_2(void)
{
    return grant_version(2);
}

static long map_and_unmap(void)
{
    struct gnttab_map_grant_ref op = grant_map(0, DOM0_REF, GNTMAP_host_map, GRANT_AREA);

    return op.status != GNTST_okay ? op.status : grant_unmap(GRANT_AREA, op.handle);
}

static long copy(void)
{
    static char *page;
    struct gnttab_copy c = {.flags = GNTCOPY_source_gref, .len = 12};

    page = page ? page : page_alloc();
    c.source.u.ref = COPY_REF;
    c.dest.u.gmfn = va_to_mfn(page);
    c.source.domid = c.dest.domid = DOMID_SELF;
    return grant_copy(&c);
}

static long own_ports(void)
{
    static evtchn_port_t port[PORTS];
    unsigned int n = 0;
    long rc;

    while (n < PORTS && (rc = bind_ipi(0, &port[n])) == 0)
        n++;
    while (n)
        CHECK_RC(evtchn_close(port[--n]), 0);
    return rc;
}

static long pirq(void)
{
    struct physdev_map_pirq m = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = 9};

    return hc_physdev_op(PHYSDEVOP_map_pirq, &m);
}

static long pirq_bound(void)
{
    struct evtchn_bind_pirq b = {.pirq = 9};
    long rc = hc_event_channel_op(EVTCHNOP_bind_pirq, &b);

    return rc ? rc : evtchn_close(b.port);
}

static int edu; // devfn

static long pci_device(void)
{
    struct physdev_pci_device_add add = {.seg = 0, .bus = 0, .devfn = (uint8_t)edu};

    return hc_physdev_op(PHYSDEVOP_pci_device_add, &add);
}

static long message(void)
{
    struct physdev_map_pirq m = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_MSI_SEG, .index = -1, .pirq = -1, .devfn = edu};

    return hc_physdev_op(PHYSDEVOP_map_pirq, &m);
}

static long exchange(void)
{
    static xen_pfn_t in[2], out;
    static bool chosen;
    struct xen_memory_exchange x = {
        .in = {.nr_extents = 2, .domid = DOMID_SELF},
        .out = {.nr_extents = 1, .extent_order = 1, .domid = DOMID_SELF}};

    for (unsigned int i = 0; i < 2 && !chosen; i++) {
        out = pfn_alloc_unmapped();
        in[i] = pfn_to_mfn(out);
    }
    chosen = true;
    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, &out);
    return hc_memory_op(XENMEM_exchange, &x);
}

static void idle(void)
{
    smp_park();
}

static long second_vcpu(void)
{
    static struct vcpu_guest_context c;

    smp_context(1, idle, &c);
    return hc_vcpu_op(VCPUOP_initialise, 1, &c);
}

static long trap_handler(void)
{
    const struct trap_info t[2] = {
        {.vector = 0xd0, .cs = FLAT_KERNEL_CS, .address = (uint64_t)trap_stubs[0xd0]}};

    return hc_set_trap_table(t);
}

static long trace_buffers(void)
{
    memset(&sc, 0, sizeof(sc));
    sc.u.tbuf_op.cmd = XEN_SYSCTL_TBUFOP_set_size;
    sc.u.tbuf_op.size = 2;
    return sysctl(XEN_SYSCTL_tbuf_op);
}

static long fifo(void)
{
    static void *page;
    struct evtchn_init_control c = {0};

    page = page ? page : page_alloc();
    c.control_gfn = va_to_mfn(page);
    return hc_event_channel_op(EVTCHNOP_init_control, &c);
}

// ---- the loop --------------------------------------------------------------------------------

struct operation {
    const char *name;
    long (*run)(void);
    long refusal, success;
    bool keeps;         // what a refused call has done up to then stays done
    unsigned int least; // so many allocations it has
};

static const struct operation making[] = {
    {"createdomain", create, -ENOMEM, 0, false, 10},
    {"max_vcpus", max_vcpus, -ENOMEM, 0, true, 2},
    {"max_mem", max_mem, -ENOMEM, 0, false, 0},
    {"set_memory_map", memory_map, -ENOMEM, 0, false, 1},
    {"populate_physmap", populate_single, -ENOMEM, 8, false, 8},
    {"populate_physmap, order 3", populate_large, -ENOMEM, 8, false, 8},
    {"set_cpu_policy", cpu_policy, -ENOMEM, 0, false, 1},
    {"iomem_permission", frames_allowed, -ENOMEM, 0, true, 2},
    {"ioport_permission", ports_allowed, -ENOMEM, 0, true, 2},
    {"acquire_resource", grant_frames, -ENOMEM, 0, true, 2},
    {"event channels", channels, -ENOMEM, 0, true, 2},
};

static const struct operation running[] = {
    {"setvcpucontext", set_context, -ENOMEM, 0, true, 4},
    {"getvcpucontext", get_context, -ENOMEM, 0, false, 1},
};

static const struct operation ports = {"IPI ports", own_ports, -ENOMEM, 0, true, 2};

static const struct operation own[] = {
    {"grant map", map_and_unmap, GNTST_no_space, GNTST_okay, true, 3},
    {"grant copy", copy, GNTST_no_space, GNTST_okay, false, 1},
    {"setup_table", table_grows, GNTST_general_error, GNTST_okay, true, 2},
    {"set_version", version_2, -ENOMEM, 0, true, 1},
    {"map_pirq", pirq, -ENOMEM, 0, true, 1},
    {"bind_pirq", pirq_bound, -ENOMEM, 0, true, 1},
    {"pci_device_add", pci_device, -ENOMEM, 0, true, 1},
    {"map_pirq of a message", message, -ENOMEM, 0, true, 1},
    {"exchange", exchange, -ENOMEM, 0, false, 1},
    {"set_trap_table", trap_handler, -ENOMEM, 0, true, 1},
    {"tbuf_op", trace_buffers, -ENOMEM, 0, false, 3},
    {"init_control", fifo, -ENOMEM, 0, false, 1}, // the last: the kit knows the 2-level ABI
};

static void inject(const struct operation *o)
{
    unsigned int n;
    uint64_t before;
    long rc;

    for (n = 1; n < TRIES; n++) {
        before = free_pages();
        refuse(n);
        rc = o->run();
        if (!refused())
            break;
        bool ok = CHECK_RC(rc, o->refusal);
        if (!o->keeps)
            ok &= CHECK_EQ(free_pages(), before);
        if (!ok)
            printk("%s: allocation %u\n", o->name, n);
    }
    printk("%s: %u allocations\n", o->name, n - 1);
    if (!CHECK_RC(rc, o->success) || !CHECK(n - 1 >= o->least && n < TRIES))
        printk("%s: without a refusal\n", o->name);
}

static void inject_all(const struct operation *o, size_t n)
{
    for (; n--; o++)
        inject(o);
}

static void audit(void)
{
    static const char clean[] = "0 contradictions", any[] = " contradictions";

    said();
    press("m", 1);
    wait_ns(SECOND / 10);
    for (const char *t = said(); *t; t++)
        CHECK(!str_starts(t, any) || str_starts(t - 1, clean));
    CHECK(str_contains(text, clean));
}

void test_main(void)
{
    uint64_t before;

    if (!have_keys())
        test_skip("only debug builds of Wirt can refuse allocations");
    inject(&ports); // first: the channels to the domain need as many
    before = free_pages();
    inject_all(making, ARRAY_SIZE(making));
    CHECK_RC(domain_kill(dom), 0);
    CHECK(free_pages_back(before));
    built = domu_new(&(struct domu_config){.arena = 2});
    domu_populate(built);
    domu_build(built);
    inject_all(running, ARRAY_SIZE(running));
    CHECK(traps_kept());
    audit();
    CHECK_RC(domu_destroy(built), 0);
    CHECK(free_pages_back(before));
    grant_setup();
    GRANT_TABLE[DOM0_REF].frame = GRANT_TABLE[COPY_REF].frame = 0;
    grant_give(DOM0_REF, 0, page_alloc(), 0);
    grant_give(COPY_REF, 0, page_alloc(), 0);
    edu = edu_setup((volatile uint32_t *)0xffffc90000200000);
    REQUIRE(edu >= 0);
    inject_all(own, ARRAY_SIZE(own));
    if (vcpu_count() > 1)
        inject(&(struct operation){"VCPUOP_initialise", second_vcpu, -ENOMEM, 0, true, 1});
    audit();
}
