// SPDX-License-Identifier: MIT
// Ports, I/O memory and interrupts that dom0 gives to another domain and takes away.
//
// xen ABI: domctl.h ioport_permission, iomem_permission, irq_permission; physdev.h set_iopl.
// Without a permission a port reads as ones (or, without I/O privilege, faults) and a device frame
// cannot be mapped; with it both work; dom0 may give only what it has.
//
#include "lib/domu.h"

const char test_title[] = "permissions for ports, I/O memory and interrupts";

#define KEYBOARD 0x64 // its status: never all ones
#define VGA      0xb8ul

static bool allowed;

static void guest(void)
{
    char *page = page_alloc();
    struct physdev_set_iopl iopl = {.iopl = 1};
    uint32_t value = 0;

    CHECK_RC(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    CHECK_NO_TRAP(TRY("inb $0x64, %b0", : "=a"(value)));
    CHECK_EQ((value & 0xff) != 0xff, allowed);
    CHECK_NO_TRAP(TRY("inb $0x60, %b0", : "=a"(value))); // nobody gave that
    CHECK_EQ(value & 0xff, 0xff);
    CHECK_NO_TRAP(TRY("outb %b0, $0x60", : : "a"(value))); // ignored
    iopl.iopl = 0;
    CHECK_RC(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    if (!allowed)
        CHECK_TRAP(TRY("inb $0x64, %b0", : "=a"(value)), X86_GP, 0);
    CHECK_RC(hc_update_va_mapping(page, mfn_pte(VGA, PTE_RW | PTE_PCD), UVMF_INVLPG),
             allowed ? 0 : -EINVAL);
    CHECK(hc_update_va_mapping(page, mfn_pte(VGA + 1, PTE_RW | PTE_PCD), UVMF_INVLPG) < 0);
    if (allowed)
        CHECK_NO_TRAP(try_read(page, NULL));
}

static long ports(unsigned int dom, uint32_t first, uint32_t n, uint8_t allow)
{
    dc.u.ioport_permission = (struct xen_domctl_ioport_permission){
        .first_port = first, .nr_ports = n, .allow_access = allow};
    return domctl(XEN_DOMCTL_ioport_permission, dom);
}

static long memory(unsigned int dom, uint64_t first, uint64_t n, uint8_t allow)
{
    dc.u.iomem_permission = (struct xen_domctl_iomem_permission){
        .first_mfn = first, .nr_mfns = n, .allow_access = allow};
    return domctl(XEN_DOMCTL_iomem_permission, dom);
}

static long irq(unsigned int dom, uint32_t pirq, uint8_t allow)
{
    dc.u.irq_permission = (struct xen_domctl_irq_permission){.pirq = pirq, .allow_access = allow};
    return domctl(XEN_DOMCTL_irq_permission, dom);
}

static void check_refused(unsigned int dom)
{
    CHECK_RC(ports(dom, 0x10000, 1, 1), -EINVAL);
    CHECK_RC(ports(dom, 0xffff, 2, 1), -EINVAL);
    CHECK_RC(ports(dom, 0x70, 0, 1), -EINVAL);
    CHECK_RC(ports(dom, 0x70, 0xffffffff, 1), -EINVAL);
    CHECK_RC(ports(dom, 0x3f8, 1, 1), -EPERM); // the hypervisor's console
    CHECK_RC(ports(0x1234, 0x70, 1, 1), -ESRCH);
    CHECK_RC(memory(dom, VGA, 0, 1), -EINVAL);
    CHECK_RC(memory(dom, ~0ul, 2, 1), -EINVAL);
    CHECK(memory(dom, 1ul << 50, 1, 1) < 0);
    CHECK_RC(memory(dom, 0xfee00, 1, 1), -EPERM); // the local APIC
    CHECK_RC(memory(0x1234, VGA, 1, 1), -ESRCH);
    CHECK_RC(irq(dom, 1u << 30, 1), -EINVAL);
    CHECK_RC(irq(0x1234, 8, 1), -ESRCH);
}

void test_main(void)
{
    struct physdev_map_pirq rtc = {
        .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI, .index = 8, .pirq = 8};
    struct domu *d;

    CHECK_EQ(domu_run(guest), SHUTDOWN_poweroff);
    allowed = true;
    d = domu_create(guest);
    check_refused(d->id);
    CHECK_RC(ports(d->id, KEYBOARD, 1, 1), 0);
    CHECK_RC(memory(d->id, VGA, 1, 1), 0);
    CHECK_RC(irq(d->id, 8, 1), -EPERM); // not mapped
    CHECK_RC(hc_physdev_op(PHYSDEVOP_map_pirq, &rtc), 0);
    CHECK_RC(irq(d->id, 8, 1), 0);
    CHECK_RC(irq(d->id, 8, 0), 0);
    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
    allowed = false; // given and taken again
    d = domu_create(guest);
    CHECK_RC(ports(d->id, KEYBOARD, 1, 1), 0);
    CHECK_RC(ports(d->id, KEYBOARD, 1, 0), 0);
    CHECK_RC(memory(d->id, VGA, 1, 1), 0);
    CHECK_RC(memory(d->id, VGA, 1, 0), 0);
    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
}
