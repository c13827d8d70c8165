// SPDX-License-Identifier: MIT
// HYPERVISOR_xen_version: who we are and what we can do. Source: <xen/version.h>, <xen/features.h>.
#include "abi/xen.h"
#include <xen/version.h>
#include "boot/globals.h"
#include "hc/op.h"
#include "hc/table.h"
#include "lib/string.h"

enum { VERSION_MAJOR = 4, VERSION_MINOR = 17 };

// A PV guest sees machine frames (direct mapped), its page tables are read-only and its writes to
// L1 tables are emulated.
#define FEATURES                                                                       \
    (1u << XENFEAT_pae_pgdir_above_4gb | 1u << XENFEAT_mmu_pt_update_preserve_ad |     \
     1u << XENFEAT_highmem_assist | 1u << XENFEAT_gnttab_map_avail_bits |              \
     1u << XENFEAT_memory_op_vnode_supported | 1u << XENFEAT_linux_rsdp_unrestricted | \
     1u << XENFEAT_direct_mapped)

static long version(struct vcpu *cur, void *arg)
{
    return VERSION_MAJOR << 16 | VERSION_MINOR;
}

// No date and no host: the same source makes the same image.
static long compile_info(struct vcpu *cur, void *arg)
{
    struct xen_compile_info *a = arg;
    strlcpy(a->compiler, "cc " __VERSION__, sizeof(a->compiler));
    strlcpy(a->compile_by, "wirt", sizeof(a->compile_by));
    strlcpy(a->compile_domain, "", sizeof(a->compile_domain));
    strlcpy(a->compile_date, "reproducible", sizeof(a->compile_date));
    return 0;
}

static long platform_parameters(struct vcpu *cur, void *arg)
{
    struct xen_platform_parameters *a = arg;
    a->virt_start = HYPERVISOR_VIRT_START;
    return 0;
}

static long get_features(struct vcpu *cur, void *arg)
{
    struct xen_feature_info *a = arg;
    if (a->submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    a->submap = FEATURES | (cur->dom->privileged ? 1u << XENFEAT_dom0 : 0);
    return 0;
}

static long pagesize(struct vcpu *cur, void *arg)
{
    return (long)PAGE_SIZE;
}

// Nil: the control domain's, and what a domain has until its toolstack gives it another.
static long guest_handle(struct vcpu *cur, void *arg)
{
    return 0;
}

static long build_id(struct vcpu *cur, void *arg)
{
    return -ENODATA;
}

#define OP(op, bytes, dir, handler) HC_OP(XENVER_##op, bytes, dir, false, handler, "xen_version")

static const struct hc_op ops[] = {
    OP(version, 0, HC_NONE, version),
    OP(compile_info, sizeof(struct xen_compile_info), HC_OUT, compile_info),
    OP(platform_parameters, sizeof(struct xen_platform_parameters), HC_OUT, platform_parameters),
    OP(get_features, sizeof(struct xen_feature_info), HC_INOUT, get_features),
    OP(pagesize, 0, HC_NONE, pagesize),
    OP(guest_handle, sizeof(xen_domain_handle_t), HC_OUT, guest_handle),
    OP(build_id, 0, HC_NONE, build_id),
};

// Sub-operations that answer with a text.
struct hc_text_op {
    const char *name;
    u32 cmd;
    u16 bytes;       // of the guest's buffer; longer texts are cut
    bool privileged; // others read "<denied>"
    const char *text;
    const char *test;
};

// clang-format off
#define TEXT(op, bytes, privileged, text) \
    {DOC("XENVER_" #op), XENVER_##op, bytes, privileged, text, DOC("xen_version")}

static const struct hc_text_op texts[] = {
    TEXT(extraversion, XEN_EXTRAVERSION_LEN, false, ".wirt"),
    TEXT(capabilities, XEN_CAPABILITIES_INFO_LEN, false, "xen-3.0-x86_64 "),
    TEXT(changeset, XEN_CHANGESET_INFO_LEN, false, "unavailable"),
    TEXT(commandline, sizeof(xen_commandline_t), true, boot_info.cmdline),
};
// clang-format on

static long text_out(const struct hc_text_op *op, struct vcpu *cur, guest_ptr arg)
{
    char text[sizeof(xen_commandline_t)] = "";
    strlcpy(text, op->privileged && !cur->dom->privileged ? "<denied>" : op->text, op->bytes);
    return guest_copy_out(arg, text, op->bytes);
}

long hc_xen_version(struct vcpu *cur, u64 cmd, u64 arg, u64 a2, u64 a3, u64 a4)
{
    if ((u32)cmd == XENVER_version) // the cheapest hypercall, called often to let events in
        return version(cur, NULL);
    for (u32 i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i].cmd == (u32)cmd)
            return text_out(&texts[i], cur, GUEST_PTR(arg));
    return hc_dispatch_op(ops, ARRAY_SIZE(ops), cur, (u32)cmd, GUEST_PTR(arg));
}
