# SPDX-License-Identifier: MIT
"""nonsense.py DOMID REF: fills the page that a guest granted to dom0 under REF with random bytes, as a
frontend that has gone mad would do with its ring."""

import ctypes
import os
import sys

PAGE = 4096
PROT_READ_WRITE = 3

lib = ctypes.CDLL("libxengnttab.so.1", use_errno=True)
lib.xengnttab_open.restype = ctypes.c_void_p
lib.xengnttab_map_grant_ref.restype = ctypes.c_void_p
lib.xengnttab_map_grant_ref.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_int]

handle = lib.xengnttab_open(None, 0)
page = lib.xengnttab_map_grant_ref(handle, int(sys.argv[1]), int(sys.argv[2]), PROT_READ_WRITE)
if not page:
    sys.exit(f"nonsense: {os.strerror(ctypes.get_errno())}")
ctypes.memmove(page, os.urandom(PAGE), PAGE)
