// SOURCES: hv/cpu/tsc_sync.c
// SPDX-License-Identifier: MIT
// The skew of two TSCs from rounds of question and answer: rows of rounds and what they prove.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cpu/tsc_sync.h"

struct row {
    struct {
        u64 before, answer, after;
    } round[3];
    s64 value;
};

static const struct row rows[] = {
    {{{1000, 1050, 1100}, {2000, 2010, 2020}, {3000, 3500, 4000}}, 0},
    // The answer at the edge of its round proves nothing.
    {{{1000, 1000, 1100}, {2000, 2020, 2020}, {3000, 3000, 3000}}, 0},
    // Far ahead and far behind: the narrowest round decides.
    {{{1000, 51050, 1100}, {2000, 52010, 2020}, {3000, 53500, 4000}}, 50000},
    {{{100000, 50050, 100100}, {200000, 150010, 200020}, {300000, 250400, 301000}}, -50000},
    // One round in which it is certainly behind is enough.
    {{{1000, 1050, 1100}, {2000, 1900, 2020}, {3000, 3050, 3100}}, -75},
    // Numbers that wrap.
    {{{~(u64)0 - 9, 5, 10}, {20, 30, 40}, {50, 60, 70}}, 0},
    {{{1, ~(u64)0 - 98, 1}, {2, ~(u64)0 - 97, 2}, {3, ~(u64)0 - 96, 3}}, -100},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct tsc_skew s = TSC_SKEW_UNKNOWN;
        assert_int_equal(tsc_skew_value(&s), 0);
        for (size_t r = 0; r < 3; r++)
            tsc_skew_add(&s, rows[i].round[r].before, rows[i].round[r].answer,
                         rows[i].round[r].after);
        if (tsc_skew_value(&s) != rows[i].value)
            fail_msg("row %zu: %lld", i, (long long)tsc_skew_value(&s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
