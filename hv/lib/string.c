// SPDX-License-Identifier: MIT
// The C string and memory functions. Bulk work is left to the string instructions: eight bytes a
// step, because emulated processors charge per step and real ones do not mind.
//
// The compiler must not recognise the loops here and turn them into calls of the very functions
// they implement, hence LOOP.
#include "lib/string.h"

#ifdef __clang__
#define LOOP __attribute__((no_builtin))
#else
#define LOOP __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

LOOP void *memcpy(void *dst, const void *src, size_t n)
{
    void *to = dst;
    size_t words = n / 8, tail = n % 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words)::"memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(tail)::"memory");
    return dst;
}

LOOP void *memmove(void *dst, const void *src, size_t n)
{
    // Copying upwards is safe unless dst starts inside the source.
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return memcpy(dst, src, n);
    u8 *d = dst;
    const u8 *s = src;
    while (n--)
        d[n] = s[n];
    return dst;
}

LOOP void *memset(void *dst, int c, size_t n)
{
    void *to = dst;
    size_t words = n / 8, tail = n % 8;
    u64 pattern = (u8)c * 0x0101010101010101ull;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(tail) : "a"(pattern) : "memory");
    return dst;
}

LOOP int memcmp(const void *a, const void *b, size_t n)
{
    const u8 *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

// The standard takes const away from what memchr, strchr and strstr return.
static void *unconst(const void *p)
{
    return (void *)(uintptr_t)p;
}

LOOP void *memchr(const void *s, int c, size_t n)
{
    const u8 *p = s;
    for (size_t i = 0; i < n; i++)
        if (p[i] == (u8)c)
            return unconst(p + i);
    return NULL;
}

LOOP size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

LOOP size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n])
        n++;
    return n;
}

LOOP int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (u8)*a - (u8)*b;
}

LOOP int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return (u8)*a - (u8)*b;
    return 0;
}

LOOP char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (!*s)
            return NULL;
    return unconst(s);
}

LOOP char *strstr(const char *hay, const char *needle)
{
    size_t n = strlen(needle);
    for (;; hay++) {
        if (!strncmp(hay, needle, n))
            return unconst(hay);
        if (!*hay)
            return NULL;
    }
}

LOOP size_t strlcpy(char *dst, const char *src, size_t size)
{
    size_t len = strlen(src);
    if (size) {
        size_t n = len < size ? len : size - 1;
        memcpy(dst, src, n);
        dst[n] = '\0';
    }
    return len;
}
