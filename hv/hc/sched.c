// SPDX-License-Identifier: MIT
// sched_op and set_timer_op. xen ABI: sched.h.
#include "abi/xen.h"
#include <xen/sched.h>
#include "cpu/time.h"
#include "hc/op.h"
#include "hc/table.h"
#include "lib/printk.h"
#include "sched/sched.h"

enum { POLL_PORTS_MAX = 128 };

static bool events_wait(const struct vcpu *v)
{
    return READ_ONCE(v->info->evtchn_upcall_pending) && !READ_ONCE(v->info->evtchn_upcall_mask);
}

// Blocking opens the event mask; an event that is there already means no blocking.
static long do_block(struct vcpu *cur)
{
    WRITE_ONCE(cur->info->evtchn_upcall_mask, 0);
    sched_set(cur, VCPU_BLOCKED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // pairs with the sender's: pending, then flags
    if (events_wait(cur))
        sched_clear(cur, VCPU_BLOCKED);
    return 0;
}

static long op_yield(struct vcpu *cur, void *arg)
{
    sched_yield(cur);
    return 0;
}

static long op_block(struct vcpu *cur, void *arg)
{
    return do_block(cur);
}

static long op_shutdown(struct vcpu *cur, void *arg)
{
    const struct sched_shutdown *s = arg;
    if (s->reason == SHUTDOWN_crash)
        domain_crash(cur->dom, "its kernel says so");
    domain_shutdown(cur->dom, (u8)s->reason); // the toolstack knows what others than ours mean
    return 0;
}

// 1 when one of the ports is pending, else 0 or an error.
static long any_pending(struct vcpu *cur, const struct sched_poll *p)
{
    for (u32 i = 0; i < p->nr_ports; i++) {
        evtchn_port_t port;
        if (guest_copy_in_index(&port, GUEST_HANDLE(p->ports), i, sizeof(port)) != 0)
            return -EFAULT;
        int rc = evtchn_poll_pending(cur->dom, PORT(port));
        if (rc != 0)
            return rc;
    }
    return 0;
}

static long op_poll(struct vcpu *cur, void *arg)
{
    const struct sched_poll *p = arg;
    evtchn_port_t only = 0;
    if (p->nr_ports > POLL_PORTS_MAX)
        return -EINVAL;
    if (p->nr_ports == 1 && guest_copy_in(&only, GUEST_HANDLE(p->ports), sizeof(only)) != 0)
        return -EFAULT;
    sched_set(cur, VCPU_BLOCKED);
    evtchn_poll_begin(cur, PORT(only));
    long rc = any_pending(cur, p);
    if (rc == 0 && events_wait(cur))
        rc = 1;
    if (rc == 0 && p->timeout != 0 && p->timeout <= time_now())
        rc = 1;
    if (rc != 0) {
        evtchn_poll_end(cur);
        sched_clear(cur, VCPU_BLOCKED);
        return rc < 0 ? rc : 0;
    }
    if (p->timeout != 0)
        timer_set(&cur->poll, p->timeout);
    return 0;
}

// The reason is latched for a domain that crashes later; nothing stops now.
static long op_shutdown_code(struct vcpu *cur, void *arg)
{
    const struct sched_shutdown *s = arg;
    spin_lock(&cur->dom->lock);
    if (!cur->dom->shutdown_latched) {
        cur->dom->shutdown_latched = true;
        cur->dom->shutdown_reason = s->reason;
    }
    spin_unlock(&cur->dom->lock);
    return 0;
}

// id 0 takes a free watchdog and returns its number; a timeout of 0 ends one.
static long op_watchdog(struct vcpu *cur, void *arg)
{
    const struct sched_watchdog *w = arg;
    struct domain *d = cur->dom;
    u32 id = w->id;
    if (id > DOMAIN_WATCHDOGS)
        return -EINVAL;
    long rc = 0;
    spin_lock(&d->lock);
    bool running = id != 0 && (d->watchdog_used >> (id - 1) & 1);
    if (id == 0 && w->timeout != 0) {
        while (id < DOMAIN_WATCHDOGS && d->watchdog_used >> id & 1)
            id++;
        rc = id < DOMAIN_WATCHDOGS ? (long)++id : -ENOSPC;
    } else if (!running) {
        rc = -EINVAL;
    }
    if (rc >= 0) {
        struct timer *t = &d->watchdog[id - 1];
        if (w->timeout) {
            d->watchdog_used |= 1u << (id - 1);
            timer_set(t, time_now() + (u64)w->timeout * 1000000000);
        } else {
            d->watchdog_used &= ~(1u << (id - 1));
            timer_stop(t);
        }
    }
    spin_unlock(&d->lock);
    return rc;
}

static long op_remote_shutdown(struct vcpu *cur, void *arg)
{
    const struct sched_remote_shutdown *s = arg;
    struct domain *d = domain_get(DOM_ID(s->domain_id), cur->dom);
    if (!d)
        return -ESRCH;
    domain_shutdown(d, (u8)s->reason);
    domain_put(d);
    return 0;
}

static const struct hc_op ops[] = {
    HC_OP(SCHEDOP_yield, 0, HC_NONE, false, op_yield, "sched"),
    HC_OP(SCHEDOP_block, 0, HC_NONE, false, op_block, "sched"),
    HC_OP(SCHEDOP_shutdown, sizeof(struct sched_shutdown), HC_IN, false, op_shutdown, "sched"),
    HC_OP(SCHEDOP_poll, sizeof(struct sched_poll), HC_IN, false, op_poll, "sched"),
    HC_OP(SCHEDOP_remote_shutdown, sizeof(struct sched_remote_shutdown), HC_IN, true,
          op_remote_shutdown, "shutdown_codes"),
    HC_OP(SCHEDOP_shutdown_code, sizeof(struct sched_shutdown), HC_IN, false, op_shutdown_code,
          "shutdown_codes"),
    HC_OP(SCHEDOP_watchdog, sizeof(struct sched_watchdog), HC_IN, false, op_watchdog,
          "shutdown_codes"),
};

long hc_sched_op(struct vcpu *cur, u64 cmd, u64 arg, u64 a2, u64 a3, u64 a4)
{
    return hc_dispatch_op(ops, ARRAY_SIZE(ops), cur, (u32)cmd, GUEST_PTR(arg));
}

long hc_sched_op_compat(struct vcpu *cur, u64 cmd, u64 arg, u64 a2, u64 a3, u64 a4)
{
    switch ((u32)cmd) {
    case SCHEDOP_yield:
        return op_yield(cur, NULL);
    case SCHEDOP_block:
        return op_block(cur, NULL);
    case SCHEDOP_shutdown: {
        struct sched_shutdown s = {.reason = (u32)arg};
        return op_shutdown(cur, &s);
    }
    default:
        return -ENOSYS;
    }
}

// 0 stops the timer; the past fires at once.
long hc_set_timer_op(struct vcpu *cur, u64 timeout, u64 a1, u64 a2, u64 a3, u64 a4)
{
    if (timeout == 0)
        timer_stop(&cur->singleshot);
    else
        timer_set(&cur->singleshot, timeout);
    return 0;
}
