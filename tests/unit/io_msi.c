// clang-format off
// SOURCES: hv/cpu/irq.c hv/io/ioapic.c hv/io/pirq.c hv/io/mmio.c hv/io/pci.c hv/io/msi.c hv/hc/physdev.c hv/hc/op.c hv/boot/acpi.c
// CFLAGS: -include tests/fake/devices.h
// clang-format on
// SPDX-License-Identifier: MIT
// Configuration space, known devices, and message-signalled interrupts from map to unmap: what is
// written to the device, and what a hostile caller or device may try.
#include "unit/io_irq_world.h"

enum { MSG_ADDRESS = 0xfee00000u, MULTI = MAP_PIRQ_TYPE_MULTI_MSI };

static int map_dev(int type, u32 devfn, int entry, u64 table_base, int pirq)
{
    return map((struct physdev_map_pirq){.domid = DOMID_SELF,
                                         .type = type,
                                         .index = -1,
                                         .pirq = pirq,
                                         .devfn = (int)devfn,
                                         .entry_nr = entry,
                                         .table_base = table_base});
}

static int map_msi(u32 devfn)
{
    return map_dev(MAP_PIRQ_TYPE_MSI_SEG, devfn, 0, 0, -1);
}

static int map_msix(int entry)
{
    return map_dev(MAP_PIRQ_TYPE_MSI, DEV_MSIX, entry, TABLE_BAR, -1);
}

static u32 entry_word(u32 entry, u32 word)
{
    u32 v;
    memcpy(&v, &w.table[entry * 16 + word * 4], 4);
    return v;
}

// ---- MSI ----

static void msi_life(void **state)
{
    int pirq = map_msi(DEV_MSI);
    assert_int_equal(pirq, EVTCHN_PIRQ_END - 1);
    assert_int_equal(config_get(DEV_MSI, CAP + 4, 4), MSG_ADDRESS);
    assert_int_equal(config_get(DEV_MSI, CAP + 8, 4), 0);
    assert_int_equal(config_get(DEV_MSI, CAP + 2, 2), 0x185); // enabled, one message
    assert_int_equal(config_get(DEV_MSI, CAP + 16, 4), ~0u);
    u8 vector = (u8)config_get(DEV_MSI, CAP + 12, 2);
    assert_in_range(vector, VECTOR_FIRST_DEVICE, VECTOR_LAST_DEVICE);
    irq_dispatch(vector);
    assert_int_equal(w.sent[pirq], 0);

    assert_int_equal(world_bind(0, (u32)pirq), 0);
    assert_int_equal(config_get(DEV_MSI, CAP + 16, 4), ~1u);
    irq_dispatch(vector);
    irq_dispatch(vector);
    assert_int_equal(w.sent[pirq], 2);
    assert_int_equal(eoi((u32)pirq), 0);
    pirq_set_affinity(&w.dom[0], (u32)pirq, &w.vcpu[0][1]);
    assert_int_equal(config_get(DEV_MSI, CAP + 4, 4), MSG_ADDRESS | 2 << 12);
    world_unbind(0, (u32)pirq);
    assert_int_equal(config_get(DEV_MSI, CAP + 16, 4), ~0u);

    assert_int_equal(map_msi(DEV_MSI), -EEXIST);
    assert_int_equal(unmap((u32)pirq), 0);
    assert_int_equal(config_get(DEV_MSI, CAP + 2, 2) & 1, 0);
    irq_dispatch(vector);
    assert_int_equal(w.sent[pirq], 2);
    assert_int_equal(map_msi(DEV_MSI), pirq);
}

// Cannot be masked: what comes while it is not bound is dropped.
static void msi_plain(void **state)
{
    int pirq = map_dev(MAP_PIRQ_TYPE_MSI, DEV_PLAIN, 0, 0, 30);
    assert_int_equal(pirq, 30);
    u8 vector = (u8)config_get(DEV_PLAIN, CAP + 8, 2);
    assert_int_equal(config_get(DEV_PLAIN, CAP + 12, 4), 0); // no mask register there
    irq_dispatch(vector);
    assert_int_equal(w.sent[30], 0);
    assert_int_equal(world_bind(0, 30), 0);
    irq_dispatch(vector);
    assert_int_equal(w.sent[30], 1);
    assert_int_equal(map_dev(MULTI, DEV_PLAIN, 2, 0, -1), -EEXIST);
    assert_int_equal(unmap(30), 0);
    assert_int_equal(map_dev(MULTI, DEV_PLAIN, 2, 0, -1), -EINVAL); // it has one
}

