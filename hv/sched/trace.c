// SPDX-License-Identifier: MIT
// Trace buffers (sched/trace.h).
//
// 1. Only the CPU itself writes its ring, with interrupts off. The control domain reads, and moves
//    `cons`, which is not trusted: what makes no sense is a ring without room.
// 2. `prod` is published after the record it covers. Both run modulo twice the ring's length, and
// no
//    record goes round the ring's end.
// 3. Rings stay once they are there: the control domain may have them mapped.
#include "sched/trace.h"
#include "cpu/x86.h"
#include "dom/domain.h"
#include "hc/continue.h"
#include "mm/frame.h"

enum { PAGES_MAX = 16384, RECORD_MAX = 4 + 8 + 4 * TRACE_EXTRA_MAX, LOST_WORDS = 4 };

bool trace_on;

static u32 events = TRC_ALL;
static struct cpumask cpus_wanted = {{~(u64)0, ~(u64)0}};
static struct t_info *info; // NULL: no rings
static u32 info_order;
static u32 ring_bytes;

static struct ring {
    u32 prod;      // [c] ours; the one in the ring is for reading
    u32 lost;      // [c] records since there was room
    u64 lost_from; // [c] TSC at the first of them
    bool notified; // [c] the reader has been told that the ring is half full
    struct timer notify;
} rings[CPUS_MAX];

static u32 *pages_of(u32 cpu)
{
    return (u32 *)info + info->mfn_offset[cpu];
}

static struct t_buf *head_of(u32 cpu)
{
    return mfn_virt(MFN(pages_of(cpu)[0]));
}

static void put(u32 cpu, u32 *at, u32 word)
{
    u32 pos = (*at >= ring_bytes ? *at - ring_bytes : *at) + sizeof(struct t_buf);
    u32 *page = mfn_virt(MFN(pages_of(cpu)[pos / PAGE_SIZE]));
    page[pos % PAGE_SIZE / 4] = word;
    *at = *at + 4 == 2 * ring_bytes ? 0 : *at + 4;
}

static u32 used(u32 cpu, u32 prod)
{
    u32 cons = READ_ONCE(head_of(cpu)->cons);
    if (cons >= 2 * ring_bytes)
        return ring_bytes;
    u32 n = prod >= cons ? prod - cons : prod + 2 * ring_bytes - cons;
    return MIN(n, ring_bytes);
}

static u32 header(u32 event, u32 extra, bool cycles)
{
    return (event & 0x0fffffff) | extra << TRACE_EXTRA_SHIFT | (cycles ? TRC_HD_CYCLE_FLAG : 0);
}

// Fills the rest of the ring up to its end.
static void pad(u32 cpu, u32 *at, u32 bytes)
{
    u32 extra = bytes / 4 - 1;
    bool cycles = extra > TRACE_EXTRA_MAX; // two words more
    put(cpu, at, header(TRC_TRACE_WRAP_BUFFER, cycles ? extra - 2 : extra, cycles));
    while (extra--)
        put(cpu, at, 0);
}

// False: no room.
static bool emit(u32 cpu, u32 event, const u32 *words, u32 count)
{
    u32 at = rings[cpu].prod, bytes = 12 + 4 * count;
    u32 left = ring_bytes - (at >= ring_bytes ? at - ring_bytes : at);
    u32 fill = bytes > left ? left : 0;
    u64 now = rdtsc();
    if (used(cpu, at) + fill + bytes > ring_bytes)
        return false;
    if (fill)
        pad(cpu, &at, fill);
    put(cpu, &at, header(event, count, true));
    put(cpu, &at, (u32)now);
    put(cpu, &at, (u32)(now >> 32));
    for (u32 i = 0; i < count; i++)
        put(cpu, &at, words[i]);
    rings[cpu].prod = at;
    __atomic_store_n(&head_of(cpu)->prod, at, __ATOMIC_RELEASE); // pairs with the reader's barrier
    return true;
}

static bool emit_lost(u32 cpu)
{
    struct ring *r = &rings[cpu];
    u32 words[LOST_WORDS] = {r->lost, 0, (u32)r->lost_from, (u32)(r->lost_from >> 32)};
    if (!r->lost)
        return true;
    if (used(cpu, r->prod) + 3 * RECORD_MAX > ring_bytes || // both, and the end of the ring
        !emit(cpu, TRC_LOST_RECORDS, words, LOST_WORDS))
        return false;
    r->lost = 0;
    return true;
}

static void tell_reader(void *data)
{
    (void)data;
    domain_send_virq(VIRQ_TBUF);
}

