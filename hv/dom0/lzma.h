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

// What kinds of symbols came last: their probabilities and where each kind leads.
struct lzma_state {
    u16 is_match[LZMA_POSITIONS], is_rep0_long[LZMA_POSITIONS];
    u16 is_rep, is_rep0, is_rep1, is_rep2;
    u32 matched_literal; // whether the symbol before was no literal
    struct lzma_state *literal, *match, *rep, *single;
};

struct lzma {
    u32 literal_row[256]; // by the byte before: where its literal probabilities begin
    struct lzma_state states[LZMA_STATES];
    u16 slot[4][64], distance[128], align[16];
    struct lzma_lengths lengths, rep_lengths;
    u16 literals[LZMA_LITERALS];
    struct lzma_state *state;
    u32 rep[4];
    u32 range, code;
    u32 pos_mask, literal_pos_mask, literal_pos_step;
    u32 dictionary_bytes;
    const u8 *window; // the first byte that a match may be copied from
    u8 *copy_end;     // matches from here on are copied carefully
    u8 reversed[64];  // the bits behind the leading 1 in reverse order
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

#endif
