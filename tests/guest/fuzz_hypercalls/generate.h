// SPDX-License-Identifier: MIT
// Random hypercalls with nearly right arguments: see main.c. Its user calls generate_setup(),
// sets rng, and own unless it is wild.
#ifndef GUEST_FUZZ_HYPERCALLS_GENERATE_H
#define GUEST_FUZZ_HYPERCALLS_GENERATE_H

#include "lib/domu.h"
#include "lib/random.h"
#include <xen/arch-x86/xen-mca.h>

#define POOL    16
#define TARGETS 16
#define FRAMES  0x20000 // of the machine

static uint64_t pool[POOL];
// A domU that may crash itself: it also aims at frames and domains that are not its own, and calls
// what only dom0 may.
static bool wild;
static uint64_t targets[TARGETS], peer;
static uint64_t own[FRAMES / 64];      // a bitmap: what we had at the start
static char *arena, *rw, *ro, *window; // rw: the two pages of the arena for the call in the making

static uint64_t pointer(void)
{
    switch (pick(8)) {
    case 0:
        return 0;
    case 1:
        return (uint64_t)ro + pick(PAGE_SIZE);
    case 2:
        return HYPERVISOR_VIRT_START + (rnd() & 0x7ffffffffff);
    case 3:
        return 0x0000800000000000 + (rnd() >> 12);
    case 4:
        return 0x7000000000 + pick(1 << 20);
    case 5:
        return (uint64_t)rw + 2 * PAGE_SIZE - pick(64); // the page behind is not mapped
    default:
        return (uint64_t)rw + pick(2 * PAGE_SIZE / 8) * 8;
    }
}

// Never one of the image's own: that would be suicide, not an attack. The wild one may.
static uint64_t frame(void)
{
    uint64_t mfn;

    if (wild && pick(2))
        return targets[pick(TARGETS)];
    switch (pick(4)) {
    case 0:
        return FRAMES + (rnd() >> pick(52));
    case 1:
        mfn = pick(FRAMES);
        return !wild && (own[mfn / 64] >> (mfn % 64) & 1) ? FRAMES + 5 : mfn;
    default:
        return pool[pick(POOL)];
    }
}

static uint64_t word(void)
{
    switch (pick(9)) {
    case 0:
        return pick(4);
    case 1:
        return pick(64);
    case 2:
        return 1ul << pick(64);
    case 3:
        return ~0ul << pick(64);
    case 4:
        return pointer();
    case 5:
        return frame();
    case 6:
        return frame() << 12 | (rnd() & 0x1ff) * 8 % PAGE_SIZE;
    case 7:
        return DOMID_SELF | pick(16) << 32;
    default:
        return rnd() | 1ul << 63;
    }
}

static uint64_t window_va(void)
{
    return pick(4) ? (uint64_t)window + pick(8) * PAGE_SIZE
                   : HYPERVISOR_VIRT_START + pick(1ul << 30);
}

static uint64_t pte(void)
{
    return frame() << 12 | (rnd() & 0xfff) | (pick(8) ? 0 : 1ul << (52 + pick(12)));
}

static uint64_t domid(void)
{
    if (wild && pick(3) == 0)
        return peer;
    static const uint16_t id[] = {DOMID_SELF, DOMID_SELF, DOMID_SELF,    0,     1, DOMID_IO,
                                  DOMID_XEN,  DOMID_COW,  DOMID_INVALID, 0x7fef};

    return id[pick(ARRAY_SIZE(id))];
}

// A page of words, and in front of it what the call most likely reads first.
static uint64_t *structure(void)
{
    uint64_t *p = (uint64_t *)rw + pick(64);

    for (unsigned int i = 0; i < 24; i++)
        p[i] = word();
    return p;
}

static uint64_t mmu_requests(void)
{
    struct mmu_update *u = (void *)structure();

    for (unsigned int i = 0; i < 8; i++)
        u[i] = (struct mmu_update){.ptr = frame() << 12 | (rnd() & 0xfff), .val = pte()};
    // A shifted list would be other requests, perhaps for our own text.
    return pick(6) ? (uint64_t)u : HYPERVISOR_VIRT_START + pick(1ul << 50);
}

static uint64_t mmuext_requests(void)
{
    struct mmuext_op *op = (void *)structure();

    for (unsigned int i = 0; i < 4; i++) {
        op[i].cmd = (unsigned int)pick(24);
        op[i].arg1.mfn = op[i].cmd == MMUEXT_NEW_BASEPTR ? ~0ul >> pick(24) : frame();
        op[i].arg2.src_mfn = pick(2) ? frame() : word();
        if (op[i].cmd == MMUEXT_SET_LDT)
            op[i].arg1.linear_addr = pick(2) ? window_va() & PAGE_MASK : word();
    }
    return (uint64_t)op;
}

