// SPDX-License-Identifier: MIT
// The LZMA decoder; see lzma.h. It is nearly all of the time between the boot loader and domain 0,
// and is shaped by that:
//
// 1. The range coder and the output pointer live in locals of one function, into which everything
//    on the usual way is inlined; what is not usual is kept out of line.
// 2. A new probability is calculated, not looked up: three instructions instead of one, but an
//    emulator pays about ten for a load. For the same reason run() begins a page: a jump to
//    another page costs an emulator a search.
// 3. Copies move eight bytes at a time and may write up to 16 bytes too far, which is why the last
//    bytes of a stretch take the careful way.
#include "dom0/lzma.h"

#include "lib/string.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    RANGE_MIN = 1 << 24,
    PROB_BITS = 11,
    PROB_SHIFT = 5,
    MATCH_MIN = 2,
    MATCH_MAX = 273,
    COPY_SLACK = MATCH_MAX + 24,
    STATE_AFTER_LITERAL = 7, // states below: the symbol before was a literal
    SLOT_DIRECT = 14,        // distance slots from here on have bits without probabilities
};

struct coder {
    const u8 *in;
    u32 range, code;
};

#define NORMALIZE(range)                \
    "cmpl $0x1000000, %[" range "]\n\t" \
    "jae 1f\n\t"                        \
    "shll $8, %[" range "]\n\t"         \
    "shll $8, %[code]\n\t"              \
    "movb (%[in]), %b[code]\n\t"        \
    "incq %[in]\n"                      \
    "1:\t"

INLINE void normalize(struct coder *c)
{
    __asm__(NORMALIZE("range")
            : [range] "+r"(c->range), [code] "+q"(c->code), [in] "+r"(c->in)
            :
            : "memory", "cc");
}

INLINE bool bit(struct coder *c, u16 *prob)
{
    u32 p = *prob, old;

    normalize(c);
    old = c->range;
    c->range = (old >> PROB_BITS) * p;
    // A branch the compiler cannot make conditional moves of.
    __asm__ goto("cmpl %0, %1\n\tjae %l2" : : "r"(c->range), "r"(c->code) : "cc" : one);
    *prob = (u16)(p + ((LZMA_PROB_ONE - p) >> PROB_SHIFT));
    return false;
one:
    c->code -= c->range;
    c->range = old - c->range;
    *prob = (u16)(p - (p >> PROB_SHIFT));
    return true;
}

// Several bits at once are three quarters of all work, and a compiler joins the two ways out of
// each bit before it goes on to the next, for three instructions of the sixteen. Here the two ways
// are two chains, in which step n of either goes on to step n + 1 of its own or of the other:
//
//   first bit: FRONT --1--> 21                Chain 1x has just decoded a 0: the range is in
//   11: ZERO   FRONT --1--> 22                `range`. Chain 2x has just decoded a 1: the range is
//   12: ZERO   FRONT --1--> 23                in `old`. FRONT leaves the range before the bit in
//    :                                        `old` and that of a 0 in `range`, and the flags of
//   21: ONE    FRONT --0--> 12                comparing the code with it.
//   22: ONE    FRONT --0--> 13
#define FRONT(at, now, other)                                                                     \
    "movzwl (%[probs],%q[" at "],2), %[p]\n\t" NORMALIZE(now) "movl %[" now "], %[" other "]\n\t" \
                                                              "shrl $11, %[range]\n\t"            \
                                                              "imull %[p], %[range]\n\t"          \
                                                              "cmpl %[range], %[code]\n\t"
// After a 0, p - (p - 2048 + 31 >> 5) is p + (2048 - p >> 5); after a 1 it is p - (p >> 5).
#define STORE(at)            \
    "sarl $5, %[step]\n\t"   \
    "subl %[step], %[p]\n\t" \
    "movw %w[p], (%[probs],%q[" at "],2)\n\t"
#define ZERO(at) "leal -2017(%q[p]), %[step]\n\t" STORE(at) "addl %[v], %[v]\n\t"
#define ONE(at)                  \
    "subl %[range], %[code]\n\t" \
    "subl %[range], %[old]\n\t"  \
    "movl %[p], %[step]\n\t" STORE(at) "leal 1(%q[v],%q[v]), %[v]\n\t"
