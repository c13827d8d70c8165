// SPDX-License-Identifier: MIT
// Parses the boot command line: a table of options, one parser per type of value.
//
//  1. Each word is copied before it is parsed, so parsers may split it in place.
//  2. A parser either understands the whole value and stores it, or stores nothing and says what it
//     expected. Only lists of flags are taken item by item.
//  3. Numbers that do not fit are malformed, never truncated.
#include "boot/cmdline.h"
#include "lib/printk.h"
#include "lib/string.h"

enum { WORD_BYTES = 256 };

#define NO_FIELD      (~(u32)0)
#define FIELD(member) ((u32)offsetof(struct options, member))

// ---- Pieces of values ----

// Cuts the next item off a comma list; NULL at its end.
static char *item_next(char **rest)
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

static char name_char(char c)
{
    return c == '_' ? '-' : c;
}

static bool name_equal(const char *a, const char *b)
{
    while (*a && name_char(*a) == name_char(*b))
        a++, b++;
    return name_char(*a) == name_char(*b);
}

// "no-name" and "noname": returns the name, or NULL if it does not begin like that.
static const char *name_negated(const char *name)
{
    if (strncmp(name, "no", 2) != 0)
        return NULL;
    return name + (name_char(name[2]) == '-' ? 3 : 2);
}

// Cuts "name=value"; returns the value, or NULL if there is no '='.
static char *value_cut(char *word)
{
    char *equals = strchr(word, '=');

    if (!equals)
        return NULL;
    *equals = '\0';
    return equals + 1;
}

static bool bool_parse(const char *s, bool *out)
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

static bool number_parse(const char *s, u64 max, u64 *out)
{
    u64 n = 0;

    if (!number_take(&s, &n) || *s || n > max)
        return false;
    *out = n;
    return true;
}

// A size in bytes: a number with suffix B, K, M, G or T; K if there is none.
static bool size_parse(const char *s, u64 *out)
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

// ---- The table's types ----

// A word that sets the u8 or bool at `field` to `value`; its negation sets it to zero. NO_FIELD:
// known, without effect.
struct flag {
    const char *name; // NULL ends the table
    u32 field;
    u8 value;
};

enum option_type {
    OPTION_FLAGS, // boolean for `field`, and a list of `flags`
    OPTION_NUMBER,
    OPTION_SIZE,
    OPTION_TEXT,
    OPTION_OTHER, // `parse` knows
};

struct option {
    const char *name;
    enum option_type type;
    u32 field;
    u32 max;                  // OPTION_NUMBER
    const struct flag *flags; // OPTION_FLAGS; NULL: only a boolean
    // Returns NULL, or what it expected.
    const char *(*parse)(char *value, struct options *o);
    const char *help;
};

static u8 *field_at(struct options *o, u32 field)
{
    return (u8 *)o + field;
}

static const struct flag *flag_find(const struct flag *flags, const char *name)
{
    for (; flags && flags->name; flags++)
        if (name_equal(flags->name, name))
            return flags;
    return NULL;
}

// name, no-name, name=bool; name=word if the table has that
static bool flag_parse(const struct flag *flags, char *item, struct options *o)
{
    const struct flag *flag = flag_find(flags, item);
    const char *value = flag ? NULL : value_cut(item), *name = item;
    bool on = true, negated = false;

    if (!flag)
        flag = flag_find(flags, name);

    if (!flag && (name = name_negated(item)) != NULL) {
        flag = flag_find(flags, name);
        negated = true;
    }
    if (!flag || (value && flag->field != NO_FIELD && !bool_parse(value, &on)))
        return false;
    if (flag->field != NO_FIELD)
        *field_at(o, flag->field) = on != negated ? flag->value : 0;
    return true;
}

static const char *parse_flags(const struct option *opt, char *value, bool negated,
                               struct options *o)
{
    const char *expected = opt->flags ? "boolean or one of its words expected" : "boolean expected";
    bool on = true, understood = false;
    char *item;