void trace_record(u32 event, const u32 *words, u32 count)
{
    u32 cpu = this_cpu()->id, mask = READ_ONCE(events);
    struct ring *r = &rings[cpu];
    if (!(event & mask & 0x0fff0000) || !(event & mask & 0xf000) ||
        !cpumask_test(&cpus_wanted, cpu))
        return;
    if (!emit_lost(cpu) || !emit(cpu, event, words, count)) {
        if (r->lost++ == 0)
            r->lost_from = rdtsc();
        return;
    }
    bool half = used(cpu, r->prod) >= ring_bytes / 2;
    if (half && !r->notified)
        timer_set(&r->notify, 0);
    r->notified = half;
}

// --- control ---

static void show(mfn_t m, enum frame_type type)
{
    struct frame *f = frame_of(m);
    f->type = (u64)type << FT_SHIFT | 1;                        // no other use, ever
    __atomic_store_n(&f->owner, OWNER_SHOWN, __ATOMIC_RELEASE); // pairs with frame_get_owned
}

static u32 list_words(u32 pages)
{
    return cpu_count * pages;
}

static u32 header_words(void)
{
    return (u32)(sizeof(struct t_info) + cpu_count * sizeof(info->mfn_offset[0]) + 3) / 4;
}

static struct t_info *new_info(u32 pages)
{
    u32 bytes = (header_words() + list_words(pages)) * 4;
    info_order = 0;
    while ((u32)PAGE_SIZE << info_order < bytes)
        info_order++;
    mfn_t m = frames_alloc_zeroed(info_order, MFN_NONE);
    if (mfn_eq(m, MFN_NONE))
        return NULL;
    struct t_info *t = mfn_virt(m);
    t->tbuf_size = (u16)pages;
    for_each_cpu (i)
        t->mfn_offset[i] = (u16)(header_words() + i * pages);
    return t;
}

static void publish(struct t_info *t)
{
    u32 *list = (u32 *)t + header_words();
    for (u32 i = 0; i < list_words(t->tbuf_size); i++)
        show(MFN(list[i]), FT_WRITABLE);
    for (u32 i = 0; i < 1u << info_order; i++)
        show(mfn_add(virt_mfn(t), i), FT_SHARED);
    for_each_cpu (i)
        timer_init(&rings[i].notify, tell_reader, NULL);
    ring_bytes = t->tbuf_size * (u32)PAGE_SIZE - (u32)sizeof(struct t_buf);
    __atomic_store_n(&info, t, __ATOMIC_RELEASE); // pairs with trace_enable
}

// Frames are taken and cleared as long as nothing else wants to run.
static long fill(struct t_info *t, u32 *done)
{
    u32 *list = (u32 *)t + header_words();
    for (; *done < list_words(t->tbuf_size); (*done)++) {
        if (*done % 16 == 15 && preempt_wanted())
            return -ERESTART_HC;
        void *page = frame_alloc_zeroed();
        if (!page)
            return -ENOMEM;
        list[*done] = (u32)virt_mfn(page).v;
    }
    return 0;
}

static long set_size(u32 pages)
{
    static struct t_info *making; // while it takes several calls
    static u32 done;
    const struct t_info *t = making ? making : info;
    if (t && t->tbuf_size != pages)
        return -EINVAL;
    if (info)
        return -EBUSY;
    if (!making && (making = new_info(pages)) == NULL)
        return -ENOMEM;
    long rc = fill(making, &done);
    if (rc == -ERESTART_HC)
        return rc;
    if (rc == 0) {
        publish(making);
    } else {
        u32 *list = (u32 *)making + header_words();
        while (done)
            frames_free(MFN(list[--done]), 0);
        frames_free(virt_mfn(making), info_order);
    }
    making = NULL;
    return rc;
}

long trace_set_size(u32 pages)
{
    static bool busy;
    if (pages == 0 || pages > UINT16_MAX || list_words(pages) > PAGES_MAX)
        return -EINVAL;
    if (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
        return -ERESTART_HC;
    long rc = set_size(pages);
    __atomic_store_n(&busy, false, __ATOMIC_RELEASE);
    return rc;
}

long trace_enable(bool on)
{
    if (on && !__atomic_load_n(&info, __ATOMIC_ACQUIRE)) // pairs with publish
        return -EINVAL;
    WRITE_ONCE(trace_on, on);
    return 0;
}

void trace_set_events(u32 mask)
{
    WRITE_ONCE(events, mask);
}

void trace_set_cpus(const struct cpumask *mask)
{
    for (u32 i = 0; i < ARRAY_SIZE(mask->w); i++)
        WRITE_ONCE(cpus_wanted.w[i], mask->w[i]);
}

void trace_info(mfn_t *frame, u32 *bytes, u32 *mask)
{
    const struct t_info *t = __atomic_load_n(&info, __ATOMIC_ACQUIRE);
    *frame = t ? virt_mfn(t) : MFN(0);
    *bytes = t ? (u32)(PAGE_SIZE << info_order) : 0;
    *mask = READ_ONCE(events);
}
