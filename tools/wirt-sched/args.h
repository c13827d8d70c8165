// SPDX-License-Identifier: MIT
// The command line of wirt-sched.
#ifndef WIRT_TOOLS_ARGS_H
#define WIRT_TOOLS_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

#include "abi/wirt.h"

enum action { ACTION_SHOW, ACTION_SET, ACTION_HELP };

struct args {
    enum action action;
    const char *domain; // number or name; NULL: all of them
    struct wirt_sched_bvt params;
};

// Reads the words after the program's name. False: refused, and why names the range.
bool args_parse(struct args *a, int count, char *const *words, char *why, size_t room);
// The whole text as a decimal number from `least` to `most`.
bool args_number(const char *text, uint64_t least, uint64_t most, uint64_t *value);

#endif
