// SPDX-License-Identifier: MIT
// The iret hypercall sanitises what it loads.
//
// xen ABI: arch-x86/xen-x86_64.h HYPERVISOR_iret. Asserted: rax is restored always, rcx and r11
// without VGCF_in_syscall; rflags.IF becomes the upcall mask inverted and the real IF stays set;
// IOPL cannot be raised by it; reserved flag bits and VM do not reach the processor; arithmetic
// flags and DF do.
//
// ALSO: xpti=1
#include "lib/guest.h"

const char test_title[] = "iret hypercall: registers and flags";

static struct iret_probe out;

static void probe(uint64_t rflags, uint64_t flags)
{
    static uint64_t stack[64];
    struct iret_context ctx = {
        .rax = 0x1111,
        .r11 = 0x2222,
        .rcx = 0x3333,
        .flags = flags,
        .cs = FLAT_KERNEL_CS & ~3,
        .rflags = rflags,
        .rsp = (uint64_t)&stack[60],
        .ss = FLAT_KERNEL_SS,
    };

    memset(&out, 0, sizeof(out));
    iret_probe(&ctx, &out);
    CHECK_EQ(out.rax, 0x1111);
    CHECK_EQ(out.rsp, &stack[60]);
    CHECK_EQ(out.cs, FLAT_KERNEL_CS);
    CHECK_EQ(out.rflags & 0x202, 0x202);   // IF and the always-one bit
    CHECK_EQ(out.rflags & 0x3000, 0);      // IOPL
    CHECK_EQ(out.rflags & ~0x3f7fd7ul, 0); // reserved bits
}

void test_main(void)
{
    static const uint64_t carried[] = {0x001, 0x004, 0x010,   0x040,   0x080,
                                       0x400, 0x800, 0x40000, 0x200000};

    probe(0x202, 0);
    CHECK_EQ(out.rcx, 0x3333);
    CHECK_EQ(out.r11, 0x2222);
    CHECK_EQ(out.ss, FLAT_KERNEL_SS);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 0);
    probe(0x002, 0);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1);
    probe(0x202, VGCF_in_syscall);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 0);
    probe(0x002, VGCF_in_syscall);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1);
    for (unsigned int i = 0; i < ARRAY_SIZE(carried); i++) {
        probe(0x002 | carried[i], 0);
        CHECK_EQ(out.rflags & carried[i], carried[i]);
        probe(0x002, 0);
        CHECK_EQ(out.rflags & carried[i], 0);
    }
    probe(0x3002, 0);     // IOPL 3
    probe(0x20002, 0);    // VM
    probe(~0x14300ul, 0); // all but TF, RF, NT and IF, IOPL 0
    probe(0xffffffff00000002, 0);
    CHECK_EQ(vcpu_info()->evtchn_upcall_mask, 1);
}
