# SPDX-License-Identifier: MIT
"""depriv.py DOMID: lets depriv-fd-checker judge descriptors as a device model has them that is to
reach no domain but DOMID: restricted ones, and /dev/null for reading only."""

import fcntl
import os
import struct
import sys

CHECKER = "/usr/lib/xen-4.17/bin/depriv-fd-checker"
# The two have _IOC(_IOC_NONE, letter, number, sizeof(domid_t)): <xen/privcmd.h>, <xen/evtchn.h> of Linux.
RESTRICT = {"privcmd": 2 << 16 | ord("P") << 8 | 6, "evtchn": 2 << 16 | ord("E") << 8 | 6}

arguments = [CHECKER]
for name, request in RESTRICT.items():
    fd = os.open("/dev/xen/" + name, os.O_RDWR)
    fcntl.ioctl(fd, request, struct.pack("H", int(sys.argv[1])))
    os.set_inheritable(fd, True)
    arguments += [name, str(fd), "restricted"]
null = os.open("/dev/null", os.O_RDONLY)
os.set_inheritable(null, True)
os.execv(CHECKER, arguments + ["readonly", str(null), "null"])