#define ZERO_STEP(n, then) \
    "1" n ":\t" ZERO("v") "5" n ":\t" FRONT("v", "range", "old") "jae 2" then "f\n"
#define ONE_STEP(n, then) \
    "2" n ":\t" ONE("v") "6" n ":\t" FRONT("v", "old", "range") "jb 1" then "b\n"
#define ZERO_1
#define ONE_1
#define ZERO_3 ZERO_STEP("1", "2") ZERO_STEP("2", "3")
#define ONE_3  ONE_STEP("1", "2") ONE_STEP("2", "3")
#define ZERO_4 ZERO_3 ZERO_STEP("3", "4")
#define ONE_4  ONE_3 ONE_STEP("3", "4")
#define ZERO_6 ZERO_4 ZERO_STEP("4", "5") ZERO_STEP("5", "6")
#define ONE_6  ONE_4 ONE_STEP("4", "5") ONE_STEP("5", "6")
#define ZERO_8 ZERO_6 ZERO_STEP("6", "7") ZERO_STEP("7", "8")
#define ONE_8  ONE_6 ONE_STEP("6", "7") ONE_STEP("7", "8")
#define TREE(bits)                                                          \
    FRONT("v", "range", "old")                                              \
    "jae 21f\n" ZERO_##bits "1" #bits ":\t" ZERO("v") "jmp 9f\n" ONE_##bits \
        "2" #bits ":\t" ONE("v") "movl %[old], %[range]\n9:"

// A literal behind a match differs from the byte that would have continued the match, and has the
// bits of that byte as context up to the first difference. So there are two more chains, 3x and 4x,
// for bits that were as expected; from these a difference leads to the same place (5x, 6x) in the
// chains above.
#define MATCH_BYTE               \
    "movl %[rep0], %[match]\n\t" \
    "notq %q[match]\n\t"         \
    "movzbl (%[out],%q[match]), %[match]\n\t"
#define CONTEXT                    \
    "addl %[match], %[match]\n\t"  \
    "movl $0x100, %[expect]\n\t"   \
    "andl %[match], %[expect]\n\t" \
    "leal 0x100(%q[v],%q[expect]), %[at]\n\t"
#define MATCHED_ZERO_STEP(n, then)                                 \
    "3" n ":\t" ZERO("at") "testl %[expect], %[expect]\n\tjnz 5" n \
                           "b\n\t" CONTEXT FRONT("at", "range", "old") "jae 4" then "f\n"
#define MATCHED_ONE_STEP(n, then)                                \
    "4" n ":\t" ONE("at") "testl %[expect], %[expect]\n\tjz 6" n \
                          "b\n\t" CONTEXT FRONT("at", "old", "range") "jb 3" then "b\n"
#define LITERAL                                                                                   \
    "cmpl $0, %[matched]\n\tjne 7f\n\t" FRONT(                                                    \
        "v", "range",                                                                             \
        "old") "jae 21f\n" ZERO_8                                                                 \
               "18:\t" ZERO("v") "jmp 9f\n" ONE_8 "28:\t" ONE(                                    \
                   "v") "movl %[old], %[range]\n\tjmp 9f\n"                                       \
                        "7:\t" MATCH_BYTE CONTEXT FRONT(                                          \
                            "at", "range", "old") "jae 41f\n" MATCHED_ZERO_STEP("1", "2")         \
                            MATCHED_ZERO_STEP("2", "3") MATCHED_ZERO_STEP(                        \
                                "3", "4") MATCHED_ZERO_STEP("4", "5") MATCHED_ZERO_STEP("5", "6") \
                                MATCHED_ZERO_STEP("6", "7")                                       \
                                    MATCHED_ZERO_STEP("7", "8") "38:\t" ZERO(                     \
                                        "at") "jmp 9f\n" MATCHED_ONE_STEP("1", "2")               \
                                        MATCHED_ONE_STEP("2", "3") MATCHED_ONE_STEP("3", "4")     \
                                            MATCHED_ONE_STEP("4", "5") MATCHED_ONE_STEP("5", "6") \
                                                MATCHED_ONE_STEP("6", "7")                        \
                                                    MATCHED_ONE_STEP("7", "8") "48:\t" ONE(       \
                                                        "at") "movl %[old], %[range]\n9:"

