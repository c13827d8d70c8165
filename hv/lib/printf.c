// SPDX-License-Identifier: MIT
// snprintf and vsnprintf with the formats lib/printk.h lists. An unknown conversion is printed as
// it stands, so that it is seen.
#include "lib/printk.h"
#include "lib/string.h"

struct out {
    char *buf;
    size_t size;
    size_t len; // what would be there without truncation
};

struct spec {
    bool zero, wide; // padded with zeros; 64 bits
    u32 width;
    u32 precision; // for strings; all ones: none
};

enum { DIGITS_MAX = 20 }; // of 2^64 - 1 in decimal

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void put_repeated(struct out *o, char c, size_t n)
{
    while (n--)
        put(o, c);
}

// `prefix` (a sign, 0x) comes before padding zeros, but after padding blanks.
static void put_field(struct out *o, const struct spec *s, const char *prefix, const char *body,
                      size_t len)
{
    size_t used = strlen(prefix) + len;
    size_t pad = used < s->width ? s->width - used : 0;
    if (!s->zero)
        put_repeated(o, ' ', pad);
    while (*prefix)
        put(o, *prefix++);
    if (s->zero)
        put_repeated(o, '0', pad);
    for (size_t i = 0; i < len; i++)
        put(o, body[i]);
}

static void put_number(struct out *o, const struct spec *s, const char *prefix, u64 v, u32 base)
{
    char text[DIGITS_MAX], *p = text + DIGITS_MAX;
    do {
        *--p = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    put_field(o, s, prefix, p, (size_t)(text + DIGITS_MAX - p));
}

static void put_string(struct out *o, struct spec *s, const char *text)
{
    if (!text)
        text = "(null)";
    s->zero = false;
    put_field(o, s, "", text, strnlen(text, s->precision));
}

static u64 get_unsigned(const struct spec *s, va_list *ap)
{
    return s->wide ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned);
}

static void put_conversion(struct out *o, struct spec *s, char kind, va_list *ap)
{
    s64 v;
    char c;
    switch (kind) {
    case 'd':
        v = s->wide ? va_arg(*ap, long) : va_arg(*ap, int);
        put_number(o, s, v < 0 ? "-" : "", v < 0 ? -(u64)v : (u64)v, 10);
        break;
    case 'u':
        put_number(o, s, "", get_unsigned(s, ap), 10);
        break;
    case 'x':
        put_number(o, s, "", get_unsigned(s, ap), 16);
        break;
    case 'p':
        put_number(o, s, "0x", (uintptr_t)va_arg(*ap, void *), 16);
        break;
    case 's':
        put_string(o, s, va_arg(*ap, const char *));
        break;
    case 'c':
        s->zero = false;
        c = (char)va_arg(*ap, int);
        put_field(o, s, "", &c, 1);
        break;
    case '%':
        put(o, '%');
        break;
    default:
        put(o, '%');
        put(o, kind);
    }
}

static u32 get_count(const char **fmt)
{
    u32 n = 0;
    while (**fmt >= '0' && **fmt <= '9')
        n = n * 10 + (u32)(*(*fmt)++ - '0');
    return n;
}

// Reads zero, width, precision and length; leaves *fmt at the conversion character.
static struct spec get_spec(const char **fmt)
{
    struct spec s = {.precision = ~0u, .zero = **fmt == '0'};
    s.width = get_count(fmt);
    if (**fmt == '.') {
        ++*fmt;
        s.precision = get_count(fmt);
    }
    s.wide = **fmt == 'l' || **fmt == 'z';
    *fmt += s.wide;
    return s;
}

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {.buf = buf, .size = size};
    va_list args;
    va_copy(args, ap);
    while (*fmt) {
        if (*fmt != '%') {
            put(&o, *fmt++);
            continue;
        }
        fmt++;
        struct spec s = get_spec(&fmt);
        if (*fmt)
            put_conversion(&o, &s, *fmt++, &args);
    }
    va_end(args);
    if (size)
        buf[MIN(o.len, size - 1)] = '\0';
    return (int)o.len;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return len;
}
