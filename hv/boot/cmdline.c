// SPDX-License-Identifier: MIT
// Parses the boot command line: a table of options, one parser per type of value.
//
//  1. Each word is copied before it is parsed, so parsers may split it in place.
//  2. A parser either understands the whole value and stores it, or stores nothing and says what it
//     expected. Only lists of flags are taken item by item.
//  3. Numbers that do not fit are malformed, never truncated.
#include "boot/cmdline.h"
#include "boot/cmdline_table.h"
#include "boot/cmdline_value.h"
#include "lib/printk.h"
#include "lib/string.h"

enum { WORD_BYTES = 256 };

// ---- Values by type ----

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
static bool flag_parse(const struct option *opt, char *item, struct options *o)
{
    const struct flag *flag = flag_find(opt->flags, item);
    const char *value = flag ? NULL : value_cut(item), *name = item;
    bool on = true, negated = false;

    if (!flag)
        flag = flag_find(opt->flags, name);

    if (!flag && (name = name_negated(item)) != NULL) {
        flag = flag_find(opt->flags, name);
        negated = true;
    }
    if (!flag || (value && flag->field != NO_FIELD && !bool_parse(value, &on)))
        return false;
    if (flag->field != NO_FIELD)
        *field_at(o, flag->field) = on != negated ? flag->value : 0;
    else
        printk(LOG_INFO, "command line: '%s' in option '%s' has no effect here", item, opt->name);
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
        } else if (flag_parse(opt, item, o)) {
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
    for (u32 i = 0; i < option_table_count; i++)
        if (name_equal(option_table[i].name, name))
            return &option_table[i];
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
    const char *list = options_ignored;

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
}

void options_parse(const char *line, struct options *out)
{
    struct reader r = {.p = line ? line : ""};
    bool first = true;

    *out = options_default;
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
    if (index >= option_table_count)
        return false;
    *name = option_table[index].name;
    *help = option_table[index].help;
    return true;
}
