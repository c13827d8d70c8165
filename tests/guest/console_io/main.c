// SPDX-License-Identifier: MIT
// HYPERVISOR_console_io: write, read and their errors.
//
// xen ABI: xen.h, CONSOLEIO_*: write returns 0, read the number of characters (none wait here: the
// test's QEMU has no input). Bad buffers give -EFAULT, unknown commands -ENOSYS.
#include "lib/guest.h"

const char test_title[] = "console_io";

void test_main(void)
{
    static const char text[] = "console_io writes this line\n";
    static char buf[64];
    static char page[8192];

    CHECK_RC(hc_console_io(CONSOLEIO_write, sizeof(text) - 1, text), 0);
    CHECK_RC(hc_console_io(CONSOLEIO_write, 0, text), 0);
    CHECK_RC(hc_console_io(CONSOLEIO_write, 0, (void *)0x10), 0);
    memset(page, '.', sizeof(page));
    page[sizeof(page) - 1] = '\n';
    CHECK_RC(hc_console_io(CONSOLEIO_write, sizeof(page), page), 0); // longer than any buffer
    CHECK_EQ(hc_console_io(CONSOLEIO_read, sizeof(buf), buf), 0);
    CHECK_RC(hc_console_io(CONSOLEIO_write, 4, (void *)0x10), -EFAULT);
    CHECK_RC(hc_console_io(CONSOLEIO_write, 4, (void *)HYPERVISOR_VIRT_START), -EFAULT);
    CHECK_RC(hc_console_io(2, 4, buf), -ENOSYS);
    CHECK_RC(hc_console_io(~0u, 0, NULL), -ENOSYS);
    CHECK_RC(hc_console_io(CONSOLEIO_read, ~0u, buf), -E2BIG); // the 2 GiB limit
}
