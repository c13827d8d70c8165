// SPDX-License-Identifier: MIT
// GNTTABOP_copy between our own frames, and its refusals.
//
// xen ABI: grant_table.h struct gnttab_copy: source and destination by frame need DOMID_SELF; a
// copy must stay within a page on both sides (GNTST_bad_copy_arg); each element has its own status.
#include "lib/guest.h"

const char test_title[] = "grant copy by frame";

static char *a, *b;

static struct gnttab_copy make(uint64_t src, unsigned int off_s, uint64_t dst, unsigned int off_d,
                               unsigned int len)
{
    return (struct gnttab_copy){
        .source = {.u.gmfn = src, .domid = DOMID_SELF, .offset = (uint16_t)off_s},
        .dest = {.u.gmfn = dst, .domid = DOMID_SELF, .offset = (uint16_t)off_d},
        .len = (uint16_t)len,
        .status = 77,
    };
}

void test_main(void)
{
    struct gnttab_copy op[4];
    uint64_t ma, mb;
    char *table = table_alloc();

    a = page_alloc();
    b = page_alloc();
    ma = va_to_mfn(a);
    mb = va_to_mfn(b);
    memset(a, 'a', PAGE_SIZE);
    op[0] = make(ma, 16, mb, 32, 100);
    op[1] = make(ma, 4000, mb, 0, 97); // over the end
    op[2] = make(ma, 0, mb, 4096 - 8, 9);
    op[3] = make(ma, 0, mb, 4096 - 8, 8);
    CHECK_RC(hc_grant_table_op(GNTTABOP_copy, op, 4), 0);
    CHECK_EQ(op[0].status, GNTST_okay);
    CHECK_EQ(op[1].status, GNTST_bad_copy_arg);
    CHECK_EQ(op[2].status, GNTST_bad_copy_arg);
    CHECK_EQ(op[3].status, GNTST_okay);
    CHECK_EQ(b[31], 0);
    CHECK_EQ(b[32], 'a');
    CHECK_EQ(b[131], 'a');
    CHECK_EQ(b[132], 0);
    CHECK_EQ(b[4095], 'a');
    CHECK_EQ(b[0], 0);
    CHECK_RC(mmuext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table)), 0);
    op[0] = make(ma, 0, va_to_mfn(table), 0, 8); // a page table is no destination
    op[1] = make(0xffffffff, 0, mb, 0, 8);
    op[2] = make(ma, 0, mb, 0, 8);
    op[2].source.domid = 0x1234;
    op[3] = make(5, 0, mb, 0, 8);
    op[3].flags = GNTCOPY_source_gref; // a grant that was never given
    CHECK_RC(hc_grant_table_op(GNTTABOP_copy, op, 4), 0);
    CHECK(op[0].status < 0);
    CHECK(op[1].status < 0);
    CHECK(op[2].status < 0);
    CHECK(op[3].status < 0);
    CHECK_EQ(*(uint64_t *)table, 0);
    CHECK_EQ(b[0], 0);
}
