// SPDX-License-Identifier: MIT
// XEN_SYSCTL_perfc_op: reads and clears the performance counters. A value for each CPU, and for
// hypercalls one for each number. Source: <xen/sysctl.h>.
#include "cpu/percpu.h"
#include "hc/guest_access.h"
#include "hc/sysctl.h"
#include "lib/string.h"

static const char *const names[PERFC_COUNT] = {
#define PERFC_NAME(name, text) [name] = text,
    PERFC_ALL(PERFC_NAME)
#undef PERFC_NAME
};

static int tell_name(guest_ptr descs, u32 i, const char *name, u32 values)
{
    struct xen_sysctl_perfc_desc desc = {.nr_vals = values};
    memcpy(desc.name, name, strlen(name));
    return guest_copy_out_index(descs, i, &desc, sizeof(desc));
}

static int tell_names(guest_ptr descs)
{
    int rc = 0;
    for (u32 i = 0; i < PERFC_COUNT && rc == 0; i++)
        rc = tell_name(descs, i, names[i], cpu_count);
    return rc ? rc : tell_name(descs, PERFC_COUNT, "hypercalls", PERFC_HYPERCALLS);
}

static int tell_values(guest_ptr values)
{
    u32 n = 0;
    int rc = 0;
    for (u32 i = 0; i < PERFC_COUNT; i++)
        for_each_cpu (cpu)
            rc |= guest_copy_out_index(values, n++, &cpus[cpu].perfc.count[i], sizeof(u32));
    for (u32 i = 0; i < PERFC_HYPERCALLS; i++) {
        u32 sum = 0;
        for_each_cpu (cpu)
            sum += READ_ONCE(cpus[cpu].perfc.hypercall[i]);
        rc |= guest_copy_out_index(values, n++, &sum, sizeof(sum));
    }
    return rc ? -EFAULT : 0;
}

long sysctl_perfc_op(struct vcpu *cur, void *arg)
{
    struct xen_sysctl_perfc_op *a = arg;
    guest_ptr descs = GUEST_HANDLE(a->desc), values = GUEST_HANDLE(a->val);
    int rc = 0;
    if (a->cmd == XEN_SYSCTL_PERFCOP_reset) {
        for_each_cpu (cpu)
            memset(&cpus[cpu].perfc, 0, sizeof(cpus[cpu].perfc));
    } else if (a->cmd != XEN_SYSCTL_PERFCOP_query) {
        return -EINVAL;
    }
    a->nr_counters = PERFC_COUNT + 1;
    a->nr_vals = PERFC_COUNT * cpu_count + PERFC_HYPERCALLS;
    if (!guest_ptr_null(descs))
        rc = tell_names(descs);
    if (rc == 0 && !guest_ptr_null(values))
        rc = tell_values(values);
    return rc;
}
