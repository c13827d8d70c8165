// SPDX-License-Identifier: MIT
// Ports for guest user mode: the I/O privilege level and the bitmap.
//
// xen ABI: physdev.h PHYSDEVOP_set_iopl, set_iobitmap. The guest kernel of dom0 may use ports at
// any IOPL above 0; user mode needs IOPL 3 or a clear bit in the bitmap, otherwise #GP. An IOPL
// above 3 and a bitmap of more than 65536 ports are -EINVAL.
#include "lib/guest.h"

const char test_title[] = "set_iopl and set_iobitmap";

USER_SNIPPET(user_in, "mov $0x71, %edx; in %dx, %al; syscall");

static long set_iopl(unsigned int level)
{
    struct physdev_set_iopl arg = {.iopl = level};

    return hc_physdev_op(PHYSDEVOP_set_iopl, &arg);
}

static long set_bitmap(uint8_t *map, unsigned int ports)
{
    struct physdev_set_iobitmap arg = {.nr_ports = ports};

    set_xen_guest_handle(arg.bitmap, map);
    return hc_physdev_op(PHYSDEVOP_set_iobitmap, &arg);
}

static unsigned int user_vector(void)
{
    return (unsigned int)USER_RUN(user_in, NULL)->frame.vector;
}

void test_main(void)
{
    static uint8_t bitmap[8192];

    user_setup();
    CHECK_EQ(user_vector(), X86_GP);
    CHECK_EQ(this_cpu()->user_exit.frame.error, 0);
    CHECK_RC(set_iopl(1), 0);
    CHECK_EQ(user_vector(), X86_GP);
    CHECK_RC(set_iopl(3), 0);
    CHECK_EQ(user_vector(), VEC_SYSCALL);
    CHECK_RC(set_iopl(0), 0);
    CHECK_EQ(user_vector(), X86_GP);
    memset(bitmap, 0xff, sizeof(bitmap));
    CHECK_RC(set_bitmap(bitmap, 65536), 0);
    CHECK_EQ(user_vector(), X86_GP);
    bitmap[0x71 / 8] = (uint8_t) ~(1u << (0x71 % 8));
    CHECK_EQ(user_vector(), VEC_SYSCALL);
    CHECK_RC(set_bitmap(bitmap, 0x71), 0); // the port lies outside now
    CHECK_EQ(user_vector(), X86_GP);
    CHECK_RC(set_bitmap(bitmap, 65537), -EINVAL);
    CHECK_RC(set_iopl(4), -EINVAL);
    CHECK_EQ(user_vector(), X86_GP);
    CHECK_RC(set_iopl(1), 0);
}
