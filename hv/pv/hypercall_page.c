// SPDX-License-Identifier: MIT
// The page of stubs through which guests make hypercalls (xen ABI: xen.h, elfnote.h
// HYPERCALL_PAGE).
#include "abi/xen.h"
#include "dom/domain.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "pv/pv.h"

enum { HYPERCALL_STUB_BYTES = 32, HYPERCALL_STUBS = 4096 / 32 };

// Each stub: rcx, r11 saved around syscall; iret's leaves an iret_context (xen ABI: xen-x86_64.h).
void pv_write_hypercall_page(void *page)
{
    memset(page, 0xcc, PAGE_SIZE);
    for (u32 i = 0; i < HYPERCALL_STUBS; i++) {
        u8 *p = (u8 *)page + i * HYPERCALL_STUB_BYTES;
        static const u8 call[] = {0x51, 0x41, 0x53, 0xb8, 0,    0,    0,
                                  0,    0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
        static const u8 iret[] = {0x51, 0x41, 0x53, 0x50, 0xb8, 0, 0, 0, 0, 0x0f, 0x05};
        bool is_iret = i == __HYPERVISOR_iret;
        memcpy(p, is_iret ? iret : call, is_iret ? sizeof(iret) : sizeof(call));
        memcpy(p + (is_iret ? 5 : 4), &i, 4);
    }
}

int pv_hypercall_msr(struct vcpu *v, u64 value)
{
    mfn_t m;
    if (value & ~PAGE_MASK)
        return -EINVAL; // there is one page only
    void *page = domain_map_guest_frame(v->dom, GFN(value >> PAGE_SHIFT), &m);
    if (!page)
        return -EINVAL;
    pv_write_hypercall_page(page);
    domain_unmap_guest_frame(v->dom, page);
    return 0;
}
