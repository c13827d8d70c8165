// SOURCES: $(wildcard hv/dom/grant*.c)
// CFLAGS: -include unit/hc_extents_world.h
// SPDX-License-Identifier: MIT
// Uses of grants, handles and copies between two domains: what counts they keep, what is refused,
// that refusals leave nothing behind, the ends of both domains, and long random sequences with the
// audit after every step.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "dom/domain.h"
#include "boot/globals.h"
#include "dom/grant.h"
#include "fake/host.h"
#include "hc/continue.h"
#include "mm/frame.h"
#include "mm/shared.h"
#include "pv/mmu.h"

enum { FRAMES = 64, DATA = 10, TABLE = 11, SLOTS = 32, REF = 9 };

struct options options;
u32 tlb_clock_value = 1;
u64 frame_count = FRAMES;
static struct domain granter, mapper;
static struct vcpu vcpu = {.dom = &mapper};
static u64 slot[SLOTS]; // the mapper's L1 entries, at machine addresses 8 * index
static bool preempt;

// --- surroundings ---

void *shared_page_alloc(struct domain *d)
{
    return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE);
}

void shared_page_free(void *page)
{
    free(page);
}

int frame_claim_writable(mfn_t m)
{
    u64 *type = &frame_of(m)->type;
    if (frame_type_of(*type) != FT_WRITABLE && *type & FT_COUNT)
        return -EBUSY;
    *type = ((u64)FT_WRITABLE << FT_SHIFT) | ((*type & FT_COUNT) + 1);
    return 0;
}

void frame_release(struct frame *f)
{
    fail();
}

struct domain *domain_get(dom_id_t id, struct domain *self)
{
    struct domain *d = id.v == DOMID_SELF     ? self
                       : id.v == granter.id.v ? &granter
                       : id.v == mapper.id.v  ? &mapper
                                              : NULL;
    if (d)
        d->refs++;
    return d;
}

void domain_hold(struct domain *d)
{
    d->refs++;
}

void domain_put(struct domain *d)
{
    d->refs--;
}

bool preempt_wanted(void)
{
    assert_int_equal(fake_locks_held(), 0);
    return preempt;
}

void tlb_flush_mask(const struct cpumask *mask)
{
}

maddr_t mmu_l1_entry(struct vcpu *v, u64 va)
{
    return MADDR(va);
}

static u64 *entry_at(maddr_t where)
{
    return where.v % 8 == 0 && where.v && where.v / 8 < SLOTS ? &slot[where.v / 8] : NULL;
}

int mmu_map_grant(struct domain *d, maddr_t where, u64 pte)
{
    u64 *p = entry_at(where);
    assert_ptr_equal(d, &mapper);
    if (!p || *p)
        return -EINVAL;
    *p = pte;
    return 0;
}

int mmu_unmap_grant(struct domain *d, maddr_t where, u64 pte, maddr_t with)
{
    u64 *p = entry_at(where), *q = with.v ? entry_at(with) : NULL;
    if (!p || p == q || (with.v && !q) || (*p ^ pte) & (PTE_ADDR | PTE_P | PTE_W))
        return -EINVAL;
    *p = q ? *q : 0;
    if (q)
        *q = 0;
    return 0;
}

// --- the world ---

static int setup(void **state)
{
    fake_heap_fail_after(-1);
    options.gnttab_max_version = 2;
    preempt = false;
    memset(frame_table, 0, FRAMES * sizeof(struct frame));
    memset(slot, 0, sizeof(slot));
    granter = (struct domain){.id = {1}, .refs = 1};
    mapper = (struct domain){.id = {2}, .refs = 1, .mmu_lock = SPINLOCK_INIT(LOCK_MMU)};
    for (u64 i = DATA; i < FRAMES; i++) {
        frame_of(MFN(i))->count = 1 | FRAME_ALLOCATED;
        frame_of(MFN(i))->owner = frame_owner_id(i < 40 ? &granter : &mapper);
    }
    frame_of(MFN(TABLE))->type = ((u64)FT_L1 << FT_SHIFT) | FT_VALIDATED | 1;
    return grant_init(&granter, 4, 2) || grant_init(&mapper, 4, 2);
}