static void msi_multi(void **state)
{
    static const int wrong[] = {0, -1, 33, INT32_MAX};
    for (u32 i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(map_dev(MULTI, DEV_MSI, wrong[i], 0, -1), -EDOM);
    assert_int_equal(map_dev(MULTI, DEV_MSI, 5, 0, -1), -EINVAL); // the device has four
    assert_int_equal(map_dev(MULTI, DEV_MSI, 2, 1, -1), -EINVAL);
    int pirq = map_dev(MULTI, DEV_MSI, 3, 0, -1);
    assert_int_equal(pirq, EVTCHN_PIRQ_END - 3);
    assert_int_equal(config_get(DEV_MSI, CAP + 2, 2), 0x1a5); // four messages enabled
    u8 vector = (u8)config_get(DEV_MSI, CAP + 12, 2);
    assert_int_equal(vector % 4, 0);
    for (u32 i = 0; i < 3; i++) {
        assert_int_equal(world_bind(0, (u32)pirq + i), 0);
        irq_dispatch((u8)(vector + i));
        assert_int_equal(w.sent[(u32)pirq + i], 1);
    }
    irq_dispatch((u8)(vector + 3));
    assert_int_equal(config_get(DEV_MSI, CAP + 16, 4), ~7u);
    world_unbind(0, (u32)pirq + 1);
    assert_int_equal(config_get(DEV_MSI, CAP + 16, 4), ~5u);
    assert_int_equal(unmap((u32)pirq + 2), 0); // takes all
    assert_int_equal(unmap((u32)pirq), -EINVAL);
    assert_int_equal(config_get(DEV_MSI, CAP + 16, 4), ~0u);
}

static void msi_numbers(void **state)
{
    assert_int_equal(map_dev(MULTI, DEV_MSI, 4, 0, EVTCHN_PIRQ_END - 3), -EINVAL);
    assert_int_equal(map_dev(MULTI, DEV_MSI, 4, 0, INT32_MAX), -EINVAL);
    assert_int_equal(map_gsi(10, 10), 10);
    assert_int_equal(map_dev(MULTI, DEV_MSI, 4, 0, 7), -EEXIST);
    assert_int_equal(map_dev(MULTI, DEV_MSI, 4, 0, 6), 6);
    assert_int_equal(map_gsi(9, 9), -EEXIST);
}

static void msi_missing(void **state)
{
    assert_int_equal(map_msi(3), -ENODEV);        // not known
    assert_int_equal(map_msi(DEV_MSIX), -ENODEV); // no capability
    assert_int_equal(map_dev(MAP_PIRQ_TYPE_MSI, DEV_MSI, 0, 1, -1), -ENODEV);
    config_set(DEV_MSI, CAP + 1, 1, CAP); // a chain that bites its tail
    config_set(DEV_MSI, CAP, 1, 0x42);
    assert_int_equal(map_msi(DEV_MSI), -ENODEV);
}

static void msi_no_memory(void **state)
{
    assert_int_equal(map_gsi(10, 10), 10); // the table exists
    for (int n = 0; n < 2; n++) {
        fake_heap_fail_after(n);
        assert_int_equal(map_msi(DEV_MSI), -ENOMEM);
    }
    fake_heap_fail_after(-1);
    assert_true(map_msi(DEV_MSI) > 0);
}

// ---- MSI-X ----

static void msix_life(void **state)
{
    memset(w.table, 0xaa, TABLE_ENTRIES * 16); // what a careless predecessor left
    int pirq = map_msix(3);
    assert_int_equal(pirq, EVTCHN_PIRQ_END - 1);
    assert_int_equal(config_get(DEV_MSIX, CAP + 2, 2), 0x8000 | (TABLE_ENTRIES - 1));
    assert_int_equal(entry_word(3, 0), MSG_ADDRESS);
    assert_int_equal(entry_word(3, 1), 0);
    for (u32 i = 0; i < TABLE_ENTRIES; i++)
        assert_int_equal(entry_word(i, 3), 1);
    assert_int_equal(w.table[TABLE_ENTRIES * 16], 0);
    assert_false(mmio_permitted(&w.dom[0], MFN((TABLE_BAR + TABLE_OFFSET) >> 12), true));
    assert_true(mmio_permitted(&w.dom[0], MFN((TABLE_BAR + TABLE_OFFSET) >> 12), false));

    assert_int_equal(world_bind(0, (u32)pirq), 0);
    assert_int_equal(entry_word(3, 3), 0);
    irq_dispatch((u8)entry_word(3, 2));
    assert_int_equal(w.sent[pirq], 1);
    pirq_set_affinity(&w.dom[0], (u32)pirq, &w.vcpu[0][1]);
    assert_int_equal(entry_word(3, 0), MSG_ADDRESS | 2 << 12);

    assert_int_equal(map_msix(3), -EEXIST);
    int second = map_msix(0);
    assert_int_equal(second, pirq - 1);
    assert_int_not_equal(entry_word(0, 2), entry_word(3, 2));
    assert_int_equal(entry_word(3, 3), 0); // undisturbed
    assert_int_equal(unmap((u32)pirq), 0);
    assert_int_equal(entry_word(3, 3), 1);
    assert_true(config_get(DEV_MSIX, CAP + 2, 2) & 0x8000);
    assert_int_equal(unmap((u32)second), 0);
    assert_false(config_get(DEV_MSIX, CAP + 2, 2) & 0x8000);
    assert_true(mmio_permitted(&w.dom[0], MFN((TABLE_BAR + TABLE_OFFSET) >> 12), true));

    unsigned before = w.ioremaps;
    assert_true(map_msix(0) > 0);
    assert_int_equal(w.ioremaps, before);
}

// The driver's choice to mask the whole function survives.
static void msix_function_mask(void **state)
{
    config_set(DEV_MSIX, CAP + 2, 2, 0xc000 | (TABLE_ENTRIES - 1));
    assert_true(map_msix(0) > 0);
    assert_int_equal(config_get(DEV_MSIX, CAP + 2, 2), 0xc000 | (TABLE_ENTRIES - 1));
}

// Each row spoils one thing; nothing is written to the device.
static void msix_hostile(void **state)
{
    static const struct {
        u32 reg, bytes, value;
        u64 base;
        int entry, result;
    } row[] = {
        {PCI_COMMAND, 2, 0, TABLE_BAR, 0, -ENXIO},
        {0, 0, 0, TABLE_BAR, TABLE_ENTRIES, -EINVAL},
        {0, 0, 0, TABLE_BAR, -1, -EINVAL},
        {0, 0, 0, TABLE_BAR + 0x1000, 0, -EINVAL},                     // not what the BAR says
        {PCI_BAR0 + 4, 4, 4, 4, 0, -EINVAL},                           // no address yet
        {PCI_BAR0 + 4, 4, TABLE_BAR | 1, TABLE_BAR, 0, -EINVAL},       // ports
        {PCI_BAR0 + 8, 4, 0x10, 0x1000000000 | TABLE_BAR, 0, -EINVAL}, // beyond the machine
        {PCI_BAR0 + 8, 4, ~0u, 0xffffffff00000000 | TABLE_BAR, 0, -EINVAL},
        {CAP + 4, 4, TABLE_OFFSET | 7, TABLE_BAR, 0, -EINVAL}, // no such BAR
        {CAP + 4, 4, TABLE_OFFSET | 6, TABLE_BAR, 0, -EINVAL},
        {CAP + 4, 4, (LAPIC_BASE - TABLE_BAR) | 1, TABLE_BAR, 0, -EINVAL}, // the local APIC
        {CAP + 4, 4, (IOAPIC_BASE - 16 - TABLE_BAR) | 1, TABLE_BAR, 0, -EINVAL},
        {PCI_HEADER, 1, 1, TABLE_BAR, 0, 0}, // a bridge has two BARs, and BAR 1 is the second
    };
    for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
        devices_init();
        if (row[i].bytes)
            config_set(DEV_MSIX, row[i].reg, row[i].bytes, row[i].value);
        w.config_writes = 0;
        int ret = map_dev(MAP_PIRQ_TYPE_MSI, DEV_MSIX, row[i].entry, row[i].base, -1);
        if (row[i].result == 0) {
            assert_true(ret > 0);
        } else if (ret != row[i].result || w.config_writes) {
            print_error("row %u: %d, %u writes\n", i, ret, w.config_writes);
            fail();
        }
    }
}

