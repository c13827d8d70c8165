# SPDX-License-Identifier: MIT
# Static archives of Debian (zlib1g-dev, libzstd-dev) that hv/dom0/unpack.c needs. Link UNPACK_LIBS
# into the hypervisor behind all objects, with --gc-sections and with hv/dom0/unpack_libc.o among the
# objects: its definitions keep unused archive members out.

UNPACK_LIBS := $(foreach l,libzstd libz,$(shell $(CC) -print-file-name=$(l).a))

# The decoder needs every register, and calls nothing that could want a back trace.
$(BUILD)/hv/dom0/lzma.o: HV_CFLAGS += -fomit-frame-pointer

# For tests: the decoder and what it is made of.
UNXZ_SOURCES := $(addprefix hv/dom0/,unxz.c lzma.c x86_filter.c crc.c)
