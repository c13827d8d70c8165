// SPDX-License-Identifier: MIT
// HYPERVISOR_platform_op: what the control domain does to the machine. Source: <xen/platform.h>.
// Firmware calls and adding CPUs or memory are not offered; operations that are missing give
// -ENOSYS.
#include "abi/xen.h"
#include <xen/platform.h>
#include "boot/globals.h"
#include "cpu/power.h"
#include "cpu/time.h"
#include "cpu/x86.h"
#include "hc/op.h"
#include "hc/sysctl.h"
#include "hc/table.h"
#include "lib/string.h"
#include "sched/pool.h"

#define NS_PER_S ((u64)1000000000)

// --- time ---

static long set_time(u64 secs, u32 nsecs, u64 system_time)
{
    u64 now, base;
    if (nsecs >= NS_PER_S || __builtin_mul_overflow(secs, NS_PER_S, &now) ||
        __builtin_add_overflow(now, nsecs, &now) || __builtin_sub_overflow(now, system_time, &base))
        return -EINVAL;
    time_set_wallclock_base(base);
    struct domain *d;
    for_each_domain (d)
        domain_update_wallclock(d);
    return 0;
}

static long settime32(struct vcpu *cur, void *arg)
{
    const struct xenpf_settime32 *a = arg;
    return set_time(a->secs, a->nsecs, a->system_time);
}

static long settime64(struct vcpu *cur, void *arg)
{
    const struct xenpf_settime64 *a = arg;
    return a->mbz ? -EINVAL : set_time(a->secs, a->nsecs, a->system_time);
}

// --- firmware ---

// Runtime services are not offered (XENPF_efi_runtime_call gives -ENOSYS), only what the system
// table said at boot: with it dom0 finds ACPI and DMI.
static const struct efi_range *find_efi_range(u64 addr)
{
    for (u32 i = 0; i < boot_info.uefi.range_count; i++)
        if (addr - boot_info.uefi.range[i].addr < boot_info.uefi.range[i].size)
            return &boot_info.uefi.range[i];
    return NULL;
}

static long efi_vendor(union xenpf_efi_info *a)
{
    const struct efi_info *e = &boot_info.uefi;
    u16 name[ARRAY_SIZE(e->vendor)];
    u64 bytes = MIN((u64)a->vendor.bufsz, sizeof(name)) & ~(u64)1;
    if (bytes == 0)
        return -EINVAL;
    memcpy(name, e->vendor, sizeof(name));
    name[bytes / 2 - 1] = 0;
    a->vendor.revision = e->vendor_revision;
    return guest_copy_out(GUEST_HANDLE(a->vendor.name), name, bytes);
}

// From an address to the end of its piece of the memory map.
static long efi_mem_info(union xenpf_efi_info *a)
{
    const struct efi_range *r = find_efi_range(a->mem.addr);
    if (!r)
        return -ESRCH;
    a->mem.size = MIN(a->mem.size, r->addr + r->size - a->mem.addr);
    a->mem.attr = r->attributes;
    a->mem.type = r->type;
    return 0;
}

static long efi_info(u32 index, union xenpf_efi_info *a)
{
    const struct efi_info *e = &boot_info.uefi;
    if (e->table_count == 0)
        return -EOPNOTSUPP;
    switch (index) {
    case XEN_FW_EFI_VERSION:
        a->version = e->version;
        return 0;
    case XEN_FW_EFI_RT_VERSION:
        a->version = e->runtime_version;
        return 0;
    case XEN_FW_EFI_CONFIG_TABLE:
        a->cfg.addr = e->tables;
        a->cfg.nent = e->table_count;
        return 0;
    case XEN_FW_EFI_VENDOR:
        return efi_vendor(a);
    case XEN_FW_EFI_MEM_INFO:
        return efi_mem_info(a);
    case XEN_FW_EFI_PCI_ROM:
    case XEN_FW_EFI_APPLE_PROPERTIES:
        return -EOPNOTSUPP;
    default:
        return -EINVAL;
    }
}

// Of what the BIOS knew, nothing was kept at boot: the lists are empty.
static long firmware_info(struct vcpu *cur, void *arg)
{
    struct xenpf_firmware_info *a = arg;
    switch (a->type) {
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH;
    case XEN_FW_KBD_SHIFT_FLAGS:
        if (a->index)
            return -ESRCH;
        a->u.kbd_shift_flags = 0;
        return 0;
    case XEN_FW_EFI_INFO:
        return efi_info(a->index, &a->u.efi_info);
    default:
        return -EINVAL;
    }
}

// Sleep states that end in a machine that is off; the others need us to come back.
static long enter_acpi_sleep(struct vcpu *cur, void *arg)
{
    const struct xenpf_enter_acpi_sleep *a = arg;
    bool reduced = a->flags & XENPF_ACPI_SLEEP_EXTENDED;
    if (a->flags & ~(u32)XENPF_ACPI_SLEEP_EXTENDED || a->sleep_state == 0 || a->sleep_state > 5 ||
        (reduced && (a->val_a | a->val_b) > UINT8_MAX))
        return -EINVAL;
    if (a->sleep_state < 4)
        return -EOPNOTSUPP;
    if ((reduced ? acpi.fadt.sleep_control.address : acpi.fadt.pm1a_cnt.address) == 0)
        return -ENODEV;
    if (reduced)
        machine_poweroff_reduced((u8)a->val_a);
    machine_poweroff(a->val_a, a->val_b);
}

