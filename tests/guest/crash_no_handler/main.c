// SPDX-License-Identifier: MIT
// A guest whose exception has no handler and whose failsafe is gone is crashed; the hypervisor is
// not.
//
// xen ABI: xen.h set_trap_table. An exception that cannot be bounced ends the domain. For the
// initial domain the machine stops in an orderly way.
//
// CRASH: [Dd]omain 0.*crash
#include "lib/guest.h"

const char test_title[] = "an exception without handler crashes the domain";

void test_main(void)
{
    CHECK_RC(hc_set_trap_table(NULL), 0);
    asm volatile("ud2");
    CHECK(!"the exception went nowhere and the domain lives");
}
