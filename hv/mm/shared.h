// SPDX-License-Identifier: MIT
// Pages that the hypervisor and a guest share: shared info, grant table.
//
// 1. Such a frame belongs to the domain, so the domain may map it, read-only or writable.
// 2. The hypervisor holds a reference and a count of FT_WRITABLE from the first moment on, so the
//    frame can never become a page table or a descriptor table and outlives every mapping of it.
// 3. The reference is not the owner's (no FRAME_ALLOCATED): the domain cannot give the frame away.
// 4. It is counted in d->frames, as everything the domain owns, but it is no part of the domain's
//    reservation (hc/memory.h, memory_reserved).
#ifndef WIRT_MM_SHARED_H
#define WIRT_MM_SHARED_H

#include "lib/compiler.h"

struct domain;

// A zeroed page of the domain's; NULL when memory is out. d->id must be set. Takes LOCK_FRAMES.
NODISCARD void *shared_page_alloc(struct domain *d);
// Gives up the hypervisor's share; NULL is allowed. The frame is free once no mapping is left.
void shared_page_free(void *page);

#endif
