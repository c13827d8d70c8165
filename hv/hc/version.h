// SPDX-License-Identifier: MIT
// The tables of HYPERVISOR_xen_version, for the ABI page.
#ifndef WIRT_HC_VERSION_H
#define WIRT_HC_VERSION_H

#include "hc/op.h"

// Sub-operations that answer with a text.
struct hc_text_op {
    const char *name;
    u32 cmd;
    u16 bytes;       // of the guest's buffer; longer texts are cut
    bool privileged; // others read "<denied>"
    const char *text;
    const char *test;
};

extern const struct hc_op hc_version_ops[];
extern const struct hc_text_op hc_version_texts[];

#endif
