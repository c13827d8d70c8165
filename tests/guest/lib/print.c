// SPDX-License-Identifier: MIT
// Strings, formatted output and the emergency console.
#include "lib/guest.h"
#include <xen/io/console.h>

void *memset(void *dst, int byte, size_t n)
{
    void *d = dst;

    asm volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(byte) : "memory");
    return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
    void *d = dst;

    asm volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

bool str_starts(const char *s, const char *prefix)
{
    while (*prefix) {
        if (*s++ != *prefix++)
            return false;
    }
    return true;
}

bool str_contains(const char *hay, const char *needle)
{
    for (; *hay; hay++) {
        if (str_starts(hay, needle))
            return true;
    }
    return false;
}

struct out {
    char *buf;
    size_t size, len;
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void put_padded(struct out *o, const char *s, int width, char pad)
{
    for (int i = (int)strlen(s); i < width; i++)
        put(o, pad);
    while (*s)
        put(o, *s++);
}

static void put_number(struct out *o, uint64_t v, unsigned int base, bool negative, int width,
                       char pad)
{
    char text[24];
    char *p = text + sizeof(text);

    *--p = '\0';
    do {
        *--p = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    if (negative)
        *--p = '-';
    put_padded(o, p, width, pad);
}

// One conversion; fmt points behind '%'. Known: [0][width][l|z]{d,u,x,s,c,p,%}.
static const char *convert(struct out *o, const char *fmt, va_list *args)
{
    char pad = ' ';
    int width = 0;
    bool wide = false;

    if (*fmt == '0')
        pad = *fmt++;
    while (*fmt >= '0' && *fmt <= '9')
        width = width * 10 + (*fmt++ - '0');
    while (*fmt == 'l' || *fmt == 'z') {
        wide = true;
        fmt++;
    }
    switch (*fmt) {
    case 'd': {
        long v = wide ? va_arg(*args, long) : va_arg(*args, int);

        put_number(o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0, width, pad);
        break;
    }
    case 'u':
    case 'x': {
        uint64_t v = wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int);

        put_number(o, v, *fmt == 'x' ? 16 : 10, false, width, pad);
        break;
    }
    case 'p':
        put_number(o, (uint64_t)va_arg(*args, void *), 16, false, width, pad);
        break;
    case 's':
        put_padded(o, va_arg(*args, const char *), width, ' ');
        break;
    case 'c':
        put(o, (char)va_arg(*args, int));
        break;
    default:
        put(o, *fmt);
        break;
    }
    return fmt + 1;
}

int vsnprintk(char *buf, size_t size, const char *fmt, va_list args)
{
    struct out o = {buf, size, 0};
    va_list copy;

    va_copy(copy, args);
    while (*fmt) {
        if (*fmt == '%')
            fmt = convert(&o, fmt + 1, &copy);
        else
            put(&o, *fmt++);
    }
    va_end(copy);
    buf[o.len < size ? o.len : size - 1] = '\0';
    return (int)o.len;
}

// A domU's console is a ring that dom0 reads; what does not fit is lost.
static void ring_write(const char *s)
{
    struct xencons_interface *ring = pfn_to_va(mfn_to_pfn(start_info->console.domU.mfn));
    XENCONS_RING_IDX prod = ring->out_prod;

    for (; *s && prod - READ_ONCE(ring->out_cons) < sizeof(ring->out); s++)
        ring->out[MASK_XENCONS_IDX(prod++, ring->out)] = *s;
    asm volatile("" : : : "memory");
    WRITE_ONCE(ring->out_prod, prod);
}

void printk(const char *fmt, ...)
{
    char line[512];
    va_list args;

    va_start(args, fmt);
    vsnprintk(line, sizeof(line), fmt, args);
    va_end(args);
    if (is_domu())
        ring_write(line);
    else
        hc_console_io(CONSOLEIO_write, (unsigned int)strlen(line), line);
}
