// SPDX-License-Identifier: MIT
// Frames outside of RAM (io/mmio.h): a short list of those that the hypervisor keeps; everything
// else is the control domain's.
#include "io/mmio.h"
#include "cpu/cpu.h"
#include "cpu/spinlock.h"
#include "dom/domain.h"
#include "lib/printk.h"

enum { KEPT_MAX = 512 };

struct kept_range {
    mfn_t first;
    u64 frames; // 0: unused
    bool readable;
};

// mmio_permitted runs with LOCK_MMU held, mmio_reserve with LOCK_PHYSDEV.
static spinlock_t lock = SPINLOCK_INIT(LOCK_MMIO);
static struct kept_range ranges[KEPT_MAX]; // [lock]
static u32 range_end;                      // [lock] behind the last one in use

// The entry with exactly these bounds, or NULL.
static struct kept_range *find(mfn_t first, u64 frames)
{
    for (u32 i = 0; i < range_end; i++) {
        if (mfn_eq(ranges[i].first, first) && ranges[i].frames == frames)
            return &ranges[i];
    }
    return NULL;
}

static struct kept_range *find_unused(void)
{
    for (u32 i = 0; i < KEPT_MAX; i++) {
        if (!ranges[i].frames) {
            range_end = MAX(range_end, i + 1);
            return &ranges[i];
        }
    }
    return NULL;
}

void mmio_reserve(mfn_t first, u64 frames, bool readable)
{
    spin_lock(&lock);
    struct kept_range *r = find_unused();
    if (r)
        *r = (struct kept_range){first, frames, readable};
    spin_unlock(&lock);
    if (!r)
        printk(LOG_WARN, "too many kept device pages: the one at frame 0x%lx is open to dom0",
               first.v);
}

void mmio_release(mfn_t first, u64 frames)
{
    spin_lock(&lock);
    struct kept_range *r = find(first, frames);
    if (r)
        r->frames = 0;
    spin_unlock(&lock);
}

static bool kept(mfn_t m, bool write)
{
    bool found = false;
    spin_lock(&lock);
    for (u32 i = 0; i < range_end && !found; i++) {
        const struct kept_range *r = &ranges[i];
        found = m.v - r->first.v < r->frames && (write || !r->readable);
    }
    spin_unlock(&lock);
    return found;
}

static bool exists(mfn_t m)
{
    return m.v >> (cpu_features.phys_bits - PAGE_SHIFT) == 0;
}

bool mmio_permitted(struct domain *d, mfn_t m, bool write)
{
    bool granted = d->privileged || domain_may_use(d, &d->io_frames, m.v, 1);
    return granted && exists(m) && !kept(m, write);
}

bool mmio_usable(mfn_t m)
{
    return exists(m) && !kept(m, true);
}
