// SOURCES: hv/boot/cmdline.c hv/boot/cmdline_table.c
// SPDX-License-Identifier: MIT
// Fuzz target for the command line: any line leads to options that callers may use unchecked.
#include <stdlib.h>
#include "boot/cmdline.h"
#include "lib/string.h"
#include "tests/fuzz/replay.h"

void fake_log_reset(void);

static void expect(bool c)
{
    if (!c)
        abort();
}

static void check(const struct options *o, const char *line)
{
    const u64 avail[] = {0, 1, 1 << 18, ~(u64)0 >> PAGE_SHIFT};

    expect(memchr(o->sched, 0, sizeof(o->sched)) && memchr(o->tsc, 0, sizeof(o->tsc)));
    expect(o->x2apic >= -1 && o->x2apic <= 1);
    expect(o->reboot <= REBOOT_NO && o->clocksource <= CLOCK_TSC);
    expect(o->loglvl.limited >= o->loglvl.always);
    expect(!o->dom0_extra || (o->dom0_extra > line && o->dom0_extra < line + strlen(line)));
    for (u32 i = 0; i < ARRAY_SIZE(avail); i++)
        expect(dom0_mem_resolve(o, avail[i]) <= avail[i]);
    expect(dom0_vcpus_resolve(o, 4) - 1 < OPTIONS_VCPUS_MAX);
    for (u32 i = 0; i < 2; i++)
        expect(o->com[i].data_bits - 5 <= 3 && o->com[i].stop_bits - 1 <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1);
    struct options o;

    expect(line);
    memcpy(line, data, size);
    line[size] = '\0';
    fake_log_reset();
    options_parse(line, &o);
    check(&o, line);
    free(line);
    return 0;
}
