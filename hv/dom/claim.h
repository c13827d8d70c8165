// SPDX-License-Identifier: MIT
// Claims: memory that a domain will get, set aside before it is given. Source: <xen/memory.h>,
// XENMEM_claim_pages.
#ifndef WIRT_DOM_CLAIM_H
#define WIRT_DOM_CLAIM_H

#include "lib/compiler.h"

struct domain;

// Sets aside what d, which has `have` pages, needs to get to `pages`; 0 gives a claim up.
// -EINVAL: d has a claim, needs nothing, may not have so many, or is dying; -ENOMEM. Takes
// LOCK_CLAIM.
NODISCARD int claim_set(struct domain *d, u64 pages, u64 have);
// May d be given `n` pages more without touching what others have claimed?
bool claim_allows(const struct domain *d, u64 n);
// d has been given n pages: so much less is set aside for it.
void claim_used(struct domain *d, u64 n);

#endif
