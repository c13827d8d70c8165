// SPDX-License-Identifier: MIT
// HYPERVISOR_set_gdt and HYPERVISOR_update_descriptor.
//
// xen ABI: arch-x86/xen.h "Segment Descriptor Tables": at most FIRST_RESERVED_GDT_ENTRY entries, in
// frames that may have no writable mapping; Xen's selectors stay at the end of the GDT whatever the
// guest installs. A descriptor never gives ring 0 away: update_descriptor refuses system types and
// gates, and forces what it accepts to the guest's ring.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "set_gdt and update_descriptor";

#define DESC_DATA 0x00cff3000000ffff // DPL 3, writable, 4 GiB
#define SEL(i)    ((i) << 3 | 3)

static uint64_t *gdt;
static xen_pfn_t frame;

static const struct trap *load_fs(unsigned int sel)
{
    return TRY("mov %0, %%fs", : : "r"(sel));
}

static void check_install(void)
{
    gdt = page_alloc();
    frame = va_to_mfn(gdt);
    gdt[1] = DESC_DATA;
    CHECK_EQ(load_fs(SEL(1))->frame.vector, X86_GP); // no GDT of ours yet
    CHECK_RC(hc_set_gdt(&frame, 512), -EINVAL);      // mapped writable
    CHECK_RC(page_protect(gdt, PTE_RO), 0);
    CHECK_RC(hc_set_gdt(&frame, 512), 0);
    CHECK_NO_TRAP(load_fs(SEL(1)));
    CHECK_TRAP(load_fs(SEL(2)), X86_GP, 2 << 3); // the null descriptor is no segment
    CHECK_RC(page_protect(gdt, PTE_RW), -EBUSY); // its type forbids it now
    load_fs(0);
}

static uint64_t desc_maddr(unsigned int i)
{
    return (frame << 12) + i * 8;
}

static void check_update(void)
{
    static const uint64_t refused[] = {
        0x00008b0000000067, // busy TSS
        0x0000890000000067, // TSS
        0x0000820000000067, // LDT
        0x00008e0000080000, // interrupt gate
        0x0000ef0000080000, // trap gate, DPL 3
    };

    CHECK_RC(hc_update_descriptor(desc_maddr(3), DESC_DATA), 0);
    CHECK_EQ(gdt[3] & ~(1ul << 40), DESC_DATA & ~(1ul << 40)); // apart from the accessed bit
    CHECK_NO_TRAP(load_fs(SEL(3)));
    load_fs(0);
    for (unsigned int i = 0; i < ARRAY_SIZE(refused); i++) {
        CHECK_RC(hc_update_descriptor(desc_maddr(4), refused[i]), -EINVAL);
        CHECK_EQ(gdt[4], 0);
    }
    CHECK_RC(hc_update_descriptor(desc_maddr(3) + 4, DESC_DATA), -EINVAL); // not aligned
    CHECK_RC(hc_update_descriptor(desc_maddr(3), 0), 0);                   // not present is fine
    CHECK_EQ(gdt[3], 0);
    CHECK_EQ(load_fs(SEL(3))->frame.vector, X86_GP);
    // Not-present descriptors may hold anything but must not become usable.
    CHECK_RC(hc_update_descriptor(desc_maddr(5), DESC_DATA & ~(1ul << 47)), 0);
    CHECK_TRAP(load_fs(SEL(5)), X86_NP, 5 << 3);
}

// A call gate of ring 3 would let anybody in: refused, or accepted with DPL 0, where only an
// emulator can use it (that is what the oracle does).
static void check_call_gate(void)
{
    long rc = hc_update_descriptor(desc_maddr(7), 0x0000ec0000080000);

    CHECK(rc == 0 || rc == -EINVAL);
    CHECK_EQ(gdt[7] >> 45 & 3, 0);
    CHECK_RC(hc_update_descriptor(desc_maddr(7), 0), 0);
}

// A ring-0 data segment: refused, or accepted with its privilege taken away.
static void check_privilege(void)
{
    long rc = hc_update_descriptor(desc_maddr(6), DESC_DATA & ~(3ul << 45));

    CHECK(rc == 0 || rc == -EINVAL);
    CHECK(!(gdt[6] & (1ul << 47)) || (gdt[6] >> 45 & 3) != 0);
}

static void check_errors(void)
{
    xen_pfn_t bad[2] = {frame, ~0ul >> 12};
    uint16_t cs;

    CHECK_RC(hc_set_gdt(&frame, FIRST_RESERVED_GDT_ENTRY + 1), -EINVAL);
    CHECK_RC(hc_set_gdt((void *)0x10, 1), -EFAULT);
    CHECK_RC(hc_set_gdt(bad, 1024), -EINVAL);
    CHECK_NO_TRAP(load_fs(SEL(1))); // still the old one
    load_fs(0);
    CHECK_RC(hc_set_gdt(NULL, 0), 0); // none at all
    CHECK_EQ(load_fs(SEL(1))->frame.vector, X86_GP);
    asm volatile("mov %%cs, %0" : "=r"(cs));
    CHECK_EQ(cs, FLAT_KERNEL_CS); // the flat selectors need no GDT of ours
    CHECK_NO_TRAP(load_fs(FLAT_USER_DS32));
    CHECK_RC(page_protect(gdt, PTE_RW), 0); // and the frame is free again
}

void test_main(void)
{
    check_install();
    check_update();
    check_call_gate();
    check_privilege();
    check_errors();
}
