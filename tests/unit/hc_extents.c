// SOURCES: hv/hc/extents.c hv/mm/alloc.c hv/dom/claim.c
// CFLAGS: -include unit/hc_extents_world.h
// SPDX-License-Identifier: MIT
// Reservations and exchange over the real frame allocator: what is done, what is refused, that a
// refused step leaves everything as it was, continuation after every step.
#include <setjmp.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include "cpu/cpu.h"
#include "cpu/spec.h"
#include "dom/domain.h"
#include <xen/memory.h>
#include "dom/grant.h"
#include "fake/host.h"
#include "hc/continue.h"
#include "hc/memory.h"
#include "mm/frame.h"
#include "mm/m2p.h"
#include "mm/tlb.h"

enum { FRAMES = 4096, LIST = 64 };

static struct domain dom, other;
static struct vcpu vcpu = {.dom = &dom};
static bool preempt;  // at every occasion
static u64 next_cmd;  // as hc_set_arg left it
static u64 bad_index; // of a list: cannot be written
static u64 free_before;
static u32 flushed; // TLB clock of all CPUs' last flush

struct domain *dom0;

// --- surroundings ---

u32 tlb_clock_value = 1;

struct cpu_features cpu_features = {.phys_bits = 40};
struct spec spec;

void pv_roots_changed(struct domain *d)
{
}

void tlb_flush_since(const struct cpumask *mask, u32 stamp)
{
}

bool tlb_flushed_since(u32 stamp)
{
    return (s32)(flushed - stamp) > 0;
}

void mmu_forget(struct domain *d, mfn_t m)
{
    (void)d, (void)m;
}

void domain_hold(struct domain *d)
{
    d->refs++;
}

struct domain *domain_by_owner(u16 owner)
{
    return owner == frame_owner_id(&dom) ? &dom : owner == frame_owner_id(&other) ? &other : NULL;
}

void domain_put(struct domain *d)
{
    d->refs--;
}

int hc_target(struct vcpu *cur, domid_t id, struct domain **d)
{
    *d = id == DOMID_SELF ? &dom : id == other.id.v ? &other : NULL;
    if (!*d)
        return -ESRCH;
    if (*d == &other && !dom.privileged)
        return -EPERM;
    (*d)->refs++;
    return 0;
}

u32 grant_shared_pages(const struct domain *d)
{
    return 0;
}

bool preempt_wanted(void)
{
    assert_int_equal(fake_locks_held(), 0);
    return preempt;
}

void hc_set_arg(struct vcpu *v, u32 index, u64 value)
{
    assert_int_equal(index, 0);
    next_cmd = value;
}

// Guest addresses are ours; the first page cannot be reached.
int guest_copy_in(void *dst, guest_ptr src, u64 bytes)
{
    if (src.v < PAGE_SIZE)
        return -EFAULT;
    memcpy(dst, (const void *)src.v, bytes);
    return 0;
}

int guest_copy_out(guest_ptr dst, const void *src, u64 bytes)
{
    if (dst.v < PAGE_SIZE)
        return -EFAULT;
    memcpy((void *)dst.v, src, bytes);
    return 0;
}

int guest_copy_in_index(void *dst, guest_ptr array, u64 index, u64 size)
{
    return guest_copy_in(dst, guest_ptr_add(array, index * size), size);
}

int guest_copy_out_index(guest_ptr array, u64 index, const void *src, u64 size)
{
    return index == bad_index ? -EFAULT
                              : guest_copy_out(guest_ptr_add(array, index * size), src, size);
}

