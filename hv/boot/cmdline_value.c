// SPDX-License-Identifier: MIT
// Values of command-line options (boot/cmdline_value.h).
#include "boot/cmdline_value.h"
#include "lib/printk.h"
#include "lib/string.h"

// ---- Pieces of values ----

char *item_next(char **rest)
{
    char *item = *rest, *comma;

    if (!item)
        return NULL;
    comma = strchr(item, ',');
    if (comma)
        *comma = '\0';
    *rest = comma ? comma + 1 : NULL;
    return item;
}

char name_char(char c)
{
    return c == '_' ? '-' : c;
}

bool name_equal(const char *a, const char *b)
{
    while (*a && name_char(*a) == name_char(*b))
        a++, b++;
    return name_char(*a) == name_char(*b);
}

const char *name_negated(const char *name)
{
    if (strncmp(name, "no", 2) != 0)
        return NULL;
    return name + (name_char(name[2]) == '-' ? 3 : 2);
}

char *value_cut(char *word)
{
    char *equals = strchr(word, '=');

    if (!equals)
        return NULL;
    *equals = '\0';
    return equals + 1;
}

bool bool_parse(const char *s, bool *out)
{
    static const char words[][2][8] = {
        {"0", "1"}, {"no", "yes"}, {"off", "on"}, {"false", "true"}, {"disable", "enable"},
    };

    for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
        for (u32 value = 0; value < 2; value++) {
            if (strcmp(s, words[i][value]) == 0) {
                *out = value;
                return true;
            }
        }
    }
    return false;
}

static u32 digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (u32)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (u32)(c - 'a') + 10 : 16;
}

// Takes a decimal or 0x number off the front of *s. False if there is none or it exceeds 64 bits.
static bool number_take(const char **s, u64 *out)
{
    u32 base = 10, digit = 0;
    u64 n = 0;

    if ((*s)[0] == '0' && ((*s)[1] | 0x20) == 'x') {
        base = 16;
        *s += 2;
    }
    if (digit_value(**s) >= base)
        return false;
    for (; (digit = digit_value(**s)) < base; (*s)++)
        if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit, &n))
            return false;
    *out = n;
    return true;
}

bool number_parse(const char *s, u64 max, u64 *out)
{
    u64 n = 0;

    if (!number_take(&s, &n) || *s || n > max)
        return false;
    *out = n;
    return true;
}

bool size_parse(const char *s, u64 *out)
{
    static const char suffixes[] = "bkmgt";
    u32 power = 1;
    u64 n = 0;

    if (!number_take(&s, &n))
        return false;
    if (*s) {
        const char *suffix = strchr(suffixes, *s | 0x20);

        if (!suffix || !*suffix || s[1])
            return false;
        power = (u32)(suffix - suffixes);
    }
    return !__builtin_mul_overflow(n, (u64)1 << (10 * power), out);
}

const char size_expected[] = "size expected, e.g. 1024M";

// ---- Console options ----

static bool console_item_parse(const char *s, struct options *o)
{
    static const char *const names[] = {
        [CONSOLE_COM1] = "com1", [CONSOLE_COM2] = "com2", [CONSOLE_VGA] = "vga"};

    for (u32 kind = 0; kind < ARRAY_SIZE(names); kind++) {
        size_t len = strlen(names[kind]);
        char half = s[0] ? s[strnlen(s, len)] : 0;
        bool halved = kind != CONSOLE_VGA && (half == 'H' || half == 'L') && !s[len + 1];

        if (strncmp(s, names[kind], len) != 0 || (half && !halved))
            continue;
        if (o->console_count < OPTIONS_CONSOLES_MAX)
            o->console[o->console_count++] = (struct console_option){kind, half};
        return true;
    }
    return false;
}

// Consoles Xen has and we have not.
static bool console_item_foreign(const char *s)
{
    static const char *const names[] = {"pv", "dbgp", "ehci", "xhci"};

    for (u32 i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(s, names[i]) == 0)
            return true;
    return false;
}

