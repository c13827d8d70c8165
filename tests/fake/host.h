// SPDX-License-Identifier: MIT
// The hypervisor's surroundings on the host: what a unit test, a model or a fuzz target sees
// instead of the machine. Everything is a weak definition, so that a test may link the production
// file, or bring its own, for any part of it.
#ifndef WIRT_TESTS_FAKE_HOST_H
#define WIRT_TESTS_FAKE_HOST_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

// What printk wrote since the last reset, a newline after each line; text beyond the end is lost.
enum { FAKE_LOG_SIZE = 64 * 1024 };
extern char fake_log[FAKE_LOG_SIZE];
void fake_log_reset(void);

// True if the statement calls panic, whose message is then in fake_log. A panic nobody expects
// aborts the program. Locks held at the panic stay held: the test releases them.
#define FAKE_PANICS(statement)                              \
    ({                                                      \
        bool panicked_ = setjmp(*fake_panic_expect()) != 0; \
        if (!panicked_) {                                   \
            statement;                                      \
            fake_panic_unexpect();                          \
        }                                                   \
        panicked_;                                          \
    })
jmp_buf *fake_panic_expect(void);
void fake_panic_unexpect(void);

// heap_alloc succeeds n more times, then fails until the next call of this; -1: never fails.
void fake_heap_fail_after(int n);
// Allocations of heap_alloc that heap_free has not seen.
extern long fake_heap_live;

// Locks this thread holds. Acquiring checks the order of lib/lock_order.h as the hypervisor does.
unsigned fake_locks_held(void);

// Calls of console_input_notify.
extern unsigned fake_input_notified;

#endif
