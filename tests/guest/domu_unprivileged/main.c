// SPDX-License-Identifier: MIT
// What only the control domain may do is refused to another, whatever the arguments.
//
// xen ABI: domctl.h and sysctl.h "for use by node control stack"; platform.h, physdev.h, memory.h
// (claim_pages, machine_memory_map), sched.h remote_shutdown: -EPERM. The emergency console takes
// nothing from others.
//
#include "lib/domu.h"
#include <xen/arch-x86/xen-mca.h>

const char test_title[] = "privileged calls from a domU";

static char page[4096];

static void check_control(void)
{
    struct xen_platform_op op = {.cmd = XENPF_settime64,
                                 .interface_version = XENPF_INTERFACE_VERSION};

    for (uint32_t cmd = 1; cmd < 90; cmd++) {
        memset(&dc, 0, sizeof(dc));
        long rc = domctl(cmd, 0);
        if (rc >= 0) // some look at their arguments first
            CHECK_EQ((long)cmd << 32 | rc, -EPERM);
    }
    CHECK_RC(domctl(XEN_DOMCTL_createdomain, 0), -EPERM);
    CHECK_RC(domctl(XEN_DOMCTL_pausedomain, 0), -EPERM);
    CHECK_RC(domctl(XEN_DOMCTL_destroydomain, 0), -EPERM);
    CHECK_RC(domctl(XEN_DOMCTL_getdomaininfo, 0), -EPERM);
    for (uint32_t cmd = 1; cmd < 32; cmd++) {
        memset(&sc, 0, sizeof(sc));
        long rc = sysctl(cmd);
        if (rc >= 0)
            CHECK_EQ((long)cmd << 32 | rc, -EPERM);
    }
    CHECK_RC(sysctl(XEN_SYSCTL_physinfo), -EPERM);
    CHECK_RC(hc_platform_op(&op), -EPERM);
    op.cmd = XENPF_firmware_info;
    CHECK_RC(hc_platform_op(&op), -EPERM);
}

static void check_physdev(void)
{
    static const unsigned int cmds[] = {
        PHYSDEVOP_map_pirq,       PHYSDEVOP_unmap_pirq,         PHYSDEVOP_apic_read,
        PHYSDEVOP_apic_write,     PHYSDEVOP_alloc_irq_vector,   PHYSDEVOP_setup_gsi,
        PHYSDEVOP_pci_device_add, PHYSDEVOP_pci_device_remove,  PHYSDEVOP_manage_pci_add,
        PHYSDEVOP_restore_msi,    PHYSDEVOP_pci_mmcfg_reserved, PHYSDEVOP_prepare_msix};

    for (unsigned int i = 0; i < ARRAY_SIZE(cmds); i++) {
        memset(page, 0, sizeof(page));
        long rc = hc_physdev_op(cmds[i], page);
        if (rc >= 0)
            CHECK_EQ((long)cmds[i] << 32 | rc, -EPERM);
    }
}

static void check_memory(void)
{
    struct xen_memory_reservation claim = {.nr_extents = 4, .domid = DOMID_SELF};
    struct xen_memory_map map = {.nr_entries = 8};

    CHECK(hc_memory_op(XENMEM_claim_pages, &claim) < 0);
    set_xen_guest_handle(map.buffer, page);
    CHECK_RC(hc_memory_op(XENMEM_machine_memory_map, &map), -EPERM);
}

static void check_others(void)
{
    struct sched_remote_shutdown remote = {.domain_id = 0, .reason = SHUTDOWN_crash};
    struct sched_pin_override pin = {.pcpu = 0};
    evtchn_port_t port;

    CHECK_RC(hc_sched_op(SCHEDOP_remote_shutdown, &remote), -EPERM);
    CHECK(hc_sched_op(SCHEDOP_pin_override, &pin) < 0);
    CHECK_RC(hc_console_io(CONSOLEIO_write, 6, "wrong\n"), -EPERM);
    CHECK_RC(hc_console_io(CONSOLEIO_read, 6, page), -EPERM);
    CHECK(HC1(__HYPERVISOR_mca, page) < 0);
    CHECK(HC2(__HYPERVISOR_kexec_op, 0, page) < 0);
    CHECK(HC3(__HYPERVISOR_dm_op, 0, 0, page) < 0);
    CHECK(HC2(__HYPERVISOR_hvm_op, 0, page) < 0);
    CHECK(bind_virq(VIRQ_DOM_EXC, 0, &port) < 0 || evtchn_close(port) == 0);
    CHECK(bind_virq(VIRQ_CONSOLE, 0, &port) < 0 || evtchn_close(port) == 0);
    struct evtchn_bind_pirq pirq = {.pirq = 8};
    CHECK(hc_event_channel_op(EVTCHNOP_bind_pirq, &pirq) < 0);
}

// It may ask who it runs on, but not how that was started.
static void check_version(void)
{
    xen_commandline_t line;

    CHECK_EQ(hc_xen_version(XENVER_version, NULL) >> 16, 4);
    memset(&line, 0, sizeof(line));
    long rc = hc_xen_version(XENVER_commandline, &line);
    CHECK(rc < 0 || !str_contains(line, "com1"));
}

static void guest(void)
{
    check_control();
    check_physdev();
    check_memory();
    check_others();
    check_version();
}

void test_main(void)
{
    CHECK_EQ(domu_run(guest), SHUTDOWN_poweroff);
    CHECK(domain_exists(0));
}
