# SPDX-License-Identifier: MIT
#
# make bench: Wirt beside Debian's Xen and bare Linux, then (without BENCH_ARGS) make bench-guest: the same for
# what guests see. BENCH_ARGS goes to bench/run (--only, --hv, --quick); BENCH_KERNEL and BENCH_XEN name
# other files than the cached ones. BENCH_GUEST_ARGS goes to bench/guest (--only, --clock, --part).

BENCH_DIR := $(BUILD)/bench

# A PV kernel: no red zone, no vector registers, no unwinding, at the top of the address space.
BENCH_HC_CFLAGS := -std=gnu17 -O2 -Wall -Wextra -Wshadow -Werror -ffreestanding -fno-pic -mcmodel=kernel \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__
BENCH_HC_LDFLAGS := -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments

.PHONY: bench bench-guest isolation
bench: $(BUILD)/wirt $(BENCH_DIR)/ops.cpio $(BENCH_DIR)/hogs.cpio $(BENCH_DIR)/hc.elf $(BENCH_DIR)/sched.elf
	bench/run --build $(BUILD) --kernel "$(or $(BENCH_KERNEL),$$(images/fetch current)/vmlinuz)" \
		--xen "$(or $(BENCH_XEN),$$(images/fetch oracle)/xen)" $(BENCH_ARGS)
	$(if $(BENCH_ARGS),,$(MAKE) --no-print-directory bench-guest)

bench-guest: $(BUILD)/wirt $(BENCH_DIR)/ops.cpio
	scripts/deps image run bench smp
	bench/guest --hv $(BUILD)/wirt $(BENCH_GUEST_ARGS)

$(BENCH_DIR)/%/init: bench/%.c
	mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -Wall -Wextra -Wshadow -Werror -static -s -o $@ $<

$(BENCH_DIR)/load: bench/isolation/load.c
	mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 -Wall -Wextra -Wshadow -Werror -static -s -o $@ $<

$(BENCH_DIR)/%.cpio: $(BENCH_DIR)/%/init
	cd $(<D) && echo init | cpio --quiet -o -H newc -R 0:0 >$(abspath $@)

$(BENCH_DIR)/hc.elf: bench/hc/start.S bench/hc/hc.c bench/hc/link.ld
	mkdir -p $(@D)
	$(CC) $(BENCH_HC_CFLAGS) $(BENCH_HC_LDFLAGS) -Wl,-T,bench/hc/link.ld -o $@ bench/hc/start.S bench/hc/hc.c

# What guests do to each other. ISOLATION_ARGS: --only wirt, --realtime, ...; see bench/isolation/run --help.
isolation: $(BUILD)/wirt $(BENCH_DIR)/load $(BENCH_DIR)/sched.elf
	scripts/deps image kernel run
	bench/isolation/run --hv $(BUILD)/wirt $(ISOLATION_ARGS)
