// SPDX-License-Identifier: MIT
// Opens the console devices that the command line names; stops the machine with a message.
#include "boot/console.h"
#include "boot/globals.h"
#include "cpu/irq.h"
#include "cpu/power.h"
#include "cpu/smp.h"
#include "cpu/time.h"
#include "cpu/traps.h"
#include "io/console.h"
#include "io/ports.h"
#include "io/uart16550.h"
#include "io/vga.h"
#include "mm/layout.h"
#include "sched/timer.h"

enum { POLL_NS = 20000000, TICK_NS = 1000000000, COM1_IRQ = 4, COM2_IRQ = 3 };

static struct com {
    struct uart16550 uart;
    bool open;
} com[2];
static struct vga_text vga;
static struct timer poll;
static u64 last_tick;

static void open_com(const struct options *o, u32 n)
{
    com[n].open = uart16550_init(&com[n].uart, &o->com[n]);
    if (com[n].open)
        ports_reserve(o->com[n].port, 8);
}

void console_open(const struct options *o)
{
    console_set_levels(o->loglvl.always, o->guest_loglvl.limited);
    console_set_switch(o->conswitch, o->conswitch_stay);
    if (o->consoles & CONSOLE_COM1)
        open_com(o, 0);
    if (o->consoles & CONSOLE_COM2)
        open_com(o, 1);
    if (o->consoles & CONSOLE_VGA && !boot_info.efi)
        vga_init(&vga, (void *)(DIRECTMAP_BASE + VGA_MADDR));
}

void console_release_vga(void)
{
    console_unregister(&vga.dev);
}

static void drain(void *arg)
{
    struct com *c = arg;
    uart16550_drain(&c->uart);
}

// Input also comes by polling: not every machine wires the port's interrupt.
static void poll_input(void *arg)
{
    u64 now = time_now();
    for (u32 i = 0; i < ARRAY_SIZE(com); i++)
        if (com[i].open)
            uart16550_drain(&com[i].uart);
    if (now - last_tick >= TICK_NS) {
        console_tick();
        last_tick = now;
    }
    timer_set(&poll, now + POLL_NS);
}

void console_start_input(void)
{
    static const u32 gsi[2] = {COM1_IRQ, COM2_IRQ};
    for (u32 i = 0; i < ARRAY_SIZE(com); i++)
        if (com[i].open && irq_request_gsi(gsi[i], drain, &com[i]) == 0)
            uart16550_enable_irq(&com[i].uart);
    timer_init(&poll, poll_input, NULL);
    timer_set(&poll, time_now() + POLL_NS);
}

void panic(const char *fmt, ...)
{
    static bool again;
    va_list ap;
    char line[256];
    console_force_unlock();
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    printk(LOG_ERR, "panic: %s", line);
    if (!again) {
        again = true;
        trap_print_state(NULL);
    }
    if (options.noreboot)
        machine_halt();
    machine_reboot();
}
