// SPDX-License-Identifier: MIT
// HYPERVISOR_xen_version: every sub-operation and its errors.
//
// xen ABI: version.h. The version is 4.17 because the stock tools choose their binaries by it.
// Strings end within their buffers. XENVER_version, get_features, platform_parameters, pagesize and
// guest_handle serve every guest. Unknown sub-operations give -ENOSYS, bad pointers -EFAULT, and a
// submap index out of range -EINVAL.
#include "lib/guest.h"

const char test_title[] = "xen_version sub-operations";

static void check_strings(void)
{
    static char extra[sizeof(xen_extraversion_t)];
    static char caps[sizeof(xen_capabilities_info_t)];
    static char changeset[sizeof(xen_changeset_info_t)];
    static char cmdline[sizeof(xen_commandline_t)];
    static struct xen_compile_info info;

    memset(extra, 0xff, sizeof(extra));
    CHECK_RC(hc_xen_version(XENVER_extraversion, extra), 0);
    CHECK(strlen(extra) < sizeof(extra));
    CHECK_RC(hc_xen_version(XENVER_compile_info, &info), 0);
    CHECK(strlen(info.compiler) > 0);
    memset(caps, 0xff, sizeof(caps));
    CHECK_RC(hc_xen_version(XENVER_capabilities, caps), 0);
    CHECK(str_contains(caps, "xen-3.0-x86_64"));
    memset(changeset, 0xff, sizeof(changeset));
    CHECK_RC(hc_xen_version(XENVER_changeset, changeset), 0);
    CHECK(strlen(changeset) < sizeof(changeset));
    CHECK_RC(hc_xen_version(XENVER_commandline, cmdline), 0);
    CHECK(str_contains(cmdline, "dom0_mem=128M"));
}

static uint32_t features(unsigned int submap, long want)
{
    struct xen_feature_info fi = {.submap_idx = submap, .submap = 0};

    CHECK_RC(hc_xen_version(XENVER_get_features, &fi), want);
    return fi.submap;
}

static void check_features(void)
{
    uint32_t map = features(0, 0);

    CHECK(map >> XENFEAT_mmu_pt_update_preserve_ad & 1);
    CHECK(map >> XENFEAT_highmem_assist & 1);
    CHECK(map >> XENFEAT_gnttab_map_avail_bits & 1);
    CHECK(map >> XENFEAT_dom0 & 1);
    CHECK(map >> XENFEAT_memory_op_vnode_supported & 1);
    CHECK(map >> XENFEAT_direct_mapped & 1); // what a PV guest names is machine frames
    // A PV guest is neither translated nor at ring 0, and its page tables are not writable.
    CHECK_EQ(map >> XENFEAT_writable_page_tables & 1, 0);
    CHECK_EQ(map >> XENFEAT_auto_translated_physmap & 1, 0);
    CHECK_EQ(map >> XENFEAT_supervisor_mode_kernel & 1, 0);
    CHECK_EQ(map >> XENFEAT_not_direct_mapped & 1, 0);
    CHECK_EQ(map >> XENFEAT_hvm_callback_vector & 1, 0);
    features(1, -EINVAL);
    features(~0u, -EINVAL);
}

static void check_numbers(void)
{
    struct xen_platform_parameters pp = {0};
    xen_domain_handle_t handle;
    uint8_t sum = 0;

    CHECK_EQ(hc_xen_version(XENVER_version, NULL), 4 << 16 | 17);
    CHECK_EQ(hc_xen_version(XENVER_pagesize, NULL), 4096);
    CHECK_RC(hc_xen_version(XENVER_platform_parameters, &pp), 0);
    CHECK_EQ(pp.virt_start, HYPERVISOR_VIRT_START);
    memset(handle, 0xff, sizeof(handle));
    CHECK_RC(hc_xen_version(XENVER_guest_handle, handle), 0);
    for (unsigned int i = 0; i < sizeof(handle); i++)
        sum |= handle[i];
    CHECK_EQ(sum, 0); // dom0's handle is nil
}

static void check_build_id(void)
{
    static union {
        struct xen_build_id id;
        char room[256];
    } buf;
    long size = hc_xen_version(XENVER_build_id, NULL);

    if (size == -ENODATA) // built without one
        return;
    CHECK(size > 0 && size < 200);
    buf.id.len = (uint32_t)size;
    CHECK_EQ(hc_xen_version(XENVER_build_id, &buf), size);
    buf.id.len = (uint32_t)size - 1;
    CHECK_RC(hc_xen_version(XENVER_build_id, &buf), -ENOBUFS);
    buf.id.len = 0;
    CHECK_RC(hc_xen_version(XENVER_build_id, &buf), -EINVAL);
}

static void check_errors(void)
{
    static const unsigned int pointer_ops[] = {
        XENVER_extraversion,        XENVER_compile_info, XENVER_capabilities, XENVER_changeset,
        XENVER_platform_parameters, XENVER_get_features, XENVER_guest_handle, XENVER_commandline};

    for (unsigned int i = 0; i < ARRAY_SIZE(pointer_ops); i++) {
        CHECK_RC(hc_xen_version(pointer_ops[i], (void *)0x10), -EFAULT);
        CHECK_RC(hc_xen_version(pointer_ops[i], (void *)HYPERVISOR_VIRT_START), -EFAULT);
    }
    CHECK_RC(hc_xen_version(11, NULL), -ENOSYS);
    CHECK_RC(hc_xen_version(~0u, NULL), -ENOSYS);
}

void test_main(void)
{
    check_numbers();
    check_strings();
    check_features();
    check_build_id();
    check_errors();
}
