// SOURCES: hv/pv/mmu.c hv/pv/desc.c hv/pv/audit.c hv/mm/alloc.c
// CFLAGS: -include unit/hc_extents_world.h
// SPDX-License-Identifier: MIT
// Typed frames against a reference model that is small enough to be seen to be right: one domain,
// five frames, three slots of each table. All sequences of operations up to a length on two and
// three frames, then long random ones on all. After every step: same answer, same counts and
// contents, no contradiction found by the audit, no translation left that the frame's type forbids.
//
// The model knows no restarts. The code under test is told to stop at every occasion, at random or
// never; what stopped is asked again, as a guest's hypercall is. In the "forgetful" runs it is
// not, and other CPUs take writable uses in between: there, only the audit judges, and the end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include "cpu/cpu.h"
#include "cpu/spec.h"
#include "dom/domain.h"
#include "dom/grant.h"
#include "fake/host.h"
#include "hc/continue.h"
#include "io/mmio.h"
#include "pv/mmu.h"

enum {
    FIRST = 1,
    END = 6,
    OURS = 8,
    TABLE = 16,
    DEVICE = 100,
    SLOTS = 3,
    SLOT_OURS = 1,
    WRITERS_MAX = 3
};
enum { KERNEL, USER };
static const u32 slots[SLOTS] = {0, [SLOT_OURS] = HV_L4_FIRST, 511}; // in the order of validation

#define BIT62     ((u64)1 << 62)
#define DESC_BAD  ((u64)1 << 47)                              // present system descriptor
#define DESC_GOOD ((u64)0xa << 52 | (u64)0xfb << 40 | 0xffff) // code, ring 3

// ---- The model ----

struct model {
    struct model_frame {
        bool owned, allocated, pinned;
        u32 refs, uses, writers;
        enum frame_type type; // while uses
        u32 stale;            // bit n: translations made under enum frame_type n may be left
        u64 e[SLOTS];
    } f[END];
    u64 root[2], gdt; // frame numbers, 0: none
};
static struct model model;

static bool m_get(u64 m, enum frame_type type);
static void m_put(u64 m);

static bool m_hold(u64 m)
{
    if (m >= END || !model.f[m].owned)
        return false;
    model.f[m].refs++;
    return true;
}

static void m_drop_ref(u64 m)
{
    if (--model.f[m].refs == 0)
        model.f[m].owned = false;
}

static bool m_is_table(const struct model_frame *f)
{
    return f->uses && f->type >= FT_L1 && f->type <= FT_L4;
}

static bool m_count_entry(enum frame_type type, u64 self, u64 e)
{
    u64 m = pte_mfn(e).v;
    if (e & BIT62 || (type != FT_L1 && e & (PTE_PS | PTE_G)))
        return false;
    if (type == FT_L1)
        return m == DEVICE || (e & PTE_W ? m_get(m, FT_WRITABLE) : m_hold(m));
    return m == self ? !(e & PTE_W) : m_get(m, type - 1);
}

// Counts what an entry uses, and gives it the form in which it stands in a table.
static bool m_get_entry(enum frame_type type, u64 self, u64 *e)
{
    if (!(*e & PTE_P))
        return true;
    if (!m_count_entry(type, self, *e))
        return false;
    *e |= PTE_U;
    if (type == FT_L1)
        *e &= ~(u64)PTE_G;
    if (pte_mfn(*e).v == DEVICE)
        *e &= ~(u64)PTE_W;
    return true;
}

static void m_put_entry(enum frame_type type, u64 self, u64 e)
{
    u64 m = pte_mfn(e).v;
    if (!(e & PTE_P) || m == DEVICE || (type != FT_L1 && m == self))
        return;
    if (type != FT_L1 || e & PTE_W)
        m_put(m);
    else
        m_drop_ref(m);
}

static bool m_is_ours(enum frame_type type, u32 slot)
{
    return type == FT_L4 && slot == SLOT_OURS;
}

static bool m_first_use(u64 m)
{
    struct model_frame *f = &model.f[m];
    if (f->type == FT_DESC)
        return f->e[0] != DESC_BAD && f->e[1] != DESC_BAD && f->e[2] != DESC_BAD;
    if (f->type == FT_L4)
        f->e[SLOT_OURS] = hv_l4_slots[0];
    for (u32 s = 0; m_is_table(f) && s < SLOTS; s++)
        if (!m_is_ours(f->type, s) && !m_get_entry(f->type, m, &f->e[s]))
            return false;
    return true;
}

