# SPDX-License-Identifier: MIT
# Wirt: `make` builds build/wirt, `make run` boots it with a Debian dom0, `make test` runs what a
# small machine can run. The other targets live in mk/*.mk.

BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
# V=1 shows the commands.
Q := $(if $(V),,@)
LD := ld
NM := nm
OBJCOPY := objcopy
VERSION := 0.1
DEBUG ?= 0

all: $(BUILD)/wirt

WARN := -Wall -Wextra -Wno-unused-parameter -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wcast-qual -Wvla -Werror
HV_CFLAGS := -std=gnu17 -O2 -g -ffreestanding -fpie -mcmodel=small -fvisibility=hidden \
    -mindirect-branch=thunk-extern -mindirect-branch-register -mgeneral-regs-only -mno-red-zone -fno-stack-protector -fcf-protection=none \
    -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fno-common -fno-strict-aliasing \
    -ffunction-sections -fdata-sections -fno-align-functions -fno-align-labels -fno-align-jumps -fno-align-loops -malign-data=abi \
    -Ihv -I. -I$(BUILD)/gen -include hv/lib/hidden.h $(WARN) -DWIRT_VERSION='"$(VERSION)"'
ifeq ($(DEBUG),1)
HV_CFLAGS += -DWIRT_DEBUG
endif

HV_C := $(filter-out hv/cpu/offsets.c,$(sort $(wildcard hv/*/*.c)))
HV_S := $(sort $(wildcard hv/*/*.S))
HV_OBJ := $(HV_C:%.c=$(BUILD)/%.o) $(HV_S:%.S=$(BUILD)/%.S.o)

include mk/unpack.mk

$(BUILD)/gen/cpu/offsets.h: hv/cpu/offsets.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) -MMD -MT $@ -MF $(BUILD)/gen/offsets.d -S -o $(BUILD)/gen/offsets.s $<
	$(Q)sed -n 's/.*"->\([A-Z0-9_]*\) \$$*\(-*[0-9]*\)\\n".*/#define \1 \2/p' $(BUILD)/gen/offsets.s > $@

# What guests' work passes through, and the unpacking of dom0's kernel, is made fast; the rest small.
FAST := hv/cpu/traps.c hv/cpu/time.c hv/dom/domain.c hv/dom/evtchn%.c hv/dom/grant_use.c \
    hv/dom/grant_map.c hv/dom/grant_copy.c hv/dom0/crc.c \
    hv/dom0/x86_filter.c hv/hc/event.c hv/hc/grant.c hv/hc/guest_access.c hv/hc/mmu.c hv/hc/op.c \
    hv/hc/pv.c hv/hc/sched.c hv/hc/table.c hv/hc/vcpu.c hv/lib/string.c hv/mm/alloc.c \
    hv/mm/tlb.c hv/pv/cpuid.c hv/pv/emulate.c hv/pv/mmu.c hv/pv/ptwrite.c hv/pv/traps.c \
    hv/pv/vcpu.c hv/sched/sched.c hv/sched/timer.c
# Of these the ones that do not care for a call more: what is large and not declared inline is called.
CALLS := $(filter-out hv/cpu/% hv/hc/sched.c hv/pv/vcpu.c hv/sched/%,$(FAST))
size_flags = $(if $(filter $(CALLS),$<),-fno-inline-functions,$(if $(filter $(FAST),$<),,-Os))

$(BUILD)/hv/%.o: hv/%.c Makefile
	@mkdir -p $(@D)
	@echo CC $<
	$(Q)$(CC) $(HV_CFLAGS) $(size_flags) -MMD -MP -c -o $@ $<

$(BUILD)/hv/%.S.o: hv/%.S $(BUILD)/gen/cpu/offsets.h Makefile
	@mkdir -p $(@D)
	@echo AS $<
	$(Q)$(CC) $(HV_CFLAGS) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

HV_LINK = $(LD) -T hv/wirt.lds -nostdlib -static -z max-page-size=4096 -z noexecstack \
    --gc-sections --no-relax --no-warn-rwx-segments -o $@

# Two passes: the first gives the addresses for the symbol table of back traces. That table is
# read-only data behind the text, so addresses of functions do not move.
$(BUILD)/wirt.pass1: $(HV_OBJ) hv/wirt.lds
	@echo LD $@
	$(Q)$(HV_LINK) $(HV_OBJ) $(UNPACK_LIBS)

$(BUILD)/symtab.S: $(BUILD)/wirt.pass1 scripts/mksyms
	$(Q)$(NM) -n $< | scripts/mksyms > $@

$(BUILD)/wirt.elf: $(BUILD)/symtab.S $(HV_OBJ) hv/wirt.lds
	$(Q)$(CC) -c -o $(BUILD)/symtab.o $<
	@echo LD $@
	$(Q)$(HV_LINK) $(HV_OBJ) $(BUILD)/symtab.o $(UNPACK_LIBS)

$(BUILD)/wirt: $(BUILD)/wirt.elf
	$(Q)$(OBJCOPY) --strip-all $< $@

clean:
	rm -rf $(BUILD)

.PHONY: all clean
.DELETE_ON_ERROR:

-include $(HV_OBJ:.o=.d) $(BUILD)/gen/offsets.d
include $(filter-out mk/unpack.mk,$(wildcard mk/*.mk))
