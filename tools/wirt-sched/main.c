// SPDX-License-Identifier: MIT
// wirt-sched: shows and sets what is BVT's own among a domain's scheduling parameters.
// abi/wirt.h, docs/scheduling.md.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>
#include <xenstore.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

#include "tools/wirt-sched/args.h"

enum { LIST_ROOM = 64, NS_PER_MS = 1000000 };

static xencall_handle *hypervisor;
static struct xs_handle *store; // NULL: names are not known

static const char help[] =
    "NAME\n"
    "    wirt-sched - parameters of Borrowed Virtual Time, Wirt's scheduler\n"
    "\n"
    "SYNOPSIS\n"
    "    wirt-sched [DOMAIN]\n"
    "    wirt-sched DOMAIN MCUADV WARPBACK WARPVALUE WARPL WARPU\n"
    "\n"
    "DESCRIPTION\n"
    "    With DOMAIN, a number or a name, or with nothing for all domains: shows the parameters,\n"
    "    and each vCPU's virtual times. With five values more, sets them, as xm sched-bvt did.\n"
    "    Domains in a pool with another scheduler have none.\n"
    "\n"
    "    MCUADV     how fast virtual time passes for its vCPUs while they run: 1 to 2560. Who has\n"
    "               twice as much gets half as much. 10 is usual; it is 2560 divided by the "
    "weight\n"
    "               that `xl sched-credit2` shows.\n"
    "    WARPBACK   1: its vCPUs warp, that is, come sooner when they want to run; 0: they do "
    "not.\n"
    "    WARPVALUE  by how much virtual time they come sooner, in microseconds: 0 to 1000000.\n"
    "    WARPL      the longest time that a vCPU runs under warp, in microseconds: 0 to 1000000,\n"
    "               0 for no limit.\n"
    "    WARPU      how long it does without afterwards, in microseconds: 0 to 1000000.\n"
    "\n"
    "    Shown of a vCPU are its CPU, its actual virtual time, the effective one (earlier by the\n"
    "    warp), how far the actual one is from its pool's, and the real time that it has run, in\n"
    "    milliseconds. The lowest effective time of a CPU runs next.\n"
    "\n"
    "EXIT STATUS\n"
    "    0; 1 if the hypervisor refused, 2 if the arguments are not understood.\n"
    "\n"
    "EXAMPLE\n"
    "    wirt-sched music 10 1 50000 5000 100000\n"
    "               lets music come 50 ms sooner, for 5 ms at a time, ten times a second.\n"
    "\n"
    "SEE ALSO\n"
    "    xl(1), on sched-credit2: weights, caps, the context-switch allowance (ratelimit).\n";

// A hypercall with a copy of the argument in memory that it may use.
static int call(unsigned int number, void *arg, size_t bytes)
{
    void *copy = xencall_alloc_buffer(hypervisor, bytes);
    if (!copy)
        return -1;
    memcpy(copy, arg, bytes);
    int rc = xencall1(hypervisor, number, (uint64_t)(uintptr_t)copy);
    int error = errno;
    memcpy(arg, copy, bytes);
    xencall_free_buffer(hypervisor, copy);
    errno = error;
    return rc;
}

// The argument is copied in, and out when it worked.
static int bvt_op(domid_t dom, uint32_t cmd, void *arg, size_t bytes)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_scheduler_op,
                            .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
                            .domain = dom};
    op.u.scheduler_op.sched_id = WIRT_SCHEDULER_BVT;
    op.u.scheduler_op.cmd = cmd;
    memcpy(WIRT_SCHED_ARGUMENT(&op), arg, bytes);
    int rc = call(__HYPERVISOR_domctl, &op, sizeof(op));
    if (rc == 0)
        memcpy(arg, WIRT_SCHED_ARGUMENT(&op), bytes);
    return rc;
}

// The domains from `first` on, at most LIST_ROOM; how many, or -1.
static int list_domains(domid_t first, xen_domctl_getdomaininfo_t *list)
{
    size_t bytes = LIST_ROOM * sizeof(*list);
    xen_domctl_getdomaininfo_t *out = xencall_alloc_buffer(hypervisor, bytes);
    if (!out)
        return -1;
    struct xen_sysctl op = {.cmd = XEN_SYSCTL_getdomaininfolist,
                            .interface_version = XEN_SYSCTL_INTERFACE_VERSION};
    op.u.getdomaininfolist.first_domain = first;
    op.u.getdomaininfolist.max_domains = LIST_ROOM;
    set_xen_guest_handle(op.u.getdomaininfolist.buffer, out);
    int rc = call(__HYPERVISOR_sysctl, &op, sizeof(op));
    if (rc == 0) {
        rc = (int)op.u.getdomaininfolist.num_domains;
        memcpy(list, out, bytes);
    }
    int error = errno;
    xencall_free_buffer(hypervisor, out);
    errno = error;
    return rc;
}

