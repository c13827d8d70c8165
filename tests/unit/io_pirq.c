// clang-format off
// SOURCES: hv/cpu/irq.c hv/io/ioapic.c hv/io/pirq.c hv/io/mmio.c hv/io/pci.c hv/io/msi.c hv/hc/physdev.c hv/hc/op.c hv/boot/acpi.c
// CFLAGS: -include tests/fake/devices.h
// clang-format on
// SPDX-License-Identifier: MIT
// Vectors, IO-APIC pins and PIRQs: the life of a line's interrupt from map to EOI, and what a
// hostile caller may try on the way.
#include "unit/io_irq_world.h"

// ---- Vectors ----

static void source_nop(struct irq *irq)
{
}
static const struct irq_source nop_source = {source_nop, source_nop, source_nop};

static void vectors_all(void **state)
{
    struct irq *got[256];
    u32 n = 0;
    for (struct irq *irq; (irq = irq_alloc(1, &nop_source, NULL)) != NULL;)
        got[n++] = irq;
    assert_int_equal(n, VECTOR_LAST_DEVICE - VECTOR_FIRST_DEVICE + 1 - 2);
    assert_null(irq_alloc(1, &nop_source, NULL));
    assert_int_equal(map_gsi(5, 5), -ENOSPC);
    for (u32 i = 0; i < n; i++) {
        assert_in_range(got[i]->vector, VECTOR_FIRST_DEVICE, VECTOR_LAST_DEVICE);
        assert_int_not_equal(got[i]->vector, 0x80);
        assert_int_not_equal(got[i]->vector, 0x82);
        irq_free(got[i], 1);
    }
}

static void vectors_blocks(void **state)
{
    static const u32 counts[] = {1, 32, 2, 1, 16, 8, 4, 32, 32};
    struct irq *got[ARRAY_SIZE(counts)];
    for (u32 i = 0; i < ARRAY_SIZE(counts); i++) {
        got[i] = irq_alloc(counts[i], &nop_source, NULL);
        assert_non_null(got[i]);
        assert_int_equal(got[i]->vector % counts[i], 0);
        assert_int_equal(got[i][counts[i] - 1].vector, got[i]->vector + counts[i] - 1);
        assert_int_equal(got[i][counts[i] - 1].index, counts[i] - 1);
    }
    for (u32 i = 0; i < ARRAY_SIZE(counts); i++)
        irq_free(got[i], counts[i]);
}

static void vectors_rest(void **state)
{
    struct irq *first = irq_alloc(1, &nop_source, NULL);
    irq_free(first, 1);
    struct irq *second = irq_alloc(1, &nop_source, NULL);
    assert_ptr_not_equal(first, second);
    irq_free(second, 1);
}

static unsigned handled;
static bool quiet;

static bool handler(void *arg)
{
    assert_int_equal(fake_locks_held(), 0);
    handled += arg == &handled;
    return quiet;
}

static void dispatch_only_enabled(void **state)
{
    struct irq *irq = irq_alloc(1, &nop_source, NULL);
    u8 vector = irq->vector;
    handled = 0;
    irq_dispatch(vector);
    irq_set_handler(irq, handler, &handled);
    irq_dispatch(vector);
    assert_int_equal(handled, 0);
    irq_enable(irq);
    irq_dispatch(vector);
    assert_int_equal(handled, 1);
    irq_disable(irq);
    irq_dispatch(vector);
    irq_free(irq, 1);
    irq_dispatch(vector);
    irq_dispatch(0x80);
    assert_int_equal(handled, 1);
    assert_int_equal(w.eois, 6);
}

// ---- IO-APIC ----

static void ioapic_boot(void **state)
{
    assert_int_equal(w.pic_mask[0], 0xff);
    assert_int_equal(w.pic_mask[1], 0xff);
    assert_int_equal(ioapic_gsi_end(), PINS);
    assert_false(ioapic_has_gsi(PINS));
    assert_false(ioapic_has_gsi(~0u));
    for (u32 gsi = 0; gsi < PINS - 1; gsi++)
        assert_true(rte(gsi) & RTE_MASKED);
    assert_int_equal(rte(23), RTE_DELIVERY_SMI);
}

