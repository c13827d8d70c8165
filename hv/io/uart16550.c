// SPDX-License-Identifier: MIT
// The 16550 serial port. Register and bit names follow National Semiconductor's "PC16550D
// Universal Asynchronous Receiver/Transmitter with FIFOs".
#include "io/uart16550.h"

#include "cpu/io.h"

enum {
    REG_DATA = 0, // receive and transmit; divisor low with LCR_DLAB
    REG_IER = 1,  // divisor high with LCR_DLAB
    REG_IIR = 2,  // read
    REG_FCR = 2,  // write
    REG_LCR = 3,
    REG_MCR = 4,
    REG_LSR = 5,
    REG_MSR = 6,
    REG_SCR = 7,
};

enum {
    IER_RX = 1 << 0,
    IIR_FIFO = 3 << 6,      // both bits: the FIFO is on and works
    FCR_ENABLE = 0x07,      // FIFO on, both directions cleared
    FCR_TRIGGER_8 = 2 << 6, // interrupt at eight received bytes, or after a pause
    LCR_STOP_2 = 1 << 2,
    LCR_PARITY = 1 << 3,
    LCR_DLAB = 1 << 7,
    MCR_DTR_RTS = 3 << 0,
    MCR_OUT2 = 1 << 3, // lets the interrupt out to the bus
    MCR_LOOP = 1 << 4,
    MSR_INPUTS = 0xf0,
    LSR_DATA = 1 << 0,
    LSR_THRE = 1 << 5, // transmitter has room
};

enum {
    CLOCK_HZ = 115200, // 1.8432 MHz / 16
    FIFO_SIZE = 16,
    // A port read takes about a microsecond, sixteen characters at 1200 baud 133 ms.
    WAIT_READS = 250000,
    DRAIN_MAX = 1024, // a port that is gone reads as all ones, for ever
};

static u8 get(const struct uart16550 *u, u16 reg)
{
    return inb(u->port + reg);
}

static void set(const struct uart16550 *u, u16 reg, u8 v)
{
    outb(u->port + reg, v);
}

static bool scratch_works(const struct uart16550 *u)
{
    set(u, REG_SCR, 0x5a);
    if (get(u, REG_SCR) != 0x5a)
        return false;
    set(u, REG_SCR, 0xa5);
    return get(u, REG_SCR) == 0xa5;
}

// In loop mode the modem outputs come back as inputs: RTS as CTS, OUT2 as DCD.
static bool loopback_works(const struct uart16550 *u)
{
    u8 mcr = get(u, REG_MCR);
    set(u, REG_MCR, MCR_LOOP | MCR_OUT2 | 2);
    bool works = (get(u, REG_MSR) & MSR_INPUTS) == 0x90;
    set(u, REG_MCR, mcr);
    return works;
}

static u8 line_control(const struct uart16550_config *c)
{
    u8 lcr = (u8)((c->data_bits - 5) & 3);
    if (c->stop_bits == 2)
        lcr |= LCR_STOP_2;
    switch (c->parity) {
    case 'o':
        return lcr | LCR_PARITY;
    case 'e':
        return lcr | LCR_PARITY | 2 << 3;
    case 'm':
        return lcr | LCR_PARITY | 4 << 3;
    case 's':
        return lcr | LCR_PARITY | 6 << 3;
    default:
        return lcr;
    }
}

static void setup(struct uart16550 *u, const struct uart16550_config *c)
{
    u8 lcr = line_control(c);
    set(u, REG_IER, 0);
    if (c->baud) {
        u32 divisor = MAX(CLOCK_HZ / c->baud, 1u);
        set(u, REG_LCR, lcr | LCR_DLAB);
        set(u, REG_DATA, (u8)divisor);
        set(u, REG_IER, (u8)(divisor >> 8));
    }
    set(u, REG_LCR, lcr);
    set(u, REG_FCR, FCR_ENABLE | FCR_TRIGGER_8);
    set(u, REG_MCR, MCR_DTR_RTS);
    u->fifo_size = (get(u, REG_IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_SIZE : 1;
}

static bool wait_for_room(struct uart16550 *u)
{
    for (u32 i = 0; i < WAIT_READS; i++) {
        if (get(u, REG_LSR) & LSR_THRE) {
            u->room = u->fifo_size;
            return true;
        }
        __builtin_ia32_pause();
    }
    return false;
}

static bool send(struct uart16550 *u, char c)
{
    if (!u->room && !wait_for_room(u))
        return false;
    u->room--;
    set(u, REG_DATA, (u8)c);
    return true;
}

// A transmitter that makes no progress costs one wait per call; the rest of the text is dropped.
static void uart_write(struct console_dev *dev, const char *text, size_t len)
{
    struct uart16550 *u = CONTAINER_OF(dev, struct uart16550, dev);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && !send(u, '\r'))
            return;
        if (!send(u, text[i]))
            return;
    }
}

bool uart16550_init(struct uart16550 *u, const struct uart16550_config *config)
{
    *u =
        (struct uart16550){.dev = {.name = "uart16550", .write = uart_write}, .port = config->port};
    if (!scratch_works(u) && !loopback_works(u))
        return false;
    setup(u, config);
    console_register(&u->dev);
    return true;
}

void uart16550_drain(struct uart16550 *u)
{
    for (u32 i = 0; i < DRAIN_MAX && (get(u, REG_LSR) & LSR_DATA); i++)
        console_rx((char)get(u, REG_DATA));
}

void uart16550_enable_irq(struct uart16550 *u)
{
    set(u, REG_MCR, MCR_DTR_RTS | MCR_OUT2);
    set(u, REG_IER, IER_RX);
}