    if (!value || negated) {
        if (opt->field == NO_FIELD || (value && !bool_parse(value, &on)))
            return expected;
        *field_at(o, opt->field) = on != negated;
        return NULL;
    }
    while ((item = item_next(&value)) != NULL) {
        if (opt->field != NO_FIELD && bool_parse(item, &on)) {
            *field_at(o, opt->field) = on;
            understood = true;
        } else if (flag_parse(opt->flags, item, o)) {
            understood = true;
        } else if (understood || value) {
            printk(LOG_WARN, "command line: ignoring '%s' in option '%s'", item, opt->name);
        }
    }
    return understood ? NULL : expected;
}

static const char *parse_number(const struct option *opt, const char *value, struct options *o)
{
    u64 n = 0;
    u32 n32;

    if (!value || !number_parse(value, opt->max, &n))
        return "number expected, and not so large";
    n32 = (u32)n;
    memcpy(field_at(o, opt->field), &n32, sizeof(n32));
    return NULL;
}

static const char size_expected[] = "size expected, e.g. 1024M";

static const char *parse_size(const struct option *opt, const char *value, struct options *o)
{
    u64 n = 0;

    if (!value || !size_parse(value, &n))
        return size_expected;
    memcpy(field_at(o, opt->field), &n, sizeof(n));
    return NULL;
}

static const char *parse_text(const struct option *opt, const char *value, struct options *o)
{
    if (!value || !*value || strlen(value) >= OPTIONS_TEXT_BYTES)
        return "a word of at most 31 letters expected";
    strlcpy((char *)field_at(o, opt->field), value, OPTIONS_TEXT_BYTES);
    return NULL;
}

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

static const char *parse_console(char *value, struct options *o)
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