static void map_at(u64 address, u64 bytes)
{
    void *p = mmap((void *)address, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(p, (void *)address);
}

static int group_setup(void **state)
{
    map_at(FRAME_TABLE_BASE, FRAMES * sizeof(struct frame));
    map_at(M2P_RW_BASE, FRAMES * sizeof(u64));
    map_at(DIRECTMAP_BASE, FRAMES * PAGE_SIZE);
    frame_count = FRAMES;
    frames_add(MFN(0), MFN(FRAMES));
    return 0;
}

static void domain_init(struct domain *d, u16 id)
{
    memset(d, 0, sizeof(*d));
    d->id = DOM_ID(id);
    d->frames_max = 1000;
    spin_lock_init(&d->lock, LOCK_DOMAIN);
    spin_lock_init(&d->frames_lock, LOCK_OWNED);
}

static int setup(void **state)
{
    domain_init(&dom, 0);
    domain_init(&other, 7);
    preempt = false;
    bad_index = ~(u64)0;
    free_before = frames_free_count();
    return 0;
}

// Takes back what the test left, and checks that nothing was lost on the way.
static int teardown(void **state)
{
    for (u64 i = 0; i < FRAMES; i++)
        if (frame_of(MFN(i))->count) {
            frame_of(MFN(i))->type = 0;
            frame_of(MFN(i))->count = 1;
            frame_put(MFN(i));
        }
    assert_int_equal(frames_free_count(), free_before);
    assert_int_equal(dom.frames, 0);
    assert_int_equal(other.frames, 0);
    assert_int_equal(dom.refs, 0);
    assert_int_equal(other.refs, 0);
    assert_int_equal(fake_locks_held(), 0);
    return 0;
}

// --- calls ---

static long call(u32 op, void *arg, u64 start)
{
    for (u32 i = 0; i < hc_extent_op_count; i++)
        if (hc_extent_ops[i].cmd == op)
            return hc_extent_ops[i].handler(&vcpu, GUEST_PTR(arg), start);
    return -ENOSYS;
}

// Goes on after each stop, as the guest's instruction would.
static long call_all(u32 op, void *arg, u32 *stops)
{
    long ret = call(op, arg, 0);
    for (*stops = 0; ret == -ERESTART_HC; ++*stops) {
        assert_int_equal(next_cmd & ((1 << MEMORY_CMD_BITS) - 1), op);
        ret = call(op, arg, next_cmd >> MEMORY_CMD_BITS);
    }
    return ret;
}

static struct xen_memory_reservation reservation(u64 *list, u64 count, u32 order)
{
    struct xen_memory_reservation r = {
        .nr_extents = count, .extent_order = order, .domid = DOMID_SELF};
    r.extent_start.p = list;
    return r;
}

static long reserve(u32 op, u64 *list, u64 count, u32 order)
{
    struct xen_memory_reservation r = reservation(list, count, order);
    return call(op, &r, 0);
}

// `count` frames of dom's, their pfns rising from `pfn`.
static void populate(u64 *list, u64 count, u64 pfn)
{
    for (u64 i = 0; i < count; i++)
        list[i] = pfn + i;
    assert_int_equal(reserve(XENMEM_populate_physmap, list, count, 0), count);
}

static bool is_owned(u64 mfn, const struct domain *d)
{
    return frame_of(MFN(mfn))->owner == frame_owner_id(d) &&
           frame_of(MFN(mfn))->count == (1 | FRAME_ALLOCATED);
}

// --- reservations ---

static void test_populate(void **state)
{
    u64 list[3] = {100, 200, 300};
    memset((void *)DIRECTMAP_BASE, 0xaa, FRAMES * PAGE_SIZE);
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 3, 2), 3);
    assert_int_equal(dom.frames, 12);
    for (u32 i = 0; i < 3; i++)
        for (u32 k = 0; k < 4; k++) {
            assert_true(is_owned(list[i] + k, &dom));
            assert_int_equal(m2p_get(MFN(list[i] + k)).v, 100 * (i + 1) + k);
            assert_int_equal(*(u64 *)mfn_virt(MFN(list[i] + k)), 0);
        }
}

static void test_limit(void **state)
{
    u64 list[4] = {1, 2, 3, 4};
    dom.frames_max = 2;
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 4, 0), 2);
    assert_int_equal(dom.frames, 2);
    assert_int_equal(list[2], 3);
    assert_int_equal(reserve(XENMEM_increase_reservation, list + 2, 1, 0), 0);
    dom.frames_max = 1000;
    dom.state = DOMAIN_DYING;
    assert_int_equal(reserve(XENMEM_increase_reservation, list + 2, 1, 0), 0);
}