static void ioapic_modes(void **state)
{
    static const struct {
        u32 gsi;
        u32 mode;
    } row[] = {
        {1, 0}, {2, 0}, {9, RTE_LEVEL}, {15, 0}, {16, RTE_LEVEL | RTE_ACTIVE_LOW},
    };
    for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
        struct irq *irq;
        assert_int_equal(ioapic_attach(row[i].gsi, &irq), 0);
        assert_int_equal(ioapic_attach(row[i].gsi, &irq), -EBUSY);
        assert_true(rte(row[i].gsi) & RTE_MASKED);
        irq_route(irq, 3);
        irq_enable(irq);
        assert_int_equal(rte(row[i].gsi), row[i].mode | irq->vector);
        assert_int_equal(w.ioapic_reg[0x11 + 2 * row[i].gsi], 6u << 24);
        irq_route(irq, 7); // APIC id 300: the first CPU instead
        assert_int_equal(w.ioapic_reg[0x11 + 2 * row[i].gsi], 0);
        irq_disable(irq);
        assert_int_equal(rte(row[i].gsi), row[i].mode | irq->vector | RTE_MASKED);
        ioapic_detach(row[i].gsi);
    }
}

static long setup_gsi(u32 dom, int gsi, u8 level, u8 low)
{
    struct physdev_setup_gsi a = {gsi, level, low};
    return call(dom, PHYSDEVOP_setup_gsi, &a);
}

static void setup_gsi_once(void **state)
{
    assert_int_equal(setup_gsi(1, 17, 0, 0), -EPERM);
    assert_int_equal(setup_gsi(0, PINS, 0, 0), -EINVAL);
    assert_int_equal(setup_gsi(0, -1, 0, 0), -EINVAL);
    assert_int_equal(setup_gsi(0, 17, 0, 1), 0);
    assert_int_equal(setup_gsi(0, 17, 1, 1), -EEXIST);
    assert_int_equal(map_gsi(17, 17), 17);
    assert_int_equal(world_bind(0, 17), 0);
    assert_int_equal(rte(17) & ~RTE_VECTOR, RTE_ACTIVE_LOW);
    // Bound: too late.
    assert_int_equal(map_gsi(18, 18), 18);
    assert_int_equal(world_bind(0, 18), 0);
    assert_int_equal(setup_gsi(0, 18, 0, 0), -EEXIST);
    assert_int_equal(rte(18) & ~RTE_VECTOR, RTE_ACTIVE_LOW | RTE_LEVEL);
}

static void apic_registers(void **state)
{
    struct physdev_apic a = {IOAPIC_BASE, 1, 0};
    u32 before = rte(19);
    assert_int_equal(call(1, PHYSDEVOP_apic_read, &a), -EPERM);
    assert_int_equal(call(0, PHYSDEVOP_apic_read, &a), 0);
    assert_int_equal(a.value, w.ioapic_reg[1]);
    a = (struct physdev_apic){IOAPIC_BASE, 257, 0}; // its low byte counts
    assert_int_equal(call(0, PHYSDEVOP_apic_read, &a), 0);
    assert_int_equal(a.value, w.ioapic_reg[1]);
    a = (struct physdev_apic){IOAPIC_BASE + 4, 1, 0};
    assert_int_equal(call(0, PHYSDEVOP_apic_read, &a), -EINVAL);
    assert_int_equal(call(0, PHYSDEVOP_apic_write, &a), -EINVAL);
    // Writes never reach the hardware; those of an unmasked entry say how the pin is signalled.
    for (u32 reg = 0; reg < 256; reg++) {
        a = (struct physdev_apic){IOAPIC_BASE, reg,
                                  reg == 0x10 + 2 * 19 ? RTE_ACTIVE_LOW : RTE_MASKED};
        assert_int_equal(call(0, PHYSDEVOP_apic_write, &a), 0);
    }
    assert_int_equal(rte(19), before);
    assert_int_equal(w.ioapic_reg[1], (PINS - 1) << 16 | 0x20);
    assert_int_equal(map_gsi(19, -1), 19);
    assert_int_equal(world_bind(0, 19), 0);
    assert_int_equal(rte(19) & ~RTE_VECTOR, RTE_ACTIVE_LOW);
}

static void own_ran(void *arg)
{
    handled++;
}

