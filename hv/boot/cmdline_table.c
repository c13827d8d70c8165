// SPDX-License-Identifier: MIT
// Which options there are, and their defaults (boot/cmdline_table.h).
#include "boot/cmdline_table.h"
#include "boot/cmdline_value.h"
#include "lib/printk.h"

#define FIELD(member) ((u32)offsetof(struct options, member))

static const struct flag acpi_flags[] = {
    {"force", FIELD(acpi), 1},
    {"strict", NO_FIELD, 0},
    {"ht", NO_FIELD, 0},
    {"noirq", NO_FIELD, 0},
    {NULL, 0, 0},
};

static const struct flag apic_flags[] = {
    {"bigsmp", FIELD(apic), 1},
    {"default", FIELD(apic), 1},
    {NULL, 0, 0},
};

static const struct flag clock_flags[] = {
    {"pit", FIELD(clocksource), CLOCK_PIT},
    {"hpet", FIELD(clocksource), CLOCK_HPET},
    {"acpi", FIELD(clocksource), CLOCK_ACPI},
    {"tsc", FIELD(clocksource), CLOCK_TSC},
    {NULL, 0, 0},
};

static const struct flag dom0_flags[] = {
    {"pv", FIELD(dom0_kind), DOM0_PV}, {"pvh", FIELD(dom0_kind), DOM0_PVH},
    {"shadow", NO_FIELD, 0},           {"verbose", NO_FIELD, 0},
    {"cpuid-faulting", NO_FIELD, 0},   {"msr-relaxed", NO_FIELD, 0},
    {"pf-fixup", NO_FIELD, 0},         {NULL, 0, 0},
};

static const struct flag dom0_iommu_flags[] = {
    {"passthrough", FIELD(iommu.dom0_passthrough), 1},
    {"none", FIELD(iommu.dom0_passthrough), 1},
    {"strict", FIELD(iommu.dom0_strict), 1},
    {"map-inclusive", NO_FIELD, 0},
    {"map-reserved", NO_FIELD, 0},
    {NULL, 0, 0},
};

static const struct flag hpet_flags[] = {
    {"broadcast", NO_FIELD, 0},
    {"legacy-replacement", NO_FIELD, 0},
    {NULL, 0, 0},
};

static const struct flag iommu_flags[] = {
    {"force", FIELD(iommu.wanted), 1},
    {"required", FIELD(iommu.wanted), 1},
    {"verbose", NO_FIELD, 0},
    {"debug", NO_FIELD, 0},
    {"intremap", NO_FIELD, 0},
    {"quarantine", NO_FIELD, 0},
    {"dom0-passthrough", FIELD(iommu.dom0_passthrough), 1},
    {"passthrough", FIELD(iommu.dom0_passthrough), 1},
    {"dom0-strict", FIELD(iommu.dom0_strict), 1},
    {"pv", NO_FIELD, 0},
    {"intpost", NO_FIELD, 0},
    {"qinval", NO_FIELD, 0},
    {"snoop", NO_FIELD, 0},
    {"sharept", NO_FIELD, 0},
    {"superpages", NO_FIELD, 0},
    {"igfx", NO_FIELD, 0},
    {"crash-disable", NO_FIELD, 0},
    {"workaround-bios-bug", NO_FIELD, 0},
    {"amd-iommu-perdev-intremap", NO_FIELD, 0},
    {NULL, 0, 0},
};

static const struct flag smap_flags[] = {
    {"hvm", FIELD(smap), GUARD_HVM_ONLY},
    {NULL, 0, 0},
};
static const struct flag smep_flags[] = {
    {"hvm", FIELD(smep), GUARD_HVM_ONLY},
    {NULL, 0, 0},
};

#define SPEC_FLAG(name, member)     \
    {                               \
        name, FIELD(spec.member), 1 \
    }
