// SOURCES: hv/lib/string.c
// CFLAGS: -include tests/unit/lib_string_names.h
// SPDX-License-Identifier: MIT
// The memory and string functions, under other names beside the host's, which are the reference.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/compiler.h"
#include "lib/string.h"

enum { SIZE = 48 };

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void fill(u8 *p, u8 first)
{
    for (u32 i = 0; i < SIZE; i++)
        p[i] = (u8)(first + i);
}

static void assert_bytes(const u8 *p, const u8 *expected)
{
    for (u32 i = 0; i < SIZE; i++)
        assert_int_equal(p[i], expected[i]);
}

// All small offsets and lengths, so that every head and tail of the eight-byte steps is met.
static void test_memcpy(void **state)
{
    for (u32 to = 0; to < 9; to++) {
        for (u32 n = 0; n < SIZE - 16; n++) {
            u8 src[SIZE], dst[SIZE], expected[SIZE];
            fill(src, 0), fill(dst, 100), fill(expected, 100);
            for (u32 i = 0; i < n; i++)
                expected[to + i] = src[3 + i];
            assert_ptr_equal(memcpy(dst + to, src + 3, n), dst + to);
            assert_bytes(dst, expected);
        }
    }
}

static void test_memmove(void **state)
{
    for (u32 to = 0; to < 16; to++) {
        for (u32 from = 0; from < 16; from++) {
            for (u32 n = 0; n < SIZE - 16; n++) {
                u8 src[SIZE], buf[SIZE], expected[SIZE];
                fill(src, 0), fill(buf, 0), fill(expected, 0);
                for (u32 i = 0; i < n; i++)
                    expected[to + i] = src[from + i];
                assert_ptr_equal(memmove(buf + to, buf + from, n), buf + to);
                assert_bytes(buf, expected);
            }
        }
    }
}

static void test_memset(void **state)
{
    for (u32 at = 0; at < 9; at++) {
        for (u32 n = 0; n < SIZE - 16; n++) {
            u8 buf[SIZE], expected[SIZE];
            fill(buf, 0), fill(expected, 0);
            for (u32 i = 0; i < n; i++)
                expected[at + i] = 0xa5;
            assert_ptr_equal(memset(buf + at, 0x1a5, n), buf + at);
            assert_bytes(buf, expected);
        }
    }
}

static void test_memcmp_memchr(void **state)
{
    const u8 a[] = {1, 2, 0x80, 0, 5}, b[] = {1, 2, 0x7f, 0, 6};
    assert_int_equal(memcmp(a, b, 2), 0);
    assert_int_equal(sign(memcmp(a, b, 3)), 1);
    assert_int_equal(sign(memcmp(b, a, 5)), -1);
    assert_int_equal(memcmp(a, b, 0), 0);
    assert_ptr_equal(memchr(a, 0x180, 5), a + 2);
    assert_ptr_equal(memchr(a, 0, 5), a + 3);
    assert_null(memchr(a, 5, 4));
}

static void test_lengths(void **state)
{
    assert_int_equal(strlen(""), 0);
    assert_int_equal(strlen("abc"), 3);
    assert_int_equal(strnlen("abc", 2), 2);
    assert_int_equal(strnlen("abc", 9), 3);
}

static void test_comparisons(void **state)
{
    static const struct {
        const char *a, *b;
        size_t n;
        int cmp, ncmp;
    } rows[] = {
        {"", "", 5, 0, 0},         {"a", "", 5, 1, 1},        {"", "a", 5, -1, -1},
        {"abc", "abd", 2, -1, 0},  {"abc", "abd", 3, -1, -1}, {"abc", "abc", 9, 0, 0},
        {"\x80", "\x7f", 1, 1, 1}, {"abc", "ab", 2, 1, 0},    {"x", "y", 0, -1, 0},
    };
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(sign(strcmp(rows[i].a, rows[i].b)), rows[i].cmp);
        assert_int_equal(sign(strncmp(rows[i].a, rows[i].b, rows[i].n)), rows[i].ncmp);
    }
}

static void test_searches(void **state)
{
    const char *s = "console=com1,vga";
    assert_ptr_equal(strchr(s, '='), s + 7);
    assert_ptr_equal(strchr(s, '\0'), s + 16);
    assert_null(strchr(s, '!'));
    assert_ptr_equal(strstr(s, "com1"), s + 8);
    assert_ptr_equal(strstr(s, ""), s);
    assert_ptr_equal(strstr(s, "vga"), s + 13);
    assert_null(strstr(s, "vgax"));
    assert_null(strstr("", "a"));
}

static void test_strlcpy(void **state)
{
    char buf[4] = "zzz";
    assert_int_equal(strlcpy(buf, "ab", sizeof(buf)), 2);
    assert_string_equal(buf, "ab");
    assert_int_equal(strlcpy(buf, "abcdef", sizeof(buf)), 6);
    assert_string_equal(buf, "abc");
    assert_int_equal(strlcpy(buf, "", 1), 0);
    assert_string_equal(buf, "");
    buf[0] = 'q';
    assert_int_equal(strlcpy(buf, "abc", 0), 3);
    assert_int_equal(buf[0], 'q');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memcpy),   cmocka_unit_test(test_memmove),
        cmocka_unit_test(test_memset),   cmocka_unit_test(test_memcmp_memchr),
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_searches), cmocka_unit_test(test_strlcpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