// A handler of the hypervisor's own keeps its line to itself.
static void own_handler(void **state)
{
    handled = 0;
    assert_int_equal(irq_request_gsi(PINS, own_ran, NULL), -EINVAL);
    assert_int_equal(irq_request_gsi(4, own_ran, NULL), 0);
    assert_int_equal(irq_request_gsi(4, own_ran, NULL), -EBUSY);
    irq_dispatch((u8)rte(4));
    assert_int_equal(handled, 1);
    assert_false(rte(4) & RTE_MASKED);
    assert_int_equal(map_gsi(4, 4), 4);
    assert_int_equal(map_gsi(4, -1), 4);
    assert_int_equal(map_gsi(4, 5), -EEXIST);
    assert_int_equal(world_bind(0, 4), -EBUSY);
    assert_int_equal(eoi(4), 0);
    assert_int_equal(unmap(4), 0);
    assert_int_equal(unmap(4), -EINVAL);
    assert_int_equal(world_bind(0, 4), -EPERM);
    assert_int_equal(map_gsi(4, 30), 30); // left to pirq_domain_free
    irq_dispatch((u8)rte(4));
    assert_int_equal(handled, 2);
}

// ---- PIRQs ----

static void pirq_numbers(void **state)
{
    assert_int_equal(map_gsi(PINS, -1), -EINVAL);
    assert_int_equal(map_gsi(-1, -1), -EINVAL);
    assert_int_equal(map_gsi(10, EVTCHN_PIRQ_END), -EINVAL);
    assert_int_equal(map_gsi(10, INT32_MAX), -EINVAL);
    assert_int_equal(map_gsi(10, -1), 10);
    assert_int_equal(map_gsi(10, -1), 10);
    assert_int_equal(map_gsi(10, 10), 10);
    assert_int_equal(map_gsi(10, 11), -EEXIST);
    assert_int_equal(map_gsi(11, 10), -EEXIST);
    assert_int_equal(map_gsi(12, 11), 11);
    assert_int_equal(map_gsi(11, -1), EVTCHN_PIRQ_END - 1);
    assert_int_equal(unmap(10), 0);
    assert_int_equal(unmap(10), -EINVAL);
    assert_int_equal(unmap(EVTCHN_PIRQ_END), -EINVAL);
    assert_int_equal(unmap(~0u), -EINVAL);
    assert_int_equal(map_gsi(10, 20), 20);
}

static void pirq_domains(void **state)
{
    struct physdev_map_pirq a = {.domid = 1, .type = MAP_PIRQ_TYPE_GSI, .index = 10, .pirq = -1};
    assert_int_equal(call(1, PHYSDEVOP_map_pirq, &a), -EPERM);
    assert_int_equal(call(0, PHYSDEVOP_map_pirq, &a), 0);
    assert_int_equal(a.pirq, 10);
    assert_int_equal(map_gsi(10, 10), -EPERM);
    a.domid = 7;
    assert_int_equal(call(0, PHYSDEVOP_map_pirq, &a), -ESRCH);
    a.domid = DOMID_SELF;
    a.type = MAP_PIRQ_TYPE_UNKNOWN;
    assert_int_equal(call(0, PHYSDEVOP_map_pirq, &a), -EINVAL);
    assert_int_equal(world_bind(1, 10), 0);
    struct physdev_unmap_pirq u = {1, 10};
    assert_int_equal(call(1, PHYSDEVOP_unmap_pirq, &u), -EPERM);
    assert_int_equal(call(0, PHYSDEVOP_unmap_pirq, &u), 0);
    w.dom[1].state = DOMAIN_DYING; // nobody would give the interrupt back
    a = (struct physdev_map_pirq){.domid = 1, .type = MAP_PIRQ_TYPE_GSI, .index = 10, .pirq = -1};
    assert_int_equal(call(0, PHYSDEVOP_map_pirq, &a), -EINVAL);
    a = (struct physdev_map_pirq){1, MAP_PIRQ_TYPE_MSI, -1, -1, 0, DEV_MSI, 0, 0};
    assert_int_equal(call(0, PHYSDEVOP_map_pirq, &a), -EINVAL);
}

