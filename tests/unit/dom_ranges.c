// SOURCES: hv/dom/ranges.c
// SPDX-License-Identifier: MIT
// Sets as ranges against a plain bit array, after random additions and removals, with the shape of
// the set checked each time; refusals.
#include <setjmp.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "abi/errno.h"
#include "dom/ranges.h"
#include "mm/heap.h"

enum { NUMBERS = 64, STEPS = 20000 };

static bool no_memory;

void *heap_alloc(size_t size)
{
    return no_memory ? NULL : calloc(1, size);
}

void heap_free(void *p)
{
    free(p);
}

static void check(const struct ranges *s, const bool *in)
{
    for (u32 i = 0; i < s->count; i++) {
        assert_true(s->range[i].first < s->range[i].end);
        if (i > 0)
            assert_true(s->range[i - 1].end < s->range[i].first);
    }
    for (u32 first = 0; first < NUMBERS; first++) {
        bool all = true;
        for (u32 n = 1; first + n <= NUMBERS; n++) {
            all = all && in[first + n - 1];
            assert_int_equal(ranges_has(s, first, n), all);
        }
    }
}

static void test_random(void **state)
{
    struct ranges s = {0};
    bool in[NUMBERS] = {0};
    srand(1);
    for (u32 step = 0; step < STEPS; step++) {
        u32 first = (u32)rand() % NUMBERS, n = 1 + (u32)rand() % MIN(8u, NUMBERS - first);
        n = MIN(n, NUMBERS - first);
        bool add = rand() & 1;
        assert_int_equal(add ? ranges_add(&s, first, n) : ranges_remove(&s, first, n), 0);
        for (u32 i = first; i < first + n; i++)
            in[i] = add;
        if (step % 16 == 0)
            check(&s, in);
    }
    ranges_free(&s);
    assert_false(ranges_has(&s, 0, 1));
    (void)state;
}

static void test_refusals(void **state)
{
    struct ranges s = {0};
    assert_int_equal(ranges_add(&s, 5, 0), -EINVAL);
    assert_int_equal(ranges_add(&s, ~(u64)0, 2), -EINVAL);
    assert_int_equal(ranges_remove(&s, ~(u64)0, 2), -EINVAL);
    assert_int_equal(ranges_remove(&s, 1, 1), 0);
    no_memory = true;
    assert_int_equal(ranges_add(&s, 5, 1), -ENOMEM);
    no_memory = false;
    assert_false(ranges_has(&s, 5, 1));
    u32 n = 0;
    while (ranges_add(&s, n * 2, 1) == 0)
        n++;
    assert_int_equal(n, RANGES_MAX);
    assert_false(ranges_has(&s, n * 2, 1));
    assert_int_equal(ranges_add(&s, 1, 1), 0); // joins two
    assert_true(ranges_has(&s, 0, 3));
    ranges_free(&s);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