#define CODER                                                                        \
    [v] "+&r"(v), [range] "+&r"(c->range), [code] "+&q"(c->code), [in] "+&r"(c->in), \
        [old] "=&r"(old), [p] "=&r"(p), [step] "=&r"(step)
#define DECODE(bits) __asm__(bits:CODER : [probs] "r"(probs) : "memory", "cc")

// With the low 8 bits as the byte.
INLINE u32 literal(struct coder *c, u16 *probs, const struct lzma_state *state, const u8 *out,
                   u32 rep0)
{
    u32 v = 1, old, p, step, match, expect, at;

    __asm__(LITERAL
            : CODER, [match] "=&r"(match), [expect] "=&r"(expect), [at] "=&r"(at)
            : [probs] "r"(probs), [matched] "m"(state->matched_literal), [out] "r"(out),
              [rep0] "r"(rep0)
            : "memory", "cc");
    return v;
}

// The next bit of a number whose upper bits are in `v`.
INLINE u32 tree_bit(struct coder *c, u16 *probs, u32 v)
{
    u32 old, p, step;

    DECODE(TREE(1));
    return v;
}

// `bits` bits, highest first, with a 1 in front of them.
INLINE u32 tree(struct coder *c, u16 *probs, int bits)
{
    u32 v = 1, old, p, step;

    if (bits == 3)
        DECODE(TREE(3));
    else if (bits == 4)
        DECODE(TREE(4));
    else if (bits == 6)
        DECODE(TREE(6));
    else
        DECODE(TREE(8));
    return v;
}

// Lowest bit first: decoded like a tree, then turned round.
INLINE u32 reverse_tree(struct lzma *l, struct coder *c, u16 *probs, u32 bits)
{
    u32 v = 1;

    while (bits--)
        v = tree_bit(c, probs, v);
    return l->reversed[v];
}

// Bits of an even chance. `v` collects the borrows, which are the opposite of the bits, and ends
// the loop when the 1 in front of them is shifted out.
INLINE u32 direct_bits(struct coder *c, u32 bits)
{
    u32 v = (u32)1 << (32 - bits), left;

    __asm__("2:\t" NORMALIZE("range") //
            "shrl $1, %[range]\n\t"
            "movl %[code], %[left]\n\t"
            "subl %[range], %[left]\n\t"
            "cmovncl %[left], %[code]\n\t"
            "adcl %[v], %[v]\n\t"
            "jnc 2b"
            : [range] "+&r"(c->range), [code] "+&q"(c->code), [in] "+&r"(c->in), [v] "+&r"(v),
              [left] "=&r"(left)
            :
            : "memory", "cc");
    return v;
}

INLINE u32 length(struct coder *c, struct lzma_lengths *p, u32 pos_state)
{
    if (!bit(c, &p->choice))
        return tree(c, p->low[pos_state], 3) - 8 + MATCH_MIN;
    if (!bit(c, &p->choice2))
        return tree(c, p->mid[pos_state], 3) - 8 + MATCH_MIN + 8;
    return tree(c, p->high, 8) - 256 + MATCH_MIN + 16;
}

// One less than the distance; all ones is the end marker.
INLINE u32 distance(struct lzma *l, struct coder *c, u32 len)
{
    u32 slot = tree(c, l->slot[MIN(len - MATCH_MIN, 3u)], 6) - 64;

    if (slot < 4)
        return slot;
    u32 low_bits = (slot >> 1) - 1;
    u32 v = (2 | (slot & 1)) << low_bits;
    if (slot < SLOT_DIRECT)
        return v + reverse_tree(l, c, l->distance + v - slot, low_bits);
    // All of these bits as ones, less the borrows.
    v += (1u << low_bits) - 16 - (direct_bits(c, low_bits - 4) << 4);
    return v + l->reversed[tree(c, l->align, 4)];
}

INLINE void copy8(u8 *to, const u8 *from)
{
    __builtin_memcpy(to, from, 8);
}

// Of distances below 8: eight bytes of the pattern come from multiplying it; from there on it also
// repeats at a multiple of its distance.
static const struct {
    u64 repeat;
    s64 distance;
} patterns[7] = {
    {0x0101010101010101, 8},  {0x0001000100010001, 8},  {0x0001000001000001, 9},
    {0x0000000100000001, 8},  {0x0000010000000001, 10}, {0x0001000000000001, 12},
    {0x0100000000000001, 14},
};

