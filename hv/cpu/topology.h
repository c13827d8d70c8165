// SPDX-License-Identifier: MIT
// Which CPUs are threads of one core, and which cores sit in one socket.
#ifndef WIRT_CPU_TOPOLOGY_H
#define WIRT_CPU_TOPOLOGY_H

#include "lib/types.h"

struct cpu_topology {
    u32 core, socket; // the core is numbered within its socket
};

// Where CPU `cpu`, which is online, sits. Any context.
struct cpu_topology cpu_topology(u32 cpu);
// Online CPUs in one core, and cores in one socket, where the boot CPU sits.
void cpu_topology_counts(u32 *threads_per_core, u32 *cores_per_socket);

#endif
