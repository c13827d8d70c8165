// SPDX-License-Identifier: MIT
// The life of domains and vCPUs.
#include "dom/domain.h"
#include <xen/sched.h>
#include "abi/errno.h"
#include "boot/globals.h"
#include "cpu/policy.h"
#include "cpu/power.h"
#include "cpu/spec.h"
#include "cpu/time.h"
#include "cpu/traps.h"
#include "dom/grant.h"
#include "io/pirq.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/shared.h"
#include "pv/mmu.h"
#include "sched/cap.h"
#include "sched/pool.h"
#include "sched/sched.h"

static void watchdog_fired(void *data)
{
    struct domain *d = data;
    printk(LOG_ERR, "domain %u: its watchdog has run out", d->id.v);
    domain_shutdown(d, SHUTDOWN_watchdog);
}

static struct domain *new_domain(const struct domain_config *c, dom_id_t id)
{
    struct domain *d = heap_new(struct domain);
    if (!d)
        return NULL;
    d->id = id;
    d->privileged = c->privileged;
    d->flags = c->flags;
    d->ssidref = c->ssidref;
    d->share.weight = WEIGHT_DEFAULT;
    d->share.advance = 1u << ADVANCE_SHIFT;
    cap_init(d);
    d->vcpu_count = c->vcpus;
    d->frames_max = c->frames_max;
    memcpy(d->handle, c->handle, sizeof(d->handle));
    d->refs = 1;
    d->pauses = d->ctl_pauses = c->privileged ? 0 : 1;
    for (u32 i = 0; i < DOMAIN_WATCHDOGS; i++)
        timer_init(&d->watchdog[i], watchdog_fired, d);
    spin_lock_init(&d->lock, LOCK_DOMAIN);
    spin_lock_init(&d->mmu_lock, LOCK_MMU);
    spin_lock_init(&d->frames_lock, LOCK_OWNED);
    spin_lock_init(&d->io_lock, LOCK_IO_RANGES);
    return d;
}

int domain_create(const struct domain_config *c, dom_id_t id, bool any, struct domain **out)
{
    struct domain *d = new_domain(c, id);
    if (!d)
        return -ENOMEM;
    d->pool = pool_enter(c->pool);
    int rc = d->pool ? domain_choose_id(d, any) : -ESRCH;
    if (rc == 0) {
        d->shared = shared_page_alloc(d);
        d->policy = heap_new(struct cpu_policy);
        if (!d->shared || !d->policy || evtchn_domain_init(d, c->evtchn_max) != 0 ||
            grant_init(d, c->grant_frames, c->maptrack_frames) != 0)
            rc = -ENOMEM;
    }
    if (rc != 0) {
        shared_page_free(d->shared);
        domain_free(d);
        return rc;
    }
    // Until a vCPU has registered a place of its own, all its upcalls are masked.
    for (u32 i = 0; i < ARRAY_SIZE(d->shared->vcpu_info); i++)
        d->shared->vcpu_info[i].evtchn_upcall_mask = 1;
    cpu_policy_domain(d->policy, d->privileged);
    domain_update_wallclock(d);
    domain_enter(d);
    *out = d;
    return 0;
}

void domain_free(struct domain *d)
{
    struct vcpu *v;
    for_each_vcpu (d, v) {
        pv_vcpu_free(v);
        heap_free(v);
    }
    evtchn_domain_free(d);
    grant_free(d);
    ranges_free(&d->io_frames);
    ranges_free(&d->io_ports);
    ranges_free(&d->io_irqs);
    heap_free(d->e820);
    heap_free(d->policy);
    spec_domain_gone(d);
    if (d->pool)
        pool_leave(d->pool);
    heap_free(d);
}

bool domain_may_use(struct domain *d, const struct ranges *set, u64 first, u64 n)
{
    spin_lock(&d->io_lock);
    bool may = ranges_has(set, first, n);
    spin_unlock(&d->io_lock);
    return may;
}

static void singleshot_fired(void *data)
{
    evtchn_send_virq(data, VIRQ_TIMER);
}

static void periodic_fired(void *data)
{
    struct vcpu *v = data;
    u64 period = READ_ONCE(v->period);
    if (period == 0)
        return;
    timer_set(&v->periodic, MAX(v->periodic.expires + period, time_now()));
    evtchn_send_virq(v, VIRQ_TIMER);
}

static void poll_fired(void *data)
{
    struct vcpu *v = data;
    evtchn_poll_end(v);
    sched_clear(v, VCPU_BLOCKED);
}

// Where a vCPU's info goes before it has one of its own, and after it has lost it.
static struct vcpu_info nowhere;

