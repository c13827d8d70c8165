// SPDX-License-Identifier: MIT
// VCPUOP_register_vcpu_info moves the vcpu_info; refusals leave it where it was.
//
// xen ABI: vcpu.h VCPUOP_register_vcpu_info: "need not be page aligned, but the structure must not
// cross a page boundary. This may be called only once per vcpu."
#include "lib/guest.h"

const char test_title[] = "register_vcpu_info";

static long registered(uint64_t mfn, unsigned int offset, unsigned int vcpu)
{
    struct vcpu_register_vcpu_info arg = {.mfn = mfn, .offset = offset};

    return hc_vcpu_op(VCPUOP_register_vcpu_info, vcpu, &arg);
}

void test_main(void)
{
    char *page = page_alloc();
    uint64_t mfn = va_to_mfn(page);
    evtchn_port_t port, peer;
    struct vcpu_info *new = (struct vcpu_info *)(page + 256);

    CHECK_RC(registered(mfn, 4096 - 32, 0), -ENXIO);
    CHECK_RC(registered(mfn, 4096, 0), -ENXIO);
    CHECK_RC(registered(0xffffffff, 0, 0), -EINVAL);
    CHECK_RC(registered(mfn, 256, 64), -ENOENT);
    CHECK_RC(hc_vcpu_op(VCPUOP_register_vcpu_info, 0, (void *)0x10), -EFAULT);
    vcpu_info()->evtchn_upcall_pending = 0;
    CHECK_RC(registered(mfn, 256, 0), 0);
    CHECK(new->time.tsc_to_system_mul != 0); // the contents moved over
    CHECK_EQ(new->evtchn_upcall_mask, 1);
    CHECK_EQ(new->evtchn_upcall_pending, 1); // spurious, so that nothing is lost
    vcpu_info_of[0] = new;
    CHECK_RC(registered(mfn, 512, 0), -EINVAL); // only once
    events_enable();
    CHECK_EQ(this_cpu()->upcalls, 1);
    REQUIRE(alloc_unbound(DOMID_SELF, DOMID_SELF, &port) == 0);
    REQUIRE(bind_interdomain(DOMID_SELF, port, &peer) == 0);
    port_unmask(port);
    CHECK_RC(evtchn_send(peer), 0);
    CHECK_EQ(event_count[port], 1);
    // A fault reports its address in the new place.
    CHECK_EQ(try_read((void *)0x1000, NULL)->cr2, 0x1000);
    CHECK_EQ(new->arch.cr2, 0x1000);
    // The page is in use: it cannot become a page table.
    events_disable();
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, mfn) < 0);
}
