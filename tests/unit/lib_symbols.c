// SOURCES: hv/lib/symbols.c
// SPDX-License-Identifier: MIT
// Symbol lookup in a table laid out as scripts/mksyms writes it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "lib/symbols.h"

#define START 0xffff808000100000
#define END   (START + 0x1000)

__asm__(".section .rodata\n"
        ".balign 8\n"
        ".globl symbol_table\n"
        "symbol_table:\n"
        ".quad 0xffff808000100000, 0xffff808000101000\n"
        ".long 3\n"
        ".long 0x10, 0x20, 0x100\n"
        ".asciz \"first\"\n"
        ".asciz \"second.part.0\"\n"
        ".asciz \"last\"\n"
        ".text\n");

static void test_lookup(void **state)
{
    static const struct {
        u64 addr;
        const char *name;
        u64 offset;
    } rows[] = {
        {START + 0x10, "first", 0},         {START + 0x1f, "first", 0xf},
        {START + 0x20, "second.part.0", 0}, {START + 0xff, "second.part.0", 0xdf},
        {START + 0x100, "last", 0},         {END - 1, "last", 0xeff},
    };
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        u64 offset = ~(u64)0;
        assert_string_equal(symbol_lookup(rows[i].addr, &offset), rows[i].name);
        assert_int_equal(offset, rows[i].offset);
    }
}

static void test_outside(void **state)
{
    const u64 addrs[] = {0, START - 1, START, START + 0xf, END, ~(u64)0};
    u64 offset;
    for (u32 i = 0; i < ARRAY_SIZE(addrs); i++)
        assert_null(symbol_lookup(addrs[i], &offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
