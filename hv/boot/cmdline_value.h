// SPDX-License-Identifier: MIT
// Private to the command line's parser: pieces of values, and the values only one option has.
// All of it splits and cuts in place.
#ifndef WIRT_BOOT_CMDLINE_VALUE_H
#define WIRT_BOOT_CMDLINE_VALUE_H

#include "boot/cmdline.h"

// ---- Pieces ----

// Cuts the next item off a comma list; NULL at its end.
char *item_next(char **rest);
// The character as it counts in names: '_' is '-'.
char name_char(char c);
bool name_equal(const char *a, const char *b);
// "no-name" and "noname": returns the name, or NULL if it does not begin like that.
const char *name_negated(const char *name);
// Cuts "name=value"; returns the value, or NULL if there is no '='.
char *value_cut(char *word);

// These take the whole of `s` and store a value, or return false and store nothing.
bool bool_parse(const char *s, bool *out);
// Decimal or 0x, at most `max`.
bool number_parse(const char *s, u64 max, u64 *out);
// A size in bytes: a number with suffix B, K, M, G or T; K if there is none.
bool size_parse(const char *s, u64 *out);
extern const char size_expected[];

// ---- Options with values of their own; `value` NULL: there was none ----
// They return NULL, or what they expected and then have stored nothing.

extern const struct uart_options uart_defaults[2];
const char *option_parse_console(char *value, struct options *o);
const char *option_parse_com1(char *value, struct options *o);
const char *option_parse_com2(char *value, struct options *o);
const char *option_parse_conswitch(char *value, struct options *o);
const char *option_parse_loglvl(char *value, struct options *o);
const char *option_parse_guest_loglvl(char *value, struct options *o);
const char *option_parse_dom0_mem(char *value, struct options *o);
const char *option_parse_dom0_max_vcpus(char *value, struct options *o);
const char *option_parse_reboot(char *value, struct options *o);
const char *option_parse_gnttab(char *value, struct options *o);

#endif