static void pirq_free_numbers(void **state)
{
    struct physdev_get_free_pirq a = {.type = MAP_PIRQ_TYPE_MSI};
    assert_int_equal(call(1, PHYSDEVOP_get_free_pirq, &a), -EPERM);
    assert_int_equal(call(0, PHYSDEVOP_get_free_pirq, &a), 0);
    assert_int_equal(a.pirq, EVTCHN_PIRQ_END - 1);
    a.type = MAP_PIRQ_TYPE_GSI;
    for (u32 i = 16; i < PINS; i++) {
        assert_int_equal(call(0, PHYSDEVOP_get_free_pirq, &a), 0);
        assert_int_equal(a.pirq, i);
    }
    assert_int_equal(call(0, PHYSDEVOP_get_free_pirq, &a), -ENOSPC);
    assert_int_equal(world_bind(0, 16), -EPERM); // only reserved
    assert_int_equal(map_gsi(21, -1), EVTCHN_PIRQ_END - 2);
    assert_int_equal(unmap(17), 0);
    assert_int_equal(map_gsi(20, 16), 16);
    a.type = MAP_PIRQ_TYPE_MSI;
    for (u32 i = 0; i < EVTCHN_PIRQ_END; i++)
        (void)call(0, PHYSDEVOP_get_free_pirq, &a);
    assert_int_equal(call(0, PHYSDEVOP_get_free_pirq, &a), -ENOSPC);
}

static void pirq_level(void **state)
{
    assert_int_equal(map_gsi(20, 20), 20);
    assert_int_equal(eoi(20), 0);
    assert_true(rte(20) & RTE_MASKED);
    assert_int_equal(world_bind(0, 20), 0);
    u8 vector = (u8)rte(20);
    assert_false(rte(20) & RTE_MASKED);
    irq_dispatch(vector);
    assert_int_equal(w.sent[20], 1);
    assert_int_equal(w.eois, 1);
    assert_true(w.mask_when_sent); // masked before anybody hears of it
    assert_true(rte(20) & RTE_MASKED);
    assert_int_equal(eoi(20), 0);
    assert_false(rte(20) & RTE_MASKED);
    assert_int_equal(eoi(20), 0);
    // Unbound between interrupt and EOI: it stays masked.
    irq_dispatch(vector);
    world_unbind(0, 20);
    assert_int_equal(eoi(20), 0);
    assert_true(rte(20) & RTE_MASKED);
    irq_dispatch(vector);
    assert_int_equal(w.sent[20], 2);
    assert_int_equal(world_bind(0, 20), 0);
    assert_false(rte(20) & RTE_MASKED);
    // Unmapped while bound: the port stays, the line is off.
    irq_dispatch(vector);
    assert_int_equal(unmap(20), 0);
    assert_true(rte(20) & RTE_MASKED);
    assert_int_equal(eoi(20), 0);
    irq_dispatch(vector);
    assert_int_equal(w.sent[20], 3);
    world_unbind(0, 20);
    assert_int_equal(eoi(20), -EINVAL);
    assert_int_equal(world_bind(0, 20), -EPERM);
}

static void pirq_edge(void **state)
{
    assert_int_equal(map_gsi(1, 1), 1);
    assert_int_equal(world_bind(0, 1), 0);
    for (u32 i = 0; i < 3; i++)
        irq_dispatch((u8)rte(1));
    assert_int_equal(w.sent[1], 3);
    assert_false(rte(1) & RTE_MASKED);
    assert_int_equal(w.unmasked, 0);
}

static void pirq_affinity(void **state)
{
    assert_int_equal(map_gsi(1, 1), 1);
    pirq_set_affinity(&w.dom[0], 1, &w.vcpu[0][1]);
    assert_int_equal(world_bind(0, 1), 0); // binding is to vCPU 0
    assert_int_equal(w.ioapic_reg[0x11 + 2], 0);
    pirq_set_affinity(&w.dom[0], 1, &w.vcpu[0][1]);
    assert_int_equal(w.ioapic_reg[0x11 + 2], 2u << 24);
    pirq_set_affinity(&w.dom[0], 2, &w.vcpu[0][1]);
    pirq_set_affinity(&w.dom[0], ~0u, &w.vcpu[0][1]);
    pirq_unbind(&w.dom[0], ~0u);
    pirq_unbind(&w.dom[1], 1);
    assert_int_equal(pirq_bind(&w.vcpu[0][0], ~0u, false), -EPERM);
    assert_int_equal(pirq_bind(&w.vcpu[0][0], 2, false), -EPERM);
    assert_int_equal(pirq_bind(&w.vcpu[1][0], 1, false), -EPERM);
    assert_int_equal(eoi(~0u), -EINVAL);
    assert_int_equal(eoi(EVTCHN_PIRQ_END - 1), -EINVAL);
}

static bool needs_eoi(u32 pirq)
{
    return w.guest_page[pirq / 8] >> pirq % 8 & 1;
}

