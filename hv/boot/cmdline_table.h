// SPDX-License-Identifier: MIT
// Private to the command line's parser: the table of options.
#ifndef WIRT_BOOT_CMDLINE_TABLE_H
#define WIRT_BOOT_CMDLINE_TABLE_H

#include "boot/cmdline.h"

#define NO_FIELD (~(u32)0)

// A word that sets the u8 or bool at `field` to `value`; its negation sets it to zero. NO_FIELD:
// known, without effect, which is said.
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

extern const struct option option_table[];
extern const u32 option_table_count;

// What Xen users write and what means nothing here: names, each followed by a space.
extern const char options_ignored[];
enum { IGNORED_MAX = 128 }; // at least as many as there are such names

extern const struct options options_default;

#endif
