# SPDX-License-Identifier: MIT
# Static archives of Debian (zlib1g-dev, libzstd-dev) that hv/dom0/unpack.c needs. Link UNPACK_LIBS
# into the hypervisor behind all objects, with --gc-sections and with hv/dom0/unpack_libc.o among the
# objects: its definitions keep unused archive members out.

UNPACK_LIBS := $(foreach l,libzstd libz,$(shell $(CC) -print-file-name=$(l).a))

# For tests: the decoder and what it is made of.
UNXZ_SOURCES := $(addprefix hv/dom0/,unxz.c lzma.c lzma_symbols.S x86_filter.c crc.c)
