# SPDX-License-Identifier: MIT
# Pages that are generated from the source.
#   make abi-doc        writes docs/abi.md
#   make abi-doc-check  fails if it is not current
.PHONY: abi-doc abi-doc-check
abi-doc:
	@scripts/abi-doc

abi-doc-check:
	@scripts/abi-doc --check
