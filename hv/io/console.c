// SPDX-License-Identifier: MIT
// The console: log ring, output devices, input.
//
// 1. One lock orders everything: a line is formatted before it is taken and appears whole, in the
//    ring and on every device.
// 2. Nothing here needs memory, other CPUs or interrupts, so it works from the first line of C.
// 3. Handlers of debug keys and the notification of dom0 run after the lock is dropped.
#include "io/console.h"

#include "cpu/spinlock.h"
#include "lib/string.h"

enum {
    RING_SIZE = 32 * 1024,
    INPUT_SIZE = 1024,
    LINE_MAX = 512, // longer lines are cut
    DEVICES_MAX = 4,
    KEYS = 128,
    GUEST_LINES = 16, // LOG_GUEST lines per tick
    SWITCH_COUNT = 3,
};

STATIC_ASSERT((RING_SIZE & (RING_SIZE - 1)) == 0);
STATIC_ASSERT((INPUT_SIZE & (INPUT_SIZE - 1)) == 0);

static const char prefix[] = "(WIRT) ";

static spinlock_t lock = SPINLOCK_INIT(LOCK_CONSOLE);
static bool lock_broken;

static struct console_dev *devices[DEVICES_MAX];
static int level_shown = LOG_INFO, guest_level_shown = -1;
static bool within_line; // the last byte shown was not a newline

static char ring[RING_SIZE];
static u32 ring_first, ring_end; // numbers of the oldest byte and of the next one

static u32 guest_lines = GUEST_LINES, guest_lines_lost;

static char input[INPUT_SIZE];
static u32 input_first, input_end;
static bool input_to_keys;
static char switch_letter = 'A'; // with Ctrl; 0: input is never switched
static u32 switch_seen;          // switch keys in a row

static struct {
    void (*fn)(void *arg);
    void *arg;
    const char *desc;
} keys[KEYS];

static void console_lock(void)
{
    if (!READ_ONCE(lock_broken))
        spin_lock(&lock);
}

static void console_unlock(void)
{
    if (!READ_ONCE(lock_broken))
        spin_unlock(&lock);
}

void console_force_unlock(void)
{
    WRITE_ONCE(lock_broken, true);
}

static void ring_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ring[ring_end++ % RING_SIZE] = text[i];
    if (ring_end - ring_first > RING_SIZE)
        ring_first = ring_end - RING_SIZE;
}

static void devices_write(const char *text, size_t len)
{
    if (!len)
        return;
    for (u32 i = 0; i < DEVICES_MAX; i++)
        if (devices[i])
            devices[i]->write(devices[i], text, len);
    within_line = text[len - 1] != '\n';
}

static bool is_shown(enum log_level level)
{
    return level == LOG_GUEST ? guest_level_shown >= LOG_GUEST : (int)level <= level_shown;
}

// One line without its newline.
static void line_write(enum log_level level, const char *text, size_t len)
{
    ring_write(prefix, sizeof(prefix) - 1);
    ring_write(text, len);
    ring_write("\n", 1);
    if (!is_shown(level))
        return;
    if (within_line)
        devices_write("\n", 1);
    devices_write(prefix, sizeof(prefix) - 1);
    devices_write(text, len);
    devices_write("\n", 1);
}

static bool may_print(enum log_level level)
{
    if (level != LOG_GUEST)
        return true;
    if (guest_lines) {
        guest_lines--;
        return true;
    }
    guest_lines_lost++;
    return false;
}

static void text_write(enum log_level level, const char *text)
{
    for (;;) {
        const char *end = strchr(text, '\n');
        size_t len = end ? (size_t)(end - text) : strlen(text);
        line_write(level, text, len);
        if (!end || !end[1])
            return;
        text = end + 1;
    }
}

void vprintk(enum log_level level, const char *fmt, va_list ap)
{
    char text[LINE_MAX];
    vsnprintf(text, sizeof(text), fmt, ap);
    console_lock();
    if (may_print(level))
        text_write(level, text);
    console_unlock();
}

void printk(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprintk(level, fmt, ap);
    va_end(ap);
}

