// SPDX-License-Identifier: MIT
// A cap is a budget of running time for each period of 10 ms. The periods are counted when somebody
// looks; a timer runs only while a vCPU waits for the next one. What several vCPUs overdraw
// together is missing in the next period, so the sum is right.
#include "sched/cap.h"
#include "cpu/smp.h"
#include "sched/sched.h"

enum { PERIOD_NS = 10000000 };

static s64 quota(const struct sched_share *s)
{
    return (s64)READ_ONCE(s->cap) * (PERIOD_NS / 100);
}

// cap_lock
static void catch_up(struct sched_share *s, u64 now)
{
    if (now < s->refill)
        return;
    u64 periods = (now - s->refill) / PERIOD_NS + 1;
    s->refill += periods * PERIOD_NS;
    s->budget = MIN(s->budget + (s64)periods * quota(s), quota(s));
}

void cap_charge(struct sched_share *s, u64 ran, u64 now)
{
    spin_lock(&s->cap_lock);
    s->budget -= (s64)ran; // first: who is looked at late has not saved up what it used
    catch_up(s, now);
    spin_unlock(&s->cap_lock);
}

u64 cap_left(struct sched_share *s, u64 now)
{
    if (likely(!READ_ONCE(s->cap)))
        return UINT64_MAX;
    spin_lock(&s->cap_lock);
    catch_up(s, now);
    u64 left = s->budget > 0 ? (u64)s->budget : 0;
    if (!left)
        timer_set(&s->cap_timer, s->refill);
    spin_unlock(&s->cap_lock);
    return left;
}

static void next_period(void *data)
{
    struct domain *d = data;
    struct vcpu *v;
    for_each_vcpu (d, v)
        sched_clear(v, VCPU_CAPPED);
}

void cap_init(struct domain *d)
{
    spin_lock_init(&d->share.cap_lock, LOCK_CAP);
    timer_init(&d->share.cap_timer, next_period, d);
}

void cap_set(struct domain *d, u32 percent)
{
    struct sched_entity e;
    struct vcpu *v;
    for_each_vcpu (d, v)
        sched_entity_of(v, &e); // what it has run so far is not charged
    spin_lock(&d->share.cap_lock);
    WRITE_ONCE(d->share.cap, percent);
    d->share.budget = MIN(d->share.budget, quota(&d->share));
    spin_unlock(&d->share.cap_lock);
    for_each_vcpu (d, v) // one that has a CPU to itself is not looked at otherwise
        smp_raise(READ_ONCE(v->cpu), SOFTIRQ_SCHED);
}
