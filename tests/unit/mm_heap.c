// SOURCES: hv/mm/heap.c
// CFLAGS: -include unit/hc_extents_world.h
// SPDX-License-Identifier: MIT
// The heap: objects of all sizes at random, each with its own contents; they do not overlap, lie at
// multiples of their size, and when the last one of a frame goes, so does the frame.
#include <setjmp.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include "mm/frame.h"
#include "mm/heap.h"

enum { FRAMES = 256, OBJECTS = 300, STEPS = 20000 };

// --- surroundings: frames by first fit ---

u64 frame_count = FRAMES;
static u32 frames_out; // given to the heap
static bool refuse;

bool alloc_refused(void)
{
    return refuse;
}

static bool is_free(u32 first, u32 n)
{
    for (u32 i = 0; i < n; i++)
        if (frame_table[first + i].owner != OWNER_FREE)
            return false;
    return true;
}

mfn_t frames_alloc(u32 order, mfn_t max)
{
    u32 n = 1u << order, first = 0;
    while (first < FRAMES && !is_free(first, n))
        first += n;
    if (refuse || first >= FRAMES)
        return MFN_NONE;
    for (u32 i = 0; i < n; i++)
        frame_table[first + i] = (struct frame){.owner = OWNER_HV, .stamp = 77};
    frames_out += n;
    return MFN(first);
}

mfn_t frames_alloc_zeroed(u32 order, mfn_t max)
{
    mfn_t m = frames_alloc(order, max);
    if (!mfn_eq(m, MFN_NONE))
        memset(mfn_virt(m), 0, PAGE_SIZE << order);
    return m;
}

void frames_free(mfn_t first, u32 order)
{
    for (u32 i = 0; i < 1u << order; i++)
        frame_table[first.v + i].owner = OWNER_FREE;
    frames_out -= 1u << order;
}

static void *map_at(u64 address, u64 bytes)
{
    return mmap((void *)address, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static int group_setup(void **state)
{
    assert_ptr_equal(map_at(FRAME_TABLE_BASE, FRAMES * sizeof(struct frame)), frame_table);
    assert_ptr_equal(map_at(DIRECTMAP_BASE, FRAMES * PAGE_SIZE), mfn_virt(MFN(0)));
    for (u32 i = 0; i < FRAMES; i++)
        frame_table[i].owner = OWNER_FREE;
    return 0;
}

// --- tests ---

static void all_are(const u8 *p, u8 byte, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(p[i], byte);
}

static void test_random(void **state)
{
    static struct {
        u8 *p;
        size_t size;
    } object[OBJECTS];
    srand(1);
    for (u32 step = 0; step < STEPS; step++) {
        u32 i = (u32)rand() % OBJECTS;
        if (object[i].p) {
            all_are(object[i].p, (u8)i, object[i].size);
            heap_free(object[i].p);
            object[i].p = NULL;
            continue;
        }
        size_t size = object[i].size = (size_t)1 << rand() % 9, takes;
        size = object[i].size += (size_t)rand() % size;
        object[i].p = heap_alloc(size);
        assert_non_null(object[i].p);
        takes = heap_size(object[i].p);
        assert_true(takes >= size && (takes < 2 * size || takes == 32));
        assert_int_equal((u64)object[i].p % takes, 0);
        all_are(object[i].p, 0, size);
        memset(object[i].p, (int)i, size);
    }
    assert_true(frames_out > 0);
    for (u32 i = 0; i < OBJECTS; i++)
        heap_free(object[i].p);
    assert_int_equal(frames_out, 0);
}

// A frame serves as many as fit, and stays as long as one is left.
static void test_sharing(void **state)
{
    void *p[4];
    for (u32 i = 0; i < 4; i++) {
        p[i] = heap_alloc(2000);
        assert_int_equal(frames_out, i / 2 + 1);
    }
    heap_free(p[0]);
    heap_free(p[2]);
    assert_int_equal(frames_out, 2);
    heap_free(p[3]);
    assert_int_equal(frames_out, 1);
    p[0] = heap_alloc(1025);
    assert_int_equal(frames_out, 1);
    heap_free(p[0]);
    heap_free(p[1]);
    assert_int_equal(frames_out, 0);
    assert_int_equal(heap_size(NULL), 0);
}

static void test_no_memory(void **state)
{
    refuse = true;
    assert_null(heap_alloc(40));
    assert_null(heap_alloc(5000));
    refuse = false;
    void *p = heap_alloc(5000);
    assert_int_equal(heap_size(p), 8192);
    heap_free(p);
    assert_int_equal(frames_out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