static uint64_t memory_arg(unsigned int cmd)
{
    uint64_t *p = structure();
    xen_pfn_t *list = (xen_pfn_t *)rw + 768;
    struct xen_memory_reservation *r = (void *)p;

    for (unsigned int i = 0; i < 8; i++)
        list[i] = frame();
    for (unsigned int i = 0; i < 2; i++, r++) { // an exchange has two
        if (cmd != XENMEM_exchange && i)
            break;
        set_xen_guest_handle(r->extent_start, pick(4) ? list : (xen_pfn_t *)pointer());
        r->nr_extents = pick(8) ? pick(8) : rnd();
        r->extent_order = pick(4) ? 0 : (unsigned int)rnd() >> pick(32);
        r->mem_flags = pick(2) ? 0 : (unsigned int)rnd();
        r->domid = (domid_t)domid();
    }
    if (cmd == XENMEM_exchange)
        *(uint64_t *)r = pick(4) ? 0 : rnd() >> pick(64);
    return pick(8) ? (uint64_t)p : pointer();
}

static void callback_args(uint64_t *a)
{
    static const void *const entry[] = {event_entry, failsafe_entry,  syscall_entry,   NULL,
                                        NULL,        syscall32_entry, syscall32_entry, NULL};
    struct callback_register *cb = (void *)structure();
    unsigned int type = (unsigned int)pick(8);

    *cb = (struct callback_register){.type = (uint16_t)type, .flags = (uint16_t)rnd()};
    cb->address = entry[type] && pick(2) ? (uint64_t)entry[type] : 1ul << (47 + pick(16));
    if (!entry[type])
        cb->type = 77;
    a[0] = pick(3);
    // Noise in memory would be a callback that leads nowhere.
    a[1] = pick(4) ? (uint64_t)cb : HYPERVISOR_VIRT_START + pick(1ul << 50);
}

// What the control domain does, and what may stop the caller.
static void generate_wild(unsigned int *nr, uint64_t *a)
{
    static const uint8_t control[] = {
        __HYPERVISOR_domctl,     __HYPERVISOR_domctl,         __HYPERVISOR_sysctl,
        __HYPERVISOR_sysctl,     __HYPERVISOR_platform_op,    __HYPERVISOR_mca,
        __HYPERVISOR_kexec_op,   __HYPERVISOR_console_io,     __HYPERVISOR_sched_op,
        __HYPERVISOR_nmi_op,     __HYPERVISOR_set_trap_table, __HYPERVISOR_stack_switch,
        __HYPERVISOR_mmu_update, __HYPERVISOR_mmuext_op,      __HYPERVISOR_tmem_op};
    uint64_t *p = structure();
    uint32_t *words = (uint32_t *)p;

    *nr = control[pick(ARRAY_SIZE(control))];
    a[0] = pick(6) ? (uint64_t)p : pointer();
    switch (*nr) {
    case __HYPERVISOR_domctl:
    case __HYPERVISOR_sysctl:
        words[0] = 1 + (uint32_t)pick(90);
        words[1] = XEN_DOMCTL_INTERFACE_VERSION;
        if (*nr == __HYPERVISOR_domctl)
            words[2] = (uint32_t)domid();
        break;
    case __HYPERVISOR_platform_op:
        words[0] = 1 + (uint32_t)pick(70);
        words[1] = XENPF_INTERFACE_VERSION;
        break;
    case __HYPERVISOR_sched_op:
        a[0] = pick(9);
        a[1] = (uint64_t)p;
        if (a[0] == SCHEDOP_block || a[0] == SCHEDOP_shutdown || a[0] == SCHEDOP_watchdog ||
            a[0] == SCHEDOP_shutdown_code)
            a[0] = SCHEDOP_yield;
        if (a[0] == SCHEDOP_poll) // a time-out in the past
            p[2] = 1;
        break;
    case __HYPERVISOR_mmu_update: // somebody else's tables
        a[0] = mmu_requests();
        a[1] = pick(9);
        a[2] = 0;
        a[3] = domid() | (domid() + 1) << 16;
        break;
    case __HYPERVISOR_mmuext_op:
        a[0] = mmuext_requests();
        a[1] = pick(5);
        a[2] = 0;
        a[3] = peer;
        break;
    default:
        a[0] = pick(2) ? pick(16) : a[0];
        a[1] = pick(2) ? (uint64_t)p : word();
        break;
    }
}

