# SPDX-License-Identifier: MIT
#
# Targets that boot something: run, iso, bochs, check-system, hundred; and what they need: deps, images.
# Variables given to make reach the scripts through the environment; scripts/run and scripts/iso
# list them. HV=path boots another hypervisor with the same options.

export WIRT_CACHE ?= $(HOME)/.cache/wirt
HV ?= build/wirt
# Our own hypervisor is built first; a foreign one is taken as it is.
build-hv = $(if $(filter build/wirt,$(HV)),$(MAKE) --no-print-directory build/wirt)

.PHONY: deps images run iso bochs check-system check-system-quick hundred

# Everything that any target needs.
deps:
	scripts/deps build unit check image run iso bochs

images:
	scripts/deps image
	images/fetch current
	images/fetch older

run:
	scripts/deps build image run $(if $(filter uefi,$(FIRMWARE)),iso)
	$(build-hv)
	HV=$(HV) scripts/run

iso:
	scripts/deps build image iso
	$(build-hv)
	HV=$(HV) scripts/iso

bochs:
	scripts/deps build image iso bochs
	$(build-hv)
	HV=$(HV) scripts/bochs

# SYSTEM_TESTS="name ..." picks some; see tests/system/run --list.
check-system check-system-quick:
	scripts/deps build image run iso
	$(build-hv)
	tests/system/run --hv $(HV) $(if $(findstring quick,$@),--quick) $(SYSTEM_TESTS)

# A hundred guests. HUNDRED_ARGS: --oracle, --icount, --count N, ...; see tests/system/hundred --help.
hundred:
	scripts/deps build image kernel run
	$(build-hv)
	tests/system/hundred $(if $(findstring --oracle,$(HUNDRED_ARGS)),,--hv $(HV)) $(HUNDRED_ARGS)
