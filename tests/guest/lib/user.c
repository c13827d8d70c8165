// SPDX-License-Identifier: MIT
// Guest user mode: its own L4 (installed with MMUEXT_NEW_USER_BASEPTR), a code page, a data page
// and a stack page, and the way in and out.
#include "lib/internal.h"

uint64_t *user_l4;
static uint8_t *user_code_page;

void user_setup(void)
{
    user_l4 = table_alloc();
    user_code_page = page_alloc();
    REQUIRE(mmuext(MMUEXT_PIN_L4_TABLE, va_to_mfn(user_l4)) == 0);
    REQUIRE(map_page(user_l4, (void *)USER_CODE, mfn_pte(va_to_mfn(user_code_page), PTE_RO)));
    REQUIRE(map_page(user_l4, (void *)USER_DATA, mfn_pte(va_to_mfn(page_alloc()), PTE_RW)));
    REQUIRE(map_page(user_l4, (void *)(USER_STACK - PAGE_SIZE),
                     mfn_pte(va_to_mfn(page_alloc()), PTE_RW)));
    REQUIRE(mmuext(MMUEXT_NEW_USER_BASEPTR, va_to_mfn(user_l4)) == 0);
    REQUIRE(hc_stack_switch(FLAT_KERNEL_SS, (uint64_t)this_cpu() + CPU_ENTRY_SP) == 0);
    REQUIRE(register_callback(CALLBACKTYPE_syscall, 0, syscall_entry) == 0);
    REQUIRE(register_callback(CALLBACKTYPE_syscall32, 0, syscall32_entry) == 0);
}

const struct trap *user_run(const void *code, size_t size, struct frame *regs)
{
    struct frame f = regs ? *regs : (struct frame){.rflags = 0x202};

    memcpy(user_code_page, code, size);
    f.rip = USER_CODE;
    f.rsp = USER_STACK;
    f.cs = FLAT_USER_CS;
    f.ss = FLAT_USER_SS;
    this_cpu()->in_user = true;
    user_enter(&f);
    return &this_cpu()->user_exit;
}

const struct trap *user_iret(const struct iret_context *ctx)
{
    this_cpu()->in_user = true;
    user_enter_ctx(ctx);
    return &this_cpu()->user_exit;
}
