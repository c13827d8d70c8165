// SPDX-License-Identifier: MIT
// Hypercalls on page tables: mmu_update, update_va_mapping, mmuext_op. xen ABI: xen.h. The work is
// done by pv/mmu.c; here arguments are taken apart, and TLBs are flushed as the guest asks.
#include "abi/errno.h"
#include "cpu/smp.h"
#include "cpu/x86.h"
#include "hc/continue.h"
#include "hc/table.h"
#include "lib/string.h"
#include "mm/m2p.h"
#include "pv/mmu.h"

enum { BATCH = 32 };                        // requests copied in at once
#define MMU_UPDATE_PREEMPTED ((u64)1 << 31) // in the count: "done so far" has been written already

// The domains a request works on: whose tables, and whose frames may be mapped.
struct subject {
    struct domain *pt, *fd;
    bool held; // references are held; not needed when both are the caller
};

static void put_subject(struct subject *s)
{
    if (!s->held)
        return;
    if (s->pt)
        domain_put(s->pt);
    if (s->fd)
        domain_put(s->fd);
}

// Whose frames `id` names. Machine frames (DOMID_IO, DOMID_XEN) are reached by number, not by
// owner, and only by the control domain. -EPERM, -ESRCH.
static long get_owner(struct vcpu *cur, u16 id, struct domain **out)
{
    bool machine = id == DOMID_IO || id == DOMID_XEN;
    struct domain *special = id == DOMID_IO ? &dom_io : &dom_xen;
    *out = NULL;
    if (machine && !cur->dom->privileged)
        return -EPERM;
    *out = machine ? domain_get(DOM_ID(DOMID_SELF), special) : domain_get(DOM_ID(id), cur->dom);
    return *out ? 0 : -ESRCH;
}

// The low half of `foreign` names the owner of frames, the high half (plus 1) that of the tables.
static long get_subject(struct vcpu *cur, u64 foreign, struct subject *s)
{
    if (likely((u32)foreign == DOMID_SELF)) {
        *s = (struct subject){cur->dom, cur->dom, false};
        return 0;
    }
    s->held = true;
    u32 pt = (u32)foreign >> 16;
    s->pt = domain_get(pt ? DOM_ID((u16)(pt - 1)) : DOM_ID(DOMID_SELF), cur->dom);
    s->fd = NULL;
    if (!s->pt)
        return -ESRCH;
    u16 fd = (u16)foreign;
    long rc = -ESRCH;
    if (fd != cur->dom->id.v) // its own number is not how a domain names itself here
        rc = get_owner(cur, fd, &s->fd);
    if (rc == 0 && (s->pt != cur->dom || s->fd != cur->dom) && !cur->dom->privileged)
        rc = -EPERM;
    if (rc != 0) {
        put_subject(s);
        s->pt = s->fd = NULL;
    }
    return rc;
}

static int machphys_update(struct domain *d, const struct mmu_update *u)
{
    mfn_t m = MFN(u->ptr >> PAGE_SHIFT);
    if (!frame_get(m, d))
        return -EINVAL;
    m2p_set(m, PFN(u->val));
    frame_put(m);
    return 0;
}

static inline int one_update(const struct subject *s, const struct mmu_update *u)
{
    maddr_t where = MADDR(u->ptr & ~(u64)7);
    switch (u->ptr & 7) {
    case MMU_NORMAL_PT_UPDATE:
        return mmu_write(s->pt, s->fd, where, u->val, false);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return mmu_write(s->pt, s->fd, where, u->val, true);
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return mmu_write(s->pt, s->fd, where, u->val, false);
    case MMU_MACHPHYS_UPDATE:
        return machphys_update(s->fd, u);
    default:
        return -ENOSYS;
    }
}

// Up to BATCH requests under one lock. Out: how many were done.
static int update_batch(const struct subject *s, const struct mmu_update *u, u32 count, u32 *done)
{
    struct domain *d = s->pt;
    u32 i = 0;
    spin_lock(&d->mmu_lock);
    int rc = d->deferred ? mmu_drain(d) : 0;
    for (; rc == 0 && i < count; i++) {
        rc = one_update(s, &u[i]);
        if (unlikely(rc != 0))
            break;
    }
    if (rc == 0 && unlikely(d->deferred))
        rc = mmu_drain(d);
    spin_unlock(&d->mmu_lock);
    *done = i;
    return rc;
}

// The number done in all; a resumed call finds there what its earlier parts did.
static long report_done(guest_ptr where, u32 done, bool resumed)
{
    u32 before = 0;
    if (guest_ptr_null(where))
        return 0;
    if (resumed && guest_copy_in(&before, where, sizeof(before)) != 0)
        return -EFAULT;
    done += before;
    return guest_copy_out(where, &done, sizeof(done));
}