static void eoi_map(void **state)
{
    struct physdev_pirq_eoi_gmfn a = {2};
    assert_int_equal(map_gsi(20, 20), 20);
    assert_int_equal(map_gsi(1, 1), 1);
    assert_int_equal(world_bind(0, 20), 0);
    assert_int_equal(call(0, PHYSDEVOP_pirq_eoi_gmfn_v2, &a), -EINVAL);
    a.gmfn = 1;
    assert_int_equal(call(0, PHYSDEVOP_pirq_eoi_gmfn_v2, &a), 0);
    assert_true(needs_eoi(20));
    assert_int_equal(call(0, PHYSDEVOP_pirq_eoi_gmfn_v1, &a), -EBUSY);
    assert_int_equal(w.frames_mapped, 1);
    assert_int_equal(world_bind(0, 1), 0);
    assert_false(needs_eoi(1));
    world_unbind(0, 20);
    assert_false(needs_eoi(20));
    memset(w.guest_page, 0xff, sizeof(w.guest_page)); // the guest's own fault
    assert_int_equal(world_bind(0, 20), 0);
    assert_int_equal(unmap(20), 0);
    assert_false(needs_eoi(20));
    assert_int_equal(eoi(1), 0);
    assert_int_equal(w.unmasked, 0);
}

static void eoi_map_unmasks(void **state)
{
    struct physdev_pirq_eoi_gmfn a = {1};
    assert_int_equal(call(1, PHYSDEVOP_pirq_eoi_gmfn_v1, &a), 0); // any guest may
    assert_int_equal(call(0, PHYSDEVOP_pirq_eoi_gmfn_v1, &a), 0);
    assert_int_equal(map_gsi(1, 1), 1);
    assert_int_equal(eoi(1), 0);
    assert_int_equal(w.unmasked, 0); // not bound
    assert_int_equal(world_bind(0, 1), 0);
    assert_int_equal(eoi(1), 0);
    assert_int_equal(w.unmasked, 1);
}

static void no_memory(void **state)
{
    struct physdev_pirq_eoi_gmfn a = {1};
    fake_heap_fail_after(0);
    assert_int_equal(call(0, PHYSDEVOP_pirq_eoi_gmfn_v2, &a), -ENOMEM);
    assert_int_equal(w.frames_mapped, 0);
    for (int n = 0; n < 3; n++) {
        fake_heap_fail_after(n);
        assert_int_equal(map_gsi(10, 10), -ENOMEM);
        world_teardown(NULL);
    }
    fake_heap_fail_after(3);
    assert_int_equal(map_gsi(10, 10), 10);
}

// ---- The rest of the calls ----

static void status_query(void **state)
{
    struct physdev_irq_status_query a = {.irq = EVTCHN_PIRQ_END};
    assert_int_equal(call(0, PHYSDEVOP_irq_status_query, &a), -EINVAL);
    a.irq = 5;
    assert_int_equal(call(1, PHYSDEVOP_irq_status_query, &a), 0);
    assert_int_equal(a.flags, XENIRQSTAT_needs_eoi);
}

static void vector_query(void **state)
{
    struct physdev_irq a = {.irq = 100000};
    assert_int_equal(call(0, PHYSDEVOP_alloc_irq_vector, &a), 0);
    assert_int_equal(a.vector, 100000);
    assert_int_equal(call(1, PHYSDEVOP_alloc_irq_vector, &a), -EPERM);
}

static void port_rights(void **state)
{
    struct physdev_set_iopl iopl = {4};
    struct physdev_set_iobitmap map = {.nr_ports = 65537};
    assert_int_equal(call(1, PHYSDEVOP_set_iopl, &iopl), -EINVAL);
    iopl.iopl = 3;
    assert_int_equal(call(1, PHYSDEVOP_set_iopl, &iopl), 0);
    assert_int_equal(w.vcpu[1][0].pv.iopl, 3);
    assert_int_equal(call(1, PHYSDEVOP_set_iobitmap, &map), -EINVAL);
    map.nr_ports = 65536;
    map.bitmap.p = (void *)HV_ADDRESS;
    assert_int_equal(call(1, PHYSDEVOP_set_iobitmap, &map), -EINVAL);
    map.bitmap.p = w.guest_page;
    assert_int_equal(call(1, PHYSDEVOP_set_iobitmap, &map), 0);
    assert_int_equal(w.vcpu[1][0].pv.iobmp_ports, 65536);
    assert_int_equal(w.vcpu[1][0].pv.iobmp, (u64)w.guest_page);
}

