// SPDX-License-Identifier: MIT
// The debug keys of the console.
#ifndef WIRT_BOOT_KEYS_H
#define WIRT_BOOT_KEYS_H

// Registers them. Once timers work.
void keys_init(void);

#endif
