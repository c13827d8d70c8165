// SOURCES: hv/io/console.c
// SPDX-License-Identifier: MIT
// The console over a device that keeps what it is given. The console's state lives as long as the
// program, so each test begins by taking note of where the ring is.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "fake/host.h"
#include "io/console.h"

static char shown[128 * 1024];
static size_t shown_len;

static void fake_write(struct console_dev *dev, const char *text, size_t len)
{
    assert_true(shown_len + len < sizeof(shown));
    memcpy(shown + shown_len, text, len);
    shown_len += len;
    shown[shown_len] = '\0';
}

static struct console_dev dev = {.name = "fake", .write = fake_write};

static void shown_reset(void)
{
    shown_len = 0;
    shown[0] = '\0';
}

static u32 ring_end(void)
{
    char c;
    u32 index = console_ring_first();
    while (console_ring_read(&c, 1, &index))
        ;
    return index;
}

static int setup(void **state)
{
    console_set_levels(LOG_INFO, -1);
    console_tick();
    console_register(&dev);
    console_write_guest("\n", 1); // whatever the last test left behind ends here
    shown_reset();
    fake_input_notified = 0;
    return 0;
}

static int teardown(void **state)
{
    char c;
    while (console_input_read(&c, 1))
        ;
    console_unregister(&dev);
    return 0;
}

static void test_lines_have_prefix_and_newline(void **state)
{
    printk(LOG_INFO, "hello %d", 5);
    assert_string_equal(shown, "(WIRT) hello 5\n");
    shown_reset();
    printk(LOG_INFO, "one\ntwo\n");
    assert_string_equal(shown, "(WIRT) one\n(WIRT) two\n");
}

static void test_long_lines_are_cut(void **state)
{
    char text[2000];
    memset(text, 'x', sizeof(text));
    printk(LOG_INFO, "%.*s", (int)sizeof(text), text);
    assert_in_range(shown_len, 256, sizeof(text));
    assert_int_equal(shown[shown_len - 1], '\n');
}

static void test_levels_filter_devices_only(void **state)
{
    static const struct {
        int level, guest_level;
        const char *expected;
    } rows[] = {
        {-1, -1, ""},
        {LOG_ERR, -1, "(WIRT) e\n"},
        {LOG_INFO, -1, "(WIRT) e\n(WIRT) i\n"},
        {LOG_INFO, LOG_DEBUG, "(WIRT) e\n(WIRT) i\n"},
        {LOG_DEBUG, LOG_GUEST, "(WIRT) e\n(WIRT) i\n(WIRT) d\n(WIRT) g\n"},
    };
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[64];
        u32 index = ring_end();
        shown_reset();
        console_tick();
        console_set_levels(rows[i].level, rows[i].guest_level);
        printk(LOG_ERR, "e");
        printk(LOG_INFO, "i");
        printk(LOG_DEBUG, "d");
        printk(LOG_GUEST, "g");
        assert_string_equal(shown, rows[i].expected);
        u32 n = console_ring_read(text, sizeof(text), &index);
        assert_int_equal(n, 4 * strlen("(WIRT) e\n"));
        assert_memory_equal(text, "(WIRT) e\n(WIRT) i\n(WIRT) d\n(WIRT) g\n", n);
    }
}

static void test_new_device_sees_the_ring(void **state)
{
    console_unregister(&dev);
    console_ring_clear(ring_end());
    printk(LOG_INFO, "before");
    assert_string_equal(shown, "");
    console_register(&dev);
    assert_string_equal(shown, "(WIRT) before\n");
}

static void test_guest_bytes_pass_unchanged(void **state)
{
    u32 index = ring_end();
    char c;
    console_write_guest("login: \x1b[1m\0x", 13);
    assert_int_equal(shown_len, 13);
    assert_memory_equal(shown, "login: \x1b[1m\0x", 13);
    assert_int_equal(console_ring_read(&c, 1, &index), 0);
    shown_reset();
    printk(LOG_INFO, "note"); // begins a line of its own
    assert_string_equal(shown, "\n(WIRT) note\n");
}

static void test_guest_lines_are_limited(void **state)
{
    console_set_levels(LOG_INFO, LOG_GUEST);
    for (u32 i = 0; i < 100; i++)
        printk(LOG_GUEST, "g");
    size_t lines = shown_len / strlen("(WIRT) g\n");
    assert_in_range(lines, 1, 50);
    shown_reset();
    printk(LOG_INFO, "own lines are not");
    assert_string_equal(shown, "(WIRT) own lines are not\n");
    shown_reset();
    console_tick();
    char expected[64];
    snprintf(expected, sizeof(expected), "(WIRT) %zu lines about guests left out\n", 100 - lines);
    assert_string_equal(shown, expected);
    shown_reset();
    printk(LOG_GUEST, "again");
    assert_string_equal(shown, "(WIRT) again\n");
}

