// SOURCES: hv/lib/printf.c
// CFLAGS: -Dsnprintf=wirt_snprintf -Dvsnprintf=wirt_vsnprintf
// SPDX-License-Identifier: MIT
// Every format of lib/printk.h, with the result written out.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include <limits.h>
#include "lib/printk.h"
#include "lib/string.h"

// One row: what the call must give, without and with truncation.
#define CHECK(expected, ...)                                                         \
    do {                                                                             \
        char buf[128], cut[6];                                                       \
        assert_int_equal(snprintf(buf, sizeof(buf), __VA_ARGS__), strlen(expected)); \
        assert_string_equal(buf, expected);                                          \
        assert_int_equal(snprintf(cut, sizeof(cut), __VA_ARGS__), strlen(expected)); \
        assert_int_equal(strlen(cut), MIN(strlen(expected), sizeof(cut) - 1));       \
        assert_memory_equal(cut, expected, strlen(cut));                             \
    } while (0)

static void test_integers(void **state)
{
    CHECK("0 -1 2147483647", "%d %d %d", 0, -1, INT_MAX);
    CHECK("-2147483648", "%d", INT_MIN);
    CHECK("-9223372036854775808", "%ld", LONG_MIN);
    CHECK("18446744073709551615", "%lu", ULONG_MAX);
    CHECK("4294967295 ff", "%u %x", UINT_MAX, 255u);
    CHECK("deadbeefcafebabe", "%lx", 0xdeadbeefcafebabeul);
    CHECK("12345678901", "%zu", (size_t)12345678901);
}

static void test_fields(void **state)
{
    CHECK("[   42][00042]", "[%5d][%05d]", 42, 42);
    CHECK("[  -42][-0042]", "[%5d][%05d]", -42, -42);
    CHECK("[000000000000abcd]", "[%016lx]", 0xabcdul);
    CHECK("[123456]", "[%3d]", 123456);
}

static void test_strings(void **state)
{
    char *volatile none = NULL; // the compiler warns if it knows
    CHECK("abc[  abc]", "%s[%5s]", "abc", "abc");
    CHECK("[ab][   ab]", "[%.2s][%5.2s]", "abc", "abc");
    CHECK("(null)", "%s", none);
    CHECK("x[  y]%", "%c[%3c]%%", 'x', 'y');
    const char unterminated[3] = {'a', 'b', 'c'};
    CHECK("abc", "%.3s", unterminated);
}

static void test_pointers(void **state)
{
    CHECK("0xffff808000100000", "%p", (void *)0xffff808000100000);
    CHECK("0x0", "%p", NULL);
}

static void test_unknown_conversions_are_shown(void **state)
{
    const char *odd = "%q %", *octal = "%o"; // past the compiler's own check
    char buf[16];
    snprintf(buf, sizeof(buf), odd, 0);
    assert_string_equal(buf, "%q ");
    snprintf(buf, sizeof(buf), octal, 0);
    assert_string_equal(buf, "%o");
}

static void test_tiny_buffers(void **state)
{
    char one = 'x';
    assert_int_equal(snprintf(NULL, 0, "%d", 12345), 5);
    assert_int_equal(snprintf(&one, 1, "%d", 12345), 5);
    assert_int_equal(one, '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_unknown_conversions_are_shown),
        cmocka_unit_test(test_tiny_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
