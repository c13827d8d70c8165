// SPDX-License-Identifier: MIT
// The other MMUEXT operations: flushes, cache, clear and copy page, errors, the count of done ones.
//
// xen ABI: xen.h "MMU EXTENDED OPERATIONS". Clear and copy work on any frame of ours that can be
// written; a page table is refused. Unknown commands are -ENOSYS; the first failure ends the list.
#include "lib/guest.h"

const char test_title[] = "mmuext_op: flush, clear, copy, errors";

static void check_flush(void)
{
    static uint64_t mask = 1;
    char *page = page_alloc();

    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    CHECK_RC(mmuext(MMUEXT_TLB_FLUSH_ALL, 0), 0);
    CHECK_RC(mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)page), 0);
    CHECK_RC(mmuext(MMUEXT_INVLPG_ALL, (uint64_t)page), 0);
    CHECK_RC(mmuext2(MMUEXT_TLB_FLUSH_MULTI, 0, (uint64_t)&mask), 0);
    CHECK_RC(mmuext2(MMUEXT_INVLPG_MULTI, (uint64_t)page, (uint64_t)&mask), 0);
    CHECK_RC(mmuext2(MMUEXT_TLB_FLUSH_MULTI, 0, 0x10), -EINVAL);
    CHECK_RC(mmuext2(MMUEXT_INVLPG_MULTI, (uint64_t)page, 0x10), -EINVAL);
    CHECK_RC(mmuext(MMUEXT_INVLPG_LOCAL, 0x8000000000000000), 0);
    CHECK_RC(mmuext(MMUEXT_INVLPG_LOCAL, HYPERVISOR_VIRT_END - 8), 0);
}

// An INVLPG is what makes a changed entry visible.
static void check_stale(void)
{
    char *window = page_alloc(), *a = page_alloc();

    *a = 'a';
    CHECK_EQ(READ_ONCE(*window), 0);
    CHECK_RC(hc_update_va_mapping(window, mfn_pte(va_to_mfn(a), PTE_RW), UVMF_NONE), 0);
    CHECK_RC(mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)window), 0);
    CHECK_EQ(READ_ONCE(*window), 'a');
}

static void check_pages(void)
{
    char *a = page_alloc(), *b = page_alloc(), *table = table_alloc();
    uint64_t foreign = 0xffffffff;

    memset(a, 0x5a, PAGE_SIZE);
    CHECK_RC(mmuext2(MMUEXT_COPY_PAGE, va_to_mfn(b), va_to_mfn(a)), 0);
    CHECK_EQ(memcmp(a, b, PAGE_SIZE), 0);
    CHECK_RC(mmuext(MMUEXT_CLEAR_PAGE, va_to_mfn(a)), 0);
    CHECK_EQ(a[0] | a[2048] | a[4095], 0);
    CHECK_EQ(b[17], 0x5a);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table)), 0);
    CHECK(mmuext(MMUEXT_CLEAR_PAGE, va_to_mfn(table)) < 0);
    CHECK(mmuext2(MMUEXT_COPY_PAGE, va_to_mfn(table), va_to_mfn(b)) < 0);
    CHECK_RC(mmuext2(MMUEXT_COPY_PAGE, va_to_mfn(b), va_to_mfn(table)), 0); // reading is fine
    CHECK_EQ(b[17], 0);
    CHECK(mmuext(MMUEXT_CLEAR_PAGE, foreign) < 0);
    CHECK(mmuext2(MMUEXT_COPY_PAGE, foreign, va_to_mfn(a)) < 0);
    CHECK(mmuext2(MMUEXT_COPY_PAGE, va_to_mfn(a), foreign) < 0);
}

static void check_list(void)
{
    struct mmuext_op ops[3] = {
        {.cmd = MMUEXT_TLB_FLUSH_LOCAL}, {.cmd = 99}, {.cmd = MMUEXT_TLB_FLUSH_LOCAL}};
    unsigned int done = 77;

    CHECK_RC(hc_mmuext_op(ops, 3, &done, DOMID_SELF), -ENOSYS);
    CHECK_EQ(done, 1);
    ops[1].cmd = MMUEXT_INVLPG_LOCAL;
    CHECK_RC(hc_mmuext_op(ops, 3, &done, DOMID_SELF), 0);
    CHECK_EQ(done, 3);
    CHECK_RC(hc_mmuext_op(ops, 0, &done, DOMID_SELF), 0);
    CHECK_RC(hc_mmuext_op((void *)0x10, 1, NULL, DOMID_SELF), -EFAULT);
    CHECK_RC(hc_mmuext_op(ops, 1, NULL, 0x1234), -ESRCH);
}

static void check_cache(void)
{
    CHECK_RC(mmuext(MMUEXT_FLUSH_CACHE, 0), 0);
    CHECK_RC(mmuext(MMUEXT_FLUSH_CACHE_GLOBAL, 0), 0);
    CHECK_RC(mmuext(14, 0), -ENOSYS);
    CHECK(mmuext(MMUEXT_MARK_SUPER, va_to_mfn(page_alloc())) < 0);
    CHECK(mmuext(MMUEXT_UNMARK_SUPER, va_to_mfn(page_alloc())) < 0);
}

void test_main(void)
{
    check_flush();
    check_stale();
    check_pages();
    check_list();
    check_cache();
}