static void check_untouched(void)
{
    for (u64 i = DATA; i < FRAMES; i++) {
        assert_int_equal(frame_refs(frame_of(MFN(i))), 1);
        assert_int_equal(frame_of(MFN(i))->type & FT_COUNT, i == TABLE);
    }
    assert_int_equal(granter.grant ? granter.grant->in_use : 0, 0);
    assert_int_equal(granter.refs, 1);
    assert_int_equal(mapper.refs, 1);
    assert_int_equal(fake_locks_held(), 0);
}

static int teardown(void **state)
{
    check_untouched();
    assert_int_equal(grant_audit(&mapper), 0);
    grant_free(&granter);
    grant_free(&mapper);
    assert_int_equal(fake_heap_live, 0);
    return 0;
}

static void give(u32 ref, u64 frame, u32 flags)
{
    struct grant_entry_v1 *e = (struct grant_entry_v1 *)granter.grant->page[0] + ref;
    *e = (struct grant_entry_v1){(u16)(GTF_permit_access | flags), mapper.id.v, (u32)frame};
}

static u16 shown(u32 ref)
{
    return ((struct grant_entry_v1 *)granter.grant->page[0])[ref].flags &
           (GTF_reading | GTF_writing);
}

static s16 map(u32 ref, u32 flags, u64 where, u32 *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = where * 8, .flags = flags, .ref = ref, .dom = granter.id.v};
    grant_map(&vcpu, &op, 1);
    *handle = op.handle;
    return op.status;
}

static s16 unmap(u64 where, u64 bus, u32 handle, u64 with)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = where * 8, .dev_bus_addr = with ? with * 8 : bus, .handle = handle};
    grant_unmap(&vcpu, &op, 1, with != 0);
    return op.status;
}

// --- cases ---

static void test_counts(void **state)
{
    const struct frame *f = frame_of(MFN(DATA));
    u32 rw, ro;
    give(REF, DATA, 0);
    assert_int_equal(map(REF, GNTMAP_host_map, 1, &rw), GNTST_okay);
    assert_int_equal(map(REF, GNTMAP_host_map | GNTMAP_readonly, 2, &ro), GNTST_okay);
    assert_int_not_equal(rw, ro);
    assert_int_equal(pte_mfn(slot[1]).v, DATA);
    assert_int_equal(slot[1] & (PTE_P | PTE_W), PTE_P | PTE_W);
    assert_int_equal(slot[2] & (PTE_P | PTE_W), PTE_P);
    assert_int_equal(frame_refs(f), 2);
    assert_int_equal(f->type & FT_COUNT, 1);
    assert_int_equal(granter.refs, 3);
    assert_int_equal(shown(REF), GTF_reading | GTF_writing);
    assert_int_equal(grant_set_version(&granter, 2), -EBUSY);
    assert_int_equal(unmap(2, 0, rw, 0), GNTST_general_error); // not its rights
    assert_int_equal(unmap(1, 0, ro, 0), GNTST_general_error);
    assert_int_equal(unmap(0, 0, rw, 0), GNTST_okay); // nothing
    assert_int_equal(unmap(1, 0, rw, 0), GNTST_okay);
    assert_int_equal(shown(REF), GTF_reading);
    assert_int_equal(f->type & FT_COUNT, 0);
    assert_int_equal(unmap(1, 0, rw, 0), GNTST_bad_handle);
    assert_int_equal(unmap(2, 0, ro, 0), GNTST_okay);
    assert_int_equal(shown(REF), 0);
}

static void test_refused(void **state)
{
    u32 h;
    struct {
        u32 ref, flags;
        u64 frame;
        u32 entry, where;
        s16 status;
    } t[] = {
        {REF, 0, DATA, 0, 1, GNTST_bad_gntref},
        {4 * GRANT_V1_ENTRIES, GNTMAP_host_map, DATA, 0, 1, GNTST_bad_gntref},
        {~0u, GNTMAP_host_map, DATA, 0, 1, GNTST_bad_gntref},
        {REF + 1, GNTMAP_host_map, DATA, 0, 1, GNTST_general_error},
        {REF, GNTMAP_host_map, DATA, GTF_readonly, 1, GNTST_general_error},
        {REF, GNTMAP_host_map, DATA, GTF_sub_page, 1, GNTST_general_error},
        {REF, GNTMAP_host_map, DATA, GTF_accept_transfer, 1, GNTST_general_error},
        {REF, GNTMAP_host_map, TABLE, 0, 1, GNTST_general_error},
        {REF, GNTMAP_host_map, 40, 0, 1, GNTST_bad_page}, // the mapper's own
        {REF, GNTMAP_host_map, 2, 0, 1, GNTST_bad_page},
        {REF, GNTMAP_host_map, 0xffffffff, 0, 1, GNTST_bad_page},
        {REF, GNTMAP_host_map, DATA, 0, SLOTS, GNTST_general_error},
        {REF, GNTMAP_host_map | GNTMAP_device_map, DATA, 0, SLOTS, GNTST_general_error},
    };
    for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
        give(REF, t[i].frame, t[i].entry);
        assert_int_equal(map(t[i].ref, t[i].flags, t[i].where, &h), t[i].status);
        assert_int_equal(shown(REF), 0);
        check_untouched();
    }
    for (int n = 0; n < 3; n++) { // handles, their page, the uses
        give(GRANT_USES + REF, DATA, 0);
        fake_heap_fail_after(n);
        assert_int_equal(map(GRANT_USES + REF, GNTMAP_host_map, 1, &h), GNTST_no_space);
        check_untouched();
        fake_heap_fail_after(-1);
        grant_free(&mapper);
        assert_int_equal(grant_init(&mapper, 4, 2), 0);
    }
}