static void test_increase(void **state)
{
    u64 list[2];
    struct xen_memory_reservation r = reservation(list, 2, 0);
    r.mem_flags = XENMEMF_address_bits(20); // 1 MiB: frames below 256
    assert_int_equal(call(XENMEM_increase_reservation, &r, 0), 2);
    assert_true(list[0] < 256 && list[1] < 256);
    assert_int_equal(m2p_get(MFN(list[0])).v, PFN_NONE.v);
    r.mem_flags = XENMEMF_address_bits(12); // no frame at all
    assert_int_equal(call(XENMEM_increase_reservation, &r, 0), 0);
    r.mem_flags = XENMEMF_exact_node(1);
    assert_int_equal(call(XENMEM_increase_reservation, &r, 0), 0);
    r = reservation(NULL, 1, 0); // nobody wants to know
    assert_int_equal(call(XENMEM_increase_reservation, &r, 0), 1);
}

static void test_decrease(void **state)
{
    u64 list[3], twice[2];
    populate(list, 3, 10);
    twice[0] = twice[1] = list[0];
    assert_int_equal(reserve(XENMEM_decrease_reservation, twice, 2, 0), 1);
    assert_int_equal(dom.frames, 2);
    assert_int_equal(m2p_get(MFN(list[0])).v, PFN_NONE.v);
    assert_int_equal(frame_of(MFN(list[0]))->owner, OWNER_FREE);
    frame_of(MFN(list[1]))->type = FT_PARTIAL;
    assert_int_equal(reserve(XENMEM_decrease_reservation, list + 1, 1, 0), 0);
    frame_of(MFN(list[1]))->type = 0;
    frame_of(MFN(list[1]))->count = 1; // shared with the hypervisor
    assert_int_equal(reserve(XENMEM_decrease_reservation, list + 1, 1, 0), 0);
    list[0] = ~(u64)0;
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 1, 3), 0);
    assert_int_equal(dom.frames, 2);
}

static bool all_are(u64 mfn, u8 byte)
{
    const u8 *p = mfn_virt(MFN(mfn));
    return *p == byte && memcmp(p, p + 1, PAGE_SIZE - 1) == 0;
}

// What a domain leaves is cleared when there is time, a frame at a time, and at the latest when
// somebody gets it.
static void test_scrub(void **state)
{
    u64 list[4], again[4];
    tlb_clock_value = 7;
    flushed = 7;
    while (frames_scrub()) {
    }
    populate(list, 4, 10);
    for (u32 i = 0; i < 4; i++)
        memset(mfn_virt(MFN(list[i])), 0x55, PAGE_SIZE);
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 3, 0), 3);
    assert_false(frames_scrub()); // somebody may still write there
    flushed = 8;
    assert_true(frames_scrub());
    u32 cleared = all_are(list[0], 0) + all_are(list[1], 0) + all_are(list[2], 0);
    assert_int_equal(cleared, 1);
    populate(again, 1, 20); // one of the three, or another
    assert_true(all_are(again[0], 0));
    while (frames_scrub()) {
    }
    for (u32 i = 0; i < 3; i++)
        assert_true(all_are(list[i], 0));
    assert_true(all_are(list[3], 0x55));
    for (u32 i = 0; i < 3; i++)
        *(u8 *)mfn_virt(MFN(list[i])) = 1;
    populate(again + 1, 3, 30);
    u32 known = 0; // to be clear, so nobody looked again
    for (u32 i = 1; i < 4; i++)
        known += *(u8 *)mfn_virt(MFN(again[i])) == 1;
    assert_true(known > 0);
}

static void test_decrease_mapped(void **state)
{
    u64 list[1];
    populate(list, 1, 10);
    assert_true(frame_get(MFN(list[0]), &dom));
    assert_int_equal(reserve(XENMEM_decrease_reservation, list, 1, 0), 1);
    assert_int_equal(dom.frames, 1);
    frame_put(MFN(list[0]));
    assert_int_equal(dom.frames, 0);
}