static void generate(unsigned int *nr, uint64_t *a)
{
    static const uint8_t plain[] = {__HYPERVISOR_set_debugreg,
                                    __HYPERVISOR_get_debugreg,
                                    __HYPERVISOR_set_timer_op,
                                    __HYPERVISOR_fpu_taskswitch,
                                    __HYPERVISOR_vm_assist,
                                    __HYPERVISOR_set_segment_base,
                                    __HYPERVISOR_xsm_op,
                                    __HYPERVISOR_hvm_op,
                                    __HYPERVISOR_xenoprof_op,
                                    __HYPERVISOR_argo_op,
                                    __HYPERVISOR_xenpmu_op,
                                    __HYPERVISOR_dm_op,
                                    42,
                                    48,
                                    55,
                                    63,
                                    64,
                                    255};
    static const uint8_t by_command[] = {
        __HYPERVISOR_event_channel_op, __HYPERVISOR_event_channel_op, __HYPERVISOR_grant_table_op,
        __HYPERVISOR_grant_table_op,   __HYPERVISOR_physdev_op,       __HYPERVISOR_xen_version};

    for (unsigned int i = 0; i < 5; i++)
        a[i] = word();
    switch (pick(wild ? 17 : 14)) {
    case 14:
    case 15:
    case 16:
        generate_wild(nr, a);
        break;
    case 0:
    case 1:
        *nr = __HYPERVISOR_mmu_update;
        a[0] = mmu_requests(), a[1] = pick(8) ? pick(9) : rnd(), a[2] = pick(2) ? 0 : pointer();
        a[3] = domid() | (pick(8) ? 0 : rnd() << 16);
        break;
    case 2:
    case 3:
        *nr = __HYPERVISOR_mmuext_op;
        a[0] = mmuext_requests(), a[1] = pick(5), a[2] = pick(2) ? 0 : pointer(), a[3] = domid();
        break;
    case 4:
        *nr = pick(4) ? __HYPERVISOR_update_va_mapping : __HYPERVISOR_update_va_mapping_otherdomain;
        a[0] = window_va(), a[1] = pte(), a[3] = domid();
        a[2] = pick(3) | (pick(2) ? 0 : pointer() & ~3ul);
        break;
    case 5:
        *nr = __HYPERVISOR_memory_op;
        a[0] = pick(3) ? pick(30) : (unsigned int)rnd();
        a[1] = memory_arg((unsigned int)a[0] & 63);
        break;
    case 6:
    case 7:
    case 8:
        *nr = by_command[pick(ARRAY_SIZE(by_command))];
        a[0] = pick(40);
        a[1] = pick(4) ? (uint64_t)structure() : pointer();
        a[2] = pick(4) ? pick(4) : rnd();
        break;
    case 9:
        *nr = __HYPERVISOR_set_gdt;
        memory_arg(0); // fills the list
        a[0] = pick(3) ? (uint64_t)rw + 768 * 8 : pointer();
        a[1] = pick(3) ? pick(8192) : rnd();
        break;
    case 10:
        *nr = __HYPERVISOR_update_descriptor;
        a[0] = frame() << 12 | (rnd() & 0xfff), a[1] = rnd();
        break;
    case 11:
        *nr = __HYPERVISOR_vcpu_op;
        a[0] = pick(20), a[1] = pick(6) ? pick(8) : rnd();
        if (a[0] == VCPUOP_down || a[0] == VCPUOP_up || a[0] == VCPUOP_register_vcpu_info)
            a[1] = 0x4000 + pick(64);
        a[2] = pick(4) ? (uint64_t)structure() : pointer();
        break;
    case 12:
        *nr = __HYPERVISOR_callback_op;
        callback_args(a);
        break;
    default:
        *nr = plain[pick(ARRAY_SIZE(plain))];
        break;
    }
}

// A multicall of up to 8; how many. The answer is that of the whole.
static unsigned int generate_batch(long *rc)
{
    static struct multicall_entry call[8];
    unsigned int n = 1 + (unsigned int)pick(8);

    for (unsigned int i = 0; i < n; i++) {
        unsigned int nr;
        uint64_t a[5];

        rw = arena + 2 * PAGE_SIZE * i;
        generate(&nr, a);
        call[i].op = pick(30) ? nr : __HYPERVISOR_multicall;
        for (unsigned int k = 0; k < 5; k++)
            call[i].args[k] = a[k];
    }
    rw = arena + 14 * PAGE_SIZE;
    *rc = hc_multicall(call, n);
    return n;
}

static long generate_call(void)
{
    unsigned int nr;
    uint64_t a[5];

    generate(&nr, a);
    return hypercall(nr > 63 ? 63 : nr, a[0], a[1], a[2], a[3], a[4]);
}

static void generate_setup(void)
{
    arena = page_alloc(); // sixteen pages and a hole
    for (unsigned int i = 1; i < 16; i++)
        page_alloc();
    rw = arena + 14 * PAGE_SIZE;
    REQUIRE(hc_update_va_mapping(page_alloc(), 0, UVMF_INVLPG) == 0);
    ro = table_alloc();
    window = page_alloc();
    for (unsigned int i = 0; i < 7; i++)
        page_alloc();
    for (unsigned int i = 0; i < POOL; i++)
        pool[i] = pfn_to_mfn(pfn_alloc_unmapped());
}

#endif
