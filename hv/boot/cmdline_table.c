// SPDX-License-Identifier: MIT
// Which options there are, their values and defaults (boot/cmdline_table.h).
#include "boot/cmdline_table.h"
#include "lib/printk.h"
#include "lib/string.h"

// ---- Numbers ----

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

// The whole of `s`. Stores nothing if it is no number, or above `max`.
static bool number_parse(const char *s, u32 max, u32 *out)
{
    u64 n = 0;

    if (!number_take(&s, &n) || *s || n > max)
        return false;
    *out = (u32)n;
    return true;
}

// In bytes: a number with suffix B, K, M, G or T; K if there is none.
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

static bool parse_number(const struct option *opt, char *value, struct options *o)
{
    return number_parse(value, opt->max, field_at(o, opt->field));
}

static bool parse_size(const struct option *opt, char *value, struct options *o)
{
    u64 n;
    bool ok = size_parse(value, &n);

    if (ok)
        memcpy(field_at(o, opt->field), &n, sizeof(n));
    return ok;
}

static bool parse_text(const struct option *opt, char *value, struct options *o)
{
    if (!*value || strlen(value) >= OPTIONS_TEXT_BYTES)
        return false;
    strlcpy(field_at(o, opt->field), value, OPTIONS_TEXT_BYTES);
    return true;
}

// ---- Console options ----

// The halves of a shared line, H and L, are the line.
static u32 console_bit(const char *s)
{
    static const char *const names[] = {"com1", "com2", "vga"}; // by enum console_bits

    for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
        size_t len = strlen(names[i]);
        bool half = strncmp(s, "com", 3) == 0 && s[3] && (s[4] == 'H' || s[4] == 'L') && !s[5];

        if (strncmp(s, names[i], len) == 0 && (!s[len] || half))
            return 1u << i;
    }
    return 0;
}

static bool parse_console(const struct option *opt, char *value, struct options *o)
{
    u32 chosen = 0;
    bool understood = false;
    char *item;

    while ((item = item_next(&value)) != NULL) {
        u32 bit = console_bit(item);
        bool none = strcmp(item, "none") == 0, foreign = word_index(opt->ignored, item) >= 0;

        if (foreign)
            printk(LOG_INFO, "command line: there is no console '%s' here", item);
        else if (!bit && !none && (understood || value))
            printk(LOG_WARN, "command line: ignoring '%s' in option 'console'", item);
        chosen = none ? 0 : chosen | bit;
        understood |= bit || none || foreign;
    }
    if (understood)
        o->consoles = (u8)chosen;
    return understood;
}

// BAUD[/BASE] or auto. The base clock is the usual one, whatever it says.
static bool baud_parse(char *s, struct uart16550_config *u)
{
    char *base = strchr(s, '/');
    u32 baud = 0, base_baud = 1;

    if (base)
        *base++ = '\0';
    if ((base && !number_parse(base, UINT32_MAX, &base_baud)) || base_baud == 0 ||
        (strcmp(s, "auto") != 0 && (!number_parse(s, UINT32_MAX, &baud) || baud == 0)))
        return false;
    u->baud = baud;
    return true;
}

// Data bits, parity, stop bits: 8n1
static bool frame_parse(const char *s, struct uart16550_config *u)
{
    if (strlen(s) != 3 || s[0] < '5' || s[0] > '8' || !strchr("noems", s[1]) || s[2] < '1' ||
        s[2] > '2')
        return false;
    u->data_bits = (u8)(s[0] - '0');
    u->parity = s[1];
    u->stop_bits = (u8)(s[2] - '0');
    return true;
}

// An I/O port. Ports of PCI devices and in memory are not for us: the usual one stays.
static bool port_parse(const char *s, struct uart16550_config *u)
{
    u64 at = 0;

    if (strcmp(s, "pci") == 0 || strcmp(s, "amt") == 0)
        return true;
    if (!number_take(&s, &at) || *s || at == 0)
        return false;
    if (at <= UINT16_MAX)
        u->port = (u16)at;
    return true;
}