// What xenstore calls the domain, to be freed; NULL: nothing.
static char *name_of(domid_t dom)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/name", dom);
    return store ? xs_read(store, XBT_NULL, path, NULL) : NULL;
}

static int complain(domid_t dom, const char *what)
{
    fprintf(stderr, "wirt-sched: domain %u: %s: %s\n", dom, what,
            errno == EINVAL ? "its pool has another scheduler, or a value is out of range"
            : errno == EPERM || errno == EACCES ? "not allowed; are you root in domain 0?"
                                                : strerror(errno));
    return 1;
}

static void show_vcpu(domid_t dom, uint32_t vcpu)
{
    struct wirt_sched_vcpu v = {.vcpu = vcpu};
    if (bvt_op(dom, XEN_DOMCTL_SCHEDOP_getvcpuinfo, &v, sizeof(v)) != 0)
        return; // not created, or gone
    printf("    vcpu %u: cpu %u, avt %.1f, evt %.1f, from svt %+.1f, ran %.1f%s\n", vcpu, v.cpu,
           (double)v.avt_ns / NS_PER_MS, (double)v.evt_ns / NS_PER_MS,
           (double)(v.avt_ns - v.svt_ns) / NS_PER_MS, (double)v.ran_ns / NS_PER_MS,
           v.warped ? ", warped" : "");
}

static int show(const xen_domctl_getdomaininfo_t *info)
{
    struct wirt_sched_bvt p = {0};
    char *name = name_of(info->domain);
    printf("%s (%u): ", name ? name : "?", info->domain);
    free(name);
    if (bvt_op(info->domain, XEN_DOMCTL_SCHEDOP_getinfo, &p, sizeof(p)) != 0) {
        puts("-");
        return complain(info->domain, "no parameters");
    }
    printf("mcuadv %u, warpback %u, warpvalue %" PRIu64 ", warpl %" PRIu64 ", warpu %" PRIu64 "\n",
           p.mcu_advance, p.warpback, p.warp_us, p.warp_limit_us, p.unwarp_us);
    for (uint32_t i = 0; i <= info->max_vcpu_id; i++)
        show_vcpu(info->domain, i);
    return 0;
}

// Is it the domain that is asked for, by number or name? NULL asks for all.
static bool matches(const xen_domctl_getdomaininfo_t *info, const char *wanted)
{
    uint64_t number;
    if (!wanted)
        return true;
    if (args_number(wanted, 0, DOMID_FIRST_RESERVED - 1, &number))
        return info->domain == number;
    char *name = name_of(info->domain);
    bool same = name && strcmp(name, wanted) == 0;
    free(name);
    return same;
}

static int act(const struct args *a, const xen_domctl_getdomaininfo_t *info)
{
    struct wirt_sched_bvt p = a->params;
    if (a->action == ACTION_SHOW)
        return show(info);
    if (bvt_op(info->domain, XEN_DOMCTL_SCHEDOP_putinfo, &p, sizeof(p)) != 0)
        return complain(info->domain, "not set");
    return 0;
}

static int for_domains(const struct args *a)
{
    static xen_domctl_getdomaininfo_t list[LIST_ROOM];
    int count, found = 0, status = 0;
    domid_t next = 0;
    do {
        count = list_domains(next, list);
        if (count < 0) {
            perror("wirt-sched: the list of domains");
            return 1;
        }
        for (int i = 0; i < count; i++) {
            next = (domid_t)(list[i].domain + 1);
            if (matches(&list[i], a->domain)) {
                found++;
                status |= act(a, &list[i]);
            }
        }
    } while (count == LIST_ROOM);
    if (found == 0) {
        fprintf(stderr, "wirt-sched: no such domain: %s\n", a->domain);
        return 1;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct args a;
    char why[160];
    if (!args_parse(&a, argc - 1, argv + 1, why, sizeof(why))) {
        fprintf(stderr, "wirt-sched: %s\nwirt-sched --help says more.\n", why);
        return 2;
    }
    if (a.action == ACTION_HELP) {
        fputs(help, stdout);
        return 0;
    }
    hypervisor = xencall_open(NULL, 0);
    if (!hypervisor) {
        perror("wirt-sched: no way to the hypervisor");
        return 1;
    }
    store = xs_open(0);
    int status = for_domains(&a);
    if (store)
        xs_close(store);
    xencall_close(hypervisor);
    return status;
}
