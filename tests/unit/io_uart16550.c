// SOURCES: hv/io/uart16550.c hv/io/console.c
// CFLAGS: -include tests/fake/ports.h
// SPDX-License-Identifier: MIT
// The serial driver against a 16550 of the test's own: registers, a transmitter that empties after
// some looks at it, a receiver with text in it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "fake/host.h"
#include "io/uart16550.h"

enum { BASE = 0x3f8 };

static struct {
    bool present, scratch, loopback, fifo;
    u32 busy_reads; // looks at the status until the transmitter is empty; all ones: never
    // State
    u8 reg[8];
    u16 divisor;
    u32 busy, queued;
    char sent[256];
    u32 sent_len;
    const char *received;
} chip;

static u8 status(void)
{
    if (chip.busy && chip.busy != ~0u && --chip.busy == 0)
        chip.queued = 0;
    return (chip.busy ? 0 : 0x20) | (chip.received && *chip.received ? 1 : 0);
}

u8 inb(u16 port)
{
    u32 reg = port - BASE;
    assert_in_range(reg, 0, 7);
    if (!chip.present)
        return 0xff;
    switch (reg) {
    case 0:
        return (u8)*chip.received++;
    case 2:
        return chip.fifo ? 0xc1 : 0x01;
    case 5:
        return status();
    case 6:
        return chip.loopback && chip.reg[4] & 0x10 ? (u8)(chip.reg[4] << 4 & 0x80) | 0x10 : 0;
    case 7:
        return chip.scratch ? chip.reg[7] : 0;
    default:
        return chip.reg[reg];
    }
}

static void transmit(u8 v)
{
    assert_true(chip.queued < (chip.fifo ? 16 : 1)); // else a byte would be lost
    chip.queued++;
    chip.busy = chip.busy_reads;
    if (!chip.busy)
        chip.queued = 0;
    chip.sent[chip.sent_len++] = (char)v;
}

void outb(u16 port, u8 v)
{
    u32 reg = port - BASE;
    assert_in_range(reg, 0, 7);
    bool dlab = chip.reg[3] & 0x80;
    if (reg == 0 && dlab)
        chip.divisor = (chip.divisor & 0xff00) | v;
    else if (reg == 1 && dlab)
        chip.divisor = (u16)((chip.divisor & 0xff) | v << 8);
    else if (reg == 0 && chip.present)
        transmit(v);
    else
        chip.reg[reg] = v;
}

static const struct uart16550_config usual = {BASE, 115200, 8, 'n', 1};
static struct uart16550 uart;

static int setup(void **state)
{
    memset(&chip, 0, sizeof(chip));
    chip.present = chip.scratch = chip.loopback = chip.fifo = true;
    char c;
    u32 index = console_ring_first();
    while (console_ring_read(&c, 1, &index))
        ;
    console_ring_clear(index);
    return 0;
}

static int teardown(void **state)
{
    console_unregister(&uart.dev);
    return 0;
}

static void test_presence(void **state)
{
    static const struct {
        bool present, scratch, loopback, expected;
    } rows[] = {
        {false, false, false, false}, {true, false, false, false}, {true, true, false, true},
        {true, false, true, true},    {true, true, true, true},
    };
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        setup(state);
        chip.present = rows[i].present;
        chip.scratch = rows[i].scratch;
        chip.loopback = rows[i].loopback;
        assert_int_equal(uart16550_init(&uart, &usual), rows[i].expected);
        printk(LOG_INFO, "x");
        assert_int_equal(chip.sent_len != 0, rows[i].expected);
        console_unregister(&uart.dev);
    }
}

static void test_line_setup(void **state)
{
    static const struct {
        u32 baud;
        u8 data;
        char parity;
        u8 stop;
        u16 divisor;
        u8 lcr;
    } rows[] = {
        {115200, 8, 'n', 1, 1, 0x03},  {9600, 7, 'e', 2, 12, 0x1e}, {300, 5, 'o', 1, 384, 0x08},
        {38400, 8, 'm', 1, 3, 0x2b},   {57600, 6, 's', 1, 2, 0x39}, {0, 8, 'n', 1, 0x1234, 0x03},
        {1000000, 8, 'n', 1, 1, 0x03},
    };
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        struct uart16550_config c = {BASE, rows[i].baud, rows[i].data, rows[i].parity,
                                     rows[i].stop};
        chip.divisor = 0x1234;
        assert_true(uart16550_init(&uart, &c));
        assert_int_equal(chip.divisor, rows[i].divisor);
        assert_int_equal(chip.reg[3], rows[i].lcr);
        assert_int_equal(chip.reg[1], 0); // no interrupts yet
        console_unregister(&uart.dev);
    }
}

static void check_output(bool fifo, u32 busy_reads)
{
    chip.fifo = fifo;
    chip.busy_reads = busy_reads;
    assert_true(uart16550_init(&uart, &usual));
    printk(LOG_INFO, "longer than the sixteen bytes of the FIFO");
    console_write_guest("a\nb\n", 4);
    const char *expected = "(WIRT) longer than the sixteen bytes of the FIFO\r\na\r\nb\r\n";
    assert_int_equal(chip.sent_len, strlen(expected));
    assert_memory_equal(chip.sent, expected, chip.sent_len);
}

static void test_output(void **state)
{
    check_output(true, 0);
}

static void test_output_waits(void **state)
{
    check_output(true, 5);
}

static void test_output_without_fifo(void **state)
{
    check_output(false, 3);
}

static void test_stuck_transmitter_is_left(void **state)
{
    chip.busy_reads = ~0u;
    assert_true(uart16550_init(&uart, &usual));
    console_write_guest("0123456789abcdefXYZ", 19);
    assert_int_equal(chip.sent_len, 16);
}

static void test_input(void **state)
{
    char buf[8] = "";
    assert_true(uart16550_init(&uart, &usual));
    uart16550_enable_irq(&uart);
    assert_int_equal(chip.reg[1], 1);
    assert_int_equal(chip.reg[4] & 8, 8);
    chip.received = "ls\r";
    uart16550_drain(&uart);
    assert_int_equal(console_input_read(buf, sizeof(buf)), 3);
    assert_string_equal(buf, "ls\r");
    chip.present = false; // reads as data for ever
    uart16550_drain(&uart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_presence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_line_setup, setup, teardown),
        cmocka_unit_test_setup_teardown(test_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_output_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_output_without_fifo, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stuck_transmitter_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