static void msix_after_msi(void **state)
{
    config_set(DEV_MSI, CAP + 1, 1, CAP2);
    config_set(DEV_MSI, CAP2, 4, (TABLE_ENTRIES - 1) << 16 | PCI_CAP_MSIX);
    config_set(DEV_MSI, CAP2 + 4, 4, TABLE_OFFSET);
    config_set(DEV_MSI, PCI_BAR0, 4, TABLE_BAR);
    int pirq = map_msi(DEV_MSI);
    assert_int_equal(map_dev(MAP_PIRQ_TYPE_MSI, DEV_MSI, 0, TABLE_BAR, -1), -EEXIST);
    assert_int_equal(unmap((u32)pirq), 0);
    assert_true(map_dev(MAP_PIRQ_TYPE_MSI, DEV_MSI, 0, TABLE_BAR, -1) > 0);
    assert_int_equal(map_msi(DEV_MSI), -EEXIST);
}

// ---- Devices ----

static long device_call(u32 dom, u32 cmd, u16 segment, u8 bus, u8 devfn)
{
    struct physdev_pci_device a = {segment, bus, devfn};
    return call(dom, cmd, &a);
}

static long manage_call(u32 cmd, u8 devfn)
{
    struct physdev_manage_pci a = {0, devfn};
    return call(0, cmd, &a);
}

