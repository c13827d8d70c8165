// SOURCES: hv/boot/acpi.c
// SPDX-License-Identifier: MIT
// Fuzz target for the ACPI tables. The input's first byte holds flags, the rest is physical memory
// from MEM_BASE on, which begins with the root pointer.
//
// Every mapping is a copy of its exact size and lives until the next one: reading past a table or
// keeping an old mapping is an error that ASan reports.
#include <stdlib.h>
#include "boot/acpi.h"
#include "lib/string.h"
#include "tests/fuzz/replay.h"

enum {
    MEM_BASE = 0xe0000,
    FLAG_MEND = 1, // make checksums right, so that the fuzzer gets behind them
    FLAG_SEARCH = 2,
};

struct mem {
    const u8 *p;
    u64 bytes;
    bool mend;
    u8 *mapped;
};

static u8 sum(const u8 *p, u64 n)
{
    u8 s = 0;

    while (n--)
        s = (u8)(s + *p++);
    return s;
}

static void mend(u8 *p, u64 n)
{
    if (n >= 20 && memcmp(p, "RSD PTR ", 8) == 0) {
        p[8] = (u8)(p[8] - sum(p, 20));
        if (n >= 36)
            p[32] = (u8)(p[32] - sum(p, n));
    } else if (n >= 36) {
        p[9] = (u8)(p[9] - sum(p, n));
    }
}

static const void *mem_map(void *ctx, maddr_t a, u64 bytes)
{
    struct mem *m = ctx;
    u64 off = a.v - MEM_BASE;

    if (a.v < MEM_BASE || off > m->bytes || bytes > m->bytes - off)
        return NULL;
    free(m->mapped);
    m->mapped = malloc(bytes);
    if (!m->mapped)
        abort();
    memcpy(m->mapped, m->p + off, bytes);
    if (m->mend)
        mend(m->mapped, bytes);
    return m->mapped;
}

// What callers index with these, they do not check again.
static void check(const struct acpi_info *info)
{
    if (info->cpu_count > ACPI_CPUS_MAX || info->ioapic_count > ACPI_IOAPICS_MAX ||
        info->override_count > ACPI_OVERRIDES_MAX || info->mcfg_count > ACPI_MCFG_MAX)
        abort();
    for (u32 i = 0; i < 256; i++)
        (void)acpi_isa_irq(info, (u8)i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct acpi_info info;
    struct mem m = {.p = data + 1, .bytes = size - 1};
    struct acpi_io io = {mem_map, &m};
    maddr_t rsdp = MADDR(MEM_BASE);

    if (size == 0)
        return 0;
    m.mend = data[0] & FLAG_MEND;
    if (data[0] & FLAG_SEARCH && acpi_find_rsdp(&io, MADDR(0), &rsdp))
        rsdp = MADDR(MEM_BASE);
    if (!acpi_parse(&io, rsdp, &info))
        check(&info);
    free(m.mapped);
    return 0;
}