// An empty item keeps the default. The interrupt is the usual one, whatever is said.
static bool parse_uart(const struct option *opt, char *value, struct options *o)
{
    struct uart16550_config u;
    char *baud = item_next(&value), *frame = item_next(&value);
    char *port = item_next(&value), *irq = item_next(&value);
    u32 ignored;

    memcpy(&u, (const u8 *)&options_default + opt->field, sizeof(u));
    if (value || (!*baud && !frame) || (*baud && !baud_parse(baud, &u)) ||
        (frame && *frame && !frame_parse(frame, &u)) || (port && *port && !port_parse(port, &u)) ||
        (irq && *irq && strcmp(irq, "msi") != 0 && !number_parse(irq, 1023, &ignored)))
        return false;
    memcpy(field_at(o, opt->field), &u, sizeof(u));
    return true;
}

// The letter, then 'x' if the input is to stay; any other character than a letter: no switching.
static bool parse_conswitch(const struct option *opt, char *value, struct options *o)
{
    if (!*value || (value[1] && (value[1] != 'x' || value[2])))
        return false;
    o->conswitch = value[0] >= 'a' && value[0] <= 'z' ? value[0] : '\0';
    o->conswitch_stay = value[1] == 'x';
    return true;
}

static bool level_parse(const char *s, s8 *out)
{
    static const char levels[] = "none error warning info debug all "; // from -1 on

    if (word_index(levels, s) < 0)
        return false;
    *out = (s8)(word_index(levels, s) - 1);
    return true;
}

