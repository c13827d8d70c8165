// SPDX-License-Identifier: MIT
// HYPERVISOR_physdev_op: I/O-APIC registers, interrupts, PIRQs and their errors.
//
// xen ABI: physdev.h. apic_read of register 1 is the version, as the machine's; unknown APICs,
// GSIs, devices and commands are refused.
#include "lib/guest.h"

const char test_title[] = "physdev_op";

#define IOAPIC_BASE 0xfec00000ul

static long apic(unsigned int cmd, unsigned long base, uint32_t reg, uint32_t *value)
{
    struct physdev_apic arg = {.apic_physbase = base, .reg = reg, .value = *value};
    long rc = hc_physdev_op(cmd, &arg);

    *value = arg.value;
    return rc;
}

static void check_apic(void)
{
    uint32_t v = 0;

    CHECK_RC(apic(PHYSDEVOP_apic_read, IOAPIC_BASE, 1, &v), 0);
    CHECK((v & 0xff) >= 0x11);
    CHECK_EQ(v >> 16 & 0xff, 23); // QEMU q35: 24 entries
    CHECK_RC(apic(PHYSDEVOP_apic_read, IOAPIC_BASE + 0x1000, 1, &v), -EINVAL);
    CHECK_RC(apic(PHYSDEVOP_apic_write, IOAPIC_BASE + 0x1000, 1, &v), -EINVAL);
}

static void check_irq(void)
{
    struct physdev_irq_status_query q = {.irq = 9};
    struct physdev_eoi eoi = {.irq = 5000};

    CHECK_RC(hc_physdev_op(PHYSDEVOP_irq_status_query, &q), 0);
    CHECK_EQ(q.flags & ~3u, 0);
    q.irq = 100000;
    CHECK_RC(hc_physdev_op(PHYSDEVOP_irq_status_query, &q), -EINVAL);
    CHECK_RC(hc_physdev_op(PHYSDEVOP_eoi, &eoi), -EINVAL);
    eoi.irq = 9;
    CHECK_RC(hc_physdev_op(PHYSDEVOP_eoi, &eoi), -EINVAL); // not bound to a port
}

static void check_pirq(void)
{
    struct physdev_map_pirq m = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 9, .pirq = 9};
    struct physdev_unmap_pirq u = {.domid = DOMID_SELF, .pirq = 5000};
    struct physdev_get_free_pirq f = {.type = MAP_PIRQ_TYPE_MSI};
    struct evtchn_bind_pirq b = {.pirq = 9};
    struct physdev_eoi eoi = {.irq = 9};

    CHECK_RC(hc_physdev_op(PHYSDEVOP_map_pirq, &m), 0);
    CHECK_EQ(m.pirq, 9);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_bind_pirq, &b), 0);
    CHECK_RC(hc_event_channel_op(EVTCHNOP_bind_pirq, &b), -EEXIST);
    CHECK_RC(hc_physdev_op(PHYSDEVOP_eoi, &eoi), 0);
    CHECK_RC(evtchn_close(b.port), 0);
    b.pirq = 100000;
    CHECK_RC(hc_event_channel_op(EVTCHNOP_bind_pirq, &b), -EINVAL);
    m.index = 5000;
    m.pirq = -1;
    CHECK_RC(hc_physdev_op(PHYSDEVOP_map_pirq, &m), -EINVAL);
    m.type = 77;
    CHECK_RC(hc_physdev_op(PHYSDEVOP_map_pirq, &m), -EINVAL);
    m.domid = 0x1234;
    CHECK_RC(hc_physdev_op(PHYSDEVOP_map_pirq, &m), -ESRCH);
    CHECK(hc_physdev_op(PHYSDEVOP_unmap_pirq, &u) < 0);
    CHECK_RC(hc_physdev_op(PHYSDEVOP_get_free_pirq, &f), 0);
    CHECK(f.pirq >= 16);
}

static void check_errors(void)
{
    static const unsigned int ops[] = {PHYSDEVOP_eoi,       PHYSDEVOP_irq_status_query,
                                       PHYSDEVOP_set_iopl,  PHYSDEVOP_set_iobitmap,
                                       PHYSDEVOP_apic_read, PHYSDEVOP_map_pirq,
                                       PHYSDEVOP_setup_gsi, PHYSDEVOP_pci_device_add};
    struct physdev_setup_gsi gsi = {.gsi = 5000};

    for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
        CHECK_RC(hc_physdev_op(ops[i], (void *)0x10), -EFAULT);
    CHECK_RC(hc_physdev_op(99, NULL), -ENOSYS);
    CHECK_RC(hc_physdev_op(22, NULL), -ENOSYS);
    CHECK_RC(hc_physdev_op(PHYSDEVOP_setup_gsi, &gsi), -EINVAL);
}

static void check_pci(void)
{
    struct physdev_pci_device_add add = {.seg = 0, .bus = 0, .devfn = 0};

    CHECK_RC(hc_physdev_op(PHYSDEVOP_pci_device_add, &add), 0); // the host bridge
}

void test_main(void)
{
    check_apic();
    check_irq();
    check_pirq();
    check_errors();
    check_pci();
}
