// SOURCES: hv/io/vga.c hv/io/console.c
// CFLAGS: -include tests/fake/ports.h
// SPDX-License-Identifier: MIT
// The text screen, drawn into an array.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "io/vga.h"

static u16 screen[VGA_ROWS * VGA_COLUMNS];
static struct vga_text vga;
static u8 crtc_index, crtc[256];

u8 inb(u16 port)
{
    return 0xff;
}

void outb(u16 port, u8 v)
{
    if (port == 0x3d4)
        crtc_index = v;
    else
        crtc[crtc_index] = v;
}

static int setup(void **state)
{
    memset(screen, 0xff, sizeof(screen));
    vga_init(&vga, screen);
    return 0;
}

static int teardown(void **state)
{
    console_unregister(&vga.dev);
    return 0;
}

static void write_text(const char *text)
{
    console_write_guest(text, strlen(text));
}

// The row begins with that text and is blank behind it.
static void assert_row(u32 row, const char *text)
{
    for (u32 i = 0; i < VGA_COLUMNS; i++)
        assert_int_equal(screen[row * VGA_COLUMNS + i], 0x0700 | (*text ? (u8)*text++ : ' '));
}

static void assert_cursor(u32 row, u32 column)
{
    assert_int_equal(crtc[0x0e] << 8 | crtc[0x0f], row * VGA_COLUMNS + column);
}

static void test_text(void **state)
{
    write_text("hello\r\nworld");
    assert_row(0, "hello");
    assert_row(1, "world");
    assert_row(2, "");
    assert_cursor(1, 5);
}

static void test_controls(void **state)
{
    write_text("\babc\rX\n1\t2\tx\bY");
    assert_row(0, "Xbc");
    assert_row(1, "1       2       Y");
}

static void test_wrap(void **state)
{
    for (u32 i = 0; i < VGA_COLUMNS; i++)
        write_text("#");
    assert_row(1, "");
    write_text("\n"); // the full row does not count twice
    write_text("next");
    assert_row(1, "next");
    for (u32 i = 4; i < VGA_COLUMNS + 2; i++)
        write_text("+");
    assert_row(2, "++");
}

static void test_scroll(void **state)
{
    char text[16];
    for (u32 i = 0; i < 30; i++) {
        snprintf(text, sizeof(text), "line %u\n", i);
        write_text(text);
    }
    for (u32 i = 0; i < VGA_ROWS - 1; i++) {
        snprintf(text, sizeof(text), "line %u", i + 30 - (VGA_ROWS - 1));
        assert_row(i, text);
    }
    assert_row(VGA_ROWS - 1, "");
    assert_cursor(VGA_ROWS - 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_controls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scroll, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
