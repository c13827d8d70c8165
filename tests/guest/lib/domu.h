// SPDX-License-Identifier: MIT
// Other domains, for a test that runs as dom0: create, fill, start, watch and destroy them.
//
// A domU is a fork of the test: its memory is a copy of the image, made by domu_build(), at the
// same virtual addresses, and it enters at the function given. Static variables have there the
// value they had in dom0; domu_fetch() brings what became of one, domu_poke() sets one. In the domU
// the kit works as usual (CHECK, TRY, page_alloc, events, ...): printk goes to the PV console page,
// which dom0 prints, and failed checks are added to dom0's when the domain is destroyed. The domU
// ends with SHUTDOWN_poweroff when its function returns.
//
// Pseudo-physical layout, all of it mapped at GUEST_VIRT_BASE except the last row:
//   1        start_info
//   4, 5     console, xenstore
//   6, 7, 8  L4, L3, L2;  9..15  L1s
//   16..     p2m list
//   256..    the image up to its page_alloc() pages (of these as many as asked for; pages of other
//            vCPUs' stacks are holes)
//   image's end..  "extra" frames that no page table maps, for pfn_alloc_unmapped()
#ifndef GUEST_DOMU_H
#define GUEST_DOMU_H

#ifndef __XEN_TOOLS__
#define __XEN_TOOLS__ 1
#endif
#include "lib/guest.h"
#include <xen/domctl.h>
#include <xen/io/console.h>
#include <xen/sysctl.h>

enum {
    DOMU_MAX = 8,      // at the same time
    DOMU_FRAMES = 4096 // pseudo-physical frames of one
};
enum { DOMU_START_INFO = 1, DOMU_CONSOLE = 4, DOMU_XENSTORE = 5, DOMU_L4 = 6, DOMU_P2M = 16 };

#define SECOND 1000000000ul

// What a domU shall be; 0 is the usual thing everywhere.
struct domu_config {
    void (*main)(void);
    domid_t id;         // 0: the hypervisor chooses
    unsigned int vcpus; // 0: one
    unsigned int arena; // pages for page_alloc(); 0: 32
    unsigned int extra; // unmapped frames; 0: 16
    uint64_t max_kb;    // 0: what is needed
    // Over the usual limits of domu_create_args(): called between them and createdomain.
    void (*limits)(struct xen_domctl_createdomain *args);
};

struct domu {
    struct domu_config config;
    domid_t id;
    bool in_use;
    uint64_t shared_info; // its machine frame
    xen_pfn_t *p2m;       // INVALID_PFN where there is a hole
    unsigned int nr_pfns;
    struct xencons_interface *console; // mapped here
    evtchn_port_t port;                // our end of the channel at its start_info->store_evtchn
    evtchn_port_t store_evtchn, console_evtchn; // its ends; the console's is bound to nothing
};

// ---- the calls -----------------------------------------------------------------------------

extern struct xen_domctl dc; // arguments and answers
extern struct xen_sysctl sc;
long domctl(uint32_t cmd, unsigned int dom); // with dc.u
long sysctl(uint32_t cmd);                   // with sc.u
uint64_t free_pages(void);                   // of the machine (XEN_SYSCTL_physinfo)
uint64_t free_pages_settled(void);           // when what was freed before has come back
// Frames come back a while after a domain is gone: wait until as many are free, 5 s at most.
bool free_pages_back(uint64_t want);

// The answer in dc.u.getdomaininfo; NULL when there is no such domain.
const struct xen_domctl_getdomaininfo *domain_info(unsigned int dom);
bool domain_exists(unsigned int dom);

// ---- a life, in one ------------------------------------------------------------------------

struct domu *domu_create(void (*main)(void)); // built, paused; ends the test if it fails
struct domu *domu_create_with(const struct domu_config *config);
long domu_unpause(struct domu *d);
long domu_pause(struct domu *d);
// Until it has shut down (10 s at most), printing its console; the reason, or -1.
int domu_wait(struct domu *d);
// destroydomain until it is gone from the list; takes over its checks. The answer of the call.
long domu_destroy(struct domu *d);
// Unpause, wait, destroy; it must be gone then. The shutdown reason.
int domu_finish(struct domu *d);
int domu_run(void (*main)(void)); // all of this
// Two such lives, or more in one: the second must cost no frame that does not come back.
void domu_lives(void (*life)(void));

// ---- the steps -----------------------------------------------------------------------------

// XEN_DOMCTL_createdomain's arguments for a small PV domain, into dc.
void domu_create_args(unsigned int vcpus);
struct domu *domu_new(const struct domu_config *config); // createdomain, max_vcpus, max_mem
void domu_populate(struct domu *d);
void domu_build(struct domu *d); // contents, page tables, channels, hypercall page, pinned L4
void domu_context(struct domu *d, struct vcpu_guest_context *ctx); // vCPU 0's at its start
long domu_set_context(struct domu *d, unsigned int vcpu, struct vcpu_guest_context *ctx);
long domu_get_context(struct domu *d, unsigned int vcpu, struct vcpu_guest_context *ctx);
void domu_console_drain(struct domu *d);
// destroydomain as often as it asks for it.
long domain_kill(unsigned int dom);

// ---- its memory ----------------------------------------------------------------------------

// Map a frame of another domain (or DOMID_IO, ...) into dom0; NULL when refused. 64 at a time.
void *foreign_map(unsigned int dom, uint64_t mfn, uint64_t flags);
long foreign_map_rc(unsigned int dom, uint64_t mfn, uint64_t flags, void **va);
long foreign_unmap(void *va);
uint64_t domu_mfn(const struct domu *d, const void *va); // of an address in its image
void domu_peek(struct domu *d, const void *va, void *into, size_t n);
void domu_poke(struct domu *d, const void *va, const void *from, size_t n);
#define domu_fetch(d, var) domu_peek(d, (void *)(var), (void *)(var), sizeof(*(var)))

// mmuext_op and mmu_update on behalf of a domain
long mmuext_foreign(unsigned int cmd, uint64_t mfn, unsigned int dom);
long memory_extent(unsigned int cmd, unsigned int dom, xen_pfn_t *frame, unsigned int order);

// ---- waiting -------------------------------------------------------------------------------

extern evtchn_port_t dom_exc_port; // VIRQ_DOM_EXC, masked
// SCHEDOP_poll for a masked port (or 0), 2 ms at most, so that another domain gets the CPU.
void dom0_rest(evtchn_port_t port);
// Until the port is pending, which is cleared; false after ns.
bool port_wait(evtchn_port_t port, uint64_t ns);
// Until the condition holds, resting in between; false after ns.
#define REST_UNTIL(cond, ns)                              \
    ({                                                    \
        uint64_t end_ = system_time() + (ns);             \
        bool done_;                                       \
        while (!(done_ = (cond)) && system_time() < end_) \
            dom0_rest(0);                                 \
        done_;                                            \
    })

#endif
