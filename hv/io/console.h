// SPDX-License-Identifier: MIT
// The console: the ring that keeps the log, the devices it is shown on, and the input that comes
// back from them, for the control domain or for the hypervisor's debug keys.
//
// All functions may be called in any context unless they say otherwise; they take LOCK_CONSOLE.
#ifndef WIRT_IO_CONSOLE_H
#define WIRT_IO_CONSOLE_H

#include "lib/printk.h"

// A device the console writes to; embedded in the driver's own structure. Drivers that receive
// hand what came to console_rx.
struct console_dev {
    const char *name;                                                     // [i]
    void (*write)(struct console_dev *dev, const char *text, size_t len); // [i] under LOCK_CONSOLE
};

// Adds a device and shows it what the ring holds already. Boot only.
void console_register(struct console_dev *dev);
// Takes the device out, e.g. the screen once dom0 drives it. Nothing happens if it is not in.
void console_unregister(struct console_dev *dev);

// Hypervisor lines up to `level` are shown on the devices, guests' lines (LOG_GUEST) if
// guest_level >= LOG_GUEST; -1 is none. The ring gets all lines.
void console_set_levels(int level, int guest_level);

// Refills the allowance of LOG_GUEST lines: to be called about once per second.
void console_tick(void);

// Shows a guest's own output on the devices byte for byte.
void console_write_guest(const char *text, size_t len);

// For panic: from here on nobody takes the console lock any more.
void console_force_unlock(void);

// The ring's text is numbered by byte, modulo 2^32. Copies up to `bytes` bytes from number *index
// on (or from the oldest kept, if that byte is gone) and moves *index behind them. Returns how
// many.
u32 console_ring_read(char *buf, u32 bytes, u32 *index);
// The number of the oldest byte kept.
u32 console_ring_first(void);
// Forgets the text before number `index`.
void console_ring_clear(u32 index);

// One received character. Three Ctrl-A in a row switch the input between dom0 and the debug keys;
// no lock may be held.
void console_rx(char c);
// Input switches between dom0 and the debug keys when Ctrl and this letter (0: never; default: a)
// come three times; where it goes until then.
void console_set_switch(char letter, bool to_keys);
// Takes what was received for dom0, up to len bytes. Returns how many.
size_t console_input_read(char *buf, size_t len);
// Provided by the core: something for dom0 arrived. Called without locks.
void console_input_notify(void);

// Makes `key` call fn(arg); desc is shown by the key 'h'. Boot only.
void console_key_register(char key, void (*fn)(void *arg), void *arg, const char *desc);
// Calls the key's handler, from the console or from a tool. No lock may be held.
void console_key_press(char key);

#endif
