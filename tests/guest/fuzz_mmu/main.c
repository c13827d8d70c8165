// SPDX-License-Identifier: MIT
// Random page-table updates on a few frames, checked against the invariant of direct paging.
//
// Frames are linked, pinned, mapped writable and read-only and let go in random order, by
// mmu_update, update_va_mapping, mmuext_op and direct writes. After every step whose success could
// break it: no frame is writable through a live mapping while it is a pinned or linked table. The
// judge knows which operations succeeded, and looks at what the tables really hold: a successful
// pin with a writable mapping in any live L1, or the reverse, is the failure. The seed is printed;
// "seed=N" repeats it.
#include "lib/random.h"

const char test_title[] = "random page-table updates keep the invariant";

#define STEPS   60000
#define TIME_NS 6000000000ul
#define FRAMES  10
#define AREA    ((char *)0xffffc90000000000)

static uint64_t mfn[FRAMES];
static uint64_t *view[FRAMES]; // read-only
static uint64_t *window_l1, window_l1_mfn;
static unsigned int pinned[FRAMES]; // the level
static unsigned int good, broken;

static char *slot_va(uint64_t slot)
{
    return AREA + slot * PAGE_SIZE;
}

static int frame_index(uint64_t pte)
{
    for (int i = 0; i < FRAMES; i++)
        if (pte_mfn(pte) == mfn[i])
            return i;
    return -1;
}

static uint64_t random_pte(void)
{
    static const uint64_t flags[] = {PTE_RO,
                                     PTE_RO,
                                     PTE_RW,
                                     PTE_RW,
                                     PTE_P,
                                     PTE_RW | PTE_AVAIL0,
                                     PTE_RW | PTE_PSE,
                                     PTE_RW | PTE_G,
                                     PTE_RO | PTE_NX,
                                     0,
                                     PTE_RW | 1ul << 51,
                                     PTE_W | PTE_U};
    uint64_t target = pick(12) ? mfn[pick(FRAMES)] : window_l1_mfn;

    return pick(6) ? mfn_pte(target, flags[pick(ARRAY_SIZE(flags))]) : 0;
}

// Writable by the window, which is always live?
static bool window_writes(int frame)
{
    for (unsigned int i = 0; i < 16; i++)
        if ((window_l1[i] & (PTE_P | PTE_W)) == (PTE_P | PTE_W) &&
            pte_mfn(window_l1[i]) == mfn[frame])
            return true;
    return false;
}

// Not writable, and without bits that no table may hold.
static void check_pinned(int frame)
{
    if (!pinned[frame])
        return;
    if (window_writes(frame)) {
        printk("frame %d is pinned and writable\n", frame);
        broken++;
    }
    for (unsigned int i = 0; i < 512; i += i == 15 ? 496 - 15 : 1) {
        uint64_t pte = view[frame][i];

        if ((pte & PTE_P) && (pte & (1ul << 51 | (pinned[frame] > 1 ? PTE_PSE : 0)))) {
            printk("frame %d is pinned with entry %lx\n", frame, pte);
            broken++;
        }
    }
}

// A pinned L1 must not map a pinned frame, or itself, writable.
static void check_links(void)
{
    for (int f = 0; f < FRAMES; f++) {
        check_pinned(f);
        for (unsigned int i = 0; pinned[f] && i < 16; i++) {
            uint64_t pte = view[f][i];
            int to = (pte & (PTE_P | PTE_W)) == (PTE_P | PTE_W) ? frame_index(pte) : -1;

            if (to >= 0 && (to == f || (pinned[f] == 1 && pinned[to]))) {
                printk("frame %d maps table %d writable\n", f, to);
                broken++;
            }
        }
    }
}

static void step_window(void)
{
    uint64_t slot = pick(16), pte = random_pte();
    long rc;

    switch (pick(3)) {
    case 0:
        rc = hc_update_va_mapping(slot_va(slot), pte, pick(3));
        break;
    case 1:
        rc = pte_write(&window_l1[slot], pte);
        break;
    default:
        rc = try_write(&window_l1[slot], pte)->count ? -EINVAL : 0;
    }
    good += rc == 0;
}

