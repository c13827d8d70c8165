// SPDX-License-Identifier: MIT
// The 16550 serial port: polled output, input drained on interrupt or poll.
#ifndef WIRT_IO_UART16550_H
#define WIRT_IO_UART16550_H

#include "io/console.h"

struct uart16550 {
    struct console_dev dev;
    u16 port;      // [i] first I/O port
    u32 fifo_size; // [i] bytes the transmitter takes at once; 1 without FIFO
    u32 room;      // [LOCK_CONSOLE] bytes it surely takes before it must be asked again
};

struct uart16550_config {
    u16 port;
    u32 baud;     // 0: as the firmware left it
    u8 data_bits; // 5 to 8
    char parity;  // 'n', 'o', 'e', 'm', 's'
    u8 stop_bits; // 1 or 2
};

// Sets the port up and registers it with the console. Returns false, having registered nothing, if
// there is no UART at that port.
NODISCARD bool uart16550_init(struct uart16550 *u, const struct uart16550_config *config);

// Hands everything received to console_rx. From the interrupt handler or a timer; no lock may be
// held, and one caller at a time.
void uart16550_drain(struct uart16550 *u);

// Makes the port raise its interrupt for received characters.
void uart16550_enable_irq(struct uart16550 *u);

#endif