struct vcpu *vcpu_create(struct domain *d, u32 id)
{
    struct vcpu *v = heap_new(struct vcpu);
    if (!v)
        return NULL;
    v->dom = d;
    v->id = VCPU_ID(id);
    if (pv_vcpu_init(v) != 0) {
        heap_free(v);
        return NULL;
    }
    nowhere.evtchn_upcall_mask = 1;
    v->info = id < XEN_LEGACY_MAX_VCPUS ? &d->shared->vcpu_info[id] : &nowhere;
    evtchn_vcpu_init(v);
    timer_init(&v->singleshot, singleshot_fired, v);
    timer_init(&v->periodic, periodic_fired, v);
    timer_init(&v->poll, poll_fired, v);
    sched_vcpu_init(v, d->id.v + id, options.dom0_vcpus_pin && d->privileged);
    v->flags |= d->pauses ? VCPU_PAUSED : 0;
    vcpu_update_time(v);
    __atomic_store_n(&d->vcpu[id], v, __ATOMIC_RELEASE); // pairs with domain_vcpu
    return v;
}

void vcpu_forget_info(struct vcpu *v)
{
    struct vcpu_info *old = v->info;
    bool registered = v->info_registered;
    __atomic_store_n(&v->info, &nowhere, __ATOMIC_RELEASE);
    v->info_registered = false;
    v->runstate_area = v->time_area = 0;
    v->lost_info = registered ? old : NULL;
}

void vcpu_notify_events(struct vcpu *v)
{
    if (READ_ONCE(v->flags) & VCPU_BLOCKED)
        sched_clear(v, VCPU_BLOCKED);
    else
        sched_kick(v);
}

void vcpu_poll_wake(struct vcpu *v)
{
    sched_clear(v, VCPU_BLOCKED);
}

// --- time in guest memory ---

// A version that is odd while the fields change (xen ABI: xen.h, struct vcpu_time_info).
static void fill_time(struct vcpu_time_info *t)
{
    struct time_scale s = time_scale();
    WRITE_ONCE(t->version, (t->version | 1));
    __atomic_thread_fence(__ATOMIC_RELEASE); // pairs with the guest's read barrier
    t->tsc_timestamp = s.tsc_base;
    t->system_time = 0;
    t->tsc_to_system_mul = s.mul;
    t->tsc_shift = s.shift;
    t->flags = time_tsc_stable() ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(t->version, t->version + 1);
}

static void write_time(struct vcpu *v)
{
    struct vcpu_time_info t;
    if (guest_copy_in(&t, GUEST_PTR(v->time_area), sizeof(t)) != 0)
        return;
    fill_time(&t);
    if (guest_copy_out(GUEST_PTR(v->time_area), &t, sizeof(t)) != 0)
        v->time_area = 0;
}

// Areas that guests register are in their kernels' memory.
static void in_kernel_mode(struct vcpu *v, void (*write)(struct vcpu *v))
{
    bool user = v == current_vcpu() && !v->pv.kernel_mode;
    if (user)
        pv_toggle_mode(v);
    write(v);
    if (user)
        pv_toggle_mode(v);
}

void vcpu_update_time(struct vcpu *v)
{
    fill_time(&v->info->time);
    if (v->time_area)
        in_kernel_mode(v, write_time);
}

// While the fields change, the entry time carries XEN_RUNSTATE_UPDATE if the guest asked for that
// (xen ABI: vcpu.h).
static void write_runstate(struct vcpu *v)
{
    struct vcpu_runstate_info r;
    u64 entry_at = v->runstate_area + offsetof(struct vcpu_runstate_info, state_entry_time);
    bool mark = v->dom->vm_assist >> VMASST_TYPE_runstate_update_flag & 1;
    sched_runstate(v, &r);
    u64 entry = r.state_entry_time | XEN_RUNSTATE_UPDATE;
    if (mark && guest_copy_out(GUEST_PTR(entry_at), &entry, sizeof(entry)) != 0)
        return;
    if (mark)
        r.state_entry_time = entry;
    if (guest_copy_out(GUEST_PTR(v->runstate_area), &r, sizeof(r)) != 0 || !mark)
        return;
    entry &= ~XEN_RUNSTATE_UPDATE;
    (void)!guest_copy_out(GUEST_PTR(entry_at), &entry, sizeof(entry));
}

void vcpu_update_runstate_area(struct vcpu *v)
{
    if (v->runstate_area)
        in_kernel_mode(v, write_runstate);
}

