# SPDX-License-Identifier: MIT
# Programs for dom0, with Debian's libxen-dev: make tools, build/tools/NAME.
BUILD ?= build
TOOLS_CFLAGS = -std=gnu17 -O2 -g -I. -MMD -MP -Wall -Wextra -Wshadow -Wstrict-prototypes -Wcast-qual -Wvla -Werror

.PHONY: tools
tools: $(BUILD)/tools/wirt-sched

$(BUILD)/tools/obj/%.o: tools/%.c mk/tools.mk
	@mkdir -p $(@D)
	@echo CC $<
	$(Q)$(CC) $(TOOLS_CFLAGS) -c -o $@ $<

$(BUILD)/tools/wirt-sched: $(patsubst tools/%.c,$(BUILD)/tools/obj/%.o,$(wildcard tools/wirt-sched/*.c))
	@echo LD $@
	$(Q)$(CC) -o $@ $^ -lxencall -lxenstore

-include $(wildcard $(BUILD)/tools/obj/*/*.d)
