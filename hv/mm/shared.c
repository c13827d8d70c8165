// SPDX-License-Identifier: MIT
// Pages that the hypervisor and a guest share; mm/shared.h has the rules.
#include "mm/shared.h"
#include "dom/domain.h"
#include "mm/frame.h"
#include "mm/m2p.h"

void *shared_page_alloc(struct domain *d)
{
    mfn_t m = frames_alloc_zeroed(0, MFN_NONE);
    if (mfn_eq(m, MFN_NONE))
        return NULL;
    struct frame *f = frame_of(m);
    m2p_set(m, PFN_NONE);
    // Everything stands before the domain can reach the frame, which it can by its owner only.
    BUG_ON(frame_get_writable(m) != 0);
    __atomic_fetch_and(&f->count, ~FRAME_ALLOCATED, __ATOMIC_RELAXED);
    frame_own(f, d);
    return mfn_virt(m);
}

void shared_page_free(void *page)
{
    if (!page)
        return;
    mfn_t m = virt_mfn(page);
    frame_put_type(m);
    frame_put(m);
}
