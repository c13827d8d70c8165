# SPDX-License-Identifier: MIT
# All rings of tests.
#   make test         what a small machine can run: host, guest and quick system tests
#   make test-all     the same with every system test and the guest tests' long runs
#   make test-oracle  the guest tests on Debian's Xen and on Wirt, and where they differ
.PHONY: test test-all test-oracle

RINGS := build unit unit-release fuzz-replay guest guest-debug

test test-all:
	@scripts/deps build unit image run iso
	@BUILD=$(BUILD) scripts/test $(RINGS) $(if $(findstring all,$@),guest-long system,system-quick)

test-oracle:
	@scripts/deps build run
	@$(MAKE) --no-print-directory all guest
	BUILD=$(BUILD) WIRT_ORACLE=$$(images/fetch oracle)/xen tests/guest/run --compare