static void devices(void **state)
{
    struct physdev_pci_device_add add = {.bus = 7, .devfn = 1};
    struct physdev_manage_pci_ext ext = {.bus = 7, .devfn = 2};
    assert_int_equal(device_call(1, PHYSDEVOP_pci_device_remove, 0, 7, 1), -EPERM);
    assert_int_equal(device_call(0, PHYSDEVOP_pci_device_remove, 0, 7, 1), -ENODEV);
    assert_int_equal(call(0, PHYSDEVOP_pci_device_add, &add), 0);
    assert_int_equal(call(0, PHYSDEVOP_pci_device_add, &add), 0);
    assert_int_equal(device_call(0, PHYSDEVOP_prepare_msix, 0, 7, 1), 0);
    assert_int_equal(device_call(0, PHYSDEVOP_pci_device_remove, 0, 7, 1), 0);
    assert_int_equal(device_call(0, PHYSDEVOP_pci_device_remove, 0, 7, 1), -ENODEV);
    assert_int_equal(device_call(0, PHYSDEVOP_prepare_msix, 0, 7, 1), -ENODEV);
    assert_int_equal(call(0, PHYSDEVOP_manage_pci_add_ext, &ext), 0);
    assert_int_equal(device_call(0, PHYSDEVOP_release_msix, 0, 7, 2), 0);
    assert_int_equal(device_call(0, PHYSDEVOP_release_msix, 0, 7, 3), -ENODEV);
    assert_int_equal(manage_call(PHYSDEVOP_manage_pci_add, 12), 0);
    assert_int_equal(manage_call(PHYSDEVOP_manage_pci_remove, 12), 0);
    assert_int_equal(manage_call(PHYSDEVOP_manage_pci_remove, 12), -ENODEV);
    fake_heap_fail_after(0);
    assert_int_equal(manage_call(PHYSDEVOP_manage_pci_add, 13), -ENOMEM);
}

static void device_busy(void **state)
{
    assert_true(map_msix(0) > 0);
    assert_int_equal(device_call(0, PHYSDEVOP_release_msix, 0, 0, DEV_MSIX), -EBUSY);
    assert_int_equal(device_call(0, PHYSDEVOP_pci_device_remove, 0, 0, DEV_MSIX), -EBUSY);
}

// What the device forgot comes back: all of it, with the masks as they should be.
static void restore(void **state)
{
    int msi = map_msi(DEV_MSI), msix = map_msix(2), other = map_msix(4);
    u8 before[64], table[sizeof(w.table)];
    assert_int_equal(world_bind(0, (u32)msi), 0);
    assert_int_equal(world_bind(0, (u32)msix), 0);
    memcpy(before, &w.config[DEV_MSI][CAP], sizeof(before));
    memcpy(table, w.table, sizeof(table));
    devices_init();
    assert_int_equal(manage_call(PHYSDEVOP_restore_msi, DEV_MSI), 0);
    assert_int_equal(device_call(0, PHYSDEVOP_restore_msi_ext, 0, 0, DEV_MSIX), 0);
    assert_memory_equal(before, &w.config[DEV_MSI][CAP], sizeof(before));
    assert_memory_equal(&table[2 * 16], &w.table[2 * 16], 16);
    assert_memory_equal(&table[4 * 16], &w.table[4 * 16], 16);
    assert_true(config_get(DEV_MSIX, CAP + 2, 2) & 0x8000);
    assert_int_equal(manage_call(PHYSDEVOP_restore_msi, 3), -ENODEV);
    assert_true(other > 0);
}

