// SPDX-License-Identifier: MIT
// Two domUs, each with two vCPUs, use each other's grants at random while the entries change under
// them; of every other pair dom0 destroys one in the middle.
//
// What must hold: what a domain has mapped stays mapped until it lets it go, also when the granter
// is gone; each handle is undone once; both domains die completely and all frames come back. The
// interleavings are the test, so a seed does not repeat a run. "ms=N" says how long.
//
// SMP: 4
// LONG: ms=600000
#include "lib/domu.h"
#include "lib/grant.h"
#include "lib/random.h"

const char test_title[] = "two domains use each other's grants at random";

enum { FIRST = 901, REF = 8, REFS = 12, OWN = 8, SLOTS = 4, SPARE = 6, RUN_MS = 400 };

static unsigned int me; // or the other: 0, 1
static volatile unsigned int second_done, version = 1;
static volatile uint64_t mapped, copied;
static uint64_t total[2];
static char *own[OWN];
static uint64_t spare[SPARE];
static struct slot {
    char *va;
    uint64_t bus; // 0: not for devices
    grant_handle_t handle;
    bool used, host;
} slots[2][SLOTS];

static domid_t peer(void)
{
    return (domid_t)(FIRST + !me);
}

static domid_t somebody(void)
{
    return pick(16) ? peer() : (domid_t)(pick(2) ? FIRST + me : DOMID_SELF);
}

static uint64_t frame(void)
{
    return pick(16) ? va_to_mfn(own[pick(OWN)]) : spare[pick(SPARE)];
}

// Now and then in the shape of the version that is not in force.
static void give(void)
{
    unsigned int ref = REF + (unsigned int)pick(REFS);
    volatile union grant_entry_v2 *e2 = (volatile union grant_entry_v2 *)GRANT_TABLE + ref;
    volatile grant_entry_v1_t *e1 = &GRANT_TABLE[ref];
    uint16_t flags = (uint16_t)(pick(8) ? GTF_permit_access : GTF_accept_transfer);

    flags |= pick(3) ? 0 : GTF_readonly;
    if ((version == 1) == (pick(16) != 0)) {
        e1->flags = 0;
        e1->domid = somebody();
        e1->frame = (uint32_t)frame();
        e1->flags = flags;
        return;
    }
    e2->hdr.flags = 0;
    e2->hdr.domid = somebody();
    e2->full_page.frame = frame();
    e2->sub_page.page_off = (uint16_t)pick(PAGE_SIZE);
    e2->sub_page.length = (uint16_t)pick(PAGE_SIZE);
    if (pick(4) == 0) {
        e2->transitive.trans_domid = somebody();
        e2->transitive.gref = REF + (grant_ref_t)pick(REFS);
        flags = pick(2) ? GTF_transitive : flags | GTF_sub_page;
    }
    e2->hdr.flags = flags;
}

static void map(struct slot *s)
{
    static const uint32_t kind[] = {GNTMAP_host_map, GNTMAP_host_map, GNTMAP_device_map,
                                    GNTMAP_host_map | GNTMAP_device_map};
    uint32_t flags = kind[pick(ARRAY_SIZE(kind))] | (pick(2) ? GNTMAP_readonly : 0);
    struct gnttab_map_grant_ref op =
        grant_map(somebody(), REF + (unsigned int)pick(REFS), flags, s->va);

    if (op.status != GNTST_okay)
        return;
    s->used = true;
    s->host = flags & GNTMAP_host_map;
    s->bus = flags & GNTMAP_device_map ? op.dev_bus_addr : 0;
    s->handle = op.handle;
    mapped++;
}

static void use(struct slot *s)
{
    if (!s->used) {
        map(s);
        return;
    }
    if (s->host)
        READ_ONCE(*s->va); // no fault
    if (pick(2)) {
        CHECK_EQ(grant_unmap2(s->host ? s->va : NULL, s->bus, s->handle), GNTST_okay);
        s->used = false;
        CHECK(grant_unmap2(s->host ? s->va : NULL, s->bus, 0x7fffffff) < 0);
    }
}

static void copy_end(struct gnttab_copy *c, bool source)
{
    bool by_ref = pick(2);
    uint64_t where = by_ref ? REF + pick(REFS) : frame();

    if (by_ref)
        c->flags |= source ? GNTCOPY_source_gref : GNTCOPY_dest_gref;
    if (source) {
        c->source.u.gmfn = where;
        c->source.domid = by_ref ? somebody() : DOMID_SELF;
        c->source.offset = (uint16_t)pick(PAGE_SIZE);
    } else {
        c->dest.u.gmfn = where;
        c->dest.domid = by_ref ? somebody() : DOMID_SELF;
        c->dest.offset = (uint16_t)pick(PAGE_SIZE);
    }
}