static long compat(u32 dom, struct physdev_op *op)
{
    return hc_physdev_op_compat(&w.vcpu[dom][0], (u64)op, 0, 0, 0, 0);
}

static void compat_calls(void **state)
{
    struct physdev_op op = {.cmd = PHYSDEVOP_set_iopl, .u.set_iopl = {1}};
    assert_int_equal(compat(1, &op), 0);
    assert_int_equal(w.vcpu[1][0].pv.iopl, 1);
    op = (struct physdev_op){.cmd = PHYSDEVOP_apic_read, .u.apic_op = {IOAPIC_BASE, 1, 0}};
    assert_int_equal(compat(1, &op), -EPERM);
    assert_int_equal(compat(0, &op), 0);
    assert_int_equal(op.u.apic_op.value, w.ioapic_reg[1]);
    op.cmd = PHYSDEVOP_map_pirq;
    assert_int_equal(compat(0, &op), -ENOSYS);
    assert_int_equal(compat(0, NULL), -EFAULT);
}

static void unknown_calls(void **state)
{
    static const u32 cmds[] = {0, PHYSDEVOP_free_irq_vector, 18, 22, 32, ~0u};
    u8 arg[256] = {0};
    for (u32 i = 0; i < ARRAY_SIZE(cmds); i++)
        assert_int_equal(call(0, cmds[i], arg), -ENOSYS);
    assert_int_equal(call(1, PHYSDEVOP_dbgp_op, arg), -EPERM);
    assert_int_equal(call(0, PHYSDEVOP_dbgp_op, arg), 0);
    assert_int_equal(call(1, PHYSDEVOP_IRQ_UNMASK_NOTIFY, NULL), 0);
    for (u32 cmd = 5; cmd < 32; cmd++)
        assert_true(call(0, cmd, NULL) < 0);
}

static void kept_pages(void **state)
{
    struct domain *d0 = &w.dom[0];
    mfn_t lapic = MFN(LAPIC_BASE >> 12), ioapic = MFN(IOAPIC_BASE >> 12), any = MFN(0xfd000);
    assert_false(mmio_permitted(d0, lapic, false));
    assert_true(mmio_permitted(d0, ioapic, false));
    assert_false(mmio_permitted(d0, ioapic, true));
    assert_true(mmio_permitted(d0, any, true));
    assert_false(mmio_permitted(&w.dom[1], any, false));
    assert_true(mmio_permitted(d0, MFN((u64)1 << 24 >> 1), true));
    assert_false(mmio_permitted(d0, MFN((u64)1 << 24), true)); // 36 address bits
    assert_false(mmio_permitted(d0, MFN_NONE, false));
    mmio_reserve(any, 2, false);
    mmio_reserve(any, 2, true);
    assert_false(mmio_permitted(d0, mfn_add(any, 1), false));
    mmio_release(any, 1); // not exactly that
    assert_false(mmio_permitted(d0, any, false));
    mmio_release(any, 2);
    mmio_release(any, 2);
    assert_true(mmio_permitted(d0, any, true));
    for (u32 i = 0; i < 600; i++)
        mmio_reserve(any, i + 1, false);
    assert_non_null(strstr(fake_log, "too many kept device pages"));
    for (u32 i = 0; i < 600; i++)
        mmio_release(any, i + 1);
    assert_true(mmio_permitted(d0, any, true));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(ioapic_boot),
        TEST(vectors_all),
        TEST(vectors_blocks),
        TEST(vectors_rest),
        TEST(dispatch_only_enabled),
        TEST(ioapic_modes),
        TEST(setup_gsi_once),
        TEST(apic_registers),
        TEST(own_handler),
        TEST(pirq_numbers),
        TEST(pirq_domains),
        TEST(pirq_free_numbers),
        TEST(pirq_level),
        TEST(pirq_edge),
        TEST(pirq_affinity),
        TEST(eoi_map),
        TEST(eoi_map_unmasks),
        TEST(no_memory),
        TEST(status_query),
        TEST(vector_query),
        TEST(port_rights),
        TEST(compat_calls),
        TEST(unknown_calls),
        TEST(kept_pages),
    };
    world_boot();
    return cmocka_run_group_tests_name("io_pirq", tests, NULL, NULL);
}
