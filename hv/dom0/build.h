// SPDX-License-Identifier: MIT
// Building domain 0 from boot modules.
#ifndef WIRT_DOM0_BUILD_H
#define WIRT_DOM0_BUILD_H

#include "lib/compiler.h"

struct boot_info;

// Builds the control domain from the first module (kernel) and the second (initrd, optional) and
// prepares its vCPU 0, which is still down. NULL, or a sentence for the operator. Boot only.
NODISCARD const char *dom0_build(struct boot_info *bi);

#endif
