// SPDX-License-Identifier: MIT
// Freestanding glue for the public Xen headers of Debian's libxen-dev: the one place that includes
// them for the hypervisor, at the latest interface version.
#ifndef WIRT_ABI_XEN_H
#define WIRT_ABI_XEN_H

#include <stddef.h>
#include <stdint.h>

#define __XEN_TOOLS__             1
#define __XEN_INTERFACE_VERSION__ 0x00041100 /* 4.17 */
#include <xen/xen.h>

#include "abi/errno.h"

#endif
