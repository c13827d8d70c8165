// SPDX-License-Identifier: MIT
// Cores and sockets, out of the parts of the APIC ids. Sources: SDM 3A "Detecting Hardware
// Multi-Threading Support and Topology", APM 3 "Legacy Method".
#include "cpu/topology.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"

enum { LEAF_TOPOLOGY = 0xb, LEVEL_SMT = 1, LEVELS = 8 };

static u32 bits_for(u32 n)
{
    return n > 1 ? 32 - (u32)__builtin_clz(n - 1) : 0;
}

// Without leaf 0xb: how many there may be of each is rounded up to a power of two.
static void legacy_shifts(u32 *core, u32 *socket)
{
    struct cpuid_regs r = cpuid(1, 0);
    u32 logical = r.d >> 28 & 1 ? MAX(r.b >> 16 & 0xff, 1u) : 1, cores = 1;
    *socket = bits_for(logical);
    if (cpu_features.amd && cpu_features.max_ext_leaf >= 0x80000008) {
        u32 c = cpuid(0x80000008, 0).c;
        cores = (c & 0xff) + 1;
        if (c >> 12 & 15)
            *socket = c >> 12 & 15;
    } else if (cpu_features.intel && cpu_features.max_leaf >= 4) {
        cores = (cpuid(4, 0).a >> 26) + 1;
    }
    *core = *socket - MIN(*socket, bits_for(cores));
}

// The APIC id's bits below the number of the core, and below that of the socket.
static void shifts(u32 *core, u32 *socket)
{
    if (cpu_features.max_leaf < LEAF_TOPOLOGY || (cpuid(LEAF_TOPOLOGY, 0).b & 0xffff) == 0) {
        legacy_shifts(core, socket);
        return;
    }
    *core = *socket = 0;
    for (u32 i = 0; i < LEVELS; i++) {
        struct cpuid_regs r = cpuid(LEAF_TOPOLOGY, i);
        u32 type = r.c >> 8 & 0xff;
        if (type == 0)
            break;
        if (type == LEVEL_SMT)
            *core = r.a & 31;
        *socket = r.a & 31;
    }
}

struct cpu_topology cpu_topology(u32 cpu)
{
    u32 core, socket, id = cpus[cpu].apic_id;
    shifts(&core, &socket);
    return (struct cpu_topology){(id & (((u32)1 << socket) - 1)) >> core, id >> socket};
}

void cpu_topology_counts(u32 *threads_per_core, u32 *cores_per_socket)
{
    u32 core, socket, siblings = 0, mates = 0;
    shifts(&core, &socket);
    for_each_cpu (i) {
        u32 id = cpus[i].apic_id;
        siblings += id >> core == cpus[0].apic_id >> core;
        mates += id >> socket == cpus[0].apic_id >> socket;
    }
    *threads_per_core = siblings;
    *cores_per_socket = mates / MAX(siblings, 1u);
}
