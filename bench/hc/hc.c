// SPDX-License-Identifier: MIT
// What single hypercalls cost, measured by a PV kernel of our own that is started as domain 0,
// the same file on Xen and on Wirt. It prints
//   "HC name ticks"      TSC ticks per call: median of ROUND_COUNT rounds, the loop subtracted
//   "HC tsc_khz n"       turns ticks into time; with QEMU's -icount shift=0 a tick is an
//   instruction "HC mem_NAME bytes"  RAM of the machine, domain 0's share, and what is left on the
//   heap "HC end 0"           and shuts the machine down.
// It takes no traps and leaves all events masked: an unexpected one kills it, which the reader of
// its output sees as a missing line.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>

enum {
    ROUND_COUNT = 7,
    PAGE_SHIFT = 12,
    PAGE_BYTES = 1 << PAGE_SHIFT,
    TABLE_ENTRIES = 512,
    E820_RAM = 1,
    E820_MAX = 128,
};

#define VIRT_BASE   0xffffffff80000000ul
#define PTE_FLAGS   0x67ul /* present, writable, user, accessed, dirty */
#define PTE_ADDRESS 0x000ffffffffff000ul

struct e820_entry {
    uint64_t start;
    uint64_t bytes;
    uint32_t type;
} __attribute__((packed));

struct measure {
    const char *name;
    void (*run)(unsigned int count);
    unsigned int count; /* per round */
};

extern char hypercall_page[];

static const start_info_t *info;
static char shared_page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
// 2 MiB on a 2 MiB boundary: all entries of one last-level table, ours to change.
static char window[TABLE_ENTRIES * PAGE_BYTES] __attribute__((aligned(TABLE_ENTRIES * PAGE_BYTES)));
static mmu_update_t batch[2][TABLE_ENTRIES];
static xen_pfn_t extents[TABLE_ENTRIES];
static struct e820_entry e820[E820_MAX];
static evtchn_port_t own_port;

static long hypercall(unsigned int number, unsigned long a, unsigned long b, unsigned long c,
                      unsigned long d)
{
    register unsigned long r10 __asm__("r10") = d;
    long result;

    __asm__ volatile("call *%[entry]"
                     : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10)
                     : [entry] "b"(hypercall_page + number * 32ul)
                     : "rcx", "r8", "r9", "r11", "memory");
    return result;
}

// ---- console ----

static void put_text(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, length, (unsigned long)text, 0);
}

static void put_line(const char *name, uint64_t value)
{
    char line[80];
    char digits[20];
    size_t used = 0, count = 0;

    for (const char *word = "HC "; *word; word++)
        line[used++] = *word;
    while (*name && used < 40)
        line[used++] = *name++;
    line[used++] = ' ';
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (count)
        line[used++] = digits[--count];
    line[used++] = '\n';
    line[used] = '\0';
    put_text(line);
}

static _Noreturn void shut_down(void)
{
    struct sched_shutdown how = {.reason = SHUTDOWN_poweroff};

    hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, (unsigned long)&how, 0, 0);
    for (;;)
        ;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    put_text("HC failed: ");
    put_text(what);
    put_text("\n");
    shut_down();
}

// ---- our own memory, as the hypervisor numbers it ----

static unsigned long frame_of(const void *address)
{
    const unsigned long *frames = (const unsigned long *)info->mfn_list;

    return frames[((unsigned long)address - VIRT_BASE) >> PAGE_SHIFT];
}

static uint64_t entry_for(const void *address)
{
    return (uint64_t)frame_of(address) << PAGE_SHIFT | PTE_FLAGS;
}

static long map_entry(const void *address, uint64_t entry)
{
    return hypercall(__HYPERVISOR_update_va_mapping, (unsigned long)address, entry,
                     UVMF_INVLPG | UVMF_LOCAL, 0);
}

// Machine address of the last-level table that maps the window.
static uint64_t window_table(void)
{
    const uint64_t *table = (const uint64_t *)info->pt_base;
    uint64_t entry = 0;

    for (int shift = 39; shift > PAGE_SHIFT + 9 - 1; shift -= 9) {
        entry = table[((unsigned long)window >> shift) & (TABLE_ENTRIES - 1)];
        table = (const uint64_t *)(VIRT_BASE +
                                   (machine_to_phys_mapping[(entry & PTE_ADDRESS) >> PAGE_SHIFT]
                                    << PAGE_SHIFT));
    }
    return entry & PTE_ADDRESS;
}

static char *window_page(unsigned int slot)
{
    return window + (size_t)slot * PAGE_BYTES;
}