static void copy(void)
{
    struct gnttab_copy c = {.len = (uint16_t)pick(PAGE_SIZE)};

    copy_end(&c, true);
    copy_end(&c, false);
    copied += grant_copy(&c) == GNTST_okay;
}

static void other(void)
{
    xen_pfn_t frames[4];
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1 + (uint32_t)pick(4)};
    struct gnttab_swap_grant_ref swap = {.ref_a = REF + (grant_ref_t)pick(REFS),
                                         .ref_b = REF + (grant_ref_t)pick(REFS)};
    struct gnttab_transfer transfer = {
        .mfn = spare[pick(SPARE)], .domid = peer(), .ref = REF + (grant_ref_t)pick(REFS)};
    struct gnttab_cache_flush flush = {.a.ref = REF + (grant_ref_t)pick(REFS),
                                       .length = 64,
                                       .op = GNTTAB_CACHE_SOURCE_GREF | GNTTAB_CACHE_CLEAN};

    set_xen_guest_handle(setup.frame_list, frames);
    switch (pick(5)) {
    case 0:
        hc_grant_table_op(GNTTABOP_setup_table, &setup, 1);
        break;
    case 1:
        hc_grant_table_op(GNTTABOP_swap_grant_ref, &swap, 1);
        break;
    case 2:
        hc_grant_table_op(GNTTABOP_transfer, &transfer, 1);
        break;
    case 3:
        hc_grant_table_op(GNTTABOP_cache_flush, &flush, 1);
        break;
    default:
        if (pick(16) == 0 && grant_version(3 - version) == 0)
            version = 3 - version;
        break;
    }
}

static void work(struct slot *mine)
{
    for (uint64_t end = system_time() + RUN_MS * 1000000ul; system_time() < end;) {
        switch (pick(8)) {
        case 0:
        case 1:
            give();
            break;
        case 2:
        case 3:
            copy();
            break;
        case 4:
            other();
            break;
        default:
            use(&mine[pick(SLOTS)]);
            break;
        }
    }
    for (unsigned int i = 0; i < SLOTS; i++)
        if (mine[i].used)
            CHECK_EQ(grant_unmap2(mine[i].host ? mine[i].va : NULL, mine[i].bus, mine[i].handle),
                     GNTST_okay);
}

static void second(void)
{
    work(slots[1]);
    second_done = 1;
}

static void guest(void)
{
    grant_setup();
    for (unsigned int i = 0; i < OWN; i++)
        own[i] = page_alloc();
    for (unsigned int i = 0; i < SPARE; i++)
        spare[i] = pfn_to_mfn(pfn_alloc_unmapped());
    for (unsigned int i = 0; i < 2 * SLOTS; i++)
        slots[i / SLOTS][i % SLOTS].va = GRANT_AREA + i * PAGE_SIZE;
    for (unsigned int i = 0; i < 4 * REFS; i++)
        give();
    CHECK_RC(smp_start(1, second), 0);
    work(slots[0]);
    CHECK(wait_for(&second_done, 10 * SECOND));
}

static void version_2(struct xen_domctl_createdomain *args)
{
    args->grant_opts = XEN_DOMCTL_GRANT_version(2);
}

static void end(struct domu *d, bool cut_short)
{
    uint64_t n[2];

    if (cut_short)
        wait_ns((RUN_MS / 2 + pick(RUN_MS)) * 1000000);
    else
        CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    domu_peek(d, (void *)&mapped, &n[0], sizeof(n[0]));
    domu_peek(d, (void *)&copied, &n[1], sizeof(n[1]));
    total[0] += n[0];
    total[1] += n[1];
    CHECK_RC(domu_destroy(d), 0); // waits for the other to let go
    CHECK(!domain_exists(d->id));
}

static void life(bool cut_short)
{
    struct domu *d[2];

    for (me = 0; me < 2; me++) {
        rng = rnd() | 1;
        d[me] = domu_create_with(&(struct domu_config){.main = guest,
                                                       .id = (domid_t)(FIRST + me),
                                                       .vcpus = 2,
                                                       .arena = 48,
                                                       .limits = version_2});
    }
    for (unsigned int i = 0; i < 2; i++)
        CHECK_RC(domu_unpause(d[i]), 0);
    end(d[1], cut_short);
    end(d[0], false);
}

void test_main(void)
{
    uint64_t before, until, after;
    unsigned int lives = 0;

    random_seed();
    life(false);
    before = free_pages_settled();
    until = system_time() + number("ms=", 3000) * 1000000;
    for (; system_time() < until; lives++)
        life(lives % 2);
    after = free_pages_settled();
    printk("%u lives: %lu mappings, %lu copies; %lu pages before, %lu after\n", lives, total[0],
           total[1], before, after);
    CHECK(total[0] > 0 && total[1] > 0);
    CHECK(after + 16 + lives / 8 >= before);
}