static const struct uart_options uart_defaults[2] = {
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

static const char *parse_com1(char *value, struct options *o)
{
    return parse_uart(value, o, 0);
}

static const char *parse_com2(char *value, struct options *o)
{
    return parse_uart(value, o, 1);
}

// The letter, then 'x' if the input is to stay; any other character than a letter: no switching.
static const char *parse_conswitch(char *value, struct options *o)
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

static const char *parse_loglvl(char *value, struct options *o)
{
    return log_options_parse(value, &o->loglvl);
}

static const char *parse_guest_loglvl(char *value, struct options *o)
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

static const char *parse_dom0_mem(char *value, struct options *o)
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
static const char *parse_dom0_max_vcpus(char *value, struct options *o)
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
static const char *parse_reboot(char *value, struct options *o)
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

static const char *parse_gnttab(char *value, struct options *o)
{
    static const char expected[] = "max-ver:1 or max-ver:2 expected";
    u32 version = o->gnttab_max_version;
    char *item = item_next(&value);

    if (!item)
        return expected;
    for (; item; item = item_next(&value)) {
        if (strcmp(item, "max-ver:1") == 0 || strcmp(item, "max-ver:2") == 0)
            version = (u32)(item[8] - '0');
        else if (strcmp(item, "transitive") != 0 && strcmp(item, "no-transitive") != 0)
            return expected;
    }
    o->gnttab_max_version = version;
    return NULL;
}

// ---- The table ----

static const struct flag acpi_flags[] = {
    {"force", FIELD(acpi), 1},
    {"strict", FIELD(acpi), 1},
    {"ht", FIELD(acpi), 1},
    {"noirq", FIELD(acpi), 1},
    {NULL, 0, 0},
};

static const struct flag apic_flags[] = {
    {"bigsmp", FIELD(apic), 1},
    {"default", FIELD(apic), 1},
    {NULL, 0, 0},
};

static const struct flag clock_flags[] = {
    {"pit", FIELD(clocksource), CLOCK_PIT},
    {"hpet", FIELD(clocksource), CLOCK_HPET},
    {"acpi", FIELD(clocksource), CLOCK_ACPI},
    {"tsc", FIELD(clocksource), CLOCK_TSC},
    {NULL, 0, 0},
};

static const struct flag dom0_flags[] = {
    {"pv", FIELD(dom0_kind), DOM0_PV}, {"pvh", FIELD(dom0_kind), DOM0_PVH},
    {"shadow", FIELD(dom0_shadow), 1}, {"verbose", FIELD(dom0_verbose), 1},
    {"cpuid-faulting", NO_FIELD, 0},   {"msr-relaxed", NO_FIELD, 0},
    {"pf-fixup", NO_FIELD, 0},         {NULL, 0, 0},
};

static const struct flag dom0_iommu_flags[] = {
    {"passthrough", FIELD(iommu.dom0_passthrough), 1},
    {"strict", FIELD(iommu.dom0_strict), 1},
    {"map-inclusive", FIELD(iommu.dom0_map_inclusive), 1},
    {"map-reserved", FIELD(iommu.dom0_map_reserved), 1},
    {"none", NO_FIELD, 0},
    {NULL, 0, 0},
};

static const struct flag hpet_flags[] = {
    {"broadcast", NO_FIELD, 0},
    {"legacy-replacement", NO_FIELD, 0},
    {NULL, 0, 0},
};

static const struct flag iommu_flags[] = {
    {"force", FIELD(iommu.force), 1},
    {"required", FIELD(iommu.force), 1},
    {"verbose", FIELD(iommu.verbose), 1},
    {"debug", FIELD(iommu.debug), 1},
    {"intremap", FIELD(iommu.intremap), 1},
    {"quarantine", FIELD(iommu.quarantine), 1},
    {"dom0-passthrough", FIELD(iommu.dom0_passthrough), 1},
    {"passthrough", FIELD(iommu.dom0_passthrough), 1},
    {"dom0-strict", FIELD(iommu.dom0_strict), 1},
    {"pv", NO_FIELD, 0},
    {"intpost", NO_FIELD, 0},
    {"qinval", NO_FIELD, 0},
    {"snoop", NO_FIELD, 0},
    {"sharept", NO_FIELD, 0},
    {"superpages", NO_FIELD, 0},
    {"igfx", NO_FIELD, 0},
    {"crash-disable", NO_FIELD, 0},
    {"workaround-bios-bug", NO_FIELD, 0},
    {"amd-iommu-perdev-intremap", NO_FIELD, 0},
    {NULL, 0, 0},
};

static const struct flag smap_flags[] = {
    {"hvm", FIELD(smap), GUARD_HVM_ONLY},
    {NULL, 0, 0},
};
static const struct flag smep_flags[] = {
    {"hvm", FIELD(smep), GUARD_HVM_ONLY},
    {NULL, 0, 0},
};

#define SPEC_FLAG(name, member)     \
    {                               \
        name, FIELD(spec.member), 1 \
    }
static const struct flag xpti_flags[] = {
    SPEC_FLAG("dom0", xpti_dom0),
    SPEC_FLAG("domu", xpti_domu),
    {"default", NO_FIELD, 0},
    {NULL, 0, 0},
};
static const struct flag l1tf_flags[] = {
    SPEC_FLAG("dom0", l1tf_dom0),
    SPEC_FLAG("domu", l1tf_domu),
    {NULL, 0, 0},
};
static const struct flag spec_flags[] = {
    SPEC_FLAG("xen", xen),
    SPEC_FLAG("pv", pv),
    {"hvm", NO_FIELD, 0},
    SPEC_FLAG("rsb", rsb),
    SPEC_FLAG("verw", verw),
    SPEC_FLAG("md-clear", verw),
    SPEC_FLAG("ibpb-entry", ibpb_entry),
    SPEC_FLAG("bhb-entry", bhb_entry),
    {"bti-thunk=retpoline", FIELD(spec.thunk), THUNK_RETPOLINE},
    {"bti-thunk=lfence", FIELD(spec.thunk), THUNK_LFENCE},
    {"bti-thunk=jmp", FIELD(spec.thunk), THUNK_JMP},
    SPEC_FLAG("ibrs", ibrs),
    SPEC_FLAG("stibp", stibp),
    SPEC_FLAG("ibpb", ibpb),
    SPEC_FLAG("ssbd", ssbd),
    SPEC_FLAG("bhi-dis-s", bhi_dis_s),
    {NULL, 0, 0},
};

static const struct flag watchdog_flags[] = {
    {"force", FIELD(watchdog), WATCHDOG_FORCE},
    {NULL, 0, 0},
};

#define FLAGS_ROW(name, member, flags, help)                    \
    {                                                           \
        name, OPTION_FLAGS, FIELD(member), 0, flags, NULL, help \
    }
#define BOOL_ROW(name, member, help) FLAGS_ROW(name, member, NULL, help)
#define NUMBER_ROW(name, member, max, help)                       \
    {                                                             \
        name, OPTION_NUMBER, FIELD(member), max, NULL, NULL, help \
    }
#define OTHER_ROW(name, parse, help)                       \
    {                                                      \
        name, OPTION_OTHER, NO_FIELD, 0, NULL, parse, help \
    }

static const struct option options[] = {
    FLAGS_ROW("acpi", acpi, acpi_flags, "BOOL: use the ACPI tables"),
    FLAGS_ROW("apic", apic, apic_flags, "BOOL: use the IO-APICs"),
    {"clocksource", OPTION_FLAGS, NO_FIELD, 0, clock_flags, NULL, "pit|hpet|acpi|tsc"},
    OTHER_ROW("com1", parse_com1, "BAUD|auto[,8n1[,PORT|pci[,IRQ]]]: the first serial port"),
    OTHER_ROW("com2", parse_com2, "as com1: the second serial port"),
    OTHER_ROW("console", parse_console, "com1[H|L],com2[H|L],vga|none: where the log goes"),
    OTHER_ROW("conswitch", parse_conswitch, "LETTER[x]: Ctrl-LETTER three times switches input"),
    {"dom0", OPTION_FLAGS, NO_FIELD, 0, dom0_flags, NULL, "pv|pvh,shadow,verbose: dom0's kind"},
    {"dom0-iommu", OPTION_FLAGS, NO_FIELD, 0, dom0_iommu_flags, NULL,
     "passthrough,strict,map-inclusive,map-reserved: what dom0's devices may reach"},
    OTHER_ROW("dom0_max_vcpus", parse_dom0_max_vcpus, "N|MIN-MAX|MIN-|-MAX: dom0's vCPUs"),
    OTHER_ROW("dom0_mem", parse_dom0_mem, "[-]SIZE,min:[-]SIZE,max:[-]SIZE: dom0's memory"),
    BOOL_ROW("dom0_vcpus_pin", dom0_vcpus_pin, "BOOL: each vCPU of dom0 stays on its CPU"),
    OTHER_ROW("gnttab", parse_gnttab, "max-ver:1|2: newest grant table version for guests"),
    NUMBER_ROW("gnttab_max_frames", gnttab_max_frames, 1 << 20, "N: pages of a grant table"),
    NUMBER_ROW("gnttab_max_maptrack_frames", gnttab_max_maptrack_frames, 1 << 20,
               "N: pages to keep track of a domain's grant mappings"),
    OTHER_ROW("guest_loglvl", parse_guest_loglvl, "LEVEL[/LIMITED]: log lines for guests' sake"),
    FLAGS_ROW("hpet", hpet, hpet_flags, "BOOL: use the HPET"),
    FLAGS_ROW("iommu", iommu.enable, iommu_flags, "BOOL,force,verbose,debug,intremap,..."),
    OTHER_ROW("loglvl", parse_loglvl, "none|error|warning|info|debug|all[/LIMITED]"),
    NUMBER_ROW("maxcpus", maxcpus, 4096, "N: start at most so many CPUs; 0: all"),
    {"mem", OPTION_SIZE, FIELD(mem), 0, NULL, NULL, "SIZE: leave memory above unused"},
    BOOL_ROW("noreboot", noreboot, "BOOL: stop instead of rebooting after a crash"),
    FLAGS_ROW("pv-l1tf", spec.l1tf, l1tf_flags, "BOOL,dom0,domu: no absent entries that name RAM"),
    OTHER_ROW("reboot", parse_reboot, "acpi|triple|kbd|pci|Power|efi|no,warm|cold"),
    {"sched", OPTION_TEXT, FIELD(sched), 0, NULL, NULL, "NAME: the scheduler"},
    FLAGS_ROW("smap", smap, smap_flags, "BOOL|hvm: use Supervisor Mode Access Prevention"),
    FLAGS_ROW("smep", smep, smep_flags, "BOOL|hvm: use Supervisor Mode Execution Prevention"),
    BOOL_ROW("smp", smp, "BOOL: start more than one CPU"),
    FLAGS_ROW("spec-ctrl", spec.all, spec_flags, "BOOL,ibrs,ibpb,verw,...: speculation measures"),
    BOOL_ROW("sync_console", sync_console, "BOOL: wait until each line is out"),
    {"tsc", OPTION_TEXT, FIELD(tsc), 0, NULL, NULL, "unstable|skewed|stable:socket"},
    FLAGS_ROW("watchdog", watchdog, watchdog_flags, "BOOL|force: stop when a CPU hangs"),
    NUMBER_ROW("watchdog_timeout", watchdog_timeout, 3600, "SECONDS: how long is hanging"),
    BOOL_ROW("x2apic", x2apic, "BOOL: use x2APIC mode"),
    FLAGS_ROW("xpti", spec.xpti, xpti_flags, "BOOL,dom0,domu: isolation against Meltdown"),
    BOOL_ROW("xsave", xsave, "BOOL: use XSAVE"),
};

// What Xen users write and what means nothing here.
static const char ignored[] =
    "allow_unsafe altp2m apic_verbosity apicv argo asid async-show-all ats availmem "
    "badpage bootscrub bootscrub_chunk cet console_timestamps console_to_ring core_parking "
    "cpufreq cpuid cpuid_mask_cpu cpuidle crashinfo_maxaddr crashkernel "
    "credit2_load_window_shift credit2_runqueue dbgp debug_stack_lines dma_bits "
    "dom0_ioports_disable dom0_nodes e820-mtrr-clip e820-verbose edd edid efi ept "
    "ept_use_mtrr extra_guest_irqs flask font force-ept gdb global-pages "
    "guest_bus_lock_threshold hap_1gb hap_2mb hardware_dom highmem-start hvm_debug hvm_fep "
    "idle_latency_factor invpcid ioapic_ack iommu_dev_iotlb_timeout "
    "iommu_inclusive_mapping irq-max-guests irq_ratelimit irq_vector_map ivrs_hpet "
    "ivrs_ioapic lapic lapic_timer_c2_ok ler low_crashinfo low_mem_virq_limit max_cstate "
    "max_gsi_irqs mce mce_fb mce_verbosity mmcfg mmio-relax msi mtrr.show mwait-idle nmi "
    "no-real-mode nr_irqs numa pci pci-passthrough pci-phantom pcid pku placeholder "
    "ple_gap ple_window preferred-cstates probe-port-aliases psr pv pv-linear-pt "
    "rcu-idle-timer-period-ms ro-hpet sched-gran sched_credit2_max_cpus_runqueue "
    "sched_credit2_migrate_resist sched_credit_tslice_ms sched_ratelimit_us "
    "sched_smt_power_savings scrub-domheap serial_tx_buffer shim_mem smt "
    "tbuf_size tevt_mask tickle_one_idle_cpu timer_slop tmem tsx ucode unrestricted_guest "
    "vcpu_migration_delay vesa-map vesa-mtrr vesa-ram vga viridian-spinlock-retry-count "
    "viridian-version vm-notify-window vpid vpmu ";

enum { IGNORED_MAX = 128 }; // at least as many as there are words above

static const struct options defaults = {
    .console = {{CONSOLE_COM1, 0}, {CONSOLE_VGA, 0}},
    .console_count = 2,
    .conswitch = 'a',
    // Xen's default is "warning", but its boot messages have no level and always come; ours are
    // LOG_INFO.
    .loglvl = {LOG_INFO, LOG_INFO},
    .guest_loglvl = {-1, LOG_WARN},
    .smp = true,
    .acpi = true,
    .apic = true,
    .x2apic = OPTION_AUTO,
    .smep = GUARD_ON,
    .smap = GUARD_ON,
    .xsave = true,
    .spec = {.xpti = OPTION_AUTO,
             .xpti_dom0 = OPTION_AUTO,
             .xpti_domu = OPTION_AUTO,
             .l1tf = OPTION_AUTO,
             .l1tf_dom0 = OPTION_AUTO,
             .l1tf_domu = OPTION_AUTO,
             .all = OPTION_AUTO,
             .xen = OPTION_AUTO,
             .pv = OPTION_AUTO,
             .rsb = OPTION_AUTO,
             .verw = OPTION_AUTO,
             .ibpb_entry = OPTION_AUTO,
             .bhb_entry = OPTION_AUTO,
             .ibrs = OPTION_AUTO,
             .stibp = OPTION_AUTO,
             .ibpb = OPTION_AUTO,
             .ssbd = OPTION_AUTO,
             .bhi_dis_s = OPTION_AUTO},
    .hpet = true,
    .iommu = {.enable = true, .intremap = true, .quarantine = true, .dom0_map_reserved = true},
    .gnttab_max_frames = 64,
    .gnttab_max_maptrack_frames = 1024,
    .gnttab_max_version = 2,
    .watchdog_timeout = 5};

// ---- Words ----

struct reader {
    const char *p;
    bool too_long;           // the word was cut
    char word[WORD_BYTES];   // printable, terminated
    bool named[IGNORED_MAX]; // ignored options that were mentioned
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// Reads the next word; false at the line's end.
static bool word_next(struct reader *r)
{
    bool quoted = false;
    u32 n = 0;

    while (is_space(*r->p))
        r->p++;
    if (!*r->p)
        return false;
    r->too_long = false;
    for (; *r->p && (quoted || !is_space(*r->p)); r->p++) {
        char c = *r->p;

        if (c == '"')
            quoted = !quoted;
        else if (n == WORD_BYTES - 1)
            r->too_long = true;
        else
            r->word[n++] = c >= ' ' && c <= '~' ? c : '?';
    }
    r->word[n] = '\0';
    return true;
}

static bool is_image_name(const char *word)
{
    const char *slash = strchr(word, '/'), *equals = strchr(word, '=');

    return slash && (!equals || slash < equals);
}

static const struct option *option_find(const char *name)
{
    for (u32 i = 0; i < ARRAY_SIZE(options); i++)
        if (name_equal(options[i].name, name))
            return &options[i];
    return NULL;
}

static const char *option_apply(const struct option *opt, char *value, bool negated,
                                struct options *o)
{
    if (negated && opt->type != OPTION_FLAGS)
        return "cannot be negated";
    switch (opt->type) {
    case OPTION_FLAGS:
        return parse_flags(opt, value, negated, o);
    case OPTION_NUMBER:
        return parse_number(opt, value, o);
    case OPTION_SIZE:
        return parse_size(opt, value, o);
    case OPTION_TEXT:
        return parse_text(opt, value, o);
    case OPTION_OTHER:
        return opt->parse(value, o);
    }
    return NULL;
}

// The length of the word at `list` if it is `name`, else 0.
static size_t ignored_match(const char *list, const char *name)
{
    size_t n = 0;

    while (name[n] && list[n] != ' ' && name_char(list[n]) == name_char(name[n]))
        n++;
    return !name[n] && list[n] == ' ' ? n : 0;
}

// True if the name is among the ignored options, which it then says, once.
static bool ignored_find(struct reader *r, const char *name)
{
    const char *list = ignored;

    for (u32 i = 0; i < IGNORED_MAX && *list; i++) {
        if (ignored_match(list, name)) {
            if (!r->named[i])
                printk(LOG_INFO, "command line: option '%s' has no effect here", name);
            r->named[i] = true;
            return true;
        }
        list = strchr(list, ' ') + 1;
    }
    return false;
}

static void word_apply(struct reader *r, struct options *o)
{
    char name[WORD_BYTES], *value;
    const struct option *opt;
    const char *expected, *positive;

    strlcpy(name, r->word, sizeof(name));
    value = value_cut(name);
    positive = name_negated(name);
    opt = option_find(name);
    if (opt)
        expected = option_apply(opt, value, false, o);
    else if (!ignored_find(r, name) && positive && (opt = option_find(positive)) != NULL)
        expected = option_apply(opt, value, true, o);
    else if (ignored_find(r, name) || (positive && ignored_find(r, positive)))
        return;
    else {
        printk(LOG_WARN, "command line: ignoring unknown option '%s'", r->word);
        return;
    }
    if (expected)
        printk(LOG_WARN, "command line: ignoring malformed option '%s': %s", r->word, expected);
}

// What one option means for another.
static void options_settle(struct options *o)
{
    if (!o->smp)
        o->maxcpus = 1;
    o->iommu.verbose |= o->iommu.debug;
    o->iommu.enable |= o->iommu.force;
}

void options_parse(const char *line, struct options *out)
{
    struct reader r = {.p = line ? line : ""};
    bool first = true;

    *out = defaults;
    memcpy(out->com, uart_defaults, sizeof(out->com));
    for (; word_next(&r); first = false) {
        if (strcmp(r.word, "--") == 0) {
            while (is_space(*r.p))
                r.p++;
            out->dom0_extra = *r.p ? r.p : NULL;
            break;
        }
        if (first && is_image_name(r.word))
            continue;
        if (r.too_long)
            printk(LOG_WARN, "command line: ignoring too long option '%.32s...'", r.word);
        else if (r.word[0])
            word_apply(&r, out);
    }
    options_settle(out);
}

// ---- Questions ----

bool options_console_has(const struct options *o, enum console_kind kind)
{
    for (u32 i = 0; i < o->console_count; i++)
        if (o->console[i].kind == kind)
            return true;
    return false;
}

static u64 mem_pages(const struct mem_option *m, u64 avail_pages)
{
    u64 pages = m->bytes >> PAGE_SHIFT;

    if (!m->negative)
        return pages;
    return pages < avail_pages ? avail_pages - pages : 0;
}

u64 dom0_mem_limit(const struct options *o, u64 avail_pages)
{
    return o->dom0_mem_max.set ? mem_pages(&o->dom0_mem_max, avail_pages) : ~(u64)0;
}

u64 dom0_mem_resolve(const struct options *o, u64 avail_pages)
{
    const u64 reserve_max = ((u64)128 << 20) >> PAGE_SHIFT;
    u64 pages = avail_pages - MIN(avail_pages / 16, reserve_max);

    if (o->dom0_mem.set)
        pages = mem_pages(&o->dom0_mem, avail_pages);
    if (o->dom0_mem_min.set)
        pages = MAX(pages, mem_pages(&o->dom0_mem_min, avail_pages));
    pages = MIN(pages, dom0_mem_limit(o, avail_pages));
    return MIN(pages, avail_pages);
}

u32 dom0_vcpus_resolve(const struct options *o, u32 cpu_count)
{
    u32 n = MAX(cpu_count, o->dom0_vcpus_min);

    if (o->dom0_vcpus_max)
        n = MIN(n, o->dom0_vcpus_max);
    n = MIN(n, (u32)OPTIONS_VCPUS_MAX);
    return MAX(n, 1u);
}

bool options_describe(u32 index, const char **name, const char **help)
{
    if (index >= ARRAY_SIZE(options))
        return false;
    *name = options[index].name;
    *help = options[index].help;
    return true;
}