static void test_ring_reads_in_pieces(void **state)
{
    u32 index = ring_end();
    char text[32] = "";
    printk(LOG_INFO, "abcdef");
    assert_int_equal(console_ring_read(text, 10, &index), 10);
    assert_int_equal(console_ring_read(text + 10, 10, &index), 4);
    assert_string_equal(text, "(WIRT) abcdef\n");
    assert_int_equal(console_ring_read(text, 10, &index), 0);
}

static void test_ring_keeps_the_newest(void **state)
{
    static char text[40000];
    u32 old = console_ring_first();
    for (u32 i = 0; i < 4000; i++)
        printk(LOG_DEBUG, "line %u", i);
    u32 index = old;
    u32 n = console_ring_read(text, sizeof(text), &index);
    assert_int_equal(n, 32 * 1024);
    assert_int_equal(index - n, console_ring_first());
    assert_memory_equal(text + n - 17, "(WIRT) line 3999\n", 17);
    console_ring_clear(index);
    assert_int_equal(console_ring_first(), index);
    console_ring_clear(old); // is gone: nothing changes
    assert_int_equal(console_ring_first(), index);
    index = index + 5; // a number nobody was ever given
    printk(LOG_INFO, "x");
    assert_int_equal(console_ring_read(text, sizeof(text), &index), 4);
    index += 5;
    assert_int_equal(console_ring_read(text, sizeof(text), &index), 9);
}

static void test_input_goes_to_dom0(void **state)
{
    char buf[8];
    for (const char *p = "ls\x01\n"; *p; p++)
        console_rx(*p);
    assert_int_equal(fake_input_notified, 4);
    assert_int_equal(console_input_read(buf, 2), 2);
    assert_memory_equal(buf, "ls", 2);
    assert_int_equal(console_input_read(buf, sizeof(buf)), 2);
    assert_memory_equal(buf, "\x01\n", 2);
    assert_int_equal(console_input_read(buf, sizeof(buf)), 0);
}

static void test_full_input_drops_the_newest(void **state)
{
    char buf[2000];
    for (u32 i = 0; i < 1500; i++)
        console_rx(i < 1024 ? 'a' : 'b');
    assert_int_equal(console_input_read(buf, sizeof(buf)), 1024);
    assert_null(memchr(buf, 'b', 1024));
}

static u32 key_calls;

static void key_handler(void *arg)
{
    key_calls++;
    printk(LOG_INFO, "handled"); // takes the lock, so it must be free
}

static void press(const char *keys)
{
    while (*keys)
        console_rx(*keys++);
}

static void test_switch_letter(void **state)
{
    char buf[8];
    console_set_switch('b', false);
    press("\x01\x01\x01");
    assert_int_equal(console_input_read(buf, sizeof(buf)), 3);
    shown_reset();
    press("\x02\x02\x02");
    assert_non_null(strstr(shown, "input goes to Wirt, 'h' for help (three Ctrl-B switch)"));
    press("\x02\x02\x02");
    console_set_switch(0, true); // never, and so it stays
    console_input_read(buf, sizeof(buf));
    press("\x01\x01\x01z");
    assert_int_equal(console_input_read(buf, sizeof(buf)), 0);
    console_set_switch('a', false);
}

static void test_debug_keys(void **state)
{
    char buf[8];
    console_key_register('d', key_handler, NULL, "dump registers");
    press("d\x01\x01"
          "d\x01\x01");
    assert_int_equal(key_calls, 0); // five: never three in a row
    press("\x01");
    assert_non_null(strstr(shown, "input goes to Wirt"));
    console_input_read(buf, sizeof(buf));
    fake_input_notified = 0;
    press("dxd");
    assert_int_equal(key_calls, 2);
    assert_int_equal(fake_input_notified, 0);
    shown_reset();
    press("h");
    assert_non_null(strstr(shown, "(WIRT) key 'd': dump registers\n"));
    press("\xff");
    press("\x01\x01\x01");
    assert_non_null(strstr(shown, "input goes to dom0"));
    press("d");
    assert_int_equal(key_calls, 2);
    assert_int_equal(console_input_read(buf, sizeof(buf)), 1);
    console_key_press('d');
    assert_int_equal(key_calls, 3);
    assert_true(FAKE_PANICS(console_key_register('\x80', key_handler, NULL, "no such key")));
}

static void write_and_die(struct console_dev *d, const char *text, size_t len)
{
    d->write = fake_write;
    panic("within the device");
}

// Last: from here on the console is not locked any more.
static void test_panic_prints_although_locked(void **state)
{
    dev.write = write_and_die;
    assert_true(FAKE_PANICS(printk(LOG_INFO, "x")));
    console_force_unlock();
    shown_reset();
    printk(LOG_ERR, "dying");
    assert_non_null(strstr(shown, "(WIRT) dying\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines_have_prefix_and_newline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lines_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels_filter_devices_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_device_sees_the_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guest_bytes_pass_unchanged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guest_lines_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_reads_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ring_keeps_the_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input_goes_to_dom0, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_input_drops_the_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_debug_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_switch_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_panic_prints_although_locked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
