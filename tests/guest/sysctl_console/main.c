// SPDX-License-Identifier: MIT
// sysctl: reading the hypervisor's log, and its debug keys.
//
// xen ABI: sysctl.h. readconsole starts at the oldest text, or behind what was read before if
// incremental; an index that is gone starts anew; clear forgets what was read and no more.
#include "lib/domu.h"

const char test_title[] = "sysctl: log and debug keys";

static char text[65536], again[65536];
static struct xen_sysctl_readconsole *const r = &sc.u.readconsole;

static long read(char *to, uint32_t count)
{
    r->count = count;
    set_xen_guest_handle(r->buffer, to);
    return sysctl(XEN_SYSCTL_readconsole);
}

static void check_read(void)
{
    uint32_t all, start;

    memset(&sc, 0, sizeof(sc));
    CHECK_RC(read(text, sizeof(text)), 0);
    all = r->count;
    start = r->index - all;
    REQUIRE(all > 200 && all < sizeof(text));
    CHECK_RC(read(again, 100), 0);
    CHECK_EQ(r->count, 100);
    CHECK_EQ(r->index, start + 100);
    CHECK_EQ(memcmp(text, again, 100), 0);
    r->incremental = 1;
    CHECK_RC(read(again, 60), 0);
    CHECK_EQ(r->index, start + 160);
    CHECK_EQ(memcmp(text + 100, again, 60), 0);
    CHECK_RC(read(again, 0), 0);
    CHECK_EQ(r->count, 0);
    CHECK_EQ(r->index, start + 160);
    r->index = 0x7fffffff;
    CHECK_RC(read(again, 50), 0);
    CHECK_EQ(r->index, start + 50);
    CHECK_EQ(memcmp(text, again, 50), 0);
    CHECK_RC(read((char *)0x10, 10), -EFAULT);
}

static void check_clear(void)
{
    memset(&sc, 0, sizeof(sc));
    r->clear = 1;
    CHECK_RC(read(again, 10), 0);
    memset(&sc, 0, sizeof(sc));
    CHECK_RC(read(again, 30), 0);
    CHECK_EQ(memcmp(text + 10, again, 30), 0);
    r->clear = 1;
    CHECK_RC(read(again, sizeof(again)), 0);
    CHECK_RC(read(again, sizeof(again)), 0);
    CHECK_EQ(r->count, 0);
}

static void check_keys(void)
{
    static const char keys[] = "h";

    memset(&sc, 0, sizeof(sc));
    sc.u.debug_keys.nr_keys = 1;
    set_xen_guest_handle(sc.u.debug_keys.keys, keys);
    CHECK_RC(sysctl(XEN_SYSCTL_debug_keys), 0);
    memset(&sc.u, 0, sizeof(sc.u));
    CHECK_RC(read(again, sizeof(again) - 1), 0);
    again[r->count] = '\0';
    CHECK(str_contains(again, "key 'R'")); // the list of keys has one that restarts
    memset(&sc, 0, sizeof(sc));
    CHECK_RC(sysctl(XEN_SYSCTL_debug_keys), 0);
    sc.u.debug_keys.nr_keys = 1;
    CHECK_RC(sysctl(XEN_SYSCTL_debug_keys), -EFAULT);
}

void test_main(void)
{
    check_read();
    check_clear();
    check_keys();
}