// Writes where the window lets us, which must never be a table.
static void step_poke(void)
{
    uint64_t slot = pick(16), entry = pick(32);
    uint64_t *p = (uint64_t *)slot_va(slot) + entry;
    uint64_t before[FRAMES];
    bool faulted;

    for (int i = 0; i < FRAMES; i++)
        before[i] = view[i][entry];
    faulted = try_write(p, random_pte())->count;
    for (int i = 0; i < FRAMES; i++)
        if (pinned[i] && view[i][entry] != before[i] &&
            (faulted || (window_l1[slot] & (PTE_P | PTE_W)) == (PTE_P | PTE_W))) {
            printk("a table was written: frame %d\n", i);
            broken++;
        }
}

static void step_table(void)
{
    struct mmu_update u[4];
    unsigned int n = 1 + (unsigned int)pick(4), done = 0;

    for (unsigned int i = 0; i < n; i++)
        u[i] = (struct mmu_update){.ptr = mfn[pick(FRAMES)] << 12 | pick(16) * 8 |
                                          (pick(4) ? 0 : MMU_PT_UPDATE_PRESERVE_AD),
                                   .val = random_pte()};
    good += hc_mmu_update(u, n, &done, DOMID_SELF) == 0;
    broken += done > n;
}

static void step_pin(void)
{
    int f = (int)pick(FRAMES);
    long rc;

    if (pick(2)) {
        unsigned int level = 1 + (unsigned int)pick(4);

        rc = mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn[f]);
        if (rc == 0 && pinned[f])
            broken++;
        pinned[f] = rc == 0 ? level : pinned[f];
    } else {
        rc = mmuext(MMUEXT_UNPIN_TABLE, mfn[f]);
        if ((rc == 0) != (pinned[f] != 0))
            broken++;
        pinned[f] = rc == 0 ? 0 : pinned[f];
    }
    good += rc == 0;
}

static void step_other(void)
{
    uint64_t f = mfn[pick(FRAMES)];
    int i = frame_index(f << 12);

    if (mmuext(pick(2) ? MMUEXT_CLEAR_PAGE : MMUEXT_COPY_PAGE, f) == 0 && pinned[i])
        broken++;
    if (pick(4) == 0)
        mmuext(MMUEXT_NEW_USER_BASEPTR, pick(2) ? f : 0);
}

static void undo_all(void)
{
    CHECK_RC(mmuext(MMUEXT_NEW_USER_BASEPTR, 0), 0);
    for (unsigned int i = 0; i < 16; i++)
        CHECK_RC(pte_write(&window_l1[i], 0), 0);
    for (unsigned int round = 0; round < 5; round++) { // links may hold one another
        for (int f = 0; f < FRAMES; f++) {
            for (unsigned int i = 0; i < 32; i++) {
                struct mmu_update u = {.ptr = mfn[f] << 12 | i * 8};

                hc_mmu_update(&u, 1, NULL, DOMID_SELF);
            }
            mmuext(MMUEXT_UNPIN_TABLE, mfn[f]);
        }
    }
    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    for (int f = 0; f < FRAMES; f++)
        CHECK_RC(pte_write(&window_l1[f], mfn_pte(mfn[f], PTE_RW)), 0);
}

void test_main(void)
{
    uint64_t end = system_time() + TIME_NS;
    unsigned int steps;

    random_seed();
    REQUIRE(map_page(kernel_l4(), AREA, 0));
    window_l1 = pfn_to_va(mfn_to_pfn(pte_mfn(*pte_of(kernel_l4(), AREA, 2))));
    window_l1_mfn = va_to_mfn(window_l1);
    for (int i = 0; i < FRAMES; i++) {
        view[i] = table_alloc();
        mfn[i] = va_to_mfn(view[i]);
    }
    for (steps = 0; steps < STEPS && system_time() < end && broken < 5; steps++) {
        static void (*const step[])(void) = {step_window, step_window, step_table, step_table,
                                             step_pin,    step_poke,   step_other};

        step[pick(ARRAY_SIZE(step))]();
        check_links();
    }
    printk("%u steps, %u updates made\n", steps, good);
    CHECK_EQ(broken, 0);
    CHECK(good > 100);
    undo_all();
}