static void test_refusals(void **state)
{
    u64 list[2] = {1, 2};
    struct xen_memory_reservation r = reservation(list, 1, MEMORY_ORDER_MAX + 1);
    assert_int_equal(call(XENMEM_populate_physmap, &r, 0), 0);
    r = reservation(list, ~(u64)0, 0);
    assert_int_equal(call(XENMEM_populate_physmap, &r, 0), 0);
    r = reservation(list, 1, 0);
    r.domid = 99;
    assert_int_equal(call(XENMEM_populate_physmap, &r, 0), 0);
    r.domid = other.id.v;
    assert_int_equal(call(XENMEM_populate_physmap, &r, 0), -EPERM);
    assert_int_equal(call(XENMEM_populate_physmap, (void *)16, 0), 0);
    assert_int_equal(reserve(XENMEM_populate_physmap, NULL, 1, 0), 0);
    bad_index = 1;
    assert_int_equal(reserve(XENMEM_populate_physmap, list, 2, 0), 1);
    assert_int_equal(dom.frames, 1);
    dom.privileged = true;
    bad_index = ~(u64)0;
    r = reservation(list, 1, 0);
    r.domid = other.id.v;
    assert_int_equal(call(XENMEM_populate_physmap, &r, 0), 1);
    assert_int_equal(other.frames, 1);
}

static void test_continued(void **state)
{
    u64 list[5] = {1, 2, 3, 4, 5};
    struct xen_memory_reservation r = reservation(list, 5, 0);
    u32 stops;
    preempt = true;
    assert_int_equal(call_all(XENMEM_populate_physmap, &r, &stops), 5);
    assert_int_equal(stops, 4);
    assert_int_equal(dom.frames, 5);
    assert_int_equal(call_all(XENMEM_decrease_reservation, &r, &stops), 5);
    assert_int_equal(dom.frames, 0);
    assert_int_equal(call(XENMEM_decrease_reservation, &r, 77), 77); // a start of the guest's own
}

// --- exchange ---

static struct xen_memory_exchange exchange(u64 *in, u64 ins, u32 in_order, u64 *out, u64 outs,
                                           u32 out_order)
{
    return (struct xen_memory_exchange){.in = reservation(in, ins, in_order),
                                        .out = reservation(out, outs, out_order)};
}

static void test_exchange(void **state)
{
    u64 in[16], out[2] = {500, 600};
    struct xen_memory_exchange x = exchange(in, 16, 0, out, 2, 3);
    populate(in, 16, 10);
    x.out.mem_flags = XENMEMF_address_bits(22);
    assert_int_equal(call(XENMEM_exchange, &x, 0), 0);
    assert_int_equal(x.nr_exchanged, 16);
    assert_int_equal(dom.frames, 16);
    for (u32 i = 0; i < 16; i++) {
        u64 mfn = out[i / 8] + i % 8;
        assert_true(is_owned(mfn, &dom));
        assert_true(mfn < 1024);
        assert_int_equal(m2p_get(MFN(mfn)).v, (i / 8 ? 600 : 500) + i % 8);
    }
    assert_int_equal(frames_free_count(), free_before - 16);
    // And back: one extent for several.
    u64 single[8] = {10, 11, 12, 13, 14, 15, 16, 17};
    x = exchange(out, 1, 3, single, 8, 0);
    assert_int_equal(call(XENMEM_exchange, &x, 0), 0);
    for (u32 i = 0; i < 8; i++)
        assert_int_equal(m2p_get(MFN(single[i])).v, 10 + i);
    assert_int_equal(dom.frames, 16);
}

static void test_exchange_continued(void **state)
{
    u64 in[8], out[4] = {500, 502, 504, 506};
    struct xen_memory_exchange x = exchange(in, 8, 0, out, 4, 1);
    u32 stops = 0;
    long ret;
    populate(in, 8, 10);
    preempt = true;
    while ((ret = call(XENMEM_exchange, &x, 0)) == -ERESTART_HC)
        assert_int_equal(x.nr_exchanged, 2 * ++stops);
    assert_int_equal(ret, 0);
    assert_int_equal(stops, 3);
    assert_int_equal(x.nr_exchanged, 8);
    for (u32 i = 0; i < 4; i++)
        assert_int_equal(m2p_get(MFN(out[i])).v, 500 + 2 * i);
}

