# SPDX-License-Identifier: MIT
# PV micro-kernels: each tests/guest/NAME/main.c becomes build/guest/NAME.elf. `make guest` builds all,
# tests/guest/run starts them. A test may carry its own flags in tests/guest/NAME/flags.mk
# (GUEST_CPPFLAGS_NAME = ...).

BUILD ?= build
CC ?= gcc

GUEST_DIR := tests/guest
GUEST_OUT := $(BUILD)/guest
GUEST_NAMES := $(sort $(patsubst $(GUEST_DIR)/%/main.c,%,$(wildcard $(GUEST_DIR)/*/main.c)))
GUEST_CFLAGS := -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fno-omit-frame-pointer -Wall -Wextra -Wmissing-prototypes -Wshadow -Wvla \
	-Werror
GUEST_FEATURES := writable_descriptor_tables|auto_translated_physmap|supervisor_mode_kernel
GUEST_CPPFLAGS := -I$(GUEST_DIR) -I. -MMD -MP
GUEST_LIB := $(patsubst $(GUEST_DIR)/lib/%.c,%,$(wildcard $(GUEST_DIR)/lib/*.c))
GUEST_LIB_OBJS := $(addprefix $(GUEST_OUT)/lib/,$(addsuffix .o,$(filter-out kit,$(GUEST_LIB))))
GUEST_LINK = ld -m elf_x86_64 -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments -static -nostdlib \
	-T $(GUEST_OUT)/lib/kernel.lds -o $@ $(filter %.o,$^)

-include $(wildcard $(GUEST_DIR)/*/flags.mk)

.PHONY: guest
guest: $(addprefix $(GUEST_OUT)/,$(addsuffix .elf,$(GUEST_NAMES)))

$(GUEST_OUT)/lib/%.o: $(GUEST_DIR)/lib/%.c mk/guest.mk
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $(GUEST_CPPFLAGS) -c -o $@ $<

$(GUEST_OUT)/lib/kernel.lds: $(GUEST_DIR)/lib/kernel.lds.S $(GUEST_DIR)/lib/layout.h
	@mkdir -p $(@D)
	$(CC) -E -P -x assembler-with-cpp -I$(GUEST_DIR) -o $@ $<

# Entry (with the notes) and kit (with the name) are built for each test.
$(GUEST_OUT)/%/start.o: $(GUEST_DIR)/lib/start.S mk/guest.mk
	@mkdir -p $(@D)
	$(CC) $(GUEST_CPPFLAGS) -DGUEST_FEATURES='"$(GUEST_FEATURES)"' $(GUEST_CPPFLAGS_$*) -c -o $@ $<

$(GUEST_OUT)/%/kit.o: $(GUEST_DIR)/lib/kit.c mk/guest.mk
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $(GUEST_CPPFLAGS) -DTEST_NAME='"$*"' -c -o $@ $<

$(GUEST_OUT)/%/main.o: $(GUEST_DIR)/%/main.c mk/guest.mk
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $(GUEST_CPPFLAGS) $(GUEST_CPPFLAGS_$*) -c -o $@ $<

$(GUEST_OUT)/%.elf: $(GUEST_OUT)/%/start.o $(GUEST_OUT)/%/kit.o $(GUEST_OUT)/%/main.o $(GUEST_LIB_OBJS) \
		$(GUEST_OUT)/lib/kernel.lds
	$(GUEST_LINK)

.SECONDARY:
-include $(wildcard $(GUEST_OUT)/*/*.d)

# bench/sched uses the kit, too (mk/bench.mk).
BENCH_SCHED_OWN := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/sched/*.c))
BENCH_SCHED := $(addprefix $(BUILD)/bench/sched/,start.o kit.o) $(BENCH_SCHED_OWN)
$(BUILD)/bench/sched/%.o: GUEST_CPPFLAGS += -DTEST_NAME='"sched"' -DGUEST_FEATURES='"$(GUEST_FEATURES)"'
$(BUILD)/bench/sched/start.o: $(GUEST_DIR)/lib/start.S
$(BUILD)/bench/sched/kit.o: $(GUEST_DIR)/lib/kit.c
$(BENCH_SCHED_OWN): $(BUILD)/%.o: %.c
$(BENCH_SCHED):
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) $(GUEST_CPPFLAGS) -c -o $@ $<

$(BUILD)/bench/sched.elf: $(BENCH_SCHED) $(GUEST_LIB_OBJS) $(GUEST_OUT)/lib/kernel.lds
	$(GUEST_LINK)
-include $(wildcard $(BUILD)/bench/sched/*.d)
