// SPDX-License-Identifier: MIT
#include "tools/wirt-sched/args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The words behind the domain, in their order.
static const struct {
    const char *name;
    uint64_t least, most;
} params[] = {
    {"MCUADV", 1, WIRT_MCU_ADVANCE_MAX}, {"WARPBACK", 0, 1},
    {"WARPVALUE", 0, WIRT_WARP_MAX_US},  {"WARPL", 0, WIRT_WARP_MAX_US},
    {"WARPU", 0, WIRT_WARP_MAX_US},
};

enum { PARAMS = sizeof(params) / sizeof(params[0]) };

bool args_number(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *value >= least && *value <= most;
}

bool args_parse(struct args *a, int count, char *const *words, char *why, size_t room)
{
    uint64_t value[PARAMS];
    *a = (struct args){.action = ACTION_SHOW};
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0) {
            a->action = ACTION_HELP;
            return true;
        }
    if (count > 0 && words[0][0] == '-') {
        snprintf(why, room, "no such option: %s", words[0]);
        return false;
    }
    a->domain = count > 0 ? words[0] : NULL;
    if (count <= 1)
        return true;
    if (count != PARAMS + 1) {
        snprintf(why, room, "a domain and %d values are wanted to set, there are %d", PARAMS,
                 count - 1);
        return false;
    }
    for (int i = 0; i < PARAMS; i++)
        if (!args_number(words[i + 1], params[i].least, params[i].most, &value[i])) {
            snprintf(why, room, "%s: %s is not a number from %" PRIu64 " to %" PRIu64,
                     params[i].name, words[i + 1], params[i].least, params[i].most);
            return false;
        }
    a->action = ACTION_SET;
    a->params = (struct wirt_sched_bvt){.mcu_advance = (uint32_t)value[0],
                                        .warpback = (uint32_t)value[1],
                                        .warp_us = value[2],
                                        .warp_limit_us = value[3],
                                        .unwarp_us = value[4]};
    return true;
}
