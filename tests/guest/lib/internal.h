// SPDX-License-Identifier: MIT
// What the files of the kit share among themselves.
#ifndef GUEST_INTERNAL_H
#define GUEST_INTERNAL_H

#include "lib/guest.h"

extern char cpu_blocks[CPU_MAX][CPU_BLOCK_SIZE];

// mm.c
extern uint8_t kit_arena[][4096];
extern char image_end[]; // behind the arena

// kit.c: what the checks came to, and a domU's first function (written by dom0 into its copy).
struct verdict {
    unsigned int checks, failures;
};
extern struct verdict verdict;
extern void (*domu_main)(void);

void mm_init(void);
void trap_init(void);
void event_init(void);
void event_upcall(void);
void kit_start(struct start_info *si);
_Noreturn void user_leave(void);
void user_enter(const struct frame *frame);
void user_enter_ctx(const struct iret_context *ctx);
void trap_dispatch(struct frame *frame);
void failsafe_record(const uint64_t selectors[4]);
void secondary_main(void (*fn)(void));

#endif