// The frames that were ours are still ours, and both lists are untouched from extent `done` on.
static void check_untouched(const u64 *in, u64 ins, const u64 *out, const u64 *was, u64 outs)
{
    for (u64 i = 0; i < ins; i++) {
        assert_int_equal(frame_of(MFN(in[i]))->owner, frame_owner_id(&dom));
        assert_true(frame_of(MFN(in[i]))->count & FRAME_ALLOCATED);
        assert_int_equal(m2p_get(MFN(in[i])).v, 10 + i);
    }
    assert_memory_equal(out, was, outs * sizeof(*out));
    assert_int_equal(dom.frames, ins);
    assert_int_equal(frames_free_count(), free_before - ins);
}

static void test_exchange_undone(void **state)
{
    u64 in[8], was[2] = {500, 600}, out[2] = {500, 600};
    struct xen_memory_exchange x = exchange(in, 8, 0, out, 2, 2);
    populate(in, 8, 10);
    assert_true(frame_get(MFN(in[3]), &dom)); // mapped somewhere
    assert_int_equal(call(XENMEM_exchange, &x, 0), -EINVAL);
    frame_put(MFN(in[3]));
    check_untouched(in, 8, out, was, 2);

    x.out.mem_flags = XENMEMF_address_bits(12);
    assert_int_equal(call(XENMEM_exchange, &x, 0), -ENOMEM);
    check_untouched(in, 8, out, was, 2);
    assert_int_equal(x.nr_exchanged, 0);

    u64 twice[2] = {in[0], in[0]};
    x = exchange(twice, 2, 0, out, 1, 1);
    assert_int_equal(call(XENMEM_exchange, &x, 0), -EINVAL);
    check_untouched(in, 8, out, was, 2);

    // The first half of the step's output was written already: it is put back.
    u64 one = in[0] & ~(u64)1, singles[2] = {500, 501}, had[2] = {500, 501};
    x = exchange(&one, 1, 1, singles, 2, 0);
    bad_index = 1;
    assert_int_equal(call(XENMEM_exchange, &x, 0), -EFAULT);
    check_untouched(in, 8, singles, had, 2);
}

static void test_exchange_second_step(void **state)
{
    u64 in[4], out[2] = {500, 502};
    struct xen_memory_exchange x = exchange(in, 4, 0, out, 2, 1);
    populate(in, 4, 10);
    assert_true(frame_get(MFN(in[2]), &dom));
    assert_int_equal(call(XENMEM_exchange, &x, 0), -EINVAL);
    assert_int_equal(x.nr_exchanged, 2);
    assert_int_equal(m2p_get(MFN(out[0])).v, 500);
    assert_int_equal(out[1], 502);
    assert_int_equal(dom.frames, 4);
    frame_put(MFN(in[2]));
}

static void test_exchange_refused(void **state)
{
    static const struct {
        const char *what;
        u64 ins, outs, done;
        u32 in_order, out_order;
        domid_t out_dom;
    } rows[] = {
        {"sizes differ", 1, 2, 0, 0, 0, DOMID_SELF},
        {"domains differ", 1, 1, 0, 0, 0, 7},
        {"done beyond the end", 1, 1, 2, 0, 0, DOMID_SELF},
        {"done in the middle of a step", 8, 4, 1, 0, 1, DOMID_SELF},
        {"order", 1, 1, 0, 10, 10, DOMID_SELF},
        {"overflow", (u64)1 << 63, 0, 0, 1, 0, DOMID_SELF},
    };
    u64 in[8], out[8];
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        struct xen_memory_exchange x =
            exchange(in, rows[i].ins, rows[i].in_order, out, rows[i].outs, rows[i].out_order);
        x.nr_exchanged = rows[i].done;
        x.out.domid = rows[i].out_dom;
        long ret = call(XENMEM_exchange, &x, 0);
        if (ret != -EINVAL)
            fail_msg("%s: %ld", rows[i].what, ret);
    }
    assert_int_equal(call(XENMEM_exchange, (void *)16, 0), -EFAULT);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_populate),           CASE(test_limit),           CASE(test_increase),
        CASE(test_decrease),           CASE(test_scrub),           CASE(test_decrease_mapped),
        CASE(test_refusals),           CASE(test_continued),       CASE(test_exchange),
        CASE(test_exchange_continued), CASE(test_exchange_undone), CASE(test_exchange_second_step),
        CASE(test_exchange_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