static const struct flag xpti_flags[] = {
    SPEC_FLAG("dom0", xpti_dom0),
    SPEC_FLAG("domu", xpti_domu),
    {"default", FIELD(spec.xpti), (u8)OPTION_AUTO},
    {NULL, 0, 0},
};
static const struct flag l1tf_flags[] = {
    SPEC_FLAG("dom0", l1tf_dom0),
    SPEC_FLAG("domu", l1tf_domu),
    {NULL, 0, 0},
};
static const struct flag spec_flags[] = {
    SPEC_FLAG("xen", xen),
    SPEC_FLAG("pv", pv),
    {"hvm", NO_FIELD, 0},
    SPEC_FLAG("rsb", rsb),
    SPEC_FLAG("verw", verw),
    SPEC_FLAG("md-clear", verw),
    SPEC_FLAG("ibpb-entry", ibpb_entry),
    SPEC_FLAG("bhb-entry", bhb_entry),
    {"bti-thunk=retpoline", FIELD(spec.thunk), THUNK_RETPOLINE},
    {"bti-thunk=lfence", FIELD(spec.thunk), THUNK_LFENCE},
    {"bti-thunk=jmp", FIELD(spec.thunk), THUNK_JMP},
    SPEC_FLAG("ibrs", ibrs),
    SPEC_FLAG("stibp", stibp),
    SPEC_FLAG("ibpb", ibpb),
    SPEC_FLAG("ssbd", ssbd),
    SPEC_FLAG("bhi-dis-s", bhi_dis_s),
    {NULL, 0, 0},
};

static const struct flag watchdog_flags[] = {
    {"force", FIELD(watchdog), WATCHDOG_FORCE},
    {NULL, 0, 0},
};

#define FLAGS_ROW(name, member, flags, help)                    \
    {                                                           \
        name, OPTION_FLAGS, FIELD(member), 0, flags, NULL, help \
    }
#define BOOL_ROW(name, member, help) FLAGS_ROW(name, member, NULL, help)
#define NUMBER_ROW(name, member, max, help)                       \
    {                                                             \
        name, OPTION_NUMBER, FIELD(member), max, NULL, NULL, help \
    }
#define OTHER_ROW(name, parse, help)                       \
    {                                                      \
        name, OPTION_OTHER, NO_FIELD, 0, NULL, parse, help \
    }

const struct option option_table[] = {
    FLAGS_ROW("acpi", acpi, acpi_flags, "BOOL: use the ACPI tables"),
    FLAGS_ROW("apic", apic, apic_flags, "BOOL: use the IO-APICs"),
    {"clocksource", OPTION_FLAGS, NO_FIELD, 0, clock_flags, NULL, "pit|hpet|acpi|tsc"},
    OTHER_ROW("com1", option_parse_com1, "BAUD|auto[,8n1[,PORT|pci[,IRQ]]]: the first serial port"),
    OTHER_ROW("com2", option_parse_com2, "as com1: the second serial port"),
    OTHER_ROW("console", option_parse_console, "com1[H|L],com2[H|L],vga|none: where the log goes"),
    OTHER_ROW("conswitch", option_parse_conswitch,
              "LETTER[x]: Ctrl-LETTER three times switches input"),
    {"dom0", OPTION_FLAGS, NO_FIELD, 0, dom0_flags, NULL, "pv|pvh,shadow,verbose: dom0's kind"},
    {"dom0-iommu", OPTION_FLAGS, NO_FIELD, 0, dom0_iommu_flags, NULL,
     "passthrough,strict,map-inclusive,map-reserved: what dom0's devices may reach"},
    OTHER_ROW("dom0_max_vcpus", option_parse_dom0_max_vcpus, "N|MIN-MAX|MIN-|-MAX: dom0's vCPUs"),
    OTHER_ROW("dom0_mem", option_parse_dom0_mem, "[-]SIZE,min:[-]SIZE,max:[-]SIZE: dom0's memory"),
    BOOL_ROW("dom0_vcpus_pin", dom0_vcpus_pin, "BOOL: each vCPU of dom0 stays on its CPU"),
    OTHER_ROW("gnttab", option_parse_gnttab, "max-ver:1|2: newest grant table version for guests"),
    NUMBER_ROW("gnttab_max_frames", gnttab_max_frames, 1 << 20, "N: pages of a grant table"),
    NUMBER_ROW("gnttab_max_maptrack_frames", gnttab_max_maptrack_frames, 1 << 20,
               "N: pages to keep track of a domain's grant mappings"),
    OTHER_ROW("guest_loglvl", option_parse_guest_loglvl,
              "LEVEL[/LIMITED]: log lines for guests' sake"),
    FLAGS_ROW("hpet", hpet, hpet_flags, "BOOL: use the HPET"),
    FLAGS_ROW("iommu", iommu.wanted, iommu_flags, "BOOL,force,verbose,debug,intremap,..."),
    OTHER_ROW("loglvl", option_parse_loglvl, "none|error|warning|info|debug|all[/LIMITED]"),
    NUMBER_ROW("maxcpus", maxcpus, 4096, "N: start at most so many CPUs; 0: all"),
    {"mem", OPTION_SIZE, FIELD(mem), 0, NULL, NULL, "SIZE: leave memory above unused"},
    BOOL_ROW("noreboot", noreboot, "BOOL: stop instead of rebooting after a crash"),
    FLAGS_ROW("pv-l1tf", spec.l1tf, l1tf_flags, "BOOL,dom0,domu: no absent entries that name RAM"),
    OTHER_ROW("reboot", option_parse_reboot, "acpi|triple|kbd|pci|Power|efi|no,warm|cold"),
    {"sched", OPTION_TEXT, FIELD(sched), 0, NULL, NULL, "NAME: the scheduler"},
    FLAGS_ROW("smap", smap, smap_flags, "BOOL|hvm: use Supervisor Mode Access Prevention"),
    FLAGS_ROW("smep", smep, smep_flags, "BOOL|hvm: use Supervisor Mode Execution Prevention"),
    BOOL_ROW("smp", smp, "BOOL: start more than one CPU"),
    FLAGS_ROW("spec-ctrl", spec.all, spec_flags, "BOOL,ibrs,ibpb,verw,...: speculation measures"),
    BOOL_ROW("sync_console", sync_console, "BOOL: wait until each line is out"),
    {"tsc", OPTION_TEXT, FIELD(tsc), 0, NULL, NULL, "unstable|skewed|stable:socket"},
    FLAGS_ROW("watchdog", watchdog, watchdog_flags, "BOOL|force: stop when a CPU hangs"),
    NUMBER_ROW("watchdog_timeout", watchdog_timeout, 3600, "SECONDS: how long is hanging"),
    BOOL_ROW("x2apic", x2apic, "BOOL: use x2APIC mode"),
    FLAGS_ROW("xpti", spec.xpti, xpti_flags, "BOOL,dom0,domu: isolation against Meltdown"),
    BOOL_ROW("xsave", xsave, "BOOL: use XSAVE"),
};

