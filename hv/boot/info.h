// SPDX-License-Identifier: MIT
// What the boot loader told us, whatever protocol it spoke.
#ifndef WIRT_BOOT_INFO_H
#define WIRT_BOOT_INFO_H

#include "lib/compiler.h"

enum { E820_MAX = 256, MODULES_MAX = 8, CMDLINE_MAX = 2048, EFI_RANGES_MAX = 256 };

enum e820_type { E820_RAM = 1, E820_RESERVED = 2, E820_ACPI = 3, E820_NVS = 4, E820_UNUSABLE = 5 };

// The layout of the BIOS and of XENMEM_memory_map.
struct e820_entry {
    u64 addr, size;
    u32 type;
} PACKED;

struct boot_module {
    maddr_t start;
    u64 size;
    char args[1024];
};

// A piece of UEFI's memory map ("EFI_MEMORY_DESCRIPTOR"); neighbours of a kind are merged.
struct efi_range {
    u64 addr, size, attributes;
    u32 type;
};

// What dom0 asks about UEFI (hc/platform.c), taken from its system table.
struct efi_info {
    u64 tables; // "EFI_CONFIGURATION_TABLE" array
    u32 table_count;
    u32 version, runtime_version, vendor_revision;
    u16 vendor[64]; // UTF-16, terminated
    u32 range_count;
    struct efi_range range[EFI_RANGES_MAX];
};

// A linear frame buffer of direct colours. Width 0: there is none.
struct boot_framebuffer {
    u64 addr;
    u32 pitch, width, height; // bytes, pixels, pixels
    u8 bits_per_pixel;
    u8 red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
};

struct boot_info {
    const char *protocol;
    char cmdline[CMDLINE_MAX];
    u32 e820_count, module_count;
    struct e820_entry e820[E820_MAX]; // sorted, not overlapping
    struct boot_module module[MODULES_MAX];
    maddr_t rsdp;     // 0: unknown
    u8 rsdp_copy[36]; // multiboot 2 passes a copy, which is kept here
    bool efi;         // started by 64-bit UEFI firmware
    struct efi_info uefi;
    struct boot_framebuffer framebuffer;
};

// Reads what the loader left. NULL, or what is wrong with it. Runs on the boot page tables (RAM
// below 4 GiB mapped at DIRECTMAP_BASE), before anything is overwritten.
const char *boot_info_read(u32 magic, u32 info, struct boot_info *out);
// Sorts, merges and clips the memory map. Pure.
void e820_sanitise(struct boot_info *bi);
// Marks a range that firmware may have left out, so that dom0 puts no device there.
void e820_reserve(struct boot_info *bi, maddr_t start, u64 bytes);

#endif