// LEVEL[/RATE-LIMITED LEVEL]
static bool parse_levels(const struct option *opt, char *value, struct options *o)
{
    char *slash = strchr(value, '/');
    struct log_options l = {-1, -1};

    if (slash)
        *slash = '\0';
    if (!level_parse(value, &l.always) || (slash && !level_parse(slash + 1, &l.limited)))
        return false;
    l.limited = MAX(l.limited, l.always);
    memcpy(field_at(o, opt->field), &l, sizeof(l));
    return true;
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

static bool parse_dom0_mem(const struct option *opt, char *value, struct options *o)
{
    struct mem_option size = {.set = false}, min = size, max = size;
    char *item;

    while ((item = item_next(&value)) != NULL) {
        bool is_min = strncmp(item, "min:", 4) == 0, is_max = strncmp(item, "max:", 4) == 0;

        if (!mem_option_parse(is_min || is_max ? item + 4 : item, is_min   ? &min
                                                                  : is_max ? &max
                                                                           : &size))
            return false;
    }
    o->dom0_mem = size;
    o->dom0_mem_min = min;
    o->dom0_mem_max = max;
    return true;
}

// N, MIN-MAX, MIN-, -MAX
static bool parse_dom0_max_vcpus(const struct option *opt, char *value, struct options *o)
{
    char *dash = strchr(value, '-');
    u32 min = 0, max = 0;

    if (strcmp(value, "-") == 0)
        return false;
    if (dash)
        *dash++ = '\0';
    if ((!dash || *value) && !number_parse(value, UINT32_MAX, &min))
        return false;
    if (!dash)
        max = min;
    else if (*dash && !number_parse(dash, UINT32_MAX, &max))
        return false;
    if (max && min > max)
        return false;
    o->dom0_vcpus_min = min;
    o->dom0_vcpus_max = max;
    return true;
}

// ---- Other options ----

// Only the first letter of each word counts; of the methods, the last one.
static bool parse_reboot(const struct option *opt, char *value, struct options *o)
{
    static const char letters[] = {
        [REBOOT_ACPI] = 'a',  [REBOOT_TRIPLE] = 't', [REBOOT_KEYBOARD] = 'k', [REBOOT_PCI] = 'p',
        [REBOOT_POWER] = 'P', [REBOOT_EFI] = 'e',    [REBOOT_NO] = 'n'};
    bool warm = o->reboot_warm;
    u8 method = o->reboot;
    char *item;

    while ((item = item_next(&value)) != NULL) {
        const char *found = *item ? memchr(letters, *item, sizeof(letters)) : NULL;

        if (found)
            method = (u8)(found - letters);
        else if (*item == 'w' || *item == 'c')
            warm = *item == 'w';
        else
            return false;
    }
    o->reboot = method;
    o->reboot_warm = warm;
    return true;
}

static bool parse_gnttab(const struct option *opt, char *value, struct options *o)
{
    u32 version = o->gnttab_max_version;
    char *item;

    while ((item = item_next(&value)) != NULL) {
        if (strcmp(item, "max-ver:1") == 0 || strcmp(item, "max-ver:2") == 0)
            version = (u32)(item[8] - '0');
        else if (strcmp(item, "transitive") == 0)
            printk(LOG_INFO, "command line: there are no transitive grants here");
        else if (strcmp(item, "no-transitive") != 0)
            return false;
    }
    o->gnttab_max_version = version;
    return true;
}

// ---- The table ----

#define FIELD(member) ((u32)offsetof(struct options, member))

static const struct flag acpi_flags[] = {{"force", FIELD(acpi), 1}, {NULL, 0, 0}};

static const struct flag clock_flags[] = {
    {"pit", FIELD(clocksource), CLOCK_PIT},
    {"hpet", FIELD(clocksource), CLOCK_HPET},
    {"acpi", FIELD(clocksource), CLOCK_ACPI},
    {"tsc", FIELD(clocksource), CLOCK_TSC},
    {NULL, 0, 0},
};

static const struct flag dom0_iommu_flags[] = {
    {"passthrough", FIELD(iommu.dom0_passthrough), 1},
    {"none", FIELD(iommu.dom0_passthrough), 1},
    {"strict", FIELD(iommu.dom0_strict), 1},
    {NULL, 0, 0},
};

static const struct flag iommu_flags[] = {
    {"force", FIELD(iommu.wanted), 1},
    {"required", FIELD(iommu.wanted), 1},
    {"dom0-passthrough", FIELD(iommu.dom0_passthrough), 1},
    {"passthrough", FIELD(iommu.dom0_passthrough), 1},
    {"dom0-strict", FIELD(iommu.dom0_strict), 1},
    {NULL, 0, 0},
};

// Only for HVM guests means not at all.
static const struct flag smap_flags[] = {{"hvm", FIELD(smap), 0}, {NULL, 0, 0}};
static const struct flag smep_flags[] = {{"hvm", FIELD(smep), 0}, {NULL, 0, 0}};

static const struct flag xpti_flags[] = {
    {"dom0", FIELD(spec.xpti_dom0), 1},
    {"domu", FIELD(spec.xpti_domu), 1},
    {"default", FIELD(spec.xpti), (u8)OPTION_AUTO},
    {NULL, 0, 0},
};
static const struct flag l1tf_flags[] = {
    {"dom0", FIELD(spec.l1tf_dom0), 1},
    {"domu", FIELD(spec.l1tf_domu), 1},
    {NULL, 0, 0},
};
static const struct flag spec_flags[] = {
    {"xen", FIELD(spec.xen), 1},
    {"pv", FIELD(spec.pv), 1},
    {"rsb", FIELD(spec.rsb), 1},
    {"verw", FIELD(spec.verw), 1},
    {"md-clear", FIELD(spec.verw), 1},
    {"ibpb-entry", FIELD(spec.ibpb_entry), 1},
    {"bhb-entry", FIELD(spec.bhb_entry), 1},
    {"bti-thunk=retpoline", FIELD(spec.thunk), THUNK_RETPOLINE},
    {"bti-thunk=lfence", FIELD(spec.thunk), THUNK_LFENCE},
    {"bti-thunk=jmp", FIELD(spec.thunk), THUNK_JMP},
    {"ibrs", FIELD(spec.ibrs), 1},
    {"stibp", FIELD(spec.stibp), 1},
    {"ibpb", FIELD(spec.ibpb), 1},
    {"ssbd", FIELD(spec.ssbd), 1},
    {"bhi-dis-s", FIELD(spec.bhi_dis_s), 1},
    {NULL, 0, 0},
};

static const struct flag watchdog_flags[] = {{"force", FIELD(watchdog), WATCHDOG_FORCE},
                                             {NULL, 0, 0}};

// clang-format off
#define BOOL(name, member) {name, "boolean", .field = FIELD(member)}
#define FLAGS(name, member, ...) {name, "boolean or some of its words", .field = FIELD(member), __VA_ARGS__}
#define WORDS(name, ...) {name, "some of its words", .field = NO_FIELD, __VA_ARGS__}

const struct option option_table[] = {
    FLAGS("acpi", acpi, .flags = acpi_flags, .ignored = "strict ht noirq "),
    WORDS("clocksource", .flags = clock_flags),
    {"com1", "BAUD|auto[,8n1[,PORT|pci[,IRQ]]]", parse_uart, .field = FIELD(com[0])},
    {"com2", "BAUD|auto[,8n1[,PORT|pci[,IRQ]]]", parse_uart, .field = FIELD(com[1])},
    {"console", "com1, com2, vga or none", parse_console, .ignored = "pv dbgp ehci xhci "},
    {"conswitch", "a letter, then perhaps x,", parse_conswitch, .field = NO_FIELD},
    WORDS("dom0", .ignored = "pv pvh shadow verbose cpuid-faulting msr-relaxed pf-fixup "),
    WORDS("dom0-iommu", .flags = dom0_iommu_flags, .ignored = "map-inclusive map-reserved "),
    {"dom0_max_vcpus", "N, MIN-MAX, MIN- or -MAX", parse_dom0_max_vcpus, .field = NO_FIELD},
    {"dom0_mem", "[-]SIZE,min:[-]SIZE,max:[-]SIZE, e.g. 1024M,", parse_dom0_mem, .field = NO_FIELD},
    BOOL("dom0_vcpus_pin", dom0_vcpus_pin),
    {"gnttab", "max-ver:1 or max-ver:2", parse_gnttab, .field = NO_FIELD},
    {"gnttab_max_frames", "number", parse_number, FIELD(gnttab_max_frames), .max = 1 << 20},
    {"gnttab_max_maptrack_frames", "number", parse_number, FIELD(gnttab_max_maptrack_frames), .max = 1 << 20},
    {"guest_loglvl", "none, error, warning, info, debug or all", parse_levels, .field = FIELD(guest_loglvl)},
    FLAGS("hpet", hpet, .ignored = "broadcast legacy-replacement "),
    FLAGS("iommu", iommu.wanted, .flags = iommu_flags,
          .ignored = "verbose debug intremap quarantine pv intpost qinval snoop sharept superpages igfx "
                     "crash-disable workaround-bios-bug amd-iommu-perdev-intremap "),
    {"loglvl", "none, error, warning, info, debug or all", parse_levels, .field = FIELD(loglvl)},
    {"maxcpus", "number up to 4096", parse_number, FIELD(maxcpus), .max = 4096},
    {"mem", "size, e.g. 1024M,", parse_size, .field = FIELD(mem)},
    BOOL("noreboot", noreboot),
    FLAGS("pv-l1tf", spec.l1tf, .flags = l1tf_flags),
    {"reboot", "acpi, triple, kbd, pci, Power, efi, no, warm or cold", parse_reboot, .field = NO_FIELD},
    {"sched", "a word of at most 31 letters", parse_text, .field = FIELD(sched)},
    FLAGS("smap", smap, .flags = smap_flags),
    FLAGS("smep", smep, .flags = smep_flags),
    BOOL("smp", smp),
    FLAGS("spec-ctrl", spec.all, .flags = spec_flags, .ignored = "hvm "),
    {"tsc", "a word of at most 31 letters", parse_text, .field = FIELD(tsc)},
    FLAGS("watchdog", watchdog, .flags = watchdog_flags),
    {"watchdog_timeout", "seconds, at most 3600,", parse_number, FIELD(watchdog_timeout), .max = 3600},
    BOOL("x2apic", x2apic),
    FLAGS("xpti", spec.xpti, .flags = xpti_flags),
};
// clang-format on
const u32 option_table_count = ARRAY_SIZE(option_table);

const char options_ignored[] =
    "allow_unsafe altp2m apic apic_verbosity apicv argo asid async-show-all ats availmem "
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
    "sched_smt_power_savings scrub-domheap serial_tx_buffer shim_mem smt sync_console "
    "tbuf_size tevt_mask tickle_one_idle_cpu timer_slop tmem tsx ucode unrestricted_guest "
    "vcpu_migration_delay vesa-map vesa-mtrr vesa-ram vga viridian-spinlock-retry-count "
    "viridian-version vm-notify-window vpid vpmu xsave ";

// The measures against speculation have their own (options_parse).
const struct options options_default = {
    .consoles = CONSOLE_COM1 | CONSOLE_VGA,
    .com = {{0x3f8, 0, 8, 'n', 1}, {0x2f8, 0, 8, 'n', 1}},
    .conswitch = 'a',
    // Xen's default is "warning", but its boot messages have no level and always come; ours are
    // LOG_INFO.
    .loglvl = {LOG_INFO, LOG_INFO},
    .guest_loglvl = {-1, LOG_WARN},
    .smp = true,
    .acpi = true,
    .x2apic = OPTION_AUTO,
    .smep = true,
    .smap = true,
    .hpet = true,
    .iommu = {.dom0_passthrough = true},
    .gnttab_max_frames = 64,
    .gnttab_max_maptrack_frames = 1024,
    .gnttab_max_version = 2,
    .watchdog_timeout = 5,
};
