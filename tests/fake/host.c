// SPDX-License-Identifier: MIT
// The hypervisor's surroundings on the host, see host.h.
#include "fake/host.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/spinlock.h"
#include "io/console.h"
#include "lib/printk.h"
#include "lib/string.h"
#include "mm/heap.h"

#define WEAK __attribute__((weak))

enum { LOCKS_MAX = 16, SPINS_MAX = 1000 * 1000 };

// Log.

char fake_log[FAKE_LOG_SIZE];
static size_t log_len;

void fake_log_reset(void)
{
    log_len = 0;
    fake_log[0] = '\0';
}

static void log_advance(int len)
{
    log_len = MIN(log_len + (size_t)len, sizeof(fake_log) - 1);
}

static void log_line(const char *fmt, va_list ap)
{
    log_advance(vsnprintf(fake_log + log_len, sizeof(fake_log) - log_len, fmt, ap));
    log_advance(snprintf(fake_log + log_len, sizeof(fake_log) - log_len, "\n"));
}

WEAK void vprintk(UNUSED enum log_level level, const char *fmt, va_list ap)
{
    log_line(fmt, ap);
}

WEAK void printk(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprintk(level, fmt, ap);
    va_end(ap);
}

// Panic.

static _Thread_local const spinlock_t *locks[LOCKS_MAX];
static _Thread_local unsigned locks_held;
static _Thread_local jmp_buf panic_catch;
static _Thread_local bool panic_expected;

jmp_buf *fake_panic_expect(void)
{
    panic_expected = true;
    return &panic_catch;
}

void fake_panic_unexpect(void)
{
    panic_expected = false;
}

WEAK void panic(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (!panic_expected) {
        fprintf(stderr, "panic: ");
        vfprintf(stderr, fmt, ap);
        fprintf(stderr, "\n");
        fflush(NULL); // the results so far
        abort();
    }
    log_line(fmt, ap);
    va_end(ap);
    panic_expected = false;
    longjmp(panic_catch, 1);
}

// Heap.

static int heap_credit = -1;
long fake_heap_live;

void fake_heap_fail_after(int n)
{
    heap_credit = n;
}

WEAK void *heap_alloc(size_t size)
{
    if (heap_credit == 0)
        return NULL;
    if (heap_credit > 0)
        heap_credit--;
    void *p = NULL;
    if (posix_memalign(&p, size >= PAGE_SIZE ? PAGE_SIZE : 16, size))
        abort();
    fake_heap_live++;
    return memset(p, 0, size);
}

WEAK void heap_free(void *p)
{
    fake_heap_live -= p != NULL;
    free(p);
}

// Locks.

unsigned fake_locks_held(void)
{
    return locks_held;
}

WEAK void lock_order_acquire(const spinlock_t *l)
{
    for (unsigned i = 0; i < locks_held; i++) {
        if (locks[i] == l)
            panic("lock %u is held already", l->order);
        if (locks[i]->order > l->order)
            panic("lock %u is taken with %u held", l->order, locks[i]->order);
    }
    if (locks_held == LOCKS_MAX)
        panic("too many locks");
    locks[locks_held++] = l;
}

WEAK void lock_order_release(const spinlock_t *l)
{
    for (unsigned i = 0; i < locks_held; i++) {
        if (locks[i] == l) {
            locks[i] = locks[--locks_held];
            return;
        }
    }
    panic("lock %u is not held", l->order);
}

void spin_wait_turn(spinlock_t *l, u16 ticket)
{
    while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
        spin_wait();
}

WEAK void spin_wait(void)
{
    static _Thread_local unsigned spins;
    if (++spins > SPINS_MAX)
        panic("waiting for a lock for ever");
    sched_yield();
}

// Console.

unsigned fake_input_notified;

WEAK void console_input_notify(void)
{
    fake_input_notified++;
}

// The one function of lib/string.h that the host's C library lacks.
WEAK size_t strlcpy(char *dst, const char *src, size_t size)
{
    return (size_t)snprintf(dst, size, "%s", src);
}
