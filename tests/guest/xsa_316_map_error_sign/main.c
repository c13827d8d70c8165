// SPDX-License-Identifier: MIT
// XSA-316 (CVE-2020-11743): an error path of GNTTABOP_map_grant_ref gave a positive status, which
// guests take for success.
//
// What must hold: a map that fails, for want of a handle or for any other reason, has a negative
// status and maps nothing.
#include "lib/domu.h"

const char test_title[] = "status of failed grant maps";

#define REF 20

static void no_handles(struct xen_domctl_createdomain *args)
{
    args->max_maptrack_frames = 0;
}

static void guest(void)
{
    static xen_pfn_t frame;
    struct gnttab_setup_table s = {.dom = DOMID_SELF, .nr_frames = 1};
    volatile grant_entry_v1_t *table = page_alloc();
    char *window = page_alloc();
    struct gnttab_map_grant_ref m = {
        .host_addr = (uint64_t)window, .flags = GNTMAP_host_map, .ref = REF, .dom = DOMID_SELF};

    set_xen_guest_handle(s.frame_list, &frame);
    CHECK_RC(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
    CHECK_RC(hc_update_va_mapping((void *)table, mfn_pte(frame, PTE_RW), UVMF_INVLPG), 0);
    CHECK_RC(hc_update_va_mapping(window, 0, UVMF_INVLPG), 0);
    table[REF].domid = own_domid();
    table[REF].frame = (uint32_t)va_to_mfn(page_alloc());
    table[REF].flags = GTF_permit_access;
    for (unsigned int self = 0; self < 2; self++) {
        m.dom = self ? own_domid() : 0;
        CHECK_RC(hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
        CHECK(m.status < 0);
        CHECK_EQ(try_read(window, NULL)->frame.vector, X86_PF);
        CHECK_EQ(table[REF].flags, GTF_permit_access);
    }
}

void test_main(void)
{
    struct domu *d = domu_create_with(&(struct domu_config){.main = guest, .limits = no_handles});

    CHECK_EQ(domu_finish(d), SHUTDOWN_poweroff);
}
