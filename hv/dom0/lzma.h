// SPDX-License-Identifier: MIT
// LZMA, the packing inside .xz and .lzma files: one stretch of packed bytes into one buffer that
// holds everything unpacked so far, so that matches are copied from the output itself.
//
// 1. Input is hostile: nothing is read or written outside of what struct lzma_io allows.
// 2. No allocation; struct lzma comes from the caller and needs no initial value.
// 3. General registers only. One symbol takes at most LZMA_SYMBOL_BYTES bytes of input, which is
//    why input is checked once per symbol and not once per byte.
//
// The way: lzma_init(); lzma_set_properties() and lzma_reset() as the container says; lzma_window()
// where matches may begin; lzma_start(), lzma_run() and lzma_finish() for each stretch.
// Source: "LZMA specification" of the LZMA SDK (DOC/lzma-specification.txt).
#ifndef WIRT_DOM0_LZMA_H
#define WIRT_DOM0_LZMA_H

// Offsets into the structures below, for lzma_symbols.S; lzma.c checks them.
#define LZMA_OFFSETS(X)                           \
    X(OUT, 0, lzma, out)                          \
    X(IN, 8, lzma, coder.in)                      \
    X(RANGE, 16, lzma, coder.range)               \
    X(CODE, 24, lzma, coder.code)                 \
    X(STATE, 32, lzma, state)                     \
    X(WINDOW, 40, lzma, window)                   \
    X(COPY_END, 48, lzma, copy_end)               \
    X(LITERAL_STEP, 56, lzma, literal_step)       \
    X(MASKS, 64, lzma, masks)                     \
    X(REP, 72, lzma, rep)                         \
    X(DICTIONARY, 88, lzma, dictionary_bytes)     \
    X(REVERSED, 92, lzma, reversed)               \
    X(BASE, 156, lzma, base)                      \
    X(STATE_MATCHED, 1144, lzma, states[7])       \
    X(SLOT, 1664, lzma, slot)                     \
    X(DISTANCE, 2176, lzma, distance)             \
    X(ALIGN, 2432, lzma, align)                   \
    X(LENGTHS, 2464, lzma, lengths)               \
    X(REP_LENGTHS, 3492, lzma, rep_lengths)       \
    X(LITERALS, 4520, lzma, literals)             \
    X(IS_REP0_LONG, 32, lzma_state, is_rep0_long) \
    X(IS_REP, 64, lzma_state, is_rep)             \
    X(IS_REP0, 66, lzma_state, is_rep0)           \
    X(IS_REP1, 68, lzma_state, is_rep1)           \
    X(IS_REP2, 70, lzma_state, is_rep2)           \
    X(NEXT_LITERAL, 72, lzma_state, literal)      \
    X(NEXT_MATCH, 80, lzma_state, match)          \
    X(NEXT_REP, 88, lzma_state, rep)              \
    X(NEXT_SINGLE, 96, lzma_state, single)        \
    X(CHOICE2, 2, lzma_lengths, choice2)          \
    X(LOW, 4, lzma_lengths, low)                  \
    X(MID, 260, lzma_lengths, mid)                \
    X(HIGH, 516, lzma_lengths, high)

#ifndef __ASSEMBLER__
#include "lib/compiler.h"

enum {
    LZMA_STATES = 12,
    LZMA_POSITIONS = 16,
    LZMA_PROB_ONE = 2048,       // a probability is a fraction of this
    LZMA_LITERALS = 0x300 << 4, // lc + lp is at most 4 here
    LZMA_SYMBOL_BYTES = 20,     // 22 coded bits of at most 6.05 bits each, 26 plain ones
};

// The two kinds of lengths: of new matches and of repeated ones.
struct lzma_lengths {
    u16 choice, choice2;
    u16 low[LZMA_POSITIONS][8], mid[LZMA_POSITIONS][8], high[256];
};

// What kinds of symbols came last: their probabilities and where each kind leads. From the eighth
// on the symbol before was no literal.
struct lzma_state {
    u16 is_match[LZMA_POSITIONS], is_rep0_long[LZMA_POSITIONS];
    u16 is_rep, is_rep0, is_rep1, is_rep2;
    struct lzma_state *literal, *match, *rep, *single;
};

struct lzma_coder {
    const u8 *in;
    u64 range, code;
};

struct lzma {
    u8 *out; // of the stretch at hand, as coder.in
    struct lzma_coder coder;
    struct lzma_state *state;
    const u8 *window; // the first byte that a match may be copied from
    u8 *copy_end;     // matches from here on are copied carefully
    u64 literal_step; // bytes from one literal tree to the next, by the lowest bit of its number
    u64 masks;        // of position and byte before (<< 8) for literals; | of position for others
    u32 rep[4];       // the last distances, less 1
    u32 dictionary_bytes;
    u8 reversed[64]; // the bits behind the leading 1 in reverse order
    u32 base[64];    // by slot: the smallest distance
    struct lzma_state states[LZMA_STATES];
    u16 slot[4][64], distance[128], align[16];
    struct lzma_lengths lengths, rep_lengths;
    u16 literals[LZMA_LITERALS];
};

struct lzma_io {
    const u8 *in, *in_end; // LZMA_SYMBOL_BYTES more must be readable
    u8 *out, *out_end;     // what this stretch is to fill
    u8 *cap;               // end of the buffer, at or behind out_end: may be scribbled on
};

enum lzma_result {
    LZMA_FULL,     // out is at out_end, or in is behind in_end; either may be beyond its end
    LZMA_MARKER,   // the end marker came
    LZMA_TOO_LONG, // a match goes beyond out_end
    LZMA_CORRUPT,
};

void lzma_init(struct lzma *l);
// The byte that holds lc, lp and pb; false if they are out of range or lc + lp is above 4.
NODISCARD bool lzma_set_properties(struct lzma *l, u8 byte);
void lzma_reset(struct lzma *l);
void lzma_window(struct lzma *l, const u8 *start, u32 dictionary_bytes);
// Reads the first five bytes of a stretch.
NODISCARD bool lzma_start(struct lzma *l, struct lzma_io *io);
NODISCARD enum lzma_result lzma_run(struct lzma *l, struct lzma_io *io);
// When out is full: LZMA_MARKER if the next symbol is the end marker, LZMA_TOO_LONG if another.
NODISCARD enum lzma_result lzma_marker(struct lzma *l, struct lzma_io *io);
// Whether the stretch may end at io->in.
NODISCARD bool lzma_finish(struct lzma *l, struct lzma_io *io);

// Decodes `n` symbols (below 2^47) from l->coder.in to l->out, of which there must be
// LZMA_SYMBOL_BYTES and 273 bytes of room for each, and a byte before l->out unless the first
// symbol is a new match. Returns 0, or earlier, with l->rep[0] and a length, when a match is not to
// be copied: its distance is too far, or l->out is not below l->copy_end. In assembly.
NODISCARD u32 lzma_symbols(struct lzma *l, u64 n);
#endif

#endif
