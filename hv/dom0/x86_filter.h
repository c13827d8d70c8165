// SPDX-License-Identifier: MIT
// The x86 filter of xz ("BCJ"): packers make the targets of near calls and jumps absolute, so that
// calls of one function look alike.
//
// What the format is: a byte E8 or E9 is an opcode, and the four bytes behind it are an operand, if
// the last of them is 00 or FF. The packer adds to such an operand the place behind the instruction
// and continues there; the sum keeps 25 bits, the last byte being 00 or FF by bit 24. Bytes E8 and
// E9 that are passed by as they are no opcodes count for the next three places: with two or more of
// the three bytes before being such, or with one whose last operand byte looks converted, a place
// is passed by as well; with one otherwise, the sum must not make its last byte look converted,
// and is inverted below that byte and formed again until it does not. The last four bytes of the
// data begin no opcode.
#ifndef WIRT_DOM0_X86_FILTER_H
#define WIRT_DOM0_X86_FILTER_H

#include "lib/compiler.h"

// Turns targets of data that began at address `start` back into distances.
void x86_filter_undo(u8 *data, u64 bytes, u32 start);

#endif
