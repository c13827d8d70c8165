// SPDX-License-Identifier: MIT
// The memory maps and where the M2P lies.
//
// xen ABI: memory.h XENMEM_memory_map, machine_memory_map (privileged), machphys_mapping,
// machphys_mfn_list. The machine map is sorted, does not overlap, and its RAM covers our frames;
// a buffer too small for the whole map is -EINVAL; the M2P covers every frame.
#include "lib/guest.h"

const char test_title[] = "memory maps and machphys mapping";

struct e820 {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

static struct e820 map[128];

static long query(unsigned int op, unsigned int *n)
{
    struct xen_memory_map arg = {.nr_entries = *n};
    long rc;

    set_xen_guest_handle(arg.buffer, map);
    rc = hc_memory_op(op, &arg);
    *n = arg.nr_entries;
    return rc;
}

static bool is_ram(uint64_t maddr, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        if (map[i].type == 1 && maddr >= map[i].addr && maddr - map[i].addr < map[i].size)
            return true;
    }
    return false;
}

static void check_machine_map(void)
{
    unsigned int n = 128, small = 2, wrong = 0, not_ram = 0;
    struct xen_memory_map null = {.nr_entries = 0};

    CHECK_RC(query(XENMEM_machine_memory_map, &n), 0);
    CHECK(n >= 3 && n < 128);
    for (unsigned int i = 1; i < n; i++)
        wrong += map[i - 1].addr + map[i - 1].size > map[i].addr;
    CHECK_EQ(wrong, 0);
    for (unsigned long pfn = 0; pfn < start_info->nr_pages; pfn++)
        not_ram += !is_ram(pfn_to_mfn(pfn) << 12, n);
    CHECK_EQ(not_ram, 0);
    CHECK_RC(hc_memory_op(XENMEM_machine_memory_map, &null), 0); // a null buffer: how many
    CHECK_EQ(null.nr_entries, n);
    CHECK_RC(query(XENMEM_machine_memory_map, &small), -EINVAL); // too small for the whole
    CHECK_RC(hc_memory_op(XENMEM_machine_memory_map, (void *)0x10), -EFAULT);
}

static void check_m2p(void)
{
    struct xen_machphys_mapping m = {0};
    static xen_pfn_t frames[64];
    struct xen_machphys_mfn_list l = {.max_extents = 64};

    CHECK_RC(hc_memory_op(XENMEM_machphys_mapping, &m), 0);
    CHECK_EQ(m.v_start, MACH2PHYS_VIRT_START);
    CHECK_EQ(m.v_end, MACH2PHYS_VIRT_END);
    // The oracle returns the number of frames, not the last one as the header has it.
    CHECK((long)m.max_mfn + 1 >= hc_memory_op(XENMEM_maximum_ram_page, NULL));
    set_xen_guest_handle(l.extent_start, frames);
    CHECK_RC(hc_memory_op(XENMEM_machphys_mfn_list, &l), 0);
    CHECK(l.nr_extents >= 1 && l.nr_extents <= 64);
    CHECK(frames[0] != 0);
    CHECK_EQ(frames[0] & 511, 0); // 2 MiB extents
    CHECK_RC(hc_memory_op(XENMEM_machphys_mfn_list, (void *)0x10), -EFAULT);
    CHECK_RC(hc_memory_op(XENMEM_machphys_mapping, (void *)0x10), -EFAULT);
}

void test_main(void)
{
    unsigned int n = 128;

    CHECK_RC(query(XENMEM_memory_map, &n), -ENOSYS); // dom0 has none: it asks for the machine's
    check_machine_map();
    check_m2p();
}
