# SPDX-License-Identifier: MIT
# Host tests: production files compiled unchanged against tests/fake, under sanitizers.
#   make unit          unit tests and models
#   make unit-release  the same with assertions off
#   make fuzz-replay   the fuzz targets on their kept seeds
#   make fuzz          FUZZ_SECONDS of fuzzing for each target; findings stay in build/fuzz
BUILD ?= build
FUZZ_SECONDS ?= 60
UNIT_DEFS ?= -DWIRT_DEBUG

UNIT_CFLAGS = -std=gnu17 -g -O1 -Ihv -I. -Itests $(UNIT_DEFS) -Wall -Wextra -Wshadow \
	-Wstrict-prototypes -Wno-unused-parameter -Werror -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all

UNIT_CC = gcc $(UNIT_CFLAGS)
UNIT_EXTRA = tests/fake/host.c
UNIT_LIBS = -lcmocka
REPLAY_CC = gcc $(UNIT_CFLAGS)
REPLAY_EXTRA = tests/fake/host.c tests/fake/replay.c
FUZZ_CC = clang $(UNIT_CFLAGS) -fsanitize=fuzzer
FUZZ_EXTRA = tests/fake/host.c

UNIT_FILES := $(wildcard tests/unit/*.c tests/model/*.c tests/fuzz/*.c)

$(BUILD)/unit-rules.mk: scripts/unit-rules $(UNIT_FILES) $(wildcard tests/unit tests/model tests/fuzz)
	@mkdir -p $(@D)
	@scripts/unit-rules $(UNIT_FILES) /dev/null >$@
-include $(BUILD)/unit-rules.mk

.PHONY: unit unit-release fuzz-replay fuzz
unit: $(UNIT_ALL)
	@scripts/unit-run $@ $(UNIT_ALL)

unit-release:
	@$(MAKE) --no-print-directory unit BUILD=$(BUILD)/release UNIT_DEFS=

fuzz-replay: $(REPLAY_ALL)
	@scripts/unit-run $@ $(REPLAY_ALL)

fuzz: $(FUZZ_ALL)
	@set -e; for program in $(FUZZ_ALL); do \
		name=$${program##*/}; \
		mkdir -p $(BUILD)/fuzz/corpus/$$name tests/fuzz/seeds/$$name; \
		$$program -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(BUILD)/fuzz/$$name- \
			$(BUILD)/fuzz/corpus/$$name tests/fuzz/seeds/$$name; \
	done
