// SPDX-License-Identifier: MIT
// HYPERVISOR_callback_op and set_callbacks: registering, unregistering and refusals.
//
// xen ABI: callback.h. Unknown types are -ENOSYS; event and failsafe cannot be unregistered
// (-EINVAL); addresses must be canonical; the NMI callback can come and go.
#include "lib/guest.h"

const char test_title[] = "callback_op";

static long unregister(unsigned int type)
{
    struct callback_unregister cb = {.type = (uint16_t)type};

    return hc_callback_op(CALLBACKOP_unregister, &cb);
}

void test_main(void)
{
    static const unsigned int plain[] = {CALLBACKTYPE_event, CALLBACKTYPE_failsafe,
                                         CALLBACKTYPE_syscall};

    for (unsigned int i = 0; i < ARRAY_SIZE(plain); i++) {
        CHECK_RC(register_callback(plain[i], 0, (void *)0x8000000000000000), -EINVAL);
        CHECK_RC(unregister(plain[i]), -EINVAL);
    }
    CHECK_RC(register_callback(CALLBACKTYPE_syscall, CALLBACKF_mask_events, syscall_entry), 0);
    CHECK_RC(register_callback(CALLBACKTYPE_syscall32, 0, syscall32_entry), 0);
    CHECK_RC(register_callback(CALLBACKTYPE_sysenter, 0, syscall32_entry), 0);
    CHECK_RC(register_callback(CALLBACKTYPE_nmi, 0, nmi_entry), 0);
    CHECK_RC(unregister(CALLBACKTYPE_nmi), 0);
    CHECK_RC(register_callback(99, 0, event_entry), -ENOSYS);
    CHECK_RC(unregister(99), -ENOSYS);
    CHECK_RC(hc_callback_op(CALLBACKOP_register, (void *)0x10), -EFAULT);
    CHECK_RC(hc_callback_op(CALLBACKOP_unregister, (void *)0x10), -EFAULT);
    CHECK_RC(hc_callback_op(2, NULL), -ENOSYS);
    // What is registered still works.
    CHECK_RC(register_callback(CALLBACKTYPE_event, 0, event_entry), 0);
}
