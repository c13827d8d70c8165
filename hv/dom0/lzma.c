// SPDX-License-Identifier: MIT
// The LZMA decoder, except for its loop; see lzma.h and lzma_symbols.S. Here is what begins and
// ends a stretch, and the few symbols that the loop leaves alone: the first literal of a window,
// matches near the end of the buffer, and what is wrong.
#include "dom0/lzma.h"

#include "lib/string.h"

enum {
    RANGE_MIN = 1 << 24,
    PROB_BITS = 11,
    PROB_SHIFT = 5,
    MATCH_MAX = 273,
    COPY_SLACK = MATCH_MAX + 24, // the loop writes up to 24 bytes more than a match has
    STATE_AFTER_LITERAL = 7,     // states below: the symbol before was a literal
};

#define CHECK(name, offset, type, member) STATIC_ASSERT(offset == offsetof(struct type, member));
LZMA_OFFSETS(CHECK)

static void normalize(struct lzma_coder *c)
{
    if (c->range >= RANGE_MIN)
        return;
    c->range <<= 8;
    c->code = c->code << 8 | *c->in++;
}

static bool bit(struct lzma_coder *c, u16 *prob)
{
    u64 bound;

    normalize(c);
    bound = (c->range >> PROB_BITS) * *prob;
    if (c->code < bound) {
        c->range = bound;
        *prob = (u16)(*prob + ((LZMA_PROB_ONE - *prob) >> PROB_SHIFT));
        return false;
    }
    c->code -= bound;
    c->range -= bound;
    *prob = (u16)(*prob - (*prob >> PROB_SHIFT));
    return true;
}

enum next { NEXT_LITERAL, NEXT_MATCH, NEXT_REPEAT };

// What the next symbol is, without decoding it.
static enum next peek(const struct lzma *l)
{
    struct lzma_coder c = l->coder;
    u32 pos_state = (u32)(l->out - l->window) & l->masks & (LZMA_POSITIONS - 1);
    u16 is_match = l->state->is_match[pos_state], is_rep = l->state->is_rep;

    if (!bit(&c, &is_match))
        return NEXT_LITERAL;
    return bit(&c, &is_rep) ? NEXT_REPEAT : NEXT_MATCH;
}

// With no byte before it, which counts as 0, and after no match.
static void first_literal(struct lzma *l)
{
    u32 v = 1;

    (void)bit(&l->coder, &l->state->is_match[0]);
    while (v < 0x100)
        v = v << 1 | bit(&l->coder, &l->literals[v]);
    *l->out++ = (u8)v;
    l->state = l->state->literal;
}

static bool copy_careful(struct lzma *l, const u8 *end, u64 distance, u32 len)
{
    if (len > (u64)(end - l->out))
        return false;
    for (; len; len--, l->out++)
        *l->out = *(l->out - distance);
    return true;
}

// The match that the loop gave back.
static enum lzma_result match(struct lzma *l, const u8 *end, u32 len)
{
    if (l->rep[0] >= (u64)(l->out - l->window) || l->rep[0] >= l->dictionary_bytes)
        return l->rep[0] == UINT32_MAX ? LZMA_MARKER : LZMA_CORRUPT;
    return copy_careful(l, end, (u64)l->rep[0] + 1, len) ? LZMA_FULL : LZMA_TOO_LONG;
}

// How many symbols surely run out of neither input nor room; one if there is some of both.
static u64 safe_symbols(const struct lzma_io *io, const struct lzma *l)
{
    u64 by_in = (u64)(io->in_end - l->coder.in) / LZMA_SYMBOL_BYTES;
    u64 by_out = (u64)(io->out_end - l->out) / MATCH_MAX;

    return MAX(MIN(by_in, by_out), (u64)1);
}

enum lzma_result lzma_run(struct lzma *l, struct lzma_io *io)
{
    s64 room = io->cap - io->out;
    enum lzma_result result = LZMA_FULL;

    l->copy_end = room > COPY_SLACK ? io->cap - COPY_SLACK : io->out;
    l->coder.in = io->in;
    l->out = io->out;
    if (l->out == l->window && l->out < io->out_end) {
        enum next next = peek(l);

        if (next == NEXT_REPEAT)
            return LZMA_CORRUPT;
        if (next == NEXT_LITERAL)
            first_literal(l);
    }
    while (result == LZMA_FULL && l->out < io->out_end && l->coder.in <= io->in_end) {
        u32 len = lzma_symbols(l, safe_symbols(io, l));

        if (len)
            result = match(l, io->out_end, len);
    }
    io->in = l->coder.in;
    io->out = l->out;
    return result;
}

// A symbol other than a new match is no marker. That is looked up in copies, because the loop may
// only be let loose on a full buffer when it is going to store nothing.
enum lzma_result lzma_marker(struct lzma *l, struct lzma_io *io)
{
    enum lzma_result result;

    if (io->in > io->in_end)
        return LZMA_CORRUPT;
    l->coder.in = io->in;
    l->out = l->copy_end = io->out;
    if (peek(l) != NEXT_MATCH)
        return LZMA_TOO_LONG;
    result = match(l, l->out, lzma_symbols(l, 1));
    io->in = l->coder.in;
    return result;
}

bool lzma_start(struct lzma *l, struct lzma_io *io)
{
    const u8 *p = io->in;

    if (io->in_end - p < 5 || p[0] != 0)
        return false;
    l->coder.range = UINT32_MAX;
    l->coder.code = (u32)p[1] << 24 | (u32)p[2] << 16 | (u32)p[3] << 8 | p[4];
    io->in += 5;
    return true;
}

bool lzma_finish(struct lzma *l, struct lzma_io *io)
{
    if (l->coder.range < RANGE_MIN && io->in >= io->in_end)
        return false;
    l->coder.in = io->in;
    normalize(&l->coder);
    io->in = l->coder.in;
    return l->coder.code == 0;
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
        even_chances(l->states[i].is_match, offsetof(struct lzma_state, literal));
    even_chances(l->slot[0], sizeof(*l) - offsetof(struct lzma, slot));
    memset(l->rep, 0, sizeof(l->rep));
    l->state = l->states;
}

bool lzma_set_properties(struct lzma *l, u8 byte)
{
    u32 lc = byte % 9, lp = byte / 9 % 5, pb = byte / 9 / 5;

    if (pb > 4 || lc + lp > 4)
        return false;
    l->masks = ((0x100u << lp) - (0x100u >> lc)) | ((1u << pb) - 1);
    l->literal_step = (0x300 * sizeof(l->literals[0])) >> (8 - lc);
    return true;
}

void lzma_init(struct lzma *l)
{
    for (u32 i = 0; i < LZMA_STATES; i++) {
        bool literal = i < STATE_AFTER_LITERAL;

        l->states[i].literal = &l->states[i < 4 ? 0 : i < 10 ? i - 3 : i - 6];
        l->states[i].match = &l->states[literal ? 7 : 10];
        l->states[i].rep = &l->states[literal ? 8 : 11];
        l->states[i].single = &l->states[literal ? 9 : 11];
    }
    for (u32 slot = 0; slot < ARRAY_SIZE(l->base); slot++)
        l->base[slot] = slot < 4 ? slot : (2 | (slot & 1)) << (slot / 2 - 1);
    l->reversed[1] = 0;
    for (u32 v = 2; v < ARRAY_SIZE(l->reversed); v++) {
        u32 top = 30 - (u32)__builtin_clz(v); // of the bits behind the leading 1

        l->reversed[v] = (u8)(l->reversed[v / 2] | (v & 1) << top);
    }
}