const u32 option_table_count = ARRAY_SIZE(option_table);

const char options_ignored[] =
    "allow_unsafe altp2m apic_verbosity apicv argo asid async-show-all ats availmem "
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
    "sched_smt_power_savings scrub-domheap serial_tx_buffer shim_mem smt "
    "tbuf_size tevt_mask tickle_one_idle_cpu timer_slop tmem tsx ucode unrestricted_guest "
    "vcpu_migration_delay vesa-map vesa-mtrr vesa-ram vga viridian-spinlock-retry-count "
    "viridian-version vm-notify-window vpid vpmu ";

const struct options options_default = {.console = {{CONSOLE_COM1, 0}, {CONSOLE_VGA, 0}},
                                        .console_count = 2,
                                        .conswitch = 'a',
                                        // Xen's default is "warning", but its boot messages have no
                                        // level and always come; ours are LOG_INFO.
                                        .loglvl = {LOG_INFO, LOG_INFO},
                                        .guest_loglvl = {-1, LOG_WARN},
                                        .smp = true,
                                        .acpi = true,
                                        .apic = true,
                                        .x2apic = OPTION_AUTO,
                                        .smep = GUARD_ON,
                                        .smap = GUARD_ON,
                                        .xsave = true,
                                        .spec = {.xpti = OPTION_AUTO,
                                                 .xpti_dom0 = OPTION_AUTO,
                                                 .xpti_domu = OPTION_AUTO,
                                                 .l1tf = OPTION_AUTO,
                                                 .l1tf_dom0 = OPTION_AUTO,
                                                 .l1tf_domu = OPTION_AUTO,
                                                 .all = OPTION_AUTO,
                                                 .xen = OPTION_AUTO,
                                                 .pv = OPTION_AUTO,
                                                 .rsb = OPTION_AUTO,
                                                 .verw = OPTION_AUTO,
                                                 .ibpb_entry = OPTION_AUTO,
                                                 .bhb_entry = OPTION_AUTO,
                                                 .ibrs = OPTION_AUTO,
                                                 .stibp = OPTION_AUTO,
                                                 .ibpb = OPTION_AUTO,
                                                 .ssbd = OPTION_AUTO,
                                                 .bhi_dis_s = OPTION_AUTO},
                                        .hpet = true,
                                        .iommu = {.dom0_passthrough = true},
                                        .gnttab_max_frames = 64,
                                        .gnttab_max_maptrack_frames = 1024,
                                        .gnttab_max_version = 2,
                                        .watchdog_timeout = 5};
