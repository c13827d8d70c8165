// SPDX-License-Identifier: MIT
// snprintf and vsnprintf with the formats lib/printk.h lists, and `*` for width and precision. An
// unknown conversion is printed as it stands, so that it is seen.
#include "lib/printk.h"
#include "lib/string.h"

struct out {
    char *buf;
    size_t size;
    size_t len; // what would be there without truncation
};

enum length { LEN_CHAR, LEN_SHORT, LEN_INT, LEN_LONG };

struct spec {
    bool left, zero;
    u32 width;
    u32 precision; // for strings; all ones: none
    enum length length;
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
    if (!s->left && !s->zero)
        put_repeated(o, ' ', pad);
    while (*prefix)
        put(o, *prefix++);
    if (!s->left && s->zero)
        put_repeated(o, '0', pad);
    for (size_t i = 0; i < len; i++)
        put(o, body[i]);
    if (s->left)
        put_repeated(o, ' ', pad);
}

static void put_number(struct out *o, const struct spec *s, const char *prefix, u64 v, u32 base,
                       const char *digits)
{
    char text[DIGITS_MAX], *p = text + DIGITS_MAX;
    do {
        *--p = digits[v % base];
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

static s64 get_signed(enum length length, va_list *ap)
{
    if (length == LEN_LONG)
        return va_arg(*ap, long);
    int v = va_arg(*ap, int);
    return length == LEN_CHAR ? (signed char)v : length == LEN_SHORT ? (short)v : v;
}

static u64 get_unsigned(enum length length, va_list *ap)
{
    if (length == LEN_LONG)
        return va_arg(*ap, unsigned long);
    unsigned v = va_arg(*ap, unsigned);
    return length == LEN_CHAR ? (u8)v : length == LEN_SHORT ? (u16)v : v;
}

static void put_signed(struct out *o, const struct spec *s, s64 v)
{
    u64 magnitude = v < 0 ? -(u64)v : (u64)v;
    put_number(o, s, v < 0 ? "-" : "", magnitude, 10, "0123456789");
}

static void put_conversion(struct out *o, struct spec *s, char kind, va_list *ap)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    char c;
    switch (kind) {
    case 'd':
    case 'i':
        put_signed(o, s, get_signed(s->length, ap));
        break;
    case 'u':
        put_number(o, s, "", get_unsigned(s->length, ap), 10, lower);
        break;
    case 'x':
        put_number(o, s, "", get_unsigned(s->length, ap), 16, lower);
        break;
    case 'X':
        put_number(o, s, "", get_unsigned(s->length, ap), 16, upper);
        break;
    case 'p':
        put_number(o, s, "0x", (uintptr_t)va_arg(*ap, void *), 16, lower);
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

static u32 get_count(const char **fmt, va_list *ap)
{
    u32 n = 0;
    if (**fmt == '*') {
        ++*fmt;
        int given = va_arg(*ap, int);
        return given < 0 ? 0 : (u32)given;
    }
    while (**fmt >= '0' && **fmt <= '9')
        n = n * 10 + (u32)(*(*fmt)++ - '0');
    return n;
}

static enum length get_length(const char **fmt)
{
    enum length length = LEN_INT;
    for (;; ++*fmt) {
        if (**fmt == 'h')
            length = length == LEN_SHORT ? LEN_CHAR : LEN_SHORT;
        else if (**fmt == 'l' || **fmt == 'z')
            length = LEN_LONG;
        else
            return length;
    }
}

// Reads flags, width, precision and length; leaves *fmt at the conversion character.
static struct spec get_spec(const char **fmt, va_list *ap)
{
    struct spec s = {.precision = ~0u};
    for (;; ++*fmt) {
        if (**fmt == '-')
            s.left = true;
        else if (**fmt == '0')
            s.zero = true;
        else
            break;
    }
    s.width = get_count(fmt, ap);
    if (**fmt == '.') {
        ++*fmt;
        s.precision = get_count(fmt, ap);
    }
    s.length = get_length(fmt);
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
        struct spec s = get_spec(&fmt, &args);
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
