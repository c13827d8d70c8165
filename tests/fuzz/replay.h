// SPDX-License-Identifier: MIT
// What every fuzz target defines. libFuzzer calls it, or the main of tests/fake/replay.c with the
// seeds when built with -DFUZZ_REPLAY.
#ifndef WIRT_TESTS_FUZZ_REPLAY_H
#define WIRT_TESTS_FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
