// SPDX-License-Identifier: MIT
// What is known since boot and does not change any more. Defined in boot/main.c.
#ifndef WIRT_BOOT_GLOBALS_H
#define WIRT_BOOT_GLOBALS_H

#include "boot/acpi.h"
#include "boot/cmdline.h"
#include "boot/info.h"

extern struct boot_info boot_info;
extern struct acpi_info acpi;
extern struct options options;

#endif
