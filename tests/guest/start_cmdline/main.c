// SPDX-License-Identifier: MIT
// The module's command line arrives in start_info.cmd_line.
//
// xen ABI: xen.h start_info.cmd_line, MAX_GUEST_CMDLINE. It is NUL-terminated and does not begin
// with the file's name.
//
// ARGS: alpha=1 beta,gamma --delta "epsilon
#include "lib/guest.h"

const char test_title[] = "command line in start_info";

void test_main(void)
{
    const char *line = (const char *)start_info->cmd_line;

    printk("command line: [%s]\n", line);
    CHECK(str_contains(line, "alpha=1 beta,gamma --delta \"epsilon"));
    CHECK(strlen(line) < MAX_GUEST_CMDLINE);
    CHECK(str_starts(line, "alpha=1"));
}
