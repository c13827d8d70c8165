// SPDX-License-Identifier: MIT
// XSA-213 (CVE-2017-8903): iret inside a multicall.
//
// Class: an iret in a batch changes the mode, and the calls behind it run with page tables and
// rights of the wrong mode. What must hold: either iret is no call for a batch, or the batch ends
// with it; a call behind it never runs in user mode's tables.
#include "lib/guest.h"

const char test_title[] = "iret inside a multicall";

static struct multicall_entry call[3];
static uint64_t *data;

void test_main(void)
{
    struct iret_context ctx = {.rflags = 2, .cs = FLAT_KERNEL_CS, .ss = FLAT_KERNEL_SS};
    uint64_t rip, saved;
    long rc = __HYPERVISOR_multicall;

    user_setup();
    data = page_alloc();
    call[0] = (struct multicall_entry){.op = __HYPERVISOR_iret, .result = 0x99};
    call[1] = (struct multicall_entry){
        .op = __HYPERVISOR_update_va_mapping,
        .result = 0x99,
        .args = {(uint64_t)data, mfn_pte(va_to_mfn(data), PTE_RO), UVMF_INVLPG}};
    call[2] = (struct multicall_entry){.op = __HYPERVISOR_multicall, .result = 0x99};
    ctx.cs &= ~3u;
    // Control goes on at 1: whether the iret happens (with its own stack) or not.
    asm volatile("mov %%rsp, %[saved]\n"
                 "lea 1f(%%rip), %[rip]\n"
                 "mov %[rip], 32(%[ctx])\n"
                 "mov %[saved], 56(%[ctx])\n"
                 "mov %[ctx], %%rsp\n"
                 "syscall\n"
                 "1: mov %[saved], %%rsp\n"
                 : "+a"(rc), [rip] "=&r"(rip), [saved] "=&b"(saved)
                 : [ctx] "r"(&ctx), "D"(call), "S"(3)
                 : "rcx", "r11", "memory");
    printk("multicall with iret: rc %ld, results %lx %lx %lx\n", rc, call[0].result, call[1].result,
           call[2].result);
    if (call[1].result == 0) // it ran, then in our tables
        CHECK_EQ(pte_of(kernel_l4(), data, 1)[0] & PTE_W, 0);
    else
        CHECK_NO_TRAP(try_write(data, 1));
    CHECK(call[2].result != 0);
    CHECK_EQ(hc_xen_version(XENVER_version, NULL) >> 16, 4);
}