static bool m_get(u64 m, enum frame_type type)
{
    if (!m_hold(m))
        return false;
    if (model.f[m].uses++)
        return model.f[m].type == type;
    if (type >= FT_L1 && type <= FT_L4 && !model.f[m].allocated)
        return false;
    model.f[m].type = type;
    return m_first_use(m);
}

static void m_put(u64 m)
{
    struct model_frame *f = &model.f[m];
    f->stale |= 1u << f->type;
    if (m_is_table(f) && f->uses == 1) {
        for (u32 s = 0; s < SLOTS; s++)
            if (!m_is_ours(f->type, s))
                m_put_entry(f->type, m, f->e[s]);
    }
    f->uses--;
    m_drop_ref(m);
}

static void m_flush(void)
{
    for (u32 m = FIRST; m < END; m++)
        model.f[m].stale = 0;
}

static bool m_write_entry(u64 m, u32 s, u64 e)
{
    struct model_frame *f = &model.f[m];
    u64 old = f->e[s];
    if (m_is_ours(f->type, s) || !m_get_entry(f->type, m, &e))
        return false;
    f->e[s] = e;
    m_put_entry(f->type, m, old);
    return true;
}

static bool m_write_data(u64 m, u32 s, u64 word)
{
    if (!m_get(m, FT_WRITABLE))
        return false;
    model.f[m].e[s] = word;
    m_put(m);
    return true;
}

static bool m_write(u64 m, u64 s, u64 e)
{
    return m_is_table(&model.f[m]) ? m_write_entry(m, (u32)s, e) : m_write_data(m, (u32)s, e);
}

static bool m_exchange(u64 m, u64 s, u64 e)
{
    struct model_frame *f = &model.f[m];
    return f->uses && f->type == FT_L1 && m_write_entry(m, (u32)s, e);
}

static bool m_set_desc(u64 m, u64 s, u64 desc)
{
    struct model_frame *f = &model.f[m];
    if (desc == DESC_BAD || !f->uses || f->type != FT_DESC)
        return desc != DESC_BAD && m_write_data(m, (u32)s, desc);
    f->e[s] = desc;
    return true;
}

static bool m_pin(u64 m, u64 type, u64 unused)
{
    bool ok = m_get(m, (enum frame_type)type) && !model.f[m].pinned && model.f[m].allocated;
    model.f[m].pinned = true;
    return ok;
}

static bool m_unpin(u64 m, u64 unused, u64 unused2)
{
    if (!model.f[m].pinned)
        return false;
    model.f[m].pinned = false;
    m_put(m);
    return true;
}

static bool m_replace(u64 *place, u64 m, enum frame_type type)
{
    u64 old = *place;
    if (m && !m_get(m, type))
        return false;
    *place = m;
    if (old)
        m_put(old);
    return true;
}

static bool m_root(u64 m, u64 which, u64 unused)
{
    return (m || which == USER) && m_replace(&model.root[which], m, FT_L4);
}

static bool m_gdt(u64 m, u64 unused, u64 unused2)
{
    return m_replace(&model.gdt, m, FT_DESC);
}

static bool m_map(u64 m, u64 unused, u64 unused2)
{
    model.f[m].writers++;
    return model.f[m].writers <= WRITERS_MAX && m_get(m, FT_WRITABLE);
}

static bool m_unmap(u64 m, u64 unused, u64 unused2)
{
    if (!model.f[m].writers)
        return false;
    model.f[m].writers--;
    m_put(m);
    return true;
}

static bool m_drop(u64 m, u64 unused, u64 unused2)
{
    if (!model.f[m].owned || !model.f[m].allocated)
        return false;
    model.f[m].allocated = false;
    m_drop_ref(m);
    return true;
}

static bool m_flush_all(u64 unused, u64 unused2, u64 unused3)
{
    m_flush();
    return true;
}

// ---- The surroundings of the production code ----

