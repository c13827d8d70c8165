// SPDX-License-Identifier: MIT
// The end of a domain, in steps, each of which can be interrupted and gone on with:
//
//   stop     no vCPU is on a CPU any more, no timer runs
//   events   channels closed, PIRQs unmapped
//   grants   what it had mapped of others' is given back
//   vcpus    page-table roots, descriptor frames, registered areas
//   memory   its frames, one by one: what others still map stays theirs until they let go
//   last     pages shared with us; the list's reference
//
// The domain is gone when the last reference is, which its frames hold, too: until then it is
// listed as dying.
#include "abi/errno.h"
#include "dom/claim.h"
#include "dom/domain.h"
#include "dom/grant.h"
#include "hc/continue.h"
#include "io/pirq.h"
#include "lib/printk.h"
#include "mm/m2p.h"
#include "mm/shared.h"
#include "pv/mmu.h"
#include "sched/sched.h"

enum { MEMORY_BATCH = 64 };

static struct domain *virq_handler[NR_VIRQS]; // [a] NULL: dom0

void domain_send_virq(u32 virq)
{
    struct domain *d = __atomic_load_n(&virq_handler[virq], __ATOMIC_ACQUIRE);
    evtchn_send_global_virq(d ? d : dom0, virq);
}

void domain_set_virq_handler(struct domain *d, u32 virq)
{
    struct domain *new = d == dom0 ? NULL : d;
    if (new)
        domain_hold(new);
    struct domain *old = __atomic_exchange_n(&virq_handler[virq], new, __ATOMIC_ACQ_REL);
    if (old)
        domain_put(old);
}

static void drop_virq_handlers(struct domain *d)
{
    for (u32 i = 0; i < NR_VIRQS; i++) {
        struct domain *old = d;
        if (__atomic_compare_exchange_n(&virq_handler[i], &old, NULL, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            domain_put(d);
    }
}

static int stop(struct domain *d)
{
    struct vcpu *v;
    if (!domain_still(d))
        return -ERESTART_HC;
    for_each_vcpu (d, v) {
        timer_stop(&v->singleshot);
        timer_stop(&v->periodic);
        timer_stop(&v->poll);
        v->period = 0;
    }
    for (u32 i = 0; i < DOMAIN_WATCHDOGS; i++)
        timer_stop(&d->watchdog[i]);
    timer_stop(&d->share.cap_timer);
    return 0;
}

static int end_events(struct domain *d)
{
    int rc = evtchn_destroy(d);
    if (rc == 0)
        pirq_domain_free(d);
    return rc;
}

// Every CPU answers to a flush, and who answers has finished what it was writing to places of the
// domain's that it found before they were taken out of sight.
static void finish_writes(void)
{
    tlb_flush_mask(&cpumask_all);
}

static int end_vcpus(struct domain *d)
{
    struct vcpu *v;
    for_each_vcpu (d, v)
        vcpu_forget_info(v);
    finish_writes();
    for_each_vcpu (d, v) {
        pv_vcpu_release(v);
        if (v->lost_info)
            domain_unmap_guest_frame(d, v->lost_info);
        v->lost_info = NULL;
    }
    return 0;
}

static void end_frame(struct domain *d, mfn_t m)
{
    if (!frame_get(m, d))
        return; // the toolstack has just taken it
    m2p_set(m, PFN_NONE);
    (void)!frame_drop_allocated(m, d);
    mmu_forget(d, m); // last: from now on it cannot be pinned or half validated again
    frame_put(m);
}

static int end_memory(struct domain *d)
{
    mfn_t m;
    (void)!claim_set(d, 0, 0);
    for (u32 n = 1; !mfn_eq(m = frame_first(d), MFN_NONE); n++) {
        end_frame(d, m);
        if (n % MEMORY_BATCH == 0 && preempt_wanted())
            return -ERESTART_HC;
    }
    spin_lock(&d->mmu_lock);
    int rc = mmu_drain(d);
    spin_unlock(&d->mmu_lock);
    return rc;
}

static int end_last(struct domain *d)
{
    void *shared = d->shared;
    drop_virq_handlers(d);
    __atomic_store_n(&d->shared, NULL, __ATOMIC_RELEASE);
    finish_writes();
    shared_page_free(shared);
    grant_shut(d);
    d->end = END_DONE;
    domain_put(d); // the list's: the caller has one of its own
    domain_send_virq(VIRQ_DOM_EXC);
    return 0;
}

int domain_destroy(struct domain *d)
{
    static int (*const step[])(struct domain *) = {
        [END_STOP] = stop,       [END_EVENTS] = end_events, [END_GRANTS] = grant_release,
        [END_VCPUS] = end_vcpus, [END_MEMORY] = end_memory, [END_LAST] = end_last,
    };
    if (d == dom0 || d == current_vcpu()->dom)
        return -EINVAL;
    if (d->state != DOMAIN_DYING) {
        domain_pause(d);
        spin_lock(&d->lock);
        d->state = DOMAIN_DYING;
        spin_unlock(&d->lock);
    }
    while (d->end < END_DONE) {
        int rc = step[d->end](d);
        if (rc != 0)
            return rc;
        if (d->end < END_LAST)
            d->end++;
        if (preempt_wanted() && d->end < END_DONE)
            return -ERESTART_HC;
    }
    return 0;
}
