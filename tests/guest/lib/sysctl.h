// SPDX-License-Identifier: MIT
// Calls of HYPERVISOR_sysctl, for the tests that make them (their flags.mk defines __XEN_TOOLS__).
#ifndef GUEST_SYSCTL_H
#define GUEST_SYSCTL_H

#include "lib/guest.h"
#include <xen/sysctl.h>

static struct xen_sysctl sc; // the last call's arguments and answer

static inline void sysctl_clear(void)
{
    memset(&sc, 0, sizeof(sc));
}

static inline long sysctl(uint32_t cmd)
{
    sc.cmd = cmd;
    sc.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return HC1(__HYPERVISOR_sysctl, &sc);
}

#endif