// Returns the end of the copy. Writes up to 24 bytes more than asked for.
INLINE u8 *copy_match(u8 *out, u32 rep0, u32 len)
{
    u8 *end = out + len;
    s64 back = ~(s64)rep0;

    if (unlikely(rep0 < 7)) {
        u64 v;

        __builtin_memcpy(&v, out + back, 8);
        v = (v & (((u64)256 << 8 * rep0) - 1)) * patterns[rep0].repeat;
        __builtin_memcpy(out, &v, 8);
        out += 8;
        back = -patterns[rep0].distance;
    }
    do {
        copy8(out, out + back);
        copy8(out + 8, out + back + 8);
        out += 16;
    } while (out < end);
    return end;
}

static __attribute__((noinline)) bool copy_careful(struct lzma_io *io, u8 *out, u64 dist, u32 len)
{
    if (len > (u64)(io->out_end - out))
        return false;
    for (; len; len--, out++)
        *out = *(out - dist);
    return true;
}

// Decodes which of the last four distances the match repeats, and moves it to the front; false for
// a single byte.
INLINE bool repeat(struct lzma *l, struct coder *c, u32 *rep0, struct lzma_state *s, u32 pos_state)
{
    u32 dist = l->rep[1];

    if (!bit(c, &s->is_rep0))
        return bit(c, &s->is_rep0_long[pos_state]);
    if (bit(c, &s->is_rep1)) {
        dist = l->rep[2];
        if (bit(c, &s->is_rep2)) {
            dist = l->rep[3];
            l->rep[3] = l->rep[2];
        }
        l->rep[2] = l->rep[1];
    }
    l->rep[1] = *rep0;
    *rep0 = dist;
    return true;
}

// How many symbols surely neither run out of input nor of room; none if the next one may.
INLINE s64 safe_symbols(const struct lzma_io *io, const u8 *in, const u8 *out)
{
    s64 by_in = (io->in_end - in) / LZMA_SYMBOL_BYTES;
    s64 by_out = (io->out_end - out) / MATCH_MAX;

    return MIN(by_in, by_out);
}

// Decodes `n` symbols unseen, then as many as fit.
static __attribute__((noinline, aligned(4096))) enum lzma_result run(struct lzma *l,
                                                                     struct lzma_io *io, s64 n)
{
    struct coder c = {io->in, l->range, l->code};
    u32 rep0 = l->rep[0];
    const u8 *window = l->window;
    u8 *out = io->out;
    struct lzma_state *state = l->state;
    u32 before = out > window ? out[-1] : 0;
    enum lzma_result result = LZMA_FULL;

    for (;;) {
        if (--n < 0) {
            if (out >= io->out_end || c.in > io->in_end)
                break;
            n = safe_symbols(io, c.in, out);
        }
        u32 pos = (u32)(out - window), pos_state = pos & l->pos_mask;

        if (!bit(&c, &state->is_match[pos_state])) {
            u16 *probs = l->literals + l->literal_row[before] +
                         (pos & l->literal_pos_mask) * l->literal_pos_step;

            before = (u8)literal(&c, probs, state, out, rep0);
            *out++ = (u8)before;
            state = state->literal;
            continue;
        }
        bool fresh = !bit(&c, &state->is_rep);
        struct lzma_lengths *lengths = &l->lengths;
        if (!fresh) {
            if (out == window)
                return LZMA_CORRUPT;
            if (!repeat(l, &c, &rep0, state, pos_state)) {
                state = state->single;
                before = *out = out[~(s64)rep0];
                out++;
                continue;
            }
            lengths = &l->rep_lengths;
            state = state->rep;
        }
        u32 len = length(&c, lengths, pos_state);
        if (fresh) {
            l->rep[3] = l->rep[2];
            l->rep[2] = l->rep[1];
            l->rep[1] = rep0;
            rep0 = distance(l, &c, len);
            state = state->match;
            if (rep0 >= pos || rep0 >= l->dictionary_bytes) {
                if (rep0 != UINT32_MAX)
                    return LZMA_CORRUPT;
                result = LZMA_MARKER;
                break;
            }
        }
        if (likely(out < l->copy_end))
            out = copy_match(out, rep0, len);
        else if (copy_careful(io, out, (u64)rep0 + 1, len))
            out += len;
        else
            return LZMA_TOO_LONG;
        before = out[-1];
    }
    io->in = c.in;
    io->out = out;
    l->range = c.range;
    l->code = c.code;
    l->state = state;
    l->rep[0] = rep0;
    return result;
}