// ---- the calls ----

static void run_nothing(unsigned int count)
{
    while (count--)
        __asm__ volatile("" ::: "memory");
}

static void run_null(unsigned int count)
{
    while (count--)
        hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);
}

// To a port of our own that stays masked; it is cleared, so that each send finds it idle.
static void run_send(unsigned int count)
{
    shared_info_t *shared = (shared_info_t *)shared_page;
    struct evtchn_send send = {.port = own_port};

    while (count--) {
        shared->evtchn_pending[0] = 0;
        hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, (unsigned long)&send, 0, 0);
    }
}

// The first page of the window shows its own frame and its neighbour's in turn.
static void run_map(unsigned int count)
{
    uint64_t entries[2] = {entry_for(window_page(0)), entry_for(window_page(1))};

    while (count--)
        must(map_entry(window, entries[count & 1]) == 0, "update_va_mapping");
}

// All pages of the window change places with their neighbours, and back.
static void run_batch(unsigned int count)
{
    while (count--)
        must(hypercall(__HYPERVISOR_mmu_update, (unsigned long)batch[count & 1], TABLE_ENTRIES, 0,
                       DOMID_SELF) == 0,
             "mmu_update");
}

// Grants to ourselves: the last page of the window shows the table, the pages from GRANT_SLOT on
// the mappings of what the first ones hold.
enum { GRANT_BATCH = 32, GRANT_SLOT = 256, GRANT_REF = 16 };

static struct gnttab_map_grant_ref grant_maps[GRANT_BATCH];
static struct gnttab_unmap_grant_ref grant_unmaps[GRANT_BATCH];
static struct gnttab_copy grant_copies[GRANT_BATCH];

static void grant_op(unsigned int op, void *elements, unsigned int count)
{
    must(hypercall(__HYPERVISOR_grant_table_op, op, (unsigned long)elements, count, 0) == 0,
         "grant_table_op");
}

static void map_and_unmap(unsigned int elements)
{
    grant_op(GNTTABOP_map_grant_ref, grant_maps, elements);
    for (unsigned int i = 0; i < elements; i++)
        grant_unmaps[i].handle = grant_maps[i].handle;
    grant_op(GNTTABOP_unmap_grant_ref, grant_unmaps, elements);
}

static void run_grant_map(unsigned int count)
{
    while (count--)
        map_and_unmap(1);
}

static void run_grant_map_batch(unsigned int count)
{
    while (count--)
        map_and_unmap(GRANT_BATCH);
}

static void run_grant_copy(unsigned int count)
{
    while (count--)
        grant_op(GNTTABOP_copy, grant_copies, GRANT_BATCH);
}

static void prepare_grants(void)
{
    char *table_page = window_page(TABLE_ENTRIES - 1);
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1};
    static xen_pfn_t frame;

    set_xen_guest_handle(setup.frame_list, &frame);
    grant_op(GNTTABOP_setup_table, &setup, 1);
    must(map_entry(table_page, (uint64_t)frame << PAGE_SHIFT | PTE_FLAGS) == 0, "map the table");
    for (unsigned int i = 0; i < GRANT_BATCH; i++) {
        grant_entry_v1_t *entry = (grant_entry_v1_t *)table_page + GRANT_REF + i;
        uint64_t where = (uint64_t)window_page(GRANT_SLOT + i);

        must(map_entry(window_page(GRANT_SLOT + i), 0) == 0, "make room");
        entry->domid = 0;
        entry->frame = (uint32_t)frame_of(window_page(i));
        entry->flags = GTF_permit_access;
        grant_maps[i] = (struct gnttab_map_grant_ref){
            .host_addr = where, .flags = GNTMAP_host_map, .ref = GRANT_REF + i};
        grant_unmaps[i].host_addr = where;
        grant_copies[i] = (struct gnttab_copy){
            .flags = GNTCOPY_source_gref,
            .len = PAGE_BYTES,
            .dest = {.u.gmfn = frame_of(window_page(GRANT_BATCH + i)), .domid = DOMID_SELF}};
        grant_copies[i].source.u.ref = GRANT_REF + i;
    }
    map_and_unmap(GRANT_BATCH);
    grant_op(GNTTABOP_copy, grant_copies, GRANT_BATCH);
    for (unsigned int i = 0; i < GRANT_BATCH; i++)
        must(!grant_maps[i].status && !grant_unmaps[i].status && !grant_copies[i].status, "grants");
}