enum { NEVER, ALWAYS, SOMETIMES } stops;
static struct domain dom;
static struct vcpu vcpu = {.dom = &dom};
static u32 writers[END];
static u32 seed, flushed_at; // by the one CPU
static bool forgetful;
struct domain *dom0 = &dom;

static u32 rnd(u32 n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

u32 tlb_clock_value = 1;

void spin_wait(void)
{
    panic("waits"); // for a flush by another CPU, which is the test itself
}

// While a CPU flushes before it uses m as writable, another one tries that, too: it is let in only
// when nothing is left to flush. True: it waits, its use counted.
static bool another_waits(mfn_t m)
{
    volatile bool got = false;
    if (FAKE_PANICS(got = frame_get_writable(m) == 0))
        return true;
    if (got) {
        assert_int_equal(model.f[m.v].stale & ~(1u << FT_WRITABLE), 0);
        frame_put_type(m);
    }
    return false;
}

struct cpu_features cpu_features = {.phys_bits = 40};
struct spec spec;

void pv_roots_changed(struct domain *d)
{
}

void tlb_flush_since(const struct cpumask *mask, u32 stamp)
{
    bool waits[END] = {0};
    if ((s32)(flushed_at - stamp) > 0)
        return;
    for (u64 m = FIRST; m < END && !forgetful; m++) {
        u64 word = frame_of(MFN(m))->type;
        if (frame_type_of(word) == FT_WRITABLE && word & FT_COUNT)
            waits[m] = another_waits(MFN(m));
    }
    flushed_at = ++tlb_clock_value;
    m_flush();
    for (u64 m = FIRST; m < END; m++)
        if (waits[m])
            frame_put_type(MFN(m));
}

bool tlb_flushed_since(u32 stamp)
{
    return false;
}

void domain_hold(struct domain *d)
{
    d->refs++;
}

void domain_put(struct domain *d)
{
    d->refs--;
}

void grant_visit_uses(struct domain *d, void (*fn)(void *ctx, const struct grant_use *use),
                      void *ctx)
{
}

struct domain *domain_by_owner(u16 owner)
{
    return owner == frame_owner_id(&dom) ? &dom : NULL;
}

bool mmio_permitted(struct domain *d, mfn_t m, bool write)
{
    return m.v == DEVICE && !write;
}

void pv_windows_changed(struct vcpu *v)
{
}

void evtchn_fifo_visit_frames(const struct domain *d, void (*fn)(void *, const void *), void *ctx)
{
    for (u64 m = FIRST; m < END; m++)
        for (u32 i = 0; i < writers[m]; i++)
            fn(ctx, mfn_virt(MFN(m)));
}

static bool r_map(u64 m, u64 unused, u64 unused2)
{
    if (writers[m] == WRITERS_MAX || !frame_get(MFN(m), &dom))
        return false;
    if (frame_get_writable(MFN(m)) != 0) {
        frame_put(MFN(m));
        return false;
    }
    writers[m]++;
    return true;
}

static bool r_unmap(u64 m, u64 unused, u64 unused2)
{
    if (!writers[m])
        return false;
    writers[m]--;
    frame_put_type(MFN(m));
    frame_put(MFN(m));
    return true;
}

// Another CPU may take and end writable uses whenever the holder of mmu_lock is not looking.
bool preempt_wanted(void)
{
    if (forgetful && rnd(2))
        rnd(2) ? r_map(FIRST + rnd(END - FIRST), 0, 0) : r_unmap(FIRST + rnd(END - FIRST), 0, 0);
    return stops == ALWAYS || (stops == SOMETIMES && rnd(3) == 0);
}

// ---- The production code under the same names ----

static int r_write(u64 m, u64 s, u64 e)
{
    return mmu_write(&dom, &dom, MADDR(m << PAGE_SHIFT | slots[s] * 8), e, false);
}

static int r_exchange(u64 m, u64 s, u64 e)
{
    maddr_t where = MADDR(m << PAGE_SHIFT | slots[s] * 8);
    u64 old = *(u64 *)maddr_virt(where);
    bool swapped;
    int rc = mmu_cmpxchg_l1(&dom, where, &old, e, &swapped);
    assert_true(rc != 0 || swapped);
    return rc;
}

static int r_set_desc(u64 m, u64 s, u64 desc)
{
    return (int)pv_update_descriptor(&vcpu, m << PAGE_SHIFT | slots[s] * 8, desc);
}

static int r_pin(u64 m, u64 type, u64 unused)
{
    return mmu_pin(&dom, MFN(m), (enum frame_type)type);
}

static int r_unpin(u64 m, u64 unused, u64 unused2)
{
    return mmu_unpin(&dom, MFN(m));
}

// As pv_set_root.
static int r_root(u64 m, u64 which, u64 unused)
{
    mfn_t *slot = which == USER ? &vcpu.pv.l4_user : &vcpu.pv.l4_kernel, old = *slot;
    if (which != USER && !m)
        return -EINVAL;
    int rc = m ? mmu_get(&dom, MFN(m), FT_L4) : 0;
    if (rc != 0)
        return rc;
    *slot = m ? MFN(m) : MFN_NONE;
    if (!mfn_eq(old, MFN_NONE))
        mmu_put(&dom, old);
    return 0;
}

static int r_gdt(u64 m, u64 unused, u64 unused2)
{
    return (int)pv_set_gdt(&vcpu, &m, m ? 1 : 0);
}

static int r_map_page(u64 m, u64 unused, u64 unused2)
{
    return r_map(m, 0, 0) ? 0 : -EINVAL;
}

static int r_unmap_page(u64 m, u64 unused, u64 unused2)
{
    return r_unmap(m, 0, 0) ? 0 : -EINVAL;
}

// As hc/extents.c: a frame that is half validated stays.
static int r_drop(u64 m, u64 unused, u64 unused2)
{
    return frame_of(MFN(m))->type & FT_PARTIAL ? -EINVAL : frame_drop_allocated(MFN(m), &dom);
}

static int r_flush_all(u64 unused, u64 unused2, u64 unused3)
{
    flushed_at = ++tlb_clock_value;
    return 0;
}

// ---- Operations ----

enum value_kind { FRAME, TYPE, WHICH, NOTHING, ENTRY, DESC };

static const struct op {
    const char *name;
    bool (*model)(u64 m, u64 a, u64 b);
    int (*real)(u64 m, u64 a, u64 b);
    enum value_kind a, b;
    bool none; // frame 0 is an argument, too
} ops[] = {
    {"write", m_write, r_write, NOTHING, ENTRY, false},
    {"exchange", m_exchange, r_exchange, NOTHING, ENTRY, false},
    {"pin", m_pin, r_pin, TYPE, NOTHING, false},
    {"unpin", m_unpin, r_unpin, NOTHING, NOTHING, false},
    {"root", m_root, r_root, WHICH, NOTHING, true},
    {"gdt", m_gdt, r_gdt, NOTHING, NOTHING, true},
    {"map", m_map, r_map_page, NOTHING, NOTHING, false},
    {"unmap", m_unmap, r_unmap_page, NOTHING, NOTHING, false},
    {"flush", m_flush_all, r_flush_all, NOTHING, NOTHING, false},
    {"descriptor", m_set_desc, r_set_desc, NOTHING, DESC, false},
    {"drop", m_drop, r_drop, NOTHING, NOTHING, false},
};
enum { OP_WRITE, OP_EXCHANGE, OP_PIN, OP_UNPIN, OP_ROOT, OP_GDT, OP_MAP, OP_EXHAUSTED = 9 };

struct step {
    const struct op *op;
    u64 m, a, b;
};

static void print_step(const struct step *s)
{
    print_error("%s(%llu, %llu, %llx)\n", s->op->name, (unsigned long long)s->m,
                (unsigned long long)s->a, (unsigned long long)s->b);
}

static bool run_model(const struct step *s)
{
    struct model before = model;
    if (s->op->model(s->m, s->a, s->b))
        return true;
    // Nothing but what is fixed up before it is refused: contents of a table that is refused.
    for (u32 m = FIRST; m < END; m++)
        memcpy(before.f[m].e, model.f[m].e, sizeof(before.f[m].e));
    model = before;
    return false;
}

// What hypercalls do around an operation; false: refused. Forgetful: perhaps not to the end.
static int run_real(const struct step *s)
{
    int rc;
    do {
        rc = forgetful && rnd(2) ? 0 : mmu_drain(&dom); // not between requests of one batch
        if (rc == 0)
            rc = s->op->real(s->m, s->a, s->b);
    } while (rc == -ERESTART_HC && !(forgetful && rnd(3) == 0));
    while (mmu_drain(&dom) == -ERESTART_HC && !(forgetful && rnd(3) == 0))
        ;
    assert_int_equal(fake_locks_held(), 0);
    return rc;
}

// ---- Comparing ----

static void check_audit(void)
{
    fake_log_reset();
    if (mmu_audit(&dom) != 0)
        fail_msg("%s", fake_log);
}

static void compare_frame(u32 m)
{
    const struct model_frame *e = &model.f[m];
    const struct frame *f = frame_of(MFN(m));
    const u64 *words = mfn_virt(MFN(m));
    assert_int_equal(f->owner == frame_owner_id(&dom), e->owned);
    if (!e->owned)
        return;
    assert_int_equal(frame_refs(f), e->refs);
    assert_int_equal(f->type & FT_COUNT, e->uses);
    assert_int_equal((f->type & FT_PINNED) != 0, e->pinned);
    assert_false(f->type & (FT_PARTIAL | FT_QUEUED | FT_HELD));
    for (u32 s = 0; s < SLOTS; s++)
        assert_int_equal(words[slots[s]], e->e[s]);
    if (!e->uses)
        return;
    assert_int_equal(frame_type_of(f->type), e->type);
    assert_int_equal(e->stale & ~(1u << e->type), 0);
}

static void compare(void)
{
    for (u32 m = FIRST; m < END; m++)
        compare_frame(m);
    assert_int_equal(dom.deferred, 0);
    check_audit();
}

static bool run(const struct step *s)
{
    bool want = run_model(s);
    int rc = run_real(s);
    if ((rc == 0) != want) {
        print_step(s);
        fail_msg("answered %d, the model says %s", rc, want ? "yes" : "no");
    }
    return want;
}

// ---- Begin and end ----

static int group_setup(void **state)
{
    const struct {
        u64 at, bytes;
    } maps[] = {{FRAME_TABLE_BASE, TABLE * sizeof(struct frame)},
                {DIRECTMAP_BASE, TABLE * PAGE_SIZE}};
    for (u32 i = 0; i < ARRAY_SIZE(maps); i++)
        assert_ptr_equal(mmap((void *)maps[i].at, maps[i].bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
                         (void *)maps[i].at);
    frame_count = TABLE;
    for (u32 m = 0; m < TABLE; m++)
        *frame_of(MFN(m)) = (struct frame){.owner = OWNER_HV, .count = 1 | FRAME_ALLOCATED};
    frames_add(MFN(FIRST), MFN(END));
    hv_l4_slots[0] = (u64)OURS << PAGE_SHIFT | PTE_P | PTE_W | PTE_A; // the others stay empty
    return 0;
}

static void give_frame(void)
{
    mfn_t m = frames_alloc(0, MFN_NONE);
    assert_true(m.v >= FIRST && m.v < END);
    memset(mfn_virt(m), 0, PAGE_SIZE);
    frame_assign(m, &dom);
    model.f[m.v] = (struct model_frame){.owned = true, .allocated = true, .refs = 1};
}

// The domain owns the first `frames` frames.
static void begin(u32 frames)
{
    memset(&model, 0, sizeof(model));
    memset(&dom, 0, sizeof(dom));
    memset(writers, 0, sizeof(writers));
    dom.vcpu_count = 1;
    dom.vcpu[0] = &vcpu;
    spin_lock_init(&dom.mmu_lock, LOCK_MMU);
    vcpu.pv.l4_kernel = vcpu.pv.l4_user = MFN_NONE;
    for (u32 i = 0; i < PV_GDT_FRAMES; i++)
        vcpu.pv.gdt_frame[i] = MFN_NONE;
    for (u32 i = 0; i < PV_LDT_FRAMES; i++)
        vcpu.pv.ldt_frame[i] = MFN_NONE;
    for (u32 i = FIRST; i < END; i++)
        give_frame();
    for (u32 m = FIRST + frames; m < END; m++) {
        assert_int_equal(frame_drop_allocated(MFN(m), &dom), 0);
        model.f[m] = (struct model_frame){0};
    }
}

// A validation that the guest forgot is carried to its end, or refused.
static void finish_held(mfn_t m)
{
    u64 word = frame_of(m)->type;
    if (word & FT_HELD && mmu_pin(&dom, m, frame_type_of(word)) == 0)
        assert_int_equal(mmu_unpin(&dom, m), 0);
}

static void let_go(mfn_t m)
{
    while (r_unmap(m.v, 0, 0))
        ;
    if (frame_of(m)->type & FT_PINNED)
        assert_int_equal(mmu_unpin(&dom, m), 0);
    finish_held(m);
    assert_int_equal(mmu_drain(&dom), 0);
}

// Everything is undone: no count may be left, and every frame is free again.
static void finish(void)
{
    stops = NEVER;
    forgetful = false;
    assert_int_equal(mmu_drain(&dom), 0);
    if (!mfn_eq(vcpu.pv.l4_kernel, MFN_NONE))
        mmu_put(&dom, vcpu.pv.l4_kernel);
    vcpu.pv.l4_kernel = MFN_NONE;
    assert_int_equal(r_root(0, USER, 0), 0);
    assert_int_equal(r_gdt(0, 0, 0), 0);
    for (u32 m = FIRST; m < END; m++)
        if (frame_of(MFN(m))->owner == frame_owner_id(&dom))
            let_go(MFN(m));
    check_audit();
    for (u32 m = FIRST; m < END; m++) {
        if (frame_of(MFN(m))->owner != frame_owner_id(&dom))
            continue;
        assert_int_equal(frame_of(MFN(m))->type & FT_COUNT, 0);
        assert_int_equal(frame_of(MFN(m))->count, 1 | FRAME_ALLOCATED);
        assert_int_equal(frame_drop_allocated(MFN(m), &dom), 0);
    }
    assert_int_equal(dom.frames, 0);
    assert_int_equal(frames_free_count(), END - FIRST);
    assert_int_equal(fake_heap_live, 0);
}

// ---- All short sequences ----

enum { STEPS_MAX = 128 };
static struct step step_all[STEPS_MAX];
static u32 steps;

static void add_step(u32 op, u64 m, u64 a, u64 b)
{
    assert_true(steps < STEPS_MAX);
    step_all[steps++] = (struct step){&ops[op], m, a, b};
}

static void list_steps(u32 frames, u32 low, u32 high)
{
    steps = 0;
    for (u64 m = FIRST; m < FIRST + frames; m++) {
        add_step(OP_WRITE, m, 0, 0);
        for (u64 to = FIRST; to < FIRST + frames; to++) {
            add_step(OP_WRITE, m, 0, to << PAGE_SHIFT | PTE_P);
            add_step(OP_WRITE, m, 0, to << PAGE_SHIFT | PTE_P | PTE_W);
        }
        add_step(OP_PIN, m, low, 0);
        add_step(OP_PIN, m, high, 0);
        for (u32 op = OP_UNPIN; op <= OP_MAP + 1; op++)
            if (op != OP_ROOT)
                add_step(op, m, 0, 0);
        if (high == FT_L4)
            add_step(OP_ROOT, m, KERNEL, 0);
    }
}

// Everything that steps change: no frame is allocated or freed here.
struct world {
    struct model model;
    struct frame frames[END];
    u64 words[END][SLOTS];
    struct vcpu vcpu;
    u32 writers[END], clock, flushed_at;
};

static void world_save(struct world *w)
{
    w->model = model;
    memcpy(w->frames, frame_table, sizeof(w->frames));
    for (u32 m = FIRST; m < END; m++)
        for (u32 s = 0; s < SLOTS; s++)
            w->words[m][s] = ((u64 *)mfn_virt(MFN(m)))[slots[s]];
    memcpy(w->writers, writers, sizeof(writers));
    w->vcpu = vcpu;
    w->clock = tlb_clock_value;
    w->flushed_at = flushed_at;
}

static void world_restore(const struct world *w)
{
    model = w->model;
    memcpy(frame_table, w->frames, sizeof(w->frames));
    for (u32 m = FIRST; m < END; m++)
        for (u32 s = 0; s < SLOTS; s++)
            ((u64 *)mfn_virt(MFN(m)))[slots[s]] = w->words[m][s];
    memcpy(writers, w->writers, sizeof(writers));
    vcpu = w->vcpu;
    tlb_clock_value = w->clock;
    flushed_at = w->flushed_at;
}

// What was refused is not gone on from: the rest is a shorter sequence.
static void explore(u32 length)
{
    struct world *here = test_malloc(sizeof(*here));
    world_save(here);
    for (u32 i = 0; i < steps; i++) {
        bool done = run(&step_all[i]);
        compare();
        if (done && length > 1)
            explore(length - 1);
        world_restore(here);
    }
    test_free(here);
}

static void short_sequences(void **state)
{
    static const struct {
        u32 frames, length, low, high, stops;
    } rows[] = {
        {3, 3, FT_L1, FT_L2, NEVER},  {3, 3, FT_L1, FT_L2, ALWAYS}, {3, 3, FT_L2, FT_L3, ALWAYS},
        {3, 3, FT_L3, FT_L4, ALWAYS}, {2, 4, FT_L1, FT_L2, ALWAYS}, {2, 4, FT_L3, FT_L4, NEVER},
    };
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        begin(rows[i].frames);
        stops = rows[i].stops;
        list_steps(rows[i].frames, rows[i].low, rows[i].high);
        explore(rows[i].length);
        finish();
    }
}

// ---- Long random ones ----

static u64 random_entry(void)
{
    static const u64 flags[] = {PTE_P,
                                PTE_P | PTE_W,
                                PTE_P | PTE_U,
                                PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | PTE_NX,
                                PTE_P | PTE_PS,
                                PTE_P | PTE_G | PTE_W,
                                PTE_P | BIT62,
                                PTE_W,
                                0};
    u64 to = FIRST + rnd(END - FIRST);
    if (rnd(12) == 0)
        to = rnd(2) ? OURS : DEVICE;
    return rnd(20) ? to << PAGE_SHIFT | flags[rnd(rnd(3) ? 4 : ARRAY_SIZE(flags))] : DESC_BAD;
}

static u64 random_value(enum value_kind kind)
{
    switch (kind) {
    case TYPE:
        return FT_L1 + rnd(4);
    case WHICH:
        return rnd(2);
    case ENTRY:
        return random_entry();
    case DESC:
        return rnd(3) ? DESC_GOOD : DESC_BAD;
    default:
        return 0;
    }
}

static struct step random_step(void)
{
    u32 op = rnd(3) ? rnd(OP_MAP) : rnd(ARRAY_SIZE(ops));
    struct step s = {&ops[op], FIRST + rnd(END - FIRST), 0, random_value(ops[op].b)};
    bool slot = ops[op].b == ENTRY || ops[op].b == DESC;
    s.a = slot ? rnd(SLOTS) : random_value(ops[op].a);
    // Half of all links and types are such that trees grow: 1 is an L4 table, 5 data.
    if (ops[op].b == ENTRY && rnd(2) && s.m + 1 < END)
        s.b = (s.m + 1) << PAGE_SHIFT | PTE_P | (rnd(2) ? PTE_W : 0);
    if (ops[op].a == TYPE && rnd(2) && s.m <= FT_L4)
        s.a = FT_L4 + FIRST - s.m;
    if (ops[op].none && rnd(3) == 0)
        s.m = 0;
    if (!strcmp(ops[op].name, "drop") && rnd(4))
        s.op = &ops[OP_UNPIN];
    return s;
}

// Five frames in a row, each mapped by the one before, the last one writable.
static void build_tree(void)
{
    for (u64 m = FIRST; m + 1 < END; m++) {
        struct step link = {&ops[OP_WRITE], m, rnd(2), (m + 1) << PAGE_SHIFT | PTE_P | PTE_W};
        run(&link);
    }
    run(&(struct step){&ops[OP_PIN], FIRST, FT_L4, 0});
}

static void give_back(void)
{
    while (frames_free_count())
        give_frame();
}

enum { SEEDS = 60, RANDOM_LENGTH = 4000, RENEW = 50 };

static void random_sequences(void **state)
{
    for (u32 i = 1; i <= SEEDS; i++) {
        seed = i;
        begin(END - FIRST);
        stops = i % 3;
        for (u32 n = 0; n < RANDOM_LENGTH; n++) {
            if (n % RENEW == 0) {
                give_back();
                build_tree();
            }
            struct step s = random_step();
            run(&s);
            compare();
        }
        finish();
    }
}

static void forgetful_sequences(void **state)
{
    for (u32 i = 1; i <= SEEDS; i++) {
        seed = i + SEEDS;
        begin(END - FIRST);
        stops = SOMETIMES;
        forgetful = true;
        for (u32 n = 0; n < RANDOM_LENGTH; n++) {
            if (n % RENEW == 0)
                give_back();
            struct step s = random_step();
            run_real(&s);
            check_audit();
        }
        finish();
    }
}

// Requests of one batch: a table whose invalidation has stopped is used again, and that stops, too.
// It is on the deferred list and held; draining must let go of both.
static void queued_and_held(void **state)
{
    const u64 both = FT_QUEUED | FT_HELD;
    struct frame *l2 = frame_of(MFN(FIRST));
    begin(2);
    stops = ALWAYS;
    for (u32 s = 0; s < 2; s++)
        run(&(struct step){&ops[OP_WRITE], FIRST, s, (FIRST + 1) << PAGE_SHIFT | PTE_P});
    run(&(struct step){&ops[OP_PIN], FIRST, FT_L2, 0});
    assert_int_equal(mmu_unpin(&dom, MFN(FIRST)), 0);
    assert_int_equal(mmu_pin(&dom, MFN(FIRST), FT_L2), -ERESTART_HC);
    assert_int_equal(l2->type & both, both);
    check_audit();
    while (mmu_drain(&dom) == -ERESTART_HC)
        check_audit();
    check_audit();
    assert_int_equal(l2->count, 1 | FRAME_ALLOCATED);
    finish();
}

// ---- The audit itself ----

// A good state with one word made wrong: it must be seen.
static void audit_sees(void **state)
{
    u64 *l1 = (u64 *)(DIRECTMAP_BASE + 4 * PAGE_SIZE), *l2 = l1 - 512, *l4 = l1 - 3 * 512;
    struct frame *table = frame_of(MFN(4)), *data = frame_of(MFN(5));
    const struct {
        const char *what;
        u64 *word, flip;
    } rows[] = {
        {"a reference too many", &data->count, 3},
        {"a use too many", &data->type, 3},
        {"another type", &data->type, (u64)1 << FT_SHIFT},
        {"not validated", &table->type, FT_VALIDATED},
        {"pinned", &table->type, FT_PINNED},
        {"queued", &table->type, FT_QUEUED},
        {"held", &table->type, FT_HELD},
        {"the owner's reference", &table->count, FRAME_ALLOCATED},
        {"an entry without U", &l1[0], PTE_U},
        {"a global entry", &l1[0], PTE_G},
        {"an entry not writable", &l1[0], PTE_W},
        {"an entry gone", &l1[0], PTE_P},
        {"a table writable", &l1[0], PAGE_SIZE}, // 5 becomes 4: itself
        {"a superpage", &l2[0], PTE_PS},
        {"a table of the wrong level", &l2[0], 6 * PAGE_SIZE}, // 4 becomes 2
        {"our slots", &l4[HV_L4_FIRST + 1], PTE_W},
        {"the domain's frames", &dom.frames, 3},
    };
    seed = 1;
    begin(END - FIRST);
    stops = NEVER;
    for (u64 m = FIRST; m + 1 < END; m++)
        run(&(struct step){&ops[OP_WRITE], m, 0, (m + 1) << PAGE_SHIFT | PTE_P | PTE_W});
    run(&(struct step){&ops[OP_PIN], FIRST, FT_L4, 0});
    compare();
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        *rows[i].word ^= rows[i].flip;
        if (mmu_audit(&dom) == 0)
            fail_msg("not seen: %s", rows[i].what);
        *rows[i].word ^= rows[i].flip;
    }
    compare();
    fake_heap_fail_after(0);
    assert_int_equal(mmu_audit(&dom), 0);
    assert_non_null(strstr(fake_log, "no memory"));
    fake_heap_fail_after(-1);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(audit_sees),       cmocka_unit_test(short_sequences),
        cmocka_unit_test(random_sequences), cmocka_unit_test(forgetful_sequences),
        cmocka_unit_test(queued_and_held),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