const char *option_parse_console(char *value, struct options *o)
{
    struct options chosen = {.console_count = 0};
    bool understood = false;
    char *item;

    while ((item = item_next(&value)) != NULL) {
        if (strcmp(item, "none") == 0) {
            chosen.console_count = 0;
            understood = true;
        } else if (console_item_parse(item, &chosen)) {
            understood = true;
        } else if (console_item_foreign(item)) {
            printk(LOG_INFO, "command line: there is no console '%s' here", item);
            understood = true;
        } else if (understood || value) {
            printk(LOG_WARN, "command line: ignoring '%s' in option 'console'", item);
        }
    }
    if (!understood)
        return "com1, com2, vga or none expected";
    o->console_count = chosen.console_count;
    memcpy(o->console, chosen.console, sizeof(o->console));
    return NULL;
}

// BAUD[/BASE] or auto
static bool uart_baud_parse(char *s, struct uart_options *u)
{
    char *base = strchr(s, '/');
    u64 baud = 0, base_baud = 0;

    if (base) {
        *base++ = '\0';
        if (!number_parse(base, UINT32_MAX, &base_baud) || base_baud == 0)
            return false;
    }
    if (strcmp(s, "auto") != 0 && (!number_parse(s, UINT32_MAX, &baud) || baud == 0))
        return false;
    u->baud = (u32)baud;
    u->base_baud = (u32)base_baud;
    return true;
}

// Data bits, parity, stop bits: 8n1
static bool uart_frame_parse(const char *s, struct uart_options *u)
{
    if (strlen(s) != 3 || s[0] < '5' || s[0] > '8' || !strchr("noems", s[1]) || s[2] < '1' ||
        s[2] > '2')
        return false;
    u->data_bits = (u8)(s[0] - '0');
    u->parity = s[1];
    u->stop_bits = (u8)(s[2] - '0');
    return true;
}

static bool uart_base_parse(const char *s, struct uart_options *u)
{
    u->pci = strcmp(s, "pci") == 0 || strcmp(s, "amt") == 0;
    return u->pci || (number_parse(s, UINT64_MAX, &u->io_base) && u->io_base != 0);
}

static bool uart_irq_parse(const char *s, struct uart_options *u)
{
    u64 irq = 0;

    if (strcmp(s, "msi") == 0)
        return true;
    if (!number_parse(s, 1023, &irq))
        return false;
    u->irq = (u32)irq;
    return true;
}

const struct uart_options uart_defaults[2] = {
    {.data_bits = 8, .parity = 'n', .stop_bits = 1, .io_base = 0x3f8, .irq = 4},
    {.data_bits = 8, .parity = 'n', .stop_bits = 1, .io_base = 0x2f8, .irq = 3}};

// An empty item keeps the default.
static const char *parse_uart(char *value, struct options *o, u32 index)
{
    static const char expected[] = "BAUD|auto[,8n1[,PORT|pci[,IRQ]]] expected";
    struct uart_options u = uart_defaults[index];
    char *baud = item_next(&value), *frame = item_next(&value);
    char *base = item_next(&value), *irq = item_next(&value);

    if (!baud || value || (!*baud && !frame))
        return expected;
    if ((*baud && !uart_baud_parse(baud, &u)) ||
        (frame && *frame && !uart_frame_parse(frame, &u)) ||
        (base && *base && !uart_base_parse(base, &u)) || (irq && *irq && !uart_irq_parse(irq, &u)))
        return expected;
    u.set = true;
    o->com[index] = u;
    return NULL;
}

const char *option_parse_com1(char *value, struct options *o)
{
    return parse_uart(value, o, 0);
}

const char *option_parse_com2(char *value, struct options *o)
{
    return parse_uart(value, o, 1);
}

// The letter, then 'x' if the input is to stay; any other character than a letter: no switching.
const char *option_parse_conswitch(char *value, struct options *o)
{
    if (!value || !*value || (value[1] && (value[1] != 'x' || value[2])))
        return "a letter, then perhaps x, expected";
    o->conswitch = value[0] >= 'a' && value[0] <= 'z' ? value[0] : '\0';
    o->conswitch_stay = value[1] == 'x';
    return NULL;
}

