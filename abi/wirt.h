/* SPDX-License-Identifier: MIT
 *
 * What Wirt's control interface has beyond Xen's: for tools, to be included after <xen/domctl.h>.
 *
 * Borrowed Virtual Time (docs/scheduling.md): XEN_DOMCTL_scheduler_op with sched_id
 * WIRT_SCHEDULER_BVT. The commands are Xen's; instead of the union the operation carries, at
 * WIRT_SCHED_ARGUMENT(op):
 *   XEN_DOMCTL_SCHEDOP_putinfo, _getinfo    struct wirt_sched_bvt
 *   XEN_DOMCTL_SCHEDOP_getvcpuinfo          struct wirt_sched_vcpu, for its member `vcpu`
 * -EINVAL: a value is out of range, the domain's pool has another scheduler, or no such vCPU.
 */
#ifndef WIRT_ABI_WIRT_H
#define WIRT_ABI_WIRT_H

#include <stdint.h>

#define WIRT_SCHEDULER_BVT      1
#define WIRT_SCHED_ARGUMENT(op) ((void *)&(op)->u.scheduler_op.u)

#define WIRT_MCU_ADVANCE_DEFAULT 10      /* weight 256 */
#define WIRT_MCU_ADVANCE_MAX     2560    /* weight 1; the least is 1 */
#define WIRT_WARP_MAX_US         1000000 /* of all three warp times */

struct wirt_sched_bvt {
    uint32_t mcu_advance;   /* virtual time that running costs; 2560 / weight */
    uint32_t warpback;      /* 0 or 1: its vCPUs warp */
    uint64_t warp_us;       /* how much earlier they come then, in virtual us */
    uint64_t warp_limit_us; /* longest time run under warp, 0: no limit */
    uint64_t unwarp_us;     /* after that no warp for so long */
};

struct wirt_sched_vcpu {
    uint32_t vcpu; /* IN */
    uint32_t cpu;
    uint32_t warped; /* 0 or 1 */
    uint32_t pad;
    int64_t avt_ns, evt_ns; /* actual and effective virtual time */
    int64_t svt_ns;         /* the latest time of its pool's queues */
    uint64_t ran_ns;        /* real time on CPUs */
};

#endif
