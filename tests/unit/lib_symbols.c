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
        ".long 4\n"
        ".ascii \"st\"\n"  // 128
        ".byte 128, '_'\n" // 129: st_
        ".byte 129, 129\n" // 130: st_st_
        ".skip 250\n"
        ".byte 0x10\n"
        ".ascii \"fir\"\n"
        ".byte 128, 0\n"
        ".byte 0x10\n"
        ".asciz \"second.part.0\"\n"
        ".byte 0xe0, 0x01\n"
        ".ascii \"la\"\n"
        ".byte 128, 0\n"
        ".byte 0x80, 0x04\n"
        ".fill 11, 1, 130\n"
        ".byte 0\n"
        ".text\n");

// 66 characters, of which 63 fit.
#define LONG "st_st_st_st_st_st_st_st_st_st_st_st_st_st_st_st_st_st_st_st_st_"

static void test_lookup(void **state)
{
    static const struct {
        u64 addr;
        const char *name;
        u64 offset;
    } rows[] = {
        {START + 0x10, "first", 0},         {START + 0x1f, "first", 0xf},
        {START + 0x20, "second.part.0", 0}, {START + 0xff, "second.part.0", 0xdf},
        {START + 0x100, "last", 0},         {START + 0x2ff, "last", 0x1ff},
        {START + 0x300, LONG, 0},           {END - 1, LONG, 0xcff},
    };
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        u64 offset = ~(u64)0;
        char name[SYMBOL_NAME_BYTES];
        assert_string_equal(symbol_lookup(rows[i].addr, &offset, name), rows[i].name);
        assert_int_equal(offset, rows[i].offset);
    }
}

static void test_outside(void **state)
{
    const u64 addrs[] = {0, START - 1, START, START + 0xf, END, ~(u64)0};
    u64 offset;
    char name[SYMBOL_NAME_BYTES];
    for (u32 i = 0; i < ARRAY_SIZE(addrs); i++)
        assert_null(symbol_lookup(addrs[i], &offset, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),
        cmocka_unit_test(test_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