long hc_mmu_update(struct vcpu *cur, u64 reqs, u64 count, u64 pdone, u64 foreign, u64 a4)
{
    struct mmu_update batch[BATCH];
    struct subject s;
    guest_ptr done_ptr = GUEST_PTR(pdone);
    bool resumed = count & MMU_UPDATE_PREEMPTED;
    u32 left = (u32)count & ~(u32)MMU_UPDATE_PREEMPTED, total = 0;
    long rc = get_subject(cur, foreign, &s);
    if (rc != 0)
        return rc;
    while (rc == 0 && left > 0) {
        u32 n = MIN(left, (u32)BATCH), done = 0;
        rc = guest_copy_in(batch, guest_ptr_add(GUEST_PTR(reqs), (u64)total * sizeof(batch[0])),
                           n * sizeof(batch[0]));
        if (rc == 0)
            rc = update_batch(&s, batch, n, &done);
        total += done;
        left -= done;
        if (rc == 0 && left > 0 && preempt_wanted())
            rc = -ERESTART_HC;
    }
    put_subject(&s);
    if (report_done(done_ptr, total, resumed) != 0)
        return -EFAULT;
    if (rc == -ERESTART_HC) {
        hc_set_arg(cur, 0, reqs + (u64)total * sizeof(batch[0]));
        hc_set_arg(cur, 1, left | MMU_UPDATE_PREEMPTED);
    }
    return rc;
}

// --- TLB flushes of the guest's choice ---

// The CPUs that run vCPUs of a bitmap. Those that wait will load their tables, and so flush, when
// they run again.
static void cpus_of_vcpus(const struct domain *d, const u64 *vcpus, struct cpumask *out)
{
    memset(out, 0, sizeof(*out));
    struct vcpu *v;
    for_each_vcpu (d, v)
        if (vcpus[v->id.v / 64] >> (v->id.v % 64) & 1) {
            u32 cpu = READ_ONCE(v->cpu);
            if (cpumask_test(&d->dirty, cpu))
                cpumask_set(out, cpu);
        }
}

static int read_vcpu_mask(const struct domain *d, guest_ptr p, u64 *vcpus)
{
    memset(vcpus, 0, VCPUS_MAX / 8);
    u64 bytes = MIN((u64)(d->vcpu_count + 7) / 8, (u64)VCPUS_MAX / 8);
    return guest_copy_in(vcpus, p, bytes);
}

static void flush_all_of(struct domain *d)
{
    tlb_flush_mask(&d->dirty);
}

static long flush_vcpus(struct domain *d, guest_ptr mask_ptr)
{
    u64 vcpus[VCPUS_MAX / 64];
    struct cpumask mask;
    if (read_vcpu_mask(d, mask_ptr, vcpus) != 0)
        return -EINVAL; // not -EFAULT: seen on the oracle (tests/guest/mmuext_misc)
    cpus_of_vcpus(d, vcpus, &mask);
    tlb_flush_mask(&mask);
    return 0;
}

static long flush_for_va(struct vcpu *cur, u64 va, u64 flags)
{
    u64 kind = flags & UVMF_FLUSHTYPE_MASK, target = flags & ~(u64)UVMF_FLUSHTYPE_MASK;
    if (kind == UVMF_NONE)
        return 0;
    if (target == UVMF_ALL) {
        flush_all_of(cur->dom);
        return 0;
    }
    if (target != UVMF_LOCAL)
        return flush_vcpus(cur->dom, GUEST_PTR(target));
    if (kind == UVMF_INVLPG)
        cpu_invlpg(va);
    else
        tlb_flush_local();
    return 0;
}

long hc_update_va_mapping(struct vcpu *cur, u64 va, u64 val, u64 flags, u64 a3, u64 a4)
{
    struct domain *d = cur->dom;
    if ((flags & UVMF_FLUSHTYPE_MASK) > UVMF_INVLPG || !guest_range_ok(va, 1))
        return -EINVAL;
    spin_lock(&d->mmu_lock);
    maddr_t slot = mmu_l1_entry(cur, va);
    int rc = mmu_drain(d); // what a refused pin left
    if (rc == 0)
        rc = slot.v ? mmu_write(d, d, slot, val, false) : -EINVAL;
    spin_unlock(&d->mmu_lock);
    return rc == 0 ? flush_for_va(cur, va, flags) : rc;
}

long hc_update_va_mapping_otherdomain(struct vcpu *cur, u64 va, u64 val, u64 flags, u64 domid,
                                      u64 a4)
{
    struct domain *d = cur->dom;
    if (!guest_range_ok(va, 1))
        return -EINVAL;
    struct domain *fd;
    long err = get_owner(cur, (u16)domid, &fd);
    if (err)
        return err;
    int rc = fd != d && !d->privileged ? -EPERM : 0;
    if (rc == 0) {
        spin_lock(&d->mmu_lock);
        maddr_t slot = mmu_l1_entry(cur, va);
        rc = mmu_drain(d);
        if (rc == 0)
            rc = slot.v ? mmu_write(d, fd, slot, val, false) : -EINVAL;
        spin_unlock(&d->mmu_lock);
    }
    domain_put(fd);
    return rc == 0 ? flush_for_va(cur, va, flags) : rc;
}

// --- mmuext_op ---

