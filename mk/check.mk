# SPDX-License-Identifier: MIT
# Checks that need no machine.
#   make check   static checks, unit tests, models, fuzz seeds
#   make lint    static checks only; make fmt repairs the layout
#   make sloc    code lines per folder
.PHONY: check lint fmt sloc
check: lint unit unit-release fuzz-replay

lint:
	@scripts/check

fmt:
	@git ls-files -z -- '*.c' '*.h' | xargs -0 clang-format -i

sloc:
	@scripts/sloc
