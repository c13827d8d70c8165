// SPDX-License-Identifier: MIT
// The event channel hypercalls.
#ifndef WIRT_HC_EVENT_H
#define WIRT_HC_EVENT_H

#include "hc/op.h"

// All EVTCHNOP_*, by rising number.
extern const struct hc_op hc_event_ops[];
extern const u32 hc_event_op_count;

// HYPERVISOR_event_channel_op. -ERESTART_HC: call again with the same arguments. Context: as
// hc_dispatch_op.
long hc_event_channel_op(struct vcpu *cur, int cmd, guest_ptr arg);
// HYPERVISOR_event_channel_op_compat: a struct evtchn_op, with the operations it knows.
long hc_event_channel_op_compat(struct vcpu *cur, guest_ptr op);

#endif