static bool log_level_parse(const char *s, s8 *out)
{
    static const struct {
        const char *name;
        s8 level;
    } levels[] = {
        {"none", -1},       {"error", LOG_ERR},   {"warning", LOG_WARN},
        {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {"all", LOG_GUEST},
    };

    for (u32 i = 0; i < ARRAY_SIZE(levels); i++) {
        if (strcmp(s, levels[i].name) == 0) {
            *out = levels[i].level;
            return true;
        }
    }
    return false;
}

// LEVEL[/RATE-LIMITED LEVEL]
static const char *log_options_parse(char *value, struct log_options *out)
{
    char *slash = value ? strchr(value, '/') : NULL;
    struct log_options l = {-1, -1};

    if (slash)
        *slash = '\0';
    if (!value || !log_level_parse(value, &l.always) ||
        (slash && !log_level_parse(slash + 1, &l.limited)))
        return "none, error, warning, info, debug or all expected";
    l.limited = MAX(l.limited, l.always);
    *out = l;
    return NULL;
}

const char *option_parse_loglvl(char *value, struct options *o)
{
    return log_options_parse(value, &o->loglvl);
}

const char *option_parse_guest_loglvl(char *value, struct options *o)
{
    return log_options_parse(value, &o->guest_loglvl);
}

// ---- Options of dom0 ----

// A size of zero is as good as none.
static bool mem_option_parse(const char *s, struct mem_option *out)
{
    struct mem_option m = {.negative = *s == '-'};

    if (!size_parse(s + m.negative, &m.bytes))
        return false;
    m.set = m.bytes != 0;
    *out = m;
    return true;
}

const char *option_parse_dom0_mem(char *value, struct options *o)
{
    struct mem_option size = {.set = false}, min = size, max = size;
    char *item = item_next(&value);

    if (!item)
        return size_expected;
    for (; item; item = item_next(&value)) {
        bool is_min = strncmp(item, "min:", 4) == 0, is_max = strncmp(item, "max:", 4) == 0;

        if (!mem_option_parse(is_min || is_max ? item + 4 : item, is_min   ? &min
                                                                  : is_max ? &max
                                                                           : &size))
            return size_expected;
    }
    o->dom0_mem = size;
    o->dom0_mem_min = min;
    o->dom0_mem_max = max;
    return NULL;
}

// N, MIN-MAX, MIN-, -MAX
const char *option_parse_dom0_max_vcpus(char *value, struct options *o)
{
    static const char expected[] = "N, MIN-MAX, MIN- or -MAX expected";
    char *dash = value ? strchr(value, '-') : NULL;
    u64 min = 0, max = 0;

    if (!value || strcmp(value, "-") == 0)
        return expected;
    if (dash)
        *dash++ = '\0';
    if ((!dash || *value) && !number_parse(value, UINT32_MAX, &min))
        return expected;
    if (!dash)
        max = min;
    else if (*dash && !number_parse(dash, UINT32_MAX, &max))
        return expected;
    if (max && min > max)
        return expected;
    o->dom0_vcpus_min = (u32)min;
    o->dom0_vcpus_max = (u32)max;
    return NULL;
}

// ---- Other options ----

// Only the first letter of each word counts; of the methods, the last one.
const char *option_parse_reboot(char *value, struct options *o)
{
    static const char expected[] = "acpi, triple, kbd, pci, Power, efi, no, warm or cold expected";
    static const char letters[] = {
        [REBOOT_ACPI] = 'a',  [REBOOT_TRIPLE] = 't', [REBOOT_KEYBOARD] = 'k', [REBOOT_PCI] = 'p',
        [REBOOT_POWER] = 'P', [REBOOT_EFI] = 'e',    [REBOOT_NO] = 'n'};
    bool warm = o->reboot_warm;
    u8 method = o->reboot;
    char *item = item_next(&value);

    if (!item)
        return expected;
    for (; item; item = item_next(&value)) {
        const char *found = *item ? memchr(letters, *item, sizeof(letters)) : NULL;

        if (found)
            method = (u8)(found - letters);
        else if (*item == 'w' || *item == 'c')
            warm = *item == 'w';
        else
            return expected;
    }
    o->reboot = method;
    o->reboot_warm = warm;
    return NULL;
}

const char *option_parse_gnttab(char *value, struct options *o)
{
    static const char expected[] = "max-ver:1 or max-ver:2 expected";
    u32 version = o->gnttab_max_version;
    char *item = item_next(&value);

    if (!item)
        return expected;
    for (; item; item = item_next(&value)) {
        if (strcmp(item, "max-ver:1") == 0 || strcmp(item, "max-ver:2") == 0)
            version = (u32)(item[8] - '0');
        else if (strcmp(item, "transitive") == 0)
            printk(LOG_INFO, "command line: there are no transitive grants here");
        else if (strcmp(item, "no-transitive") != 0)
            return expected;
    }
    o->gnttab_max_version = version;
    return NULL;
}
