// SPDX-License-Identifier: MIT
// The smaller controls: hypercall page, address size, FPU state, MSRs, CPUID policy, scheduler
// weights, VIRQ handler, triggers; and what makes no sense for a PV domain.
//
// xen ABI: domctl.h, each at its structure.
//
#include "lib/domu.h"

const char test_title[] = "smaller controls over another domain";

static volatile unsigned int nmis;
static uint8_t buffer[4096];

static bool count_nmi(struct frame *f)
{
    nmis += f->vector == VEC_NMI_CB;
    return f->vector == VEC_NMI_CB;
}

static void guest(void)
{
    trap_hook = count_nmi;
    CHECK_RC(register_callback(CALLBACKTYPE_nmi, 0, nmi_entry), 0);
    CHECK_RC(evtchn_send(start_info->store_evtchn), 0);
    CHECK(wait_for(&nmis, 10 * SECOND));
    CHECK_EQ(nmis, 1);
}

static void check_hypercall_page(struct domu *d)
{
    static uint8_t page[4096], before[4096];
    uint64_t spare = d->p2m[d->nr_pfns - 1];

    domu_peek(d, hypercall_page, page, sizeof(page));
    CHECK_EQ(memcmp(page, hypercall_page, sizeof(page)), 0); // the same stubs as ours
    dc.u.hypercall_init.gmfn = va_to_mfn(before);
    CHECK(domctl(XEN_DOMCTL_hypercall_init, d->id) < 0); // not the domain's
    CHECK_EQ(before[0], 0);
    dc.u.hypercall_init.gmfn = d->p2m[DOMU_L4]; // a table
    CHECK(domctl(XEN_DOMCTL_hypercall_init, d->id) < 0);
    dc.u.hypercall_init.gmfn = 1ul << 40;
    CHECK(domctl(XEN_DOMCTL_hypercall_init, d->id) < 0);
    dc.u.hypercall_init.gmfn = spare;
    CHECK_RC(domctl(XEN_DOMCTL_hypercall_init, 0x1234), -ESRCH);
}

static void check_address_size(struct domu *d)
{
    CHECK_RC(domctl(XEN_DOMCTL_get_address_size, d->id), 0);
    CHECK_EQ(dc.u.address_size.size, 64);
    dc.u.address_size.size = 64;
    CHECK_RC(domctl(XEN_DOMCTL_set_address_size, d->id), 0);
    dc.u.address_size.size = 16;
    CHECK_RC(domctl(XEN_DOMCTL_set_address_size, d->id), -EINVAL);
}

static void check_state(struct domu *d)
{
    struct xen_domctl_vcpuextstate *x = &dc.u.vcpuextstate;

    *x = (struct xen_domctl_vcpuextstate){.vcpu = 0};
    CHECK_RC(domctl(XEN_DOMCTL_getvcpuextstate, d->id), 0); // asks for the size
    CHECK(x->size <= sizeof(buffer));
    x->vcpu = 1;
    CHECK_RC(domctl(XEN_DOMCTL_getvcpuextstate, d->id), -ESRCH);
    memset(&dc.u, 0, sizeof(dc.u));
    CHECK_RC(domctl(XEN_DOMCTL_get_ext_vcpucontext, d->id), 0);
    CHECK(dc.u.ext_vcpucontext.size >= 28);
    CHECK_EQ(dc.u.ext_vcpucontext.syscall32_callback_eip, 0);
    CHECK_RC(domctl(XEN_DOMCTL_set_ext_vcpucontext, d->id), 0); // back again
    dc.u.ext_vcpucontext.syscall32_callback_eip = 1ul << 50;
    CHECK_RC(domctl(XEN_DOMCTL_set_ext_vcpucontext, d->id), -EINVAL);
    dc.u.ext_vcpucontext.vcpu = 1;
    CHECK_RC(domctl(XEN_DOMCTL_get_ext_vcpucontext, d->id), -ESRCH);
    memset(&dc.u, 0, sizeof(dc.u));
    CHECK_RC(domctl(XEN_DOMCTL_get_vcpu_msrs, d->id), 0);
    CHECK(dc.u.vcpu_msrs.msr_count < 64);
    dc.u.vcpu_msrs.vcpu = 1;
    CHECK_RC(domctl(XEN_DOMCTL_get_vcpu_msrs, d->id), -ESRCH);
}

