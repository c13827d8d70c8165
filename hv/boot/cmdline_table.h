// SPDX-License-Identifier: MIT
// Private to the command line's parser: which options there are, and what their values look like.
#ifndef WIRT_BOOT_CMDLINE_TABLE_H
#define WIRT_BOOT_CMDLINE_TABLE_H

#include "boot/cmdline.h"

// A word that sets the u8 or bool at `field` to `value`; its negation sets it to zero.
struct flag {
    const char *name; // NULL ends the table
    u32 field;
    u8 value;
};

struct option {
    const char *name;
    const char *expected; // what its value looks like
    // Splits and cuts the value, which is there, in place. False: it stored nothing. NULL: the
    // value is a list of `flags`, or a boolean for the u8 at `field` unless that is NO_FIELD.
    bool (*parse)(const struct option *opt, char *value, struct options *o);
    u32 field;
    u32 max; // of a number
    const struct flag *flags;
    const char *ignored; // words of the list that mean nothing here, each followed by a space
};
#define NO_FIELD (~(u32)0)

extern const struct option option_table[];
extern const u32 option_table_count;

// What Xen users write and what means nothing here: names, each followed by a space.
extern const char options_ignored[];
enum { IGNORED_MAX = 128 }; // at least as many as there are such names

extern const struct options options_default;

static inline void *field_at(struct options *o, u32 field)
{
    return (u8 *)o + field;
}

// Cuts the next item off a comma list; NULL at its end.
char *item_next(char **rest);
// The place of `name`, in which '_' is '-', among words that are followed by a space each; or -1.
int word_index(const char *list, const char *name);

#endif
