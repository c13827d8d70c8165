// SPDX-License-Identifier: MIT
// The hypervisor's part of every address space, 0xffff800000000000-0xffff87ffffffffff:
//
//   L4 slot
//   256      machine-to-physical table, read-only to guests (ABI: MACH2PHYS_VIRT_START)
//   257      the image (VIRT_BASE + physical address); per-CPU areas at +1 GiB
//   258      frame table, 32 bytes a frame
//   259      machine-to-physical table, the hypervisor's writable view
//   260      device memory (ioremap)
//   262-271  direct map of all RAM
//
// All of it is the same in every address space; only the GDT and LDT windows of a per-CPU area
// change, when that CPU switches vCPUs.
#ifndef WIRT_MM_LAYOUT_H
#define WIRT_MM_LAYOUT_H

#define VIRT_BASE        0xffff808000000000
#define LOAD_PHYS        0x100000
#define PERCPU_BASE      0xffff808040000000
#define FRAME_TABLE_BASE 0xffff810000000000
#define M2P_RO_BASE      0xffff800000000000
#define M2P_RW_BASE      0xffff818000000000
#define IOREMAP_BASE     0xffff820000000000
#define IOREMAP_END      0xffff828000000000
#define DIRECTMAP_BASE   0xffff830000000000
#define DIRECTMAP_BYTES  (10 * ((u64)1 << 39))

#define HV_L4_FIRST 256
#define HV_L4_END   272

// One CPU's area: 256 KiB, naturally aligned, found from any stack pointer inside it.
//   0x00000 guard    0x01000-0x07fff main stack, struct cpu_info at its top
//   0x08000 guard    0x09000 NMI stack   0x0a000 guard  0x0b000 #DF and #DB stacks
//   0x0c000 guard    0x0d000 #MC stack   0x0e000 TSS    0x0f000 syscall stub (executable)
//   0x10000 GDT window (64 KiB)          0x20000 LDT window (64 KiB)
#define PERCPU_SHIFT     18
#define PERCPU_SIZE      (1 << PERCPU_SHIFT)
#define PERCPU_STACK     0x01000
#define PERCPU_STACK_END 0x08000
#define PERCPU_NMI       0x09000
#define PERCPU_DF        0x0b000
#define PERCPU_MC        0x0d000
#define PERCPU_TSS       0x0e000
#define PERCPU_STUB      0x0f000
#define PERCPU_GDT       0x10000
#define PERCPU_LDT       0x20000

// Selectors. The guest's flat ones and their place (GDT page 14) are the ABI's.
#define HV_CS  0xe008
#define HV_DS  0xe010
#define HV_TSS 0xe040
#define HV_LDT 0xe050

#endif
