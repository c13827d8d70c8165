// SPDX-License-Identifier: MIT
// Caps: a domain may have at most so many percent of a CPU, all its vCPUs together.
#ifndef WIRT_SCHED_CAP_H
#define WIRT_SCHED_CAP_H

#include "dom/domain.h"

// A new domain's, without a cap.
void cap_init(struct domain *d);
// percent: 0 for none. Any context.
void cap_set(struct domain *d, u32 percent);
// The domain ran for so many ns up to now. With the queue's lock held; only while it has a cap.
void cap_charge(struct sched_share *s, u64 ran, u64 now);
// ns that it may run on; 0: nothing until the next period, for which its timer is set now.
// UINT64_MAX: it has no cap. With the queue's lock held.
u64 cap_left(struct sched_share *s, u64 now);

#endif