enum lzma_result lzma_run(struct lzma *l, struct lzma_io *io)
{
    s64 room = io->cap - io->out;

    l->copy_end = room > COPY_SLACK ? io->cap - COPY_SLACK : io->out;
    return run(l, io, 0);
}

// A symbol other than a new match is no marker. That is looked up in copies, because run() may only
// be let loose on a full buffer when it is going to store nothing.
enum lzma_result lzma_marker(struct lzma *l, struct lzma_io *io)
{
    struct coder c = {io->in, l->range, l->code};
    u32 pos_state = (u32)(io->out - l->window) & l->pos_mask;
    u16 is_match = l->state->is_match[pos_state], is_rep = l->state->is_rep;

    if (io->in > io->in_end)
        return LZMA_CORRUPT;
    if (!bit(&c, &is_match) || bit(&c, &is_rep))
        return LZMA_TOO_LONG;
    l->copy_end = io->out;
    return run(l, io, 1);
}

bool lzma_start(struct lzma *l, struct lzma_io *io)
{
    const u8 *p = io->in;

    if (io->in_end - p < 5 || p[0] != 0)
        return false;
    l->range = UINT32_MAX;
    l->code = (u32)p[1] << 24 | (u32)p[2] << 16 | (u32)p[3] << 8 | p[4];
    io->in += 5;
    return true;
}

bool lzma_finish(struct lzma *l, struct lzma_io *io)
{
    struct coder c = {io->in, l->range, l->code};

    if (c.range < RANGE_MIN && c.in >= io->in_end)
        return false;
    normalize(&c);
    l->range = c.range;
    l->code = c.code;
    io->in = c.in;
    return c.code == 0;
}

void lzma_window(struct lzma *l, const u8 *start, u32 dictionary_bytes)
{
    l->window = start;
    l->dictionary_bytes = dictionary_bytes;
}

static void even_chances(u16 *probs, u64 bytes)
{
    for (u64 i = 0; i < bytes / sizeof(*probs); i++)
        probs[i] = LZMA_PROB_ONE / 2;
}

void lzma_reset(struct lzma *l)
{
    for (u32 i = 0; i < LZMA_STATES; i++)
        even_chances(l->states[i].is_match, offsetof(struct lzma_state, matched_literal));
    even_chances(l->slot[0], offsetof(struct lzma, state) - offsetof(struct lzma, slot));
    memset(l->rep, 0, sizeof(l->rep));
    l->state = l->states;
}

bool lzma_set_properties(struct lzma *l, u8 byte)
{
    u32 lc = byte % 9, lp = byte / 9 % 5, pb = byte / 9 / 5;

    if (pb > 4 || lc + lp > 4)
        return false;
    l->pos_mask = (1u << pb) - 1;
    l->literal_pos_mask = (1u << lp) - 1;
    l->literal_pos_step = 0x300u << lc;
    for (u32 i = 0; i < 256; i++)
        l->literal_row[i] = 0x300 * (i >> (8 - lc));
    return true;
}

void lzma_init(struct lzma *l)
{
    for (u32 i = 0; i < LZMA_STATES; i++) {
        bool literal = i < STATE_AFTER_LITERAL;

        l->states[i].matched_literal = !literal;
        l->states[i].literal = &l->states[i < 4 ? 0 : i < 10 ? i - 3 : i - 6];
        l->states[i].match = &l->states[literal ? 7 : 10];
        l->states[i].rep = &l->states[literal ? 8 : 11];
        l->states[i].single = &l->states[literal ? 9 : 11];
    }
    l->reversed[1] = 0;
    for (u32 v = 2; v < ARRAY_SIZE(l->reversed); v++) {
        u32 top = 30 - (u32)__builtin_clz(v); // of the bits behind the leading 1

        l->reversed[v] = (u8)(l->reversed[v / 2] | (v & 1) << top);
    }
}
