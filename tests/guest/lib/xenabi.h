// SPDX-License-Identifier: MIT
// The public Xen ABI headers of libxen-dev, at one interface version, for the test kernels.
#ifndef GUEST_XENABI_H
#define GUEST_XENABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef __XEN_TOOLS__ // which brings the latest by itself
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#endif
#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include "abi/errno.h"

#endif