static void check_policy(struct domu *d)
{
    static xen_cpuid_leaf_t leaves[512];
    static xen_msr_entry_t msrs[64];
    struct xen_domctl_cpu_policy *p = &dc.u.cpu_policy;
    unsigned int highest = 0;

    *p = (struct xen_domctl_cpu_policy){.nr_leaves = 512, .nr_msrs = 64};
    set_xen_guest_handle(p->leaves, leaves);
    set_xen_guest_handle(p->msrs, msrs);
    CHECK_RC(domctl(XEN_DOMCTL_get_cpu_policy, d->id), 0);
    CHECK(p->nr_leaves > 8 && p->nr_leaves < 512);
    for (unsigned int i = 0; i < p->nr_leaves; i++) {
        if (leaves[i].leaf < 0x1000 && leaves[i].leaf > highest)
            highest = leaves[i].leaf;
    }
    CHECK_EQ(leaves[0].leaf, 0);
    CHECK(leaves[0].a >= 1 && highest <= leaves[0].a);
    CHECK_RC(domctl(XEN_DOMCTL_set_cpu_policy, d->id), 0); // what it has
    leaves[0].a = 0x7fff;
    CHECK(domctl(XEN_DOMCTL_set_cpu_policy, d->id) < 0);
    p->nr_leaves = 1;
    CHECK_RC(domctl(XEN_DOMCTL_get_cpu_policy, d->id), -ENOBUFS);
    CHECK_RC(domctl(XEN_DOMCTL_get_cpu_policy, 0x1234), -ESRCH);
}

static void check_scheduler(struct domu *d)
{
    struct xen_domctl_scheduler_op *s = &dc.u.scheduler_op;

    *s = (struct xen_domctl_scheduler_op){.sched_id = XEN_SCHEDULER_CREDIT2,
                                          .cmd = XEN_DOMCTL_SCHEDOP_getinfo};
    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, d->id), 0);
    CHECK_EQ(s->u.credit2.weight, 256);
    s->u.credit2.weight = 512;
    s->cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, d->id), 0);
    s->u.credit2.weight = 0;
    s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, d->id), 0);
    CHECK_EQ(s->u.credit2.weight, 512);
    s->cmd = 99;
    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, d->id), -EINVAL);
    s->cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    s->sched_id = XEN_SCHEDULER_RTDS;
    CHECK_RC(domctl(XEN_DOMCTL_scheduler_op, d->id), -EINVAL);
}

static void check_others(struct domu *d)
{
    static const uint32_t hvm_only[] = {XEN_DOMCTL_gethvmcontext, XEN_DOMCTL_sethvmcontext,
                                        XEN_DOMCTL_gethvmcontext_partial, XEN_DOMCTL_ioport_mapping,
                                        XEN_DOMCTL_bind_pt_irq};

    for (unsigned int i = 0; i < ARRAY_SIZE(hvm_only); i++) {
        memset(&dc.u, 0, sizeof(dc.u));
        long rc = domctl(hvm_only[i], d->id);
        if (rc >= 0)
            CHECK_EQ(hvm_only[i], rc);
    }
    memset(&dc.u, 0, sizeof(dc.u));
    dc.u.set_virq_handler.virq = VIRQ_DOM_EXC;
    CHECK_RC(domctl(XEN_DOMCTL_set_virq_handler, 0), 0);
    dc.u.set_virq_handler.virq = VIRQ_TIMER; // not a global one
    CHECK_RC(domctl(XEN_DOMCTL_set_virq_handler, 0), -EINVAL);
    dc.u.set_virq_handler.virq = 99;
    CHECK_RC(domctl(XEN_DOMCTL_set_virq_handler, 0), -EINVAL);
    dc.u.sendtrigger = (struct xen_domctl_sendtrigger){.trigger = 99};
    CHECK(domctl(XEN_DOMCTL_sendtrigger, d->id) < 0);
    dc.u.sendtrigger = (struct xen_domctl_sendtrigger){.vcpu = 1};
    CHECK_RC(domctl(XEN_DOMCTL_sendtrigger, d->id), -ESRCH);
    dc.u.set_target.target = 0;
    CHECK(domctl(XEN_DOMCTL_set_target, d->id) < 0);
    dc.u.set_target.target = d->id;
    CHECK_RC(domctl(XEN_DOMCTL_set_target, d->id), -EINVAL);
    dc.u.set_target.target = 0x1234;
    CHECK_RC(domctl(XEN_DOMCTL_set_target, d->id), -ESRCH);
}

void test_main(void)
{
    struct domu *d = domu_create(guest);

    check_hypercall_page(d);
    check_address_size(d);
    check_state(d);
    check_policy(d);
    check_scheduler(d);
    check_others(d);
    CHECK_RC(domu_unpause(d), 0);
    CHECK(port_wait(d->port, 5 * SECOND));
    dc.u.sendtrigger = (struct xen_domctl_sendtrigger){.trigger = XEN_DOMCTL_SENDTRIGGER_NMI};
    CHECK_RC(domctl(XEN_DOMCTL_sendtrigger, d->id), 0);
    CHECK_EQ(domu_wait(d), SHUTDOWN_poweroff);
    CHECK_RC(domu_destroy(d), 0);
}