// What the control domain's ACPI knows about power states is accepted and not used: idle CPUs halt.
static long set_processor_pminfo(struct vcpu *cur, void *arg)
{
    const struct xenpf_set_processor_pminfo *a = arg;
    return a->type <= XEN_PM_PDC ? 0 : -EINVAL;
}

// --- CPUs ---

static u32 acpi_id_of(u32 apic_id)
{
    for (u32 i = 0; i < acpi.cpu_count; i++)
        if (acpi.cpu[i].apic_id == apic_id)
            return acpi.cpu[i].acpi_id;
    return ~0u;
}

static long get_cpuinfo(struct vcpu *cur, void *arg)
{
    struct xenpf_pcpuinfo *a = arg;
    a->max_present = cpu_count - 1;
    a->apic_id = a->acpi_id = ~0u;
    a->flags = XEN_PCPU_FLAGS_INVALID;
    if (a->xen_cpuid >= cpu_count)
        return 0;
    a->apic_id = cpus[guest_index(a->xen_cpuid, cpu_count)].apic_id;
    a->acpi_id = acpi_id_of(a->apic_id);
    a->flags = cpu_is_offline(a->xen_cpuid) ? 0 : XEN_PCPU_FLAGS_ONLINE;
    return 0;
}

// All CPUs are alike (cpu/cpu.h). SDM 2A "CPUID": family and model have extended parts.
static long get_cpu_version(struct vcpu *cur, void *arg)
{
    struct xenpf_pcpu_version *a = arg;
    bool present = a->xen_cpuid < cpu_count;
    struct cpuid_regs id = cpuid(0, 0), v = cpuid(1, 0);
    u32 vendor[3] = {id.b, id.d, id.c}, family = v.a >> 8 & 15, model = v.a >> 4 & 15;
    if (family == 6 || family == 15)
        model |= v.a >> 12 & 0xf0;
    if (family == 15)
        family += v.a >> 20 & 0xff;
    *a = (struct xenpf_pcpu_version){.xen_cpuid = a->xen_cpuid, .max_present = cpu_count - 1};
    if (!present)
        return 0;
    memcpy(a->vendor_id, vendor, sizeof(a->vendor_id));
    a->family = family;
    a->model = model;
    a->stepping = v.a & 15;
    return 0;
}

static long use_cpu(struct vcpu *cur, void *arg)
{
    return hc_use_cpu(((const struct xenpf_cpu_ol *)arg)->cpuid, true);
}

static long leave_cpu(struct vcpu *cur, void *arg)
{
    return hc_use_cpu(((const struct xenpf_cpu_ol *)arg)->cpuid, false);
}

static long no_hotplug(struct vcpu *cur, void *arg)
{
    return -EOPNOTSUPP;
}

// clang-format off
#define OP(op, fn, arg, dir) {DOC("XENPF_" #op), XENPF_##op, sizeof(struct arg), dir, true, fn, DOC("platform_op")}

static const struct hc_op ops[] = {
    OP(settime32,            settime32,            xenpf_settime32,            HC_IN),
    OP(get_cpu_version,      get_cpu_version,      xenpf_pcpu_version,         HC_INOUT),
    OP(firmware_info,        firmware_info,        xenpf_firmware_info,        HC_INOUT),
    OP(enter_acpi_sleep,     enter_acpi_sleep,     xenpf_enter_acpi_sleep,     HC_IN),
    OP(set_processor_pminfo, set_processor_pminfo, xenpf_set_processor_pminfo, HC_IN),
    OP(get_cpuinfo,          get_cpuinfo,          xenpf_pcpuinfo,             HC_INOUT),
    OP(cpu_online,           use_cpu,              xenpf_cpu_ol,               HC_IN),
    OP(cpu_offline,          leave_cpu,            xenpf_cpu_ol,               HC_IN),
    OP(cpu_hotadd,           no_hotplug,           xenpf_cpu_hotadd,           HC_IN),
    OP(mem_hotadd,           no_hotplug,           xenpf_mem_hotadd,           HC_IN),
    OP(settime64,            settime64,            xenpf_settime64,            HC_IN),
};
// clang-format on

long hc_platform_op(struct vcpu *cur, u64 arg, u64 a1, u64 a2, u64 a3, u64 a4)
{
    guest_ptr p = GUEST_PTR(arg);
    u32 cmd;
    int rc = hc_open_versioned(cur, &p, XENPF_INTERFACE_VERSION, &cmd);
    return rc ? rc : hc_dispatch_op(ops, ARRAY_SIZE(ops), cur, cmd, p);
}
