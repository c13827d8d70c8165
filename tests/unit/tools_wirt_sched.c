// SOURCES: tools/wirt-sched/args.c
// SPDX-License-Identifier: MIT
// wirt-sched's command line: rows of words, and what becomes of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "tools/wirt-sched/args.h"

enum { WORDS = 8 };

static bool parse(struct args *a, const char *const *words, char *why, size_t room)
{
    char copy[WORDS][32], *list[WORDS];
    int n = 0;
    for (; n < WORDS && words[n]; n++) {
        strncpy(copy[n], words[n], sizeof(copy[n]) - 1);
        copy[n][sizeof(copy[n]) - 1] = '\0';
        list[n] = copy[n];
    }
    why[0] = '\0';
    bool ok = args_parse(a, n, list, why, room);
    if (a->domain)
        a->domain = words[0]; // the copy goes
    return ok;
}

static void test_show(void **state)
{
    struct args a;
    char why[160];
    assert_true(parse(&a, (const char *const[WORDS]){NULL}, why, sizeof(why)));
    assert_int_equal(a.action, ACTION_SHOW);
    assert_null(a.domain);
    assert_true(parse(&a, (const char *const[WORDS]){"music"}, why, sizeof(why)));
    assert_int_equal(a.action, ACTION_SHOW);
    assert_string_equal(a.domain, "music");
    assert_true(parse(&a, (const char *const[WORDS]){"3", "--help"}, why, sizeof(why)));
    assert_int_equal(a.action, ACTION_HELP);
}

static void test_set(void **state)
{
    struct args a;
    char why[160];
    const char *words[WORDS] = {"7", "20", "1", "50000", "5000", "1000000"};
    assert_true(parse(&a, words, why, sizeof(why)));
    assert_int_equal(a.action, ACTION_SET);
    assert_int_equal(a.params.mcu_advance, 20);
    assert_int_equal(a.params.warpback, 1);
    assert_int_equal(a.params.warp_us, 50000);
    assert_int_equal(a.params.warp_limit_us, 5000);
    assert_int_equal(a.params.unwarp_us, 1000000);
}

static void test_refused(void **state)
{
    static const struct {
        const char *words[WORDS], *why;
    } rows[] = {
        {{"-x"}, "no such option: -x"},
        {{"1", "10"}, "there are 1"},
        {{"1", "10", "0", "0", "0"}, "there are 4"},
        {{"1", "10", "0", "0", "0", "0", "0"}, "there are 6"},
        {{"1", "0", "0", "0", "0", "0"}, "MCUADV: 0 is not a number from 1 to 2560"},
        {{"1", "2561", "0", "0", "0", "0"}, "MCUADV: 2561 is not a number from 1 to 2560"},
        {{"1", "10", "2", "0", "0", "0"}, "WARPBACK: 2 is not a number from 0 to 1"},
        {{"1", "10", "1", "1000001", "0", "0"}, "WARPVALUE: 1000001 is not"},
        {{"1", "10", "1", "0", "-1", "0"}, "WARPL: -1 is not a number from 0 to 1000000"},
        {{"1", "10", "1", "0", "0", "5ms"}, "WARPU: 5ms is not"},
        {{"1", "10", "1", "0", "0", ""}, "WARPU:  is not"},
        {{"1", "10", "1", "0", " 1", "0"}, "WARPL:  1 is not"},
        {{"1", "10", "1", "99999999999999999999", "0", "0"}, "WARPVALUE: 9999"},
    };
    struct args a;
    char why[160];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (parse(&a, rows[i].words, why, sizeof(why)) || !strstr(why, rows[i].why))
            fail_msg("row %zu: '%s'", i, why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
