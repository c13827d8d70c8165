// SPDX-License-Identifier: MIT
// XSA-122 (CVE-2015-2045): bytes of the hypervisor's stack in answers.
//
// Class: a fixed-size structure is filled as far as a string goes and copied out whole. What must
// hold: everything behind the text is zero, and nothing is written behind the structure.
#include "lib/guest.h"

const char test_title[] = "answers of xen_version carry no stray bytes";

static uint8_t buf[4096], other[4096];

static void check_text(const uint8_t *text, size_t size)
{
    size_t len = 0, stray = 0;

    while (len < size && text[len])
        len++;
    for (size_t i = len; i < size; i++)
        stray += text[i] != 0;
    CHECK(len < size);
    CHECK_EQ(stray, 0);
}

static void ask(unsigned int cmd, size_t size)
{
    size_t behind = 0;

    memset(buf, 0xa5, sizeof(buf));
    memset(other, 0x5a, sizeof(other));
    CHECK(hc_xen_version(cmd, buf) >= 0);
    CHECK(hc_xen_version(cmd, other) >= 0);
    CHECK_EQ(memcmp(buf, other, size), 0);
    for (size_t i = size; i < sizeof(buf); i++)
        behind += buf[i] != 0xa5;
    CHECK_EQ(behind, 0);
}

void test_main(void)
{
    ask(XENVER_extraversion, sizeof(xen_extraversion_t));
    check_text(buf, sizeof(xen_extraversion_t));
    ask(XENVER_capabilities, sizeof(xen_capabilities_info_t));
    check_text(buf, sizeof(xen_capabilities_info_t));
    ask(XENVER_changeset, sizeof(xen_changeset_info_t));
    check_text(buf, sizeof(xen_changeset_info_t));
    ask(XENVER_compile_info, sizeof(struct xen_compile_info));
}