static const struct measure measures[] = {
    {"null", run_null, 4000},
    {"event_send", run_send, 4000},
    {"update_va_mapping", run_map, 2000},
    {"mmu_update_512", run_batch, 20},
    {"grant_map_unmap", run_grant_map, 500}, // last: it changes the window
    {"grant_map_unmap_32", run_grant_map_batch, 20},
    {"grant_copy_32", run_grant_copy, 20},
};

static void prepare_events(void)
{
    struct evtchn_bind_ipi bind = {.vcpu = 0};
    shared_info_t *shared = (shared_info_t *)shared_page;

    must(map_entry(shared_page, info->shared_info | PTE_FLAGS) == 0, "map shared_info");
    must(hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, (unsigned long)&bind, 0, 0) ==
             0,
         "bind_ipi");
    own_port = bind.port;
    for (size_t i = 0; i < sizeof(shared->evtchn_mask) / sizeof(shared->evtchn_mask[0]); i++)
        shared->evtchn_mask[i] = ~0ul;
}

static void prepare_batch(void)
{
    uint64_t table = window_table();

    for (unsigned int i = 0; i < TABLE_ENTRIES; i++) {
        for (unsigned int turn = 0; turn < 2; turn++) {
            batch[turn][i].ptr = (table + i * sizeof(uint64_t)) | MMU_NORMAL_PT_UPDATE;
            batch[turn][i].val = entry_for(window_page(i ^ turn));
        }
    }
}

// ---- measuring ----

static uint64_t read_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static void sort(uint64_t *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && values[j - 1] > values[j]; j--) {
            uint64_t swap = values[j];

            values[j] = values[j - 1];
            values[j - 1] = swap;
        }
    }
}

static uint64_t ticks_of(void (*run)(unsigned int count), unsigned int count)
{
    uint64_t rounds[ROUND_COUNT];

    run(count);
    for (int i = 0; i < ROUND_COUNT; i++) {
        uint64_t start = read_tsc();

        run(count);
        rounds[i] = (read_tsc() - start) / count;
    }
    sort(rounds, ROUND_COUNT);
    return rounds[ROUND_COUNT / 2];
}

// xen ABI: xen.h, vcpu_time_info: ns = (ticks << tsc_shift) * tsc_to_system_mul >> 32.
static uint64_t tsc_khz(void)
{
    const volatile struct vcpu_time_info *time =
        &((const shared_info_t *)shared_page)->vcpu_info[0].time;
    uint64_t khz = (1000000ull << 32) / time->tsc_to_system_mul;

    return time->tsc_shift < 0 ? khz << -time->tsc_shift : khz >> time->tsc_shift;
}

// ---- memory ----

static uint64_t machine_bytes(void)
{
    struct xen_memory_map map = {.nr_entries = E820_MAX};
    uint64_t bytes = 0;

    set_xen_guest_handle(map.buffer, e820);
    if (hypercall(__HYPERVISOR_memory_op, XENMEM_machine_memory_map, (unsigned long)&map, 0, 0))
        return 0;
    for (unsigned int i = 0; i < map.nr_entries && i < E820_MAX; i++)
        bytes += e820[i].type == E820_RAM ? e820[i].bytes : 0;
    return bytes;
}

// Take every frame the hypervisor gives: the only count of its free memory that needs no toolstack
// call, and the only one that cannot be wrong.
static uint64_t free_bytes(void)
{
    uint64_t frames = 0;
    long got;

    do {
        struct xen_memory_reservation want = {.nr_extents = TABLE_ENTRIES, .domid = DOMID_SELF};

        set_xen_guest_handle(want.extent_start, extents);
        got = hypercall(__HYPERVISOR_memory_op, XENMEM_increase_reservation, (unsigned long)&want,
                        0, 0);
        frames += got > 0 ? (uint64_t)got : 0;
    } while (got == TABLE_ENTRIES);
    return frames * PAGE_BYTES;
}

void main(const start_info_t *start);

void main(const start_info_t *start)
{
    uint64_t loop_ticks;

    info = start;
    prepare_events();
    prepare_batch();
    put_line("tsc_khz", tsc_khz());
    loop_ticks = ticks_of(run_nothing, 4000);
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
        if (measures[i].run == run_grant_map)
            prepare_grants();
        put_line(measures[i].name, ticks_of(measures[i].run, measures[i].count) - loop_ticks);
    }
    put_line("mem_machine", machine_bytes());
    put_line("mem_dom0", info->nr_pages * (uint64_t)PAGE_BYTES);
    put_line("mem_free", free_bytes());
    put_line("end", 0);
    shut_down();
}