// ---- Configuration space ----

static void guest_ports(void **state)
{
    u32 v = 0x80000000 | DEV_MSI << 8 | PCI_VENDOR;
    pci_guest_cfg_port_access(0xcf8, 4, true, &v);
    pci_read((struct pci_addr){0, 0, DEV_MSIX}, PCI_COMMAND, 2); // the hypervisor in between
    v = 0;
    pci_guest_cfg_port_access(0xcf8, 4, false, &v);
    assert_int_equal(v, 0x80000000 | DEV_MSI << 8);
    pci_guest_cfg_port_access(0xcfc, 4, false, &v);
    assert_int_equal(v, 0x10001234);
    pci_guest_cfg_port_access(0xcfe, 2, false, &v);
    assert_int_equal(v, 0x1000);
    pci_guest_cfg_port_access(0xcfd, 1, false, &v);
    assert_int_equal(v, 0x12);
    pci_guest_cfg_port_access(0xcff, 2, false, &v); // crosses
    assert_int_equal(v, 0xffff);
    v = 0x80000000 | DEV_MSI << 8 | 0x3c;
    pci_guest_cfg_port_access(0xcf8, 4, true, &v);
    v = 0x55;
    pci_guest_cfg_port_access(0xcfd, 1, true, &v);
    assert_int_equal(config_get(DEV_MSI, 0x3c, 2), 0x5500);
    v = 6;
    pci_guest_cfg_port_access(0xcf9, 1, true, &v);
    assert_int_equal(w.port_0xcf9, 6);
    v = 0;
    pci_guest_cfg_port_access(0xcf9, 1, false, &v);
    assert_int_equal(v, 6);
    v = DEV_MSI << 8; // not enabled
    pci_guest_cfg_port_access(0xcf8, 4, true, &v);
    pci_guest_cfg_port_access(0xcfc, 4, false, &v);
    assert_int_equal(v, ~0u);
    v = 0;
    pci_guest_cfg_port_access(0xcfc, 4, true, &v);
    pci_guest_cfg_port_access(0xcf9, 4, true, &v);
    pci_guest_cfg_port_access(0xcf9, 4, false, &v);
    assert_int_equal(v, ~0u);
}

static void mmconfig(void **state)
{
    struct pci_addr a = {1, 0, 2};
    assert_int_equal(pci_read((struct pci_addr){2, 0, 0}, 0, 4), ~0u);
    assert_int_equal(pci_read((struct pci_addr){0, 0, DEV_MSI}, 256, 1), 0xff);
    pci_write(a, 0x104, 4, 0x12345678);
    pci_write(a, 0x104, 1, 0x9a);
    pci_write(a, 0x106, 2, 0xbcde);
    assert_int_equal(pci_read(a, 0x104, 4), 0xbcde569a);
    assert_int_equal(pci_read(a, 0x106, 2), 0xbcde);
    assert_int_equal(pci_read(a, 0x105, 1), 0x56);
    assert_int_equal(pci_read(a, 4096, 4), ~0u);
    struct physdev_pci_mmcfg_reserved r = {MMCFG_BASE, 1, 0, 255, 0};
    assert_int_equal(call(1, PHYSDEVOP_pci_mmcfg_reserved, &r), -EPERM);
    assert_int_equal(call(0, PHYSDEVOP_pci_mmcfg_reserved, &r), 0);
    assert_int_equal(pci_read(a, 0x104, 4), ~0u);
    r.flags = XEN_PCI_MMCFG_RESERVED;
    assert_int_equal(call(0, PHYSDEVOP_pci_mmcfg_reserved, &r), 0);
    assert_int_equal(pci_read(a, 0x104, 4), 0xbcde569a);
    r.address += 4096;
    assert_int_equal(call(0, PHYSDEVOP_pci_mmcfg_reserved, &r), -ENODEV);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(msi_life),     TEST(msi_plain),      TEST(msi_multi), TEST(msi_numbers),
        TEST(msi_missing),  TEST(msi_no_memory),  TEST(msix_life), TEST(msix_function_mask),
        TEST(msix_hostile), TEST(msix_after_msi), TEST(devices),   TEST(device_busy),
        TEST(restore),      TEST(guest_ports),    TEST(mmconfig),
    };
    world_boot();
    return cmocka_run_group_tests_name("io_msi", tests, NULL, NULL);
}
