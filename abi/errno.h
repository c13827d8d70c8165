// SPDX-License-Identifier: MIT
// The error numbers of the Xen ABI (<xen/errno.h>) under their plain names.
#ifndef WIRT_ABI_ERRNO_H
#define WIRT_ABI_ERRNO_H

enum abi_errno {
#define XEN_ERRNO(name, value) name = value,
#include <xen/errno.h>
};

// Not an ABI value: a hypercall gave the CPU up and continues by being called again.
enum { ERESTART_HC = 1000 };

#endif
