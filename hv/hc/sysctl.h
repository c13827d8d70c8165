// SPDX-License-Identifier: MIT
// HYPERVISOR_sysctl: the handlers of its operations, by file. Each gets its part of struct
// xen_sysctl as an op's argument (hc/op.h).
#ifndef WIRT_HC_SYSCTL_H
#define WIRT_HC_SYSCTL_H

#include "abi/xen.h"
#include <xen/sysctl.h>
#include "dom/domain.h"
#include "hc/op.h"

typedef long sysctl_handler(struct vcpu *cur, void *arg);

// hc/sysctl_info.c: the machine and its domains.
sysctl_handler sysctl_physinfo, sysctl_cputopoinfo, sysctl_numainfo, sysctl_pcitopoinfo,
    sysctl_getdomaininfolist, sysctl_getcpuinfo, sysctl_availheap;
// hc/sysctl_sched.c: scheduler, pools, power.
sysctl_handler sysctl_sched_id, sysctl_cpupool_op, sysctl_scheduler_op, sysctl_tbuf_op,
    sysctl_get_pmstat, sysctl_pm_op, sysctl_cpu_hotplug;
// hc/perfc.c: performance counters.
sysctl_handler sysctl_perfc_op;
// hc/policy.c: CPU policies.
sysctl_handler sysctl_get_cpu_levelling_caps, sysctl_get_cpu_featureset, sysctl_get_cpu_policy;

// Puts a CPU into use or takes it out (sched/pool.h has the errors), and tells the control domain.
NODISCARD long hc_use_cpu(u32 cpu, bool use);

#endif