void domain_update_wallclock(struct domain *d)
{
    struct shared_info *s = __atomic_load_n(&d->shared, __ATOMIC_RELAXED);
    if (!s)
        return;
    u64 base = time_wallclock_base() + (u64)d->time_offset * 1000000000;
    WRITE_ONCE(s->wc_version, s->wc_version | 1);
    __atomic_thread_fence(__ATOMIC_RELEASE); // pairs with the guest's read barrier
    s->wc_sec = (u32)(base / 1000000000);
    s->wc_sec_hi = (u32)(base / 1000000000 >> 32);
    s->wc_nsec = (u32)(base % 1000000000);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    WRITE_ONCE(s->wc_version, s->wc_version + 1);
}

// --- guest frames that the hypervisor works in ---

void *domain_map_guest_frame(struct domain *d, gfn_t gfn, mfn_t *mfn)
{
    mfn_t m = MFN(gfn.v); // a PV guest names machine frames
    if (!frame_get(m, d))
        return NULL;
    if (frame_get_writable(m) != 0) {
        frame_put(m);
        return NULL;
    }
    *mfn = m;
    return mfn_virt(m);
}

void domain_unmap_guest_frame(struct domain *d, void *map)
{
    mfn_t m = virt_mfn(map);
    frame_put_type(m);
    frame_put(m);
}

// --- audit ---

enum { AUDIT_STOP_NS = 1000000000, CTL_PAUSES_MAX = INT32_MAX };
#ifdef WIRT_DEBUG
enum { AUDIT_AT_END = true };
#else
enum { AUDIT_AT_END = false };
#endif

void domain_audit_all(void)
{
    u64 end = time_now() + AUDIT_STOP_NS;
    bool still = true;
    struct domain *d;
    for_each_domain (d)
        domain_pause(d);
    for_each_domain (d) {
        while (!domain_still(d) && time_now() < end)
            spin_wait();
        still &= domain_still(d);
    }
    if (!still)
        printk(LOG_ERR, "audit: not done, a vCPU does not stop");
    for_each_domain (d) {
        if (still) {
            mmu_audit(d);
            grant_audit(d);
            evtchn_audit(d);
        }
        domain_unpause(d);
    }
}

// --- pauses ---

// Tells the vCPUs whether they may run. LOCK_DOMAIN.
static void update_paused(struct domain *d)
{
    bool stop = d->pauses || d->state != DOMAIN_RUNNING;
    struct vcpu *v;
    for_each_vcpu (d, v) {
        if (stop)
            sched_set(v, VCPU_PAUSED);
        else
            sched_clear(v, VCPU_PAUSED);
    }
}

// One pause more or less. LOCK_DOMAIN.
static void add_pause(struct domain *d)
{
    if (d->pauses++ == 0)
        update_paused(d);
}

static void take_pause(struct domain *d)
{
    if (--d->pauses == 0)
        update_paused(d);
}

void domain_pause(struct domain *d)
{
    spin_lock(&d->lock);
    add_pause(d);
    spin_unlock(&d->lock);
}

void domain_unpause(struct domain *d)
{
    spin_lock(&d->lock);
    take_pause(d);
    spin_unlock(&d->lock);
}

int domain_ctl_pause(struct domain *d)
{
    spin_lock(&d->lock);
    int rc = d->ctl_pauses < CTL_PAUSES_MAX ? 0 : -EOVERFLOW;
    if (rc == 0) {
        d->ctl_pauses++;
        add_pause(d);
    }
    spin_unlock(&d->lock);
    return rc;
}

int domain_ctl_unpause(struct domain *d)
{
    spin_lock(&d->lock);
    int rc = d->ctl_pauses ? 0 : -EINVAL;
    if (rc == 0) {
        d->ctl_pauses--;
        take_pause(d);
    }
    spin_unlock(&d->lock);
    return rc;
}

bool domain_stop_for_debugger(struct domain *d)
{
    if (!READ_ONCE(d->debugged) || domain_ctl_pause(d) != 0)
        return false;
    domain_send_virq(VIRQ_DEBUGGER);
    return true;
}

bool domain_still(const struct domain *d)
{
    struct vcpu *v;
    for_each_vcpu (d, v)
        if (v != current_vcpu() && __atomic_load_n(&v->running, __ATOMIC_ACQUIRE)) // schedule()
            return false;
    return true;
}

// --- the end ---

static const char *const reason_name[] = {
    [SHUTDOWN_poweroff] = "poweroff", [SHUTDOWN_reboot] = "reboot",
    [SHUTDOWN_suspend] = "suspend",   [SHUTDOWN_crash] = "crash",
    [SHUTDOWN_watchdog] = "watchdog", [SHUTDOWN_soft_reset] = "soft reset",
};

