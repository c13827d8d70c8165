// SPDX-License-Identifier: MIT
// Parses the boot command line: a table of options, one parser per type of value.
//
//  1. Each word is copied before it is parsed, so parsers may split it in place.
//  2. A parser either understands the whole value and stores it, or stores nothing and says what it
//     expected. Only lists of flags are taken item by item.
//  3. Numbers that do not fit are malformed, never truncated.
#include "boot/cmdline_table.h"
#include "lib/printk.h"
#include "lib/string.h"

enum { WORD_BYTES = 256 };

// ---- Names ----

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

int word_index(const char *list, const char *name)
{
    for (int i = 0; list && *list; i++) {
        size_t n = 0;

        while (name[n] && list[n] != ' ' && name_char(list[n]) == name_char(name[n]))
            n++;
        if (n && !name[n] && list[n] == ' ')
            return i;
        list = strchr(list, ' ') + 1;
    }
    return -1;
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

// ---- Booleans and lists of flags ----

// Stores nothing if it is none.
static bool bool_parse(const char *s, bool *out)
{
    int i = word_index("0 1 no yes off on false true disable enable ", s);

    if (i >= 0)
        *out = i % 2;
    return i >= 0;
}

static const struct flag *flag_find(const struct flag *flags, const char *name)
{
    for (; flags && name && flags->name; flags++)
        if (name_equal(flags->name, name))
            return flags;
    return NULL;
}

// name, no-name, name=bool; name=word if the table has that
static bool flag_parse(const struct option *opt, char *item, struct options *o)
{
    const struct flag *flag = flag_find(opt->flags, item);
    const char *value = flag ? NULL : value_cut(item), *positive = name_negated(item);
    bool on = true, negated = false;

    if (!flag)
        flag = flag_find(opt->flags, item);
    if (!flag && (flag = flag_find(opt->flags, positive)) != NULL)
        negated = true;
    if (flag) {
        if (value && !bool_parse(value, &on))
            return false;
        *(u8 *)field_at(o, flag->field) = on != negated ? flag->value : 0;
        return true;
    }
    if (word_index(opt->ignored, item) < 0 && (!positive || word_index(opt->ignored, positive) < 0))
        return false;
    printk(LOG_INFO, "command line: '%s' in option '%s' has no effect here", item, opt->name);
    return true;
}

static bool flags_parse(const struct option *opt, char *value, bool negated, struct options *o)
{
    bool on = true, understood = false;
    char *item;

    if (!value || negated) {
        if (opt->field == NO_FIELD || (value && !bool_parse(value, &on)))
            return false;
        *(u8 *)field_at(o, opt->field) = on != negated;
        return true;
    }
    while ((item = item_next(&value)) != NULL) {
        if (opt->field != NO_FIELD && bool_parse(item, &on)) {
            *(u8 *)field_at(o, opt->field) = on;
            understood = true;
        } else if (flag_parse(opt, item, o)) {
            understood = true;
        } else if (understood || value) {
            printk(LOG_WARN, "command line: ignoring '%s' in option '%s'", item, opt->name);
        }
    }
    return understood;
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

// Whether the name is among the ignored options, which it then says, once.
static bool ignored_find(struct reader *r, const char *name)
{
    int i = word_index(options_ignored, name);

    if (i < 0)
        return false;
    if (!r->named[i])
        printk(LOG_INFO, "command line: option '%s' has no effect here", name);
    return r->named[i] = true;
}

static void word_apply(struct reader *r, struct options *o)
{
    char name[WORD_BYTES], *value;
    const struct option *opt;
    const char *positive;
    bool negated = false;

    strlcpy(name, r->word, sizeof(name));
    value = value_cut(name);
    positive = name_negated(name);
    opt = option_find(name);
    if (!opt && ignored_find(r, name))
        return;
    if (!opt && positive) {
        opt = option_find(positive);
        negated = true;
        if (!opt && ignored_find(r, positive))
            return;
    }
    if (!opt)
        printk(LOG_WARN, "command line: ignoring unknown option '%s'", r->word);
    else if (negated && opt->parse)
        printk(LOG_WARN, "command line: ignoring malformed option '%s': cannot be negated",
               r->word);
    else if (opt->parse ? !value || !opt->parse(opt, value, o)
                        : !flags_parse(opt, value, negated, o))
        printk(LOG_WARN, "command line: ignoring malformed option '%s': %s expected", r->word,
               opt->expected);
}

void options_parse(const char *line, struct options *out)
{
    struct reader r = {.p = line ? line : ""};
    bool first = true;

    *out = options_default;
    memset(&out->spec, OPTION_AUTO, offsetof(struct spec_options, thunk));
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
    if (!out->smp)
        out->maxcpus = 1;
}

// ---- Questions ----

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