static void test_limit(void **state)
{
    u32 h[2 * GRANT_MAPS], more;
    give(REF, DATA, 0);
    for (int round = 0; round < 2; round++) {
        for (u32 i = 0; i < ARRAY_SIZE(h); i++)
            assert_int_equal(map(REF, GNTMAP_device_map, 0, &h[i]), GNTST_okay);
        assert_int_equal(map(REF, GNTMAP_device_map, 0, &more), GNTST_no_space);
        assert_int_equal(grant_audit(&mapper), 0);
        for (u32 i = 0; i < ARRAY_SIZE(h); i++) {
            assert_int_equal(unmap(0, DATA * PAGE_SIZE + 1, h[i], 0), GNTST_bad_dev_addr);
            assert_int_equal(unmap(0, DATA * PAGE_SIZE, h[i], 0), GNTST_okay);
        }
    }
}

static void test_mapper_dies(void **state)
{
    u32 h, rc = 0;
    give(REF, DATA, 0);
    for (u32 i = 0; i < 100; i++)
        assert_int_equal(map(REF, GNTMAP_device_map | (i & 1 ? GNTMAP_readonly : 0), 0, &h), 0);
    preempt = true;
    while (grant_release(&mapper) == -ERESTART_HC)
        rc++;
    assert_true(rc >= 3);
    assert_int_equal(shown(REF), 0);
}

static void test_granter_dies(void **state)
{
    u32 h, more;
    give(REF, DATA, 0);
    assert_int_equal(map(REF, GNTMAP_host_map | GNTMAP_device_map, 1, &h), GNTST_okay);
    grant_shut(&granter);
    assert_int_equal(grant_grow(&granter, 1), -EINVAL);
    assert_int_equal(map(REF, GNTMAP_host_map, 2, &more), GNTST_bad_gntref);
    assert_int_equal(frame_refs(frame_of(MFN(DATA))), 2);
    assert_int_equal(unmap(1, DATA * PAGE_SIZE, h, 0), GNTST_okay);
}

static s16 copy(struct gnttab_copy *c)
{
    grant_copy(&mapper, c, 1);
    return c->status;
}

static void test_copy(void **state)
{
    struct gnttab_copy c = {.flags = GNTCOPY_source_gref, .len = 16};
    c.source.u.ref = REF;
    c.source.domid = granter.id.v;
    c.source.offset = 100;
    c.dest.u.gmfn = 40;
    c.dest.domid = DOMID_SELF;
    c.dest.offset = 4080;
    give(REF, DATA, GTF_readonly);
    memset(mfn_virt(MFN(DATA)), 'g', PAGE_SIZE);
    memset(mfn_virt(MFN(40)), 0, 2 * PAGE_SIZE);
    assert_int_equal(copy(&c), GNTST_okay);
    assert_int_equal(((u8 *)mfn_virt(MFN(40)))[4079], 0);
    assert_int_equal(((u8 *)mfn_virt(MFN(40)))[4080], 'g');
    assert_int_equal(((u8 *)mfn_virt(MFN(41)))[0], 0);
    c.dest.offset = 4081;
    assert_int_equal(copy(&c), GNTST_bad_copy_arg);
    c.dest.offset = 0;
    c.dest.u.gmfn = DATA;
    assert_int_equal(copy(&c), GNTST_bad_page);
    check_untouched();
    c.dest.domid = granter.id.v;
    assert_int_equal(copy(&c), GNTST_permission_denied);
    c.flags |= GNTCOPY_dest_gref;
    c.dest.u.ref = REF; // read-only
    assert_int_equal(copy(&c), GNTST_general_error);
    c.dest.domid = 77;
    assert_int_equal(copy(&c), GNTST_bad_domain);
    assert_int_equal(shown(REF), 0);
}