static const char *reason_text(u32 reason)
{
    return reason < ARRAY_SIZE(reason_name) ? reason_name[reason] : "unknown reason";
}

static NORETURN void machine_end(u32 reason)
{
    bool asked = reason == SHUTDOWN_poweroff || reason == SHUTDOWN_reboot;
    printk(asked ? LOG_INFO : LOG_ERR, "domain 0 has shut down: %s", reason_text(reason));
    if (reason == SHUTDOWN_poweroff || (!asked && options.noreboot))
        machine_halt();
    machine_reboot();
}

void domain_shutdown(struct domain *d, u32 reason)
{
    spin_lock(&d->lock);
    bool first = d->state == DOMAIN_RUNNING;
    if (first) {
        d->state = DOMAIN_SHUTDOWN;
        if (!d->shutdown_latched)
            d->shutdown_reason = reason;
        if (d != dom0)
            update_paused(d);
    }
    spin_unlock(&d->lock);
    if (!first)
        return;
    if (d == dom0) { // others only stop: the audit waits for them
        if (AUDIT_AT_END)
            domain_audit_all();
        machine_end(reason);
    }
    domain_vcpu_stopped(d);
}

static void tell_shutdown(struct domain *d)
{
    u32 reason = d->shutdown_reason, port = reason == SHUTDOWN_suspend ? d->suspend_port : 0;
    printk(LOG_GUEST, "domain %u has shut down: %s", d->id.v, reason_text(reason));
    if (!port)
        domain_send_virq(VIRQ_DOM_EXC);
    else if (evtchn_send(d, PORT(port)) != 0)
        printk(LOG_WARN, "domain %u has no port %u to tell of its suspend", d->id.v, port);
}

void domain_vcpu_stopped(struct domain *d)
{
    struct vcpu *v;
    bool runs = false;
    if (likely(READ_ONCE(d->state) != DOMAIN_SHUTDOWN))
        return;
    spin_lock(&d->lock);
    for_each_vcpu (d, v)
        runs |= READ_ONCE(v->running);
    bool now = d->state == DOMAIN_SHUTDOWN && !d->shut_down && !runs;
    d->shut_down |= now;
    spin_unlock(&d->lock);
    if (now)
        tell_shutdown(d);
}

int domain_resume(struct domain *d)
{
    spin_lock(&d->lock);
    int rc = d->state == DOMAIN_SHUTDOWN && d->shut_down ? 0 : -EINVAL;
    if (rc == 0) {
        d->state = DOMAIN_RUNNING;
        d->shut_down = false;
        d->shutdown_latched = false;
        update_paused(d);
    }
    spin_unlock(&d->lock);
    return rc;
}

// The entries that translate an address in the current tables, for a crash report.
static void print_walk(struct vcpu *v, u64 va)
{
    mfn_t table = v->pv.kernel_mode ? v->pv.l4_kernel : v->pv.l4_user;
    printk(LOG_ERR, "page-table walk for %016lx:", va);
    for (u32 level = 4; level >= 1 && mfn_valid(table); level--) {
        u32 slot = (u32)(va >> (PAGE_SHIFT + 9 * (level - 1))) & 511;
        u64 pte = ((const u64 *)mfn_virt(table))[slot];
        printk(LOG_ERR, "  L%u mfn %06lx [%3u] = %016lx", level, table.v, slot, pte);
        if (!(pte & PTE_P))
            break;
        table = pte_mfn(pte);
    }
}

static void print_stack(const struct cpu_regs *r)
{
    printk(LOG_ERR, "guest stack at %016lx:", r->rsp);
    for (u32 line = 0; line < 6; line++) {
        u64 w[4];
        if (guest_copy_in(w, GUEST_PTR(r->rsp + line * sizeof(w)), sizeof(w)) != 0) {
            printk(LOG_ERR, "  not readable");
            return;
        }
        printk(LOG_ERR, "  %016lx %016lx %016lx %016lx", w[0], w[1], w[2], w[3]);
    }
}

void domain_crash(struct domain *d, const char *why)
{
    struct vcpu *v = current_vcpu();
    printk(LOG_ERR, "domain %u crashed: %s", d->id.v, why);
    if (v && v->dom == d) {
        const struct cpu_regs *r = &cpu_info()->regs;
        trap_print_state(r);
        print_stack(r);
        print_walk(v, r->rip);
        print_walk(v, v->info->arch.cr2);
    }
    trap_print_state(NULL);
    domain_shutdown(d, SHUTDOWN_crash);
}
