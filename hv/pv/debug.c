// SPDX-License-Identifier: MIT
// Debug registers of PV guests (SDM 3B "Debug Registers"): breakpoints may lie only in the guest's
// own part of the address space, so that none fires in the hypervisor.
#include "abi/errno.h"
#include "cpu/x86.h"
#include "dom/domain.h"
#include "hc/guest_access.h"
#include "pv/pv.h"

#define DR7_RESERVED 0xffffffff0000d800 /* and bit 10, which is set; GD (13) is refused */
#define DR7_GD       0x2000

static bool loaded(const struct vcpu *v)
{
    return current_vcpu() == v;
}

u64 pv_get_debugreg(struct vcpu *v, u32 reg)
{
    switch (reg) {
    case 0:
    case 1:
    case 2:
    case 3:
        return v->pv.dr[reg];
    case 4:
    case 6:
        return v->pv.dr6;
    default:
        return v->pv.dr7;
    }
}

static void load_address(u32 reg, u64 value)
{
    switch (reg) {
    case 0:
        write_dr0(value);
        break;
    case 1:
        write_dr1(value);
        break;
    case 2:
        write_dr2(value);
        break;
    default:
        write_dr3(value);
    }
}

// Each enabled breakpoint's type must be one the CPU has: I/O breakpoints need CR4.DE handling that
// PV guests do not get.
static bool dr7_ok(u64 value)
{
    if (value & DR7_GD)
        return false;
    for (u32 i = 0; i < 4; i++)
        if ((value >> (i * 2) & 3) && (value >> (16 + i * 4) & 3) == 2)
            return false;
    return true;
}

int pv_set_debugreg(struct vcpu *v, u32 reg, u64 value)
{
    switch (reg) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (!guest_range_ok(value, 8))
            return -EPERM;
        v->pv.dr[reg] = value;
        if (loaded(v))
            load_address(reg, value);
        return 0;
    case 4:
    case 6:
        if (value >> 32)
            return -EPERM;
        v->pv.dr6 = (value & 0xe00f) | PV_DR6_FIXED;
        return 0;
    case 5:
    case 7:
        if (value >> 32)
            return -EINVAL;
        if (!dr7_ok(value))
            return -EPERM;
        v->pv.dr7 = (value & ~(u64)DR7_RESERVED) | PV_DR7_FIXED;
        if (loaded(v)) {
            for (u32 i = 0; i < 4; i++)
                load_address(i, v->pv.dr[i]);
            write_dr7(v->pv.dr7);
        }
        return 0;
    default:
        return -EINVAL;
    }
}
