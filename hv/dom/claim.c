// SPDX-License-Identifier: MIT
// Claims (dom/claim.h). What is set aside is a number, no particular frames: the free frames that
// nobody has claimed are anyone's.
#include "dom/claim.h"
#include "abi/errno.h"
#include "dom/domain.h"

static spinlock_t lock = SPINLOCK_INIT(LOCK_CLAIM);
static u64 claimed; // [lock] the sum of all domains' claims

static u64 unclaimed(void)
{
    u64 free = frames_free_count();
    return free - MIN(free, claimed);
}

static int set(struct domain *d, u64 pages, u64 have)
{
    if (pages == 0) {
        claimed -= d->claimed;
        d->claimed = 0;
        return 0;
    }
    if (d->claimed || pages <= have || pages > d->frames_max || d->state == DOMAIN_DYING)
        return -EINVAL;
    if (pages - have > unclaimed())
        return -ENOMEM;
    d->claimed = pages - have;
    claimed += d->claimed;
    return 0;
}

int claim_set(struct domain *d, u64 pages, u64 have)
{
    spin_lock(&lock);
    int rc = set(d, pages, have);
    spin_unlock(&lock);
    return rc;
}

bool claim_allows(const struct domain *d, u64 n)
{
    spin_lock(&lock);
    bool ok = n <= d->claimed || n - d->claimed <= unclaimed();
    spin_unlock(&lock);
    return ok;
}

void claim_used(struct domain *d, u64 n)
{
    spin_lock(&lock);
    n = MIN(n, d->claimed);
    d->claimed -= n;
    claimed -= n;
    spin_unlock(&lock);
}
