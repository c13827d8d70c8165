# SPDX-License-Identifier: MIT
# Static archives of Debian (zlib1g-dev, liblzma-dev, libzstd-dev, libbz2-dev) that hv/dom0/unpack.c
# needs. Link UNPACK_LIBS into the hypervisor behind all objects, with --gc-sections and with
# hv/dom0/unpack_libc.o among the objects: its definitions keep unused archive members out.

UNPACK_LIBS := $(foreach l,liblzma libzstd libz libbz2,$(shell $(CC) -print-file-name=$(l).a))