// An ordinary frame of the guest's that we write to on its behalf.
static long fill_page(struct domain *d, mfn_t dst, const void *src)
{
    if (!frame_get(dst, d))
        return -EINVAL;
    if (frame_get_writable(dst) != 0) {
        frame_put(dst);
        return -EINVAL;
    }
    if (src)
        memcpy(mfn_virt(dst), src, PAGE_SIZE);
    else
        memset(mfn_virt(dst), 0, PAGE_SIZE);
    frame_put_type(dst);
    frame_put(dst);
    return 0;
}

static long copy_page(struct domain *d, mfn_t dst, mfn_t src)
{
    if (!frame_get(src, d))
        return -EINVAL;
    long rc = fill_page(d, dst, mfn_virt(src));
    frame_put(src);
    return rc;
}

static long pin(struct domain *d, mfn_t m, u32 cmd)
{
    static const enum frame_type type[] = {FT_L1, FT_L2, FT_L3, FT_L4};
    return mmu_pin(d, m, type[cmd - MMUEXT_PIN_L1_TABLE]);
}

// Operations that work on the tables of `fd`. mmu_lock of fd is held.
static long locked_op(struct vcpu *cur, struct domain *fd, const struct mmuext_op *op)
{
    mfn_t m = MFN(op->arg1.mfn);
    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        return pin(fd, m, op->cmd);
    case MMUEXT_UNPIN_TABLE:
        return mmu_unpin(fd, m);
    case MMUEXT_NEW_BASEPTR:
        return fd == cur->dom ? pv_set_root(cur, m, false) : -EPERM;
    case MMUEXT_NEW_USER_BASEPTR:
        return fd == cur->dom ? pv_set_root(cur, m, true) : -EPERM;
    case MMUEXT_SET_LDT:
        return fd == cur->dom ? pv_set_ldt(cur, op->arg1.linear_addr, op->arg2.nr_ents) : -EPERM;
    default:
        return -ENOSYS;
    }
}

static long one_op(struct vcpu *cur, struct domain *fd, const struct mmuext_op *op)
{
    struct domain *d = cur->dom;
    switch (op->cmd) {
    case MMUEXT_TLB_FLUSH_LOCAL:
        tlb_flush_local();
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        cpu_invlpg(op->arg1.linear_addr);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        return flush_vcpus(d, GUEST_HANDLE(op->arg2.vcpumask));
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
        flush_all_of(d);
        return 0;
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        if (!d->privileged)
            return -EACCES;
        cpu_wbinvd();
        return 0;
    case MMUEXT_CLEAR_PAGE:
        return fill_page(fd, MFN(op->arg1.mfn), NULL);
    case MMUEXT_COPY_PAGE:
        return copy_page(fd, MFN(op->arg1.mfn), MFN(op->arg2.src_mfn));
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -EOPNOTSUPP;
    default:
        break;
    }
    spin_lock(&fd->mmu_lock);
    long rc = unlikely(fd->deferred) ? mmu_drain(fd) : 0;
    if (rc == 0)
        rc = locked_op(cur, fd, op);
    spin_unlock(&fd->mmu_lock);
    return rc;
}

// What an operation let go of is finished before the guest hears of success.
static long settle(struct domain *fd)
{
    if (likely(!READ_ONCE(fd->deferred)))
        return 0;
    spin_lock(&fd->mmu_lock);
    long rc = mmu_drain(fd);
    spin_unlock(&fd->mmu_lock);
    return rc;
}

long hc_mmuext_op(struct vcpu *cur, u64 ops, u64 count, u64 pdone, u64 foreign, u64 a4)
{
    struct subject s;
    guest_ptr done_ptr = GUEST_PTR(pdone);
    bool resumed = count & MMU_UPDATE_PREEMPTED;
    u32 left = (u32)count & ~(u32)MMU_UPDATE_PREEMPTED, total = 0;
    long rc = get_subject(cur, (u16)foreign, &s);
    if (rc != 0)
        return rc;
    for (; rc == 0 && left > 0; total++, left--) {
        struct mmuext_op op;
        rc = guest_copy_in_index(&op, GUEST_PTR(ops), total, sizeof(op));
        if (rc == 0)
            rc = one_op(cur, s.fd, &op);
        if (rc != 0)
            break;
        // Roots and flushes are quick; tables may take long.
        bool slow = op.cmd <= MMUEXT_UNPIN_TABLE || total % BATCH == BATCH - 1;
        if (left > 1 && slow && preempt_wanted()) {
            total++, left--;
            rc = -ERESTART_HC;
            break;
        }
    }
    if (rc == 0)
        rc = settle(s.fd);
    put_subject(&s);
    if (report_done(done_ptr, total, resumed) != 0)
        return -EFAULT;
    if (rc == -ERESTART_HC) {
        hc_set_arg(cur, 0, ops + (u64)total * sizeof(struct mmuext_op));
        hc_set_arg(cur, 1, left | MMU_UPDATE_PREEMPTED);
    }
    return rc;
}