void console_tick(void)
{
    console_lock();
    u32 lost = guest_lines_lost;
    guest_lines_lost = 0;
    guest_lines = GUEST_LINES;
    console_unlock();
    if (lost)
        printk(LOG_GUEST, "%u lines about guests left out", lost);
}

void console_set_levels(int level, int guest_level)
{
    console_lock();
    level_shown = level;
    guest_level_shown = guest_level;
    console_unlock();
}

void console_write_guest(const char *text, size_t len)
{
    console_lock();
    devices_write(text, len);
    console_unlock();
}

// Gives the device everything the ring holds, which wraps at most once.
static void device_replay(struct console_dev *dev)
{
    u32 at = ring_first % RING_SIZE, len = ring_end - ring_first;
    u32 head = MIN(len, RING_SIZE - at);
    dev->write(dev, ring + at, head);
    dev->write(dev, ring, len - head);
}

void console_register(struct console_dev *dev)
{
    console_lock();
    for (u32 i = 0; i < DEVICES_MAX; i++) {
        if (devices[i])
            continue;
        devices[i] = dev;
        device_replay(dev);
        break;
    }
    console_unlock();
}

void console_unregister(struct console_dev *dev)
{
    console_lock();
    for (u32 i = 0; i < DEVICES_MAX; i++)
        if (devices[i] == dev)
            devices[i] = NULL;
    console_unlock();
}

u32 console_ring_read(char *buf, u32 bytes, u32 *index)
{
    console_lock();
    if (ring_end - *index > ring_end - ring_first)
        *index = ring_first;
    u32 n = MIN(bytes, ring_end - *index);
    for (u32 i = 0; i < n; i++)
        buf[i] = ring[(*index)++ % RING_SIZE];
    console_unlock();
    return n;
}

u32 console_ring_first(void)
{
    return READ_ONCE(ring_first);
}

void console_ring_clear(u32 index)
{
    console_lock();
    if (ring_end - index <= ring_end - ring_first)
        ring_first = index;
    console_unlock();
}

void console_set_switch(char letter, bool to_keys)
{
    console_lock();
    switch_letter = letter ? (char)(letter & ~0x20) : '\0';
    switch_seen = 0;
    input_to_keys = to_keys;
    console_unlock();
}

// True if c completes the switch sequence.
static bool is_switch(char c)
{
    switch_seen = switch_letter && c == switch_letter - '@' ? switch_seen + 1 : 0;
    if (switch_seen < SWITCH_COUNT)
        return false;
    switch_seen = 0;
    input_to_keys = !input_to_keys;
    return true;
}

// What does not fit is lost, as on any serial line.
static void input_write(char c)
{
    if (input_end - input_first < INPUT_SIZE)
        input[input_end++ % INPUT_SIZE] = c;
}

void console_rx(char c)
{
    console_lock();
    bool switched = is_switch(c), to_keys = input_to_keys;
    if (!switched && !to_keys)
        input_write(c);
    console_unlock();
    if (switched)
        printk(LOG_ERR, "input goes to %s (three Ctrl-%c switch)",
               to_keys ? "Wirt, 'h' for help" : "dom0", switch_letter);
    else if (to_keys)
        console_key_press(c);
    else
        console_input_notify();
}

size_t console_input_read(char *buf, size_t len)
{
    size_t n = 0;
    console_lock();
    while (n < len && input_first != input_end)
        buf[n++] = input[input_first++ % INPUT_SIZE];
    console_unlock();
    return n;
}

void console_key_register(char key, void (*fn)(void *arg), void *arg, const char *desc)
{
    BUG_ON((u8)key >= KEYS);
    keys[(u8)key] = (__typeof__(keys[0])){fn, arg, desc};
}

static void keys_list(void)
{
    for (u32 key = 0; key < KEYS; key++)
        if (keys[key].fn)
            printk(LOG_ERR, "key '%c': %s", (char)key, keys[key].desc);
}

void console_key_press(char key)
{
    if (key == 'h')
        keys_list();
    else if ((u8)key < KEYS && keys[(u8)key].fn)
        keys[(u8)key].fn(keys[(u8)key].arg);
}