static void test_accept(void **state)
{
    volatile struct grant_entry_v1 *e = (struct grant_entry_v1 *)granter.grant->page[0] + REF;
    *e = (struct grant_entry_v1){GTF_accept_transfer, mapper.id.v, 0};
    assert_int_equal(grant_accept_begin(&granter, granter.id, REF), GNTST_general_error);
    assert_int_equal(grant_accept_begin(&granter, mapper.id, ~0u), GNTST_general_error);
    assert_int_equal(grant_accept_begin(&granter, mapper.id, REF + 1), GNTST_general_error);
    assert_int_equal(e->flags, GTF_accept_transfer);
    assert_int_equal(grant_accept_begin(&granter, mapper.id, REF), GNTST_okay);
    assert_int_equal(e->flags, GTF_accept_transfer | GTF_transfer_committed);
    assert_int_equal(grant_accept_begin(&granter, mapper.id, REF), GNTST_general_error);
    grant_accept_end(&granter, REF, MFN(DATA));
    assert_int_equal(e->frame, DATA);
    assert_int_equal(e->flags,
                     GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed);
    grant_shut(&granter);
    assert_int_equal(grant_accept_begin(&granter, mapper.id, REF), GNTST_general_error);
    grant_accept_end(&granter, REF, MFN(DATA)); // nothing happens
}

// What stands for a handle in the random sequences.
struct held {
    bool live, write;
    u32 handle, ref;
};

static void check_all(const struct held *h)
{
    for (u32 ref = 0; ref < 4; ref++) {
        u32 readers = 0, writers = 0;
        for (u32 i = 1; i < SLOTS; i++) {
            readers += h[i].live && h[i].ref == REF + ref && !h[i].write;
            writers += h[i].live && h[i].ref == REF + ref && h[i].write;
        }
        const struct frame *f = frame_of(MFN(20 + ref));
        assert_int_equal(frame_refs(f), 1 + (readers + writers > 0));
        assert_int_equal(f->type & FT_COUNT, writers > 0);
        assert_int_equal(shown(REF + ref),
                         (readers + writers ? GTF_reading : 0) | (writers ? GTF_writing : 0));
    }
    assert_int_equal(grant_audit(&mapper), 0);
}

static void test_random(void **state)
{
    struct held h[SLOTS] = {0};
    srand(1);
    for (u32 ref = 0; ref < 4; ref++)
        give(REF + ref, 20 + ref, ref == 3 ? GTF_readonly : 0);
    for (int step = 0; step < 20000; step++) {
        u32 i = 1 + (u32)rand() % (SLOTS - 1), ref = (u32)rand() % 4;
        bool write = rand() & 1;
        if (h[i].live) {
            u32 other = 1 + (u32)rand() % (SLOTS - 1);
            bool same = h[other].live && h[other].ref == h[i].ref && h[other].write == h[i].write;
            if (other != i && !same)
                assert_int_equal(unmap(other, 0, h[i].handle, 0), GNTST_general_error);
            assert_int_equal(unmap(i, 0, h[i].handle, 0), GNTST_okay);
            h[i].live = false;
        } else {
            s16 status =
                map(REF + ref, GNTMAP_host_map | (write ? 0 : GNTMAP_readonly), i, &h[i].handle);
            assert_int_equal(status, write && ref == 3 ? GNTST_general_error : GNTST_okay);
            h[i] = (struct held){status == GNTST_okay, write, h[i].handle, REF + ref};
        }
        check_all(h);
        fake_log_reset();
    }
    assert_int_equal(grant_release(&mapper), 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void *place(u64 at, u64 bytes)
{
    return mmap((void *)at, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_counts),       CASE(test_refused), CASE(test_limit),  CASE(test_mapper_dies),
        CASE(test_granter_dies), CASE(test_copy),    CASE(test_random), CASE(test_accept),
    };
    if (place(FRAME_TABLE_BASE, FRAMES * sizeof(struct frame)) == MAP_FAILED ||
        place(DIRECTMAP_BASE, FRAMES * PAGE_SIZE) == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
